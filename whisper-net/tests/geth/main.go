// Command geth runs go-ethereum's Whisper on its peer-to-peer server, so that tests have a real
// peer. It is driven by one JSON object a line on standard input and answers, in order, with one
// JSON object a line on standard output; what happens by itself comes between as events.
//
//	{"id": 1, "do": "add-peer", "enode": "enode://…"}
//	{"id": 1, "ok": {}}            or            {"id": 1, "error": "…"}
//	{"event": "peer", "id": "…", "what": "add"}
//
// It ends when standard input does.
package main

import (
	"bufio"
	"crypto/ecdsa"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/node"
	"github.com/ethereum/go-ethereum/p2p"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/whisper/whisperv6"
)

// flags are what has to be known before the node starts.
type flags struct {
	listen         string
	nodeKey        string
	trusted        string
	maxMessageSize uint
	pow            float64
	maxPeers       int
	light          bool
	log            int
}

func main() {
	var f flags
	flag.StringVar(&f.listen, "listen", "127.0.0.1:0", "address to listen on")
	flag.StringVar(&f.nodeKey, "node-key", "", "node key, 64 hex digits (default: a new one)")
	flag.StringVar(&f.trusted, "trusted", "", "enode URLs that connection limits do not bind, by comma")
	flag.UintVar(&f.maxMessageSize, "max-message-size", uint(whisperv6.DefaultMaxMessageSize), "bytes")
	flag.Float64Var(&f.pow, "pow", whisperv6.DefaultMinimumPoW, "minimum rating asked for at the start")
	flag.IntVar(&f.maxPeers, "max-peers", 50, "limit of connections")
	flag.BoolVar(&f.light, "light", false, "say that this is a light node")
	flag.IntVar(&f.log, "log", 0, "go-ethereum's log level on standard error, 0 (silent) to 5")
	flag.Parse()

	out := newWriter(os.Stdout)
	if err := run(f, os.Stdin, out); err != nil {
		out.write(object{"event": "fatal", "error": err.Error()})
		os.Exit(1)
	}
}

// run starts the node and serves the commands until the input ends.
func run(f flags, in io.Reader, out *writer) error {
	handler := log.StreamHandler(os.Stderr, log.TerminalFormat(false))
	log.Root().SetHandler(log.LvlFilterHandler(log.Lvl(f.log), handler))

	stack, shh, err := build(f)
	if err != nil {
		return err
	}
	if err := stack.Start(); err != nil {
		return err
	}
	defer stack.Close()

	p := newPeer(stack.Server(), shh, out)
	p.watchConnections()
	out.write(object{"event": "ready", "enode": stack.Server().NodeInfo().Enode})

	lines := bufio.NewReaderSize(in, 1<<20)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			out.write(p.answer(line))
		}
		if err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func build(f flags) (*node.Node, *whisperv6.Whisper, error) {
	key, err := nodeKey(f.nodeKey)
	if err != nil {
		return nil, nil, err
	}
	var trusted []*enode.Node
	for _, url := range strings.FieldsFunc(f.trusted, func(r rune) bool { return r == ',' }) {
		n, err := enode.Parse(enode.ValidSchemes, url)
		if err != nil {
			return nil, nil, fmt.Errorf("trusted: %v", err)
		}
		trusted = append(trusted, n)
	}
	stack, err := node.New(&node.Config{
		Name:  "geth-peer",
		NoUSB: true,
		P2P: p2p.Config{
			PrivateKey:   key,
			MaxPeers:     f.maxPeers,
			NoDiscovery:  true,
			ListenAddr:   f.listen,
			TrustedNodes: trusted,
		},
	})
	if err != nil {
		return nil, nil, err
	}
	shh, err := whisperv6.New(stack, &whisperv6.Config{
		MaxMessageSize:                        uint32(f.maxMessageSize),
		MinimumAcceptedPOW:                    f.pow,
		RestrictConnectionBetweenLightClients: true,
	})
	if err != nil {
		return nil, nil, err
	}
	shh.SetLightClientMode(f.light)
	return stack, shh, nil
}

func nodeKey(text string) (*ecdsa.PrivateKey, error) {
	if text == "" {
		return crypto.GenerateKey()
	}
	key, err := crypto.HexToECDSA(text)
	if err != nil {
		return nil, fmt.Errorf("node key: %v", err)
	}
	return key, nil
}
