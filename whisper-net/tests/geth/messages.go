package main

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/whisper/whisperv6"
)

const (
	// How often a filter is asked for what came. go-ethereum's own interface polls as well.
	pollInterval = 10 * time.Millisecond
	// Longer payloads are told by hash and length only.
	shownPayload = 1024
)

// addSymmetricKey takes 32 bytes or a password.
func (p *peer) addSymmetricKey(line []byte) (object, error) {
	var a struct {
		Key      hexutil.Bytes `json:"key"`
		Password *string       `json:"password"`
	}
	if err := arguments(line, &a); err != nil {
		return nil, err
	}
	var key string
	var err error
	if a.Password != nil {
		key, err = p.shh.AddSymKeyFromPassword(*a.Password)
	} else {
		key, err = p.shh.AddSymKeyDirect(a.Key)
	}
	return object{"key": key}, err
}

func (p *peer) addKeyPair(line []byte) (object, error) {
	var a struct {
		Key hexutil.Bytes `json:"key"`
	}
	if err := arguments(line, &a); err != nil {
		return nil, err
	}
	secret, err := crypto.ToECDSA(a.Key)
	if err != nil {
		return nil, err
	}
	key, err := p.shh.AddKeyPair(secret)
	return object{"key": key, "public": publicHex(&secret.PublicKey)}, err
}

// subscribe installs a filter and streams what it catches as "message" events under its name.
func (p *peer) subscribe(line []byte) (object, error) {
	var a struct {
		Name         string          `json:"name"`
		SymmetricKey string          `json:"symmetric_key"`
		KeyPair      string          `json:"key_pair"`
		Topics       []hexutil.Bytes `json:"topics"`
		Pow          float64         `json:"pow"`
		Direct       bool            `json:"direct"`
		From         hexutil.Bytes   `json:"from"`
	}
	if err := arguments(line, &a); err != nil {
		return nil, err
	}
	filter := &whisperv6.Filter{PoW: a.Pow, AllowP2P: a.Direct}
	for _, topic := range a.Topics {
		filter.Topics = append(filter.Topics, topic)
	}
	var err error
	switch {
	case a.SymmetricKey != "":
		if filter.KeySym, err = p.shh.GetSymKey(a.SymmetricKey); err == nil {
			// Compared where another filter has opened the envelope before.
			filter.SymKeyHash = crypto.Keccak256Hash(filter.KeySym)
		}
	case a.KeyPair != "":
		filter.KeyAsym, err = p.shh.GetPrivateKey(a.KeyPair)
	default:
		err = errors.New("a filter needs symmetric_key or key_pair")
	}
	if err == nil && len(a.From) > 0 {
		filter.Src, err = crypto.UnmarshalPubkey(a.From)
	}
	if err != nil {
		return nil, err
	}
	id, err := p.shh.Subscribe(filter)
	if err == nil {
		go p.stream(a.Name, filter)
	}
	return object{"filter": id}, err
}

func (p *peer) stream(name string, filter *whisperv6.Filter) {
	for range time.Tick(pollInterval) {
		for _, m := range filter.Retrieve() {
			line := object{
				"event":  "message",
				"filter": name,
				"hash":   m.EnvelopeHash.Hex(),
				"length": len(m.Payload),
				"digest": hex.EncodeToString(crypto.Keccak256(m.Payload)),
				"from":   publicHex(m.Src),
				"topic":  m.Topic.String(),
				"pow":    m.PoW,
				"ttl":    m.TTL,
				"sent":   m.Sent,
			}
			if len(m.Payload) <= shownPayload {
				line["payload"] = hex.EncodeToString(m.Payload)
			}
			p.out.write(line)
		}
	}
}

// posting says what to send: a payload given, or one made from a seed.
type posting struct {
	Enode        string              `json:"enode"` // of a direct message's receiver
	SymmetricKey string              `json:"symmetric_key"`
	To           hexutil.Bytes       `json:"to"`
	Signer       string              `json:"signer"`
	Topic        whisperv6.TopicType `json:"topic"`
	Ttl          uint32              `json:"ttl"`
	Payload      hexutil.Bytes       `json:"payload"`
	Seed         *uint64             `json:"seed"`
	Length       int                 `json:"length"`
	PowTime      uint32              `json:"pow_time"`
	PowTarget    float64             `json:"pow_target"`
}

func (p *peer) post(line []byte) (object, error) {
	_, envelope, err := p.envelope(line)
	if err == nil {
		err = p.shh.Send(envelope)
	}
	if err != nil {
		return nil, err
	}
	return told(envelope), nil
}

// direct sends an envelope to one peer only, by code 127.
func (p *peer) direct(line []byte) (object, error) {
	receiver, envelope, err := p.envelope(line)
	if err == nil && receiver == nil {
		err = errors.New("a direct message needs enode")
	}
	if err == nil {
		err = p.shh.SendP2PMessage(receiver.ID().Bytes(), envelope)
	}
	if err != nil {
		return nil, err
	}
	return told(envelope), nil
}

func told(e *whisperv6.Envelope) object {
	return object{"hash": e.Hash().Hex(), "pow": e.PoW(), "size": whisperv6.EnvelopeHeaderLength + len(e.Data)}
}

// envelope encrypts and seals what the line describes.
func (p *peer) envelope(line []byte) (receiver *enode.Node, sealed *whisperv6.Envelope, err error) {
	a := posting{Ttl: 50, PowTime: 30, PowTarget: p.shh.MinPow()}
	if err = arguments(line, &a); err != nil {
		return nil, nil, err
	}
	if a.Enode != "" {
		if receiver, err = enode.Parse(enode.ValidSchemes, a.Enode); err != nil {
			return nil, nil, err
		}
	}
	params := &whisperv6.MessageParams{
		TTL: a.Ttl, Topic: a.Topic, WorkTime: a.PowTime, PoW: a.PowTarget, Payload: a.Payload,
	}
	if a.Seed != nil {
		params.Payload = seeded(*a.Seed, a.Length)
	}
	if err = p.keys(a, params); err != nil {
		return nil, nil, err
	}
	message, err := whisperv6.NewSentMessage(params)
	if err != nil {
		return nil, nil, err
	}
	sealed, err = message.Wrap(params)
	return receiver, sealed, err
}

func (p *peer) keys(a posting, params *whisperv6.MessageParams) (err error) {
	if a.SymmetricKey != "" {
		params.KeySym, err = p.shh.GetSymKey(a.SymmetricKey)
	} else {
		params.Dst, err = crypto.UnmarshalPubkey(a.To)
	}
	if err == nil && a.Signer != "" {
		params.Src, err = p.shh.GetPrivateKey(a.Signer)
	}
	return err
}

// pool tells the hashes of all envelopes held.
func (p *peer) pool(line []byte) (object, error) {
	hashes := []string{}
	for _, e := range p.shh.Envelopes() {
		hashes = append(hashes, e.Hash().Hex())
	}
	return object{"hashes": hashes}, nil
}

// seeded makes a payload that the other side can make as well: Keccak-256 of seed and block number,
// eight bytes each, block after block.
func seeded(seed uint64, length int) []byte {
	var out bytes.Buffer
	for block := uint64(0); out.Len() < length; block++ {
		var in [16]byte
		binary.BigEndian.PutUint64(in[:8], seed)
		binary.BigEndian.PutUint64(in[8:], block)
		out.Write(crypto.Keccak256(in[:]))
	}
	return out.Bytes()[:length]
}

func publicHex(key *ecdsa.PublicKey) interface{} {
	if key == nil {
		return nil
	}
	return common.Bytes2Hex(crypto.FromECDSAPub(key))
}
