// The operations of the conformance kit, for Go. The input is a JSON string: an operation and its arguments.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(99)
	}
}

func number(text string) int {
	value, err := strconv.Atoi(text)
	must(err)
	return value
}

func write(path string, bytes []byte) { must(os.WriteFile(path, bytes, 0o644)) }

func files() {
	bytes := make([]byte, 256)
	for i := range bytes {
		bytes[i] = byte(i)
	}
	must(os.MkdirAll("/output/a/b", 0o755))
	write("/output/a/b/bytes", bytes)
	write("/output/empty", nil)
	os.Stdout.Write(bytes)
}

func input(raw []byte) {
	file, err := os.ReadFile(os.Getenv("PAYLOAD_FILE"))
	must(err)
	write("/output/stdin", raw)
	write("/output/file", file)
	write("/output/env", []byte(os.Getenv("PAYLOAD")))
}

func read(path string) {
	bytes, err := os.ReadFile(path)
	if err != nil {
		os.Exit(1)
	}
	os.Stdout.Write(bytes)
}

func hold(mib, ms int) {
	held := make([]byte, mib<<20)
	for at := 0; at < len(held); at += 4096 {
		held[at] = 'x'
	}
	time.Sleep(time.Duration(ms) * time.Millisecond)
}

func hang() {
	signal.Ignore(syscall.SIGTERM)
	fmt.Println("hanging")
	child := exec.Command("sleep", "60")
	child.Stdout, child.Stderr = os.Stdout, os.Stderr
	must(child.Start())
	time.Sleep(time.Minute)
}

func forkBomb() {
	for i := 1; i < 1000 && exec.Command("sleep", "20").Start() == nil; i++ {
		fmt.Println(i)
	}
}

func daemon() {
	child := exec.Command("sleep", "60")
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	must(child.Start())
	fmt.Println(child.Process.Pid)
}

func main() {
	raw, err := io.ReadAll(os.Stdin)
	must(err)
	var words string
	must(json.Unmarshal(raw, &words))
	op, rest, _ := strings.Cut(words, " ")
	switch op {
	case "hello":
		fmt.Println(`{"hello":"world"}`)
	case "print":
		fmt.Println(rest)
	case "env":
		fmt.Println(os.Getenv(rest))
	case "exit":
		fmt.Println("out")
		fmt.Fprintln(os.Stderr, "err")
		os.Exit(number(rest))
	case "input":
		input(raw)
	case "files":
		files()
	case "flood":
		fmt.Print(strings.Repeat("x", number(rest)))
	case "read":
		read(rest)
	case "hold":
		mib, ms, _ := strings.Cut(rest, " ")
		hold(number(mib), number(ms))
	case "hang":
		hang()
	case "fork-bomb":
		forkBomb()
	case "leave":
		for _, place := range []string{".", "/tmp", "/var/tmp", "/dev/shm", "/output"} {
			write(place+"/left", []byte("left"))
		}
	case "daemon":
		daemon()
	default:
		must(fmt.Errorf("unknown operation: %s", op))
	}
}
