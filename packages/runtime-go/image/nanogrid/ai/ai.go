// Package ai calls a language model at AI_ENDPOINT, by Ollama's API or OpenAI's, and records the tokens of each call.
// It owns no state.
//
//	answer, err := ai.Generate(ctx, ai.Request{Model: "llama3.2", Prompt: "Why is the sky blue?"})
//
//	stream, err := ai.ChatStream(ctx, ai.Request{Model: "llama3.2", Messages: messages})
//	defer stream.Close()
//	for stream.Next() {
//		fmt.Print(stream.Text())
//	}
//	err = stream.Err()
package ai

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

const maxErrorBytes = 64 << 10

// Message is one of a conversation.
type Message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// Request is what a model is asked. Generate goes by Prompt and System, Chat by Messages.
type Request struct {
	Model    string
	Prompt   string
	System   string
	Messages []Message
	// Extra holds further fields of the request, as the service documents them.
	Extra map[string]any
	// Timeout is for the whole call. Default 5 minutes.
	Timeout time.Duration
	// Endpoint, API ("ollama", "openai" or "auto") and APIKey overrule AI_ENDPOINT, AI_API and AI_API_KEY.
	Endpoint string
	API      string
	APIKey   string
}

// Answer is what the model said. Tokens are 0 where the service did not tell.
type Answer struct {
	Text             string
	Model            string
	PromptTokens     int64
	CompletionTokens int64
	// Raw is the service's last JSON object.
	Raw json.RawMessage
}

// Error is a call that did not give an answer.
type Error struct {
	// Code is configuration, unreachable, timeout, cancelled, service, invalid-answer or interrupted.
	Code    string
	Message string
	// Status is the service's HTTP status, for the code service.
	Status int
	cause  error
}

func (e *Error) Error() string { return e.Message }
func (e *Error) Unwrap() error { return e.cause }

// Generate has a model go on from a prompt. Its error is an *Error.
func Generate(ctx context.Context, request Request) (*Answer, error) {
	return whole(open(ctx, request, false, false))
}

// Chat has a model answer a conversation. Its error is an *Error.
func Chat(ctx context.Context, request Request) (*Answer, error) {
	return whole(open(ctx, request, true, false))
}

// GenerateStream is Generate, piece by piece.
func GenerateStream(ctx context.Context, request Request) (*Stream, error) {
	return open(ctx, request, false, true)
}

// ChatStream is Chat, piece by piece.
func ChatStream(ctx context.Context, request Request) (*Stream, error) {
	return open(ctx, request, true, true)
}

func whole(stream *Stream, err error) (*Answer, error) {
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	for stream.Next() {
	}
	return stream.Answer(), stream.Err()
}

// service is where the model is, and which of the two languages it speaks.
type service struct {
	base   string
	ollama bool
	key    string
}

func serviceOf(request Request) (service, error) {
	endpoint := firstOf(request.Endpoint, os.Getenv("AI_ENDPOINT"))
	if endpoint == "" {
		hint := `set "aiEndpoint" in the configuration of the worker, and grant this function "ai"`
		return service{}, &Error{Code: "configuration", Message: "no AI_ENDPOINT: " + hint}
	}
	address, err := url.Parse(endpoint)
	if err != nil || (address.Scheme != "http" && address.Scheme != "https") || address.Host == "" {
		message := fmt.Sprintf("AI_ENDPOINT is no http:// or https:// address: %q", endpoint)
		return service{}, &Error{Code: "configuration", Message: message, cause: err}
	}
	path := strings.TrimRight(address.Path, "/")
	api := firstOf(request.API, os.Getenv("AI_API"), "auto")
	if api == "auto" && strings.HasSuffix(path, "/v1") {
		api = "openai"
	} else if api == "auto" {
		api = "ollama"
	}
	if api != "ollama" && api != "openai" {
		message := fmt.Sprintf(`AI_API is %q, and must be "ollama", "openai" or "auto"`, api)
		return service{}, &Error{Code: "configuration", Message: message}
	}
	if api == "openai" && path == "" {
		path = "/v1"
	}
	base := address.Scheme + "://" + address.Host + path
	return service{base, api == "ollama", firstOf(request.APIKey, os.Getenv("AI_API_KEY"))}, nil
}

