package main

import (
	"encoding/hex"
	"fmt"
	"math"
	"runtime"
	"syscall"
	"time"

	"github.com/ethereum/go-ethereum/rlp"
	"github.com/ethereum/go-ethereum/whisper/whisperv6"
)

// benchSeal measures the reference's own Envelope.Seal. It tries the nonces 0, 1, 2, … and stops at
// the first that shows the bits asked for, so the nonce that it leaves in the envelope says exactly
// how many it tried: no copy of the search is needed. Whole searches are added up until they took
// the time wanted: `nonces` over `cpu_ns` is the rate of one core, and the collector, which is part
// of the price, runs. `last` is one of the sealed envelopes, for a check of the nonce.
func (p *peer) benchSeal(line []byte) (object, error) {
	a := struct {
		Payload int     `json:"payload"` // bytes, padded and encrypted as any message
		Seconds float64 `json:"seconds"`
		Bits    uint    `json:"bits"` // of a single search
	}{Payload: 256, Seconds: 1, Bits: 17}
	if err := arguments(line, &a); err != nil {
		return nil, err
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))

	const ttl = 50
	params := &whisperv6.MessageParams{
		TTL: ttl, KeySym: seeded(1, 32), Payload: seeded(2, a.Payload), WorkTime: 600,
	}
	var nonces, searches uint64
	var cpu, wall time.Duration
	var size int
	var last []byte
	for wall.Seconds() < a.Seconds {
		envelope, err := unsealed(*params)
		if err != nil {
			return nil, err
		}
		size = whisperv6.EnvelopeHeaderLength + len(envelope.Data)
		// Three quarters of a power of two, so that rounding cannot reach for the next bit.
		target := *params
		target.PoW = 0.75 * math.Ldexp(1, int(a.Bits)) / float64(size*ttl)
		started, used := time.Now(), cpuTime()
		if err := envelope.Seal(&target); err != nil {
			return nil, err
		}
		wall += time.Since(started)
		cpu += cpuTime() - used
		nonces += envelope.Nonce + 1
		searches++
		if last, err = rlp.EncodeToBytes(envelope); err != nil {
			return nil, err
		}
	}
	return object{
		"nonces": nonces, "searches": searches, "size": size,
		"last":   hex.EncodeToString(last),
		"cpu_ns": cpu.Nanoseconds(), "wall_ns": wall.Nanoseconds(), "go": runtime.Version(),
	}, nil
}

// unsealed makes an envelope without work: a target of zero asks for none.
func unsealed(params whisperv6.MessageParams) (*whisperv6.Envelope, error) {
	message, err := whisperv6.NewSentMessage(&params)
	if err != nil {
		return nil, err
	}
	return message.Wrap(&params)
}

// cpuTime is what the whole process has used: the search and, beside it, the collector.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// decodeBatch says of each byte string whether the reference takes it for an envelope; if so, its
// hash and the bits of its rating, else why not.
func (p *peer) decodeBatch(line []byte) (object, error) {
	var a struct {
		Envelopes []string `json:"envelopes"`
	}
	if err := arguments(line, &a); err != nil {
		return nil, err
	}
	verdicts := make([]object, 0, len(a.Envelopes))
	for i, text := range a.Envelopes {
		raw, err := hex.DecodeString(text)
		if err != nil {
			return nil, fmt.Errorf("envelope %d: %v", i, err)
		}
		var envelope whisperv6.Envelope
		if err := rlp.DecodeBytes(raw, &envelope); err != nil {
			verdicts = append(verdicts, object{"refused": err.Error()})
			continue
		}
		bits := math.Float64bits(envelope.PoW())
		verdicts = append(verdicts, object{
			"hash": envelope.Hash().Hex(), "pow_bits": fmt.Sprintf("%016x", bits),
		})
	}
	return object{"verdicts": verdicts}, nil
}
