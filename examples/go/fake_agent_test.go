// Package fakeagent shows tests of a program that talks to a guest agent, without a guest.
//
// They start the stand-alone fake agent, whose path is in QGA_TESTSERVER:
//
//	cd examples/go && QGA_TESTSERVER=$PWD/../../target/debug/qga-testserver go test
package fakeagent

import (
	"bufio"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// lines is a connection that carries one JSON value a line.
type lines struct {
	conn   net.Conn
	reader *bufio.Reader
}

func dial(t *testing.T, address string) *lines {
	t.Helper()
	conn, err := net.Dial("unix", strings.TrimPrefix(address, "unix:"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &lines{conn, bufio.NewReader(conn)}
}

func (l *lines) ask(t *testing.T, request any) map[string]any {
	t.Helper()
	if err := json.NewEncoder(l.conn).Encode(request); err != nil {
		t.Fatal(err)
	}
	l.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	line, err := l.reader.ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	var reply map[string]any
	if err := json.Unmarshal(line, &reply); err != nil {
		t.Fatal(err)
	}
	return reply
}

// start runs a fake agent until the test ends, and connects to it and to its control socket.
func start(t *testing.T, options ...string) (client, control *lines) {
	t.Helper()
	program := os.Getenv("QGA_TESTSERVER")
	if program == "" {
		t.Skip("QGA_TESTSERVER does not say where the fake agent is")
	}
	folder := t.TempDir()
	agentAt := "unix:" + filepath.Join(folder, "qga")
	controlAt := "unix:" + filepath.Join(folder, "control")
	options = append([]string{"--listen", agentAt, "--control", controlAt}, options...)
	command := exec.Command(program, options...)
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		command.Process.Signal(syscall.SIGTERM)
		command.Wait()
	})
	// It prints its addresses when it is ready.
	ready := bufio.NewScanner(out)
	ready.Scan()
	ready.Scan()
	return dial(t, agentAt), dial(t, controlAt)
}

func TestAStubAnswersAndTheRequestCanBeLookedAt(t *testing.T) {
	client, control := start(t, "--profile", "11.1")
	stub := map[string]any{
		"do": "stub", "command": "guest-of-ours", "reply": map[string]any{"answer": 42}, "expect": 1,
	}
	if reply := control.ask(t, stub); reply["ok"] != true {
		t.Fatal(reply["error"])
	}
	reply := client.ask(t, map[string]any{"execute": "guest-of-ours"})
	if answer := reply["return"].(map[string]any)["answer"]; answer != 42.0 {
		t.Errorf("the answer is %v", answer)
	}
	if reply := control.ask(t, map[string]any{"do": "verify"}); reply["ok"] != true {
		t.Error(reply["error"])
	}
}

func TestAFaultGoesWithTheReplyThatItIsFor(t *testing.T) {
	client, _ := start(t, "--fault", `garbage={"return": "nonsense"}\n@2`)
	ping := map[string]any{"execute": "guest-ping"}
	client.ask(t, ping)
	if reply := client.ask(t, ping); reply["return"] != "nonsense" {
		t.Errorf("the reply is %v", reply)
	}
}
