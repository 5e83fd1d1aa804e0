package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"sync"

	"github.com/ethereum/go-ethereum/p2p"
	"github.com/ethereum/go-ethereum/whisper/whisperv6"
)

// object is one line of output.
type object map[string]interface{}

// writer writes whole lines, from any goroutine.
type writer struct {
	mu  sync.Mutex
	out *bufio.Writer
}

func newWriter(out io.Writer) *writer {
	return &writer{out: bufio.NewWriter(out)}
}

func (w *writer) write(line object) {
	text, err := json.Marshal(line)
	if err != nil {
		text, _ = json.Marshal(object{"event": "fatal", "error": err.Error()})
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.out.Write(append(text, '\n'))
	w.out.Flush()
}

// peer is the node under command.
type peer struct {
	server *p2p.Server
	shh    *whisperv6.Whisper
	out    *writer

	marked map[string]bool // node ids marked trusted in Whisper since they connected
	mu     sync.Mutex
}

func newPeer(server *p2p.Server, shh *whisperv6.Whisper, out *writer) *peer {
	return &peer{server: server, shh: shh, out: out, marked: make(map[string]bool)}
}

// command reads its own arguments from the line and gives the members of its answer.
type command func(p *peer, line []byte) (object, error)

var commands = map[string]command{
	"enode":             (*peer).enode,
	"add-peer":          (*peer).addPeer,
	"remove-peer":       (*peer).removePeer,
	"peers":             (*peer).peers,
	"mark-trusted":      (*peer).markTrusted,
	"add-symmetric-key": (*peer).addSymmetricKey,
	"add-key-pair":      (*peer).addKeyPair,
	"subscribe":         (*peer).subscribe,
	"post":              (*peer).post,
	"direct":            (*peer).direct,
	"pool":              (*peer).pool,
	"set-pow":           (*peer).setPow,
	"set-bloom":         (*peer).setBloom,
	"bench-seal":        (*peer).benchSeal,
	"decode-batch":      (*peer).decodeBatch,
}

// answer carries out one line. Whatever goes wrong becomes an error line, a panic as well.
func (p *peer) answer(line []byte) (reply object) {
	var head struct {
		ID uint64 `json:"id"`
		Do string `json:"do"`
	}
	defer func() {
		if r := recover(); r != nil {
			reply = object{"id": head.ID, "error": fmt.Sprintf("panic: %v", r)}
		}
	}()
	if err := json.Unmarshal(line, &head); err != nil {
		return object{"id": head.ID, "error": fmt.Sprintf("not a command: %v", err)}
	}
	run, known := commands[head.Do]
	if !known {
		return object{"id": head.ID, "error": fmt.Sprintf("no such command: %q", head.Do)}
	}
	result, err := run(p, line)
	if err != nil {
		return object{"id": head.ID, "error": err.Error()}
	}
	return object{"id": head.ID, "ok": result}
}

// arguments reads a line into a command's own record, and refuses members that it does not know.
func arguments(line []byte, into interface{}) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(line, &members); err != nil {
		return err
	}
	delete(members, "id")
	delete(members, "do")
	rest, err := json.Marshal(members)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(rest))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}
