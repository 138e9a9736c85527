// Makes the calls of its input, one after the other or all at once, and tells what came of each.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"nanogrid/ai"
)

type call struct {
	Model, Prompt, System, API string
	Path                       *string
	Messages                   []ai.Message
	Extra                      map[string]any
	Stream                     bool
	TimeoutMs, LeaveAfter      int
	CancelAfterMs              int
}

type order struct {
	Calls  []call
	AtOnce bool
	Env    map[string]string
	Folder string
}

func failure(err error, pieces int) map[string]any {
	var failed *ai.Error
	if !errors.As(err, &failed) {
		panic(err)
	}
	end := map[string]any{"error": failed.Code, "status": nil, "pieces": pieces, "message": failed.Message}
	if failed.Status != 0 {
		end["status"] = failed.Status
	}
	return end
}

func (c call) make() map[string]any {
	request := ai.Request{Model: c.Model, Prompt: c.Prompt, System: c.System, Messages: c.Messages, Extra: c.Extra, API: c.API}
	request.Timeout = time.Duration(c.TimeoutMs) * time.Millisecond
	if c.Path != nil {
		request.Endpoint = os.Getenv("AI_ENDPOINT") + *c.Path
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if c.CancelAfterMs > 0 {
		time.AfterFunc(time.Duration(c.CancelAfterMs)*time.Millisecond, cancel)
	}
	var answer *ai.Answer
	var err error
	pieces := 0
	switch {
	case c.Stream:
		open := ai.GenerateStream
		if c.Messages != nil {
			open = ai.ChatStream
		}
		var stream *ai.Stream
		if stream, err = open(ctx, request); err != nil {
			break
		}
		defer stream.Close()
		for stream.Next() {
			if pieces++; pieces == c.LeaveAfter {
				return map[string]any{"pieces": pieces}
			}
		}
		answer, err = stream.Answer(), stream.Err()
	case c.Messages != nil:
		answer, err = ai.Chat(ctx, request)
	default:
		answer, err = ai.Generate(ctx, request)
	}
	if err != nil {
		return failure(err, pieces)
	}
	return map[string]any{
		"text": answer.Text, "model": answer.Model, "pieces": pieces,
		"promptTokens": answer.PromptTokens, "completionTokens": answer.CompletionTokens,
	}
}

func main() {
	var asked order
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		panic(err)
	}
	for name, value := range asked.Env {
		os.Setenv(name, value)
	}
	if asked.Folder != "" {
		os.Chdir(asked.Folder)
	}
	ends := make([]map[string]any, len(asked.Calls))
	var all sync.WaitGroup
	for i, one := range asked.Calls {
		all.Add(1)
		work := func() {
			defer all.Done()
			ends[i] = one.make()
		}
		if asked.AtOnce {
			go work()
		} else {
			work()
		}
	}
	all.Wait()
	text, _ := json.Marshal(ends)
	fmt.Println(string(text))
}
