package ai

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"strings"
	"sync"
	"unicode/utf8"
)

const (
	usageFile      = ".llm_usage_stats.jsonl"
	workDir        = "/function"
	maxAnswerBytes = 32 << 20
	maxLineBytes   = 1 << 20
	maxCount       = 1<<53 - 1 // what every reader of JSON takes as it is
)

// Stream is an answer while it comes. It owns the connection, and records the call once: at the end, however it ends.
// Close may be called by another goroutine; everything else is for one at a time.
type Stream struct {
	call     *call
	response *http.Response
	reader   *bufio.Reader
	ollama   bool
	streams  bool

	text     string
	texts    strings.Builder
	pieces   int64
	model    string
	counted  bool
	prompt   int64
	complete int64
	raw      json.RawMessage
	size     int
	err      error
	mayEnd   bool // the service gave a reason for the end: some say no more than that

	mutex    sync.Mutex
	finished bool // the service said that it was all
	closed   bool
}

func newStream(c *call, to service, response *http.Response, model string, streams bool) *Stream {
	reader := bufio.NewReaderSize(response.Body, 64<<10)
	return &Stream{call: c, response: response, reader: reader, ollama: to.ollama, streams: streams, model: model}
}

// Next waits for the next piece, which is not empty: false at the end, and where Err has something to say.
func (s *Stream) Next() bool {
	for s.err == nil && !s.finished {
		line, err := s.read()
		if err == nil {
			s.text, err = s.take(line)
		}
		if err != nil {
			s.err = err
		} else if s.text != "" {
			s.mutex.Lock()
			s.pieces++
			s.mutex.Unlock()
			s.texts.WriteString(s.text)
			return true
		}
	}
	s.text = ""
	s.Close()
	return false
}

// Text is the piece that Next found.
func (s *Stream) Text() string { return s.text }

// Err is why the stream ended before it was whole, an *Error; nil where it did not.
func (s *Stream) Err() error { return s.err }

// Answer is the whole answer, once Next has said false and Err nothing; else nil.
func (s *Stream) Answer() *Answer {
	if s.err != nil || !s.finished {
		return nil
	}
	return &Answer{s.texts.String(), s.model, s.prompt, s.complete, s.raw}
}

// Close ends the call. What was counted until now is recorded. It may be called twice.
func (s *Stream) Close() error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	s.call.cancel()
	s.response.Body.Close()
	prompt, completion := s.prompt, s.complete
	if !s.counted && s.streams {
		// Until the service tells its counts there are those of the pieces that it sent, which are tokens, nearly.
		completion = s.pieces
	}
	record(s.model, prompt, completion, s.finished && s.counted)
	return nil
}

// read gives the next line of a stream, or a whole answer.
func (s *Stream) read() ([]byte, error) {
	if !s.streams {
		body, err := io.ReadAll(io.LimitReader(s.reader, maxAnswerBytes+1))
		if err != nil {
			return nil, s.broke(err)
		}
		if len(body) > maxAnswerBytes {
			return nil, tooLarge()
		}
		s.finish()
		return body, nil
	}
	var line []byte
	for {
		part, err := s.reader.ReadSlice('\n')
		line = append(line, part...)
		s.size += len(part)
		switch {
		case len(line) > maxLineBytes:
			message := fmt.Sprintf("the AI endpoint sent a line of more than %d bytes", maxLineBytes)
			return nil, &Error{Code: "invalid-answer", Message: message}
		case s.size > maxAnswerBytes:
			return nil, tooLarge()
		case err == nil:
			return line, nil
		case err == bufio.ErrBufferFull:
		case err != io.EOF:
			return nil, s.broke(err)
		case len(line) > 0:
			return line, nil
		case s.mayEnd:
			s.finish()
			return nil, nil
		default:
			return nil, &Error{Code: "interrupted", Message: "the answer of the AI endpoint ended before it was whole"}
		}
	}
}

func (s *Stream) finish() {
	s.mutex.Lock()
	s.finished = true
	s.mutex.Unlock()
}