func open(ctx context.Context, request Request, chat, streams bool) (*Stream, error) {
	to, err := serviceOf(request)
	if err != nil {
		return nil, err
	}
	body, path := bodyOf(to, request, chat, streams)
	text, err := json.Marshal(body)
	if err != nil {
		return nil, &Error{Code: "configuration", Message: "the request cannot be made: " + err.Error(), cause: err}
	}
	timeout := request.Timeout
	if timeout <= 0 {
		timeout = 5 * time.Minute
	}
	call := &call{caller: ctx, timeout: timeout}
	call.ctx, call.cancel = context.WithTimeout(ctx, timeout)
	response, err := send(call, to, path, text)
	if err != nil {
		call.cancel()
		return nil, err
	}
	return newStream(call, to, response, request.Model, streams), nil
}

func bodyOf(to service, request Request, chat, streams bool) (map[string]any, string) {
	body := map[string]any{"model": request.Model}
	for name, value := range request.Extra {
		body[name] = value
	}
	path := "/chat/completions"
	switch {
	case to.ollama && chat:
		path = "/api/chat"
		body["messages"] = request.Messages
	case to.ollama:
		path = "/api/generate"
		body["prompt"] = request.Prompt
		if request.System != "" {
			body["system"] = request.System
		}
	case chat:
		body["messages"] = request.Messages
	default:
		messages := []Message{{"user", request.Prompt}}
		if request.System != "" {
			messages = append([]Message{{"system", request.System}}, messages...)
		}
		body["messages"] = messages
	}
	body["stream"] = streams
	if streams && !to.ollama {
		// Else a stream tells no tokens.
		options := map[string]any{"include_usage": true}
		if own, ok := body["stream_options"].(map[string]any); ok {
			for name, value := range own {
				if name != "include_usage" {
					options[name] = value
				}
			}
		}
		body["stream_options"] = options
	}
	return body, path
}

// call is one request's life: who may end it, and when.
type call struct {
	caller  context.Context
	ctx     context.Context
	cancel  context.CancelFunc
	timeout time.Duration
}

// ended is why the call was ended before its time; nil where it was not.
func (c *call) ended() error {
	if err := c.caller.Err(); errors.Is(err, context.Canceled) {
		return &Error{Code: "cancelled", Message: "the call was cancelled", cause: err}
	}
	if err := c.ctx.Err(); errors.Is(err, context.DeadlineExceeded) {
		message := fmt.Sprintf("the answer of the AI endpoint was not whole within %s", c.timeout)
		return &Error{Code: "timeout", Message: message, cause: err}
	}
	return nil
}

// send gives the answer once it begins.
func send(c *call, to service, path string, body []byte) (*http.Response, error) {
	request, err := http.NewRequestWithContext(c.ctx, http.MethodPost, to.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, &Error{Code: "configuration", Message: "the request cannot be made: " + err.Error(), cause: err}
	}
	request.Header.Set("Content-Type", "application/json")
	if to.key != "" {
		request.Header.Set("Authorization", "Bearer "+to.key)
	}
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(request)
	if err != nil {
		if ended := c.ended(); ended != nil {
			return nil, ended
		}
		message := fmt.Sprintf(`the AI endpoint cannot be reached: %v (a function needs the grant "ai" for it)`, err)
		return nil, &Error{Code: "unreachable", Message: message, cause: err}
	}
	if response.StatusCode >= 200 && response.StatusCode < 300 {
		return response, nil
	}
	defer response.Body.Close()
	told, _ := io.ReadAll(io.LimitReader(response.Body, maxErrorBytes))
	message := fmt.Sprintf("the AI endpoint answered %d%s", response.StatusCode, reasonOf(told))
	return nil, &Error{Code: "service", Message: message, Status: response.StatusCode}
}

// reasonOf is what an error's body says, as a part of a sentence.
func reasonOf(body []byte) string {
	told := objectOf(body)
	for _, name := range []string{"error", "message", "detail"} {
		reason, ok := told[name]
		if !ok {
			continue
		}
		if inner := objectOf(reason); inner != nil {
			reason = inner["message"]
		}
		if text, ok := textOf(reason); ok && text != "" {
			runes := []rune(text)
			return ": " + string(runes[:min(len(runes), 1_000)])
		}
		return ""
	}
	return ""
}

func firstOf(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}