func (s *Stream) broke(err error) error {
	if ended := s.call.ended(); ended != nil {
		return ended
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.closed {
		return &Error{Code: "interrupted", Message: "the stream was closed", cause: err}
	}
	return &Error{Code: "interrupted", Message: "the answer of the AI endpoint broke off: " + err.Error(), cause: err}
}

func tooLarge() error {
	return &Error{Code: "invalid-answer", Message: fmt.Sprintf("the AI endpoint sent more than %d bytes", maxAnswerBytes)}
}

// take gives the text in one line of a stream, or in a whole answer.
func (s *Stream) take(line []byte) (string, error) {
	line = bytes.TrimSpace(line)
	if s.streams && !s.ollama {
		for _, field := range []string{":", "event:", "id:", "retry:"} {
			if bytes.HasPrefix(line, []byte(field)) {
				return "", nil
			}
		}
		if data, ok := bytes.CutPrefix(line, []byte("data:")); ok {
			line = bytes.TrimSpace(data)
		}
		if string(line) == "[DONE]" {
			s.finish()
			return "", nil
		}
	}
	if s.streams && len(line) == 0 {
		return "", nil
	}
	answer := objectOf(line)
	if answer == nil {
		start := fmt.Sprintf("%q", line[:min(len(line), 100)])
		return "", &Error{Code: "invalid-answer", Message: "the AI endpoint answered what is no JSON object: " + start}
	}
	s.count(answer)
	s.raw = append(json.RawMessage(nil), line...)
	if isTrue(answer["error"]) {
		return "", &Error{Code: "service", Message: "the AI endpoint failed" + reasonOf(line), Status: 200}
	}
	text, found := s.textIn(answer)
	if found || (s.streams && text == "") {
		return text, nil
	}
	return "", &Error{Code: "invalid-answer", Message: "the answer of the AI endpoint holds no text"}
}

// count notes which model answered, and the tokens that the service told.
func (s *Stream) count(answer map[string]json.RawMessage) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if model, ok := textOf(answer["model"]); ok && model != "" {
		s.model = model
	}
	usage, prompt, completion := answer, "prompt_eval_count", "eval_count"
	if !s.ollama {
		usage, prompt, completion = objectOf(answer["usage"]), "prompt_tokens", "completion_tokens"
	}
	if usage[prompt] != nil || usage[completion] != nil {
		s.counted, s.prompt, s.complete = true, countOf(usage[prompt]), countOf(usage[completion])
	}
}

// textIn gives the text of an answer, and whether there was one.
func (s *Stream) textIn(answer map[string]json.RawMessage) (string, bool) {
	if s.ollama {
		if string(answer["done"]) == "true" {
			s.finish()
		}
		if message := objectOf(answer["message"]); message != nil {
			return textOf(message["content"])
		}
		return textOf(answer["response"])
	}
	var choices []json.RawMessage
	if json.Unmarshal(answer["choices"], &choices) != nil || len(choices) == 0 {
		return "", false
	}
	choice := objectOf(choices[0])
	if reason := choice["finish_reason"]; reason != nil && string(reason) != "null" {
		s.mayEnd = true
	}
	message := objectOf(choice["message"])
	if message == nil {
		message = objectOf(choice["delta"])
	}
	content, told := message["content"]
	if message != nil && (!told || string(content) == "null") {
		return "", true // it calls tools and says nothing
	}
	return textOf(content)
}

// objectOf is nil for what is no JSON object.
func objectOf(text []byte) map[string]json.RawMessage {
	var object map[string]json.RawMessage
	if json.Unmarshal(text, &object) != nil {
		return nil
	}
	return object
}

func textOf(value json.RawMessage) (string, bool) {
	var text *string
	if json.Unmarshal(value, &text) != nil || text == nil {
		return "", false
	}
	return *text, true
}

// isTrue says whether a field is there and holds anything.
func isTrue(value json.RawMessage) bool {
	switch string(value) {
	case "", "null", "false", `""`, "0":
		return false
	}
	return true
}

// countOf is a count as the service told it; 0 for what can be none.
func countOf(value json.RawMessage) int64 {
	var count float64
	if len(value) == 0 || json.Unmarshal(value, &count) != nil {
		return 0
	}
	if count != math.Trunc(count) || count < 0 || count > maxCount {
		return 0
	}
	return int64(count)
}

// record appends one line for one call, in one write: also where goroutines and processes do so at once.
func record(model string, prompt, completion int64, whole bool) {
	type usage struct {
		Prompt     int64 `json:"prompt_tokens"`
		Completion int64 `json:"completion_tokens"`
	}
	type call struct {
		Model      string `json:"model"`
		Usage      usage  `json:"usage"`
		Incomplete bool   `json:"incomplete,omitempty"`
	}
	runes := []rune(model[:min(len(model), 4*utf8.UTFMax*128)])
	line, err := json.Marshal(call{string(runes[:min(len(runes), 128)]), usage{prompt, completion}, !whole})
	folder := "."
	if about, found := os.Stat(workDir); found == nil && about.IsDir() {
		folder = workDir
	}
	if err == nil {
		var file *os.File
		file, err = os.OpenFile(folder+"/"+usageFile, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
		if err == nil {
			_, err = file.Write(append(line, '\n'))
			file.Close()
		}
	}
	if err != nil {
		// The answer is worth more than its record.
		fmt.Fprintf(os.Stderr, "nanogrid/ai: the tokens of a call could not be recorded: %v\n", err)
	}
}
