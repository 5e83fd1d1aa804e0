package main

import (
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/event"
	"github.com/ethereum/go-ethereum/p2p"
	"github.com/ethereum/go-ethereum/p2p/enode"
)

// watchConnections tells of each peer that comes or goes, and why it went: of all that come once it
// has returned.
func (p *peer) watchConnections() {
	events := make(chan *p2p.PeerEvent, 64)
	go p.tellConnections(events, p.server.SubscribeEvents(events))
}

func (p *peer) tellConnections(events <-chan *p2p.PeerEvent, sub event.Subscription) {
	defer sub.Unsubscribe()
	for {
		select {
		case e := <-events:
			if e.Type == p2p.PeerEventTypeDrop {
				p.mu.Lock()
				delete(p.marked, e.Peer.String())
				p.mu.Unlock()
			}
			p.out.write(object{
				"event": "peer", "id": e.Peer.String(), "what": string(e.Type), "why": e.Error,
			})
		case <-sub.Err():
			return
		}
	}
}

// nodeArgument names another node by its enode URL.
type nodeArgument struct {
	Enode string `json:"enode"`
}

func (a nodeArgument) parse(line []byte) (*enode.Node, error) {
	if err := arguments(line, &a); err != nil {
		return nil, err
	}
	return enode.Parse(enode.ValidSchemes, a.Enode)
}

func (p *peer) enode(line []byte) (object, error) {
	info := p.server.NodeInfo()
	return object{"enode": info.Enode, "id": info.ID}, nil
}

// addPeer has the node dialled now and again whenever the connection ends.
func (p *peer) addPeer(line []byte) (object, error) {
	n, err := nodeArgument{}.parse(line)
	if err != nil {
		return nil, err
	}
	p.server.AddPeer(n)
	return object{"id": n.ID().String()}, nil
}

func (p *peer) removePeer(line []byte) (object, error) {
	n, err := nodeArgument{}.parse(line)
	if err != nil {
		return nil, err
	}
	p.server.RemovePeer(n)
	return object{}, nil
}

func (p *peer) peers(line []byte) (object, error) {
	list := []object{}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, info := range p.server.PeersInfo() {
		list = append(list, object{
			"id":      info.ID,
			"enode":   info.Enode,
			"name":    info.Name,
			"caps":    info.Caps,
			"inbound": info.Network.Inbound,
			"trusted": p.marked[info.ID],
		})
	}
	return object{"peers": list}, nil
}

// markTrusted lets a connected peer send us direct messages.
func (p *peer) markTrusted(line []byte) (object, error) {
	n, err := nodeArgument{}.parse(line)
	if err != nil {
		return nil, err
	}
	if err := p.shh.AllowP2PMessagesFromPeer(n.ID().Bytes()); err != nil {
		return nil, err
	}
	p.mu.Lock()
	p.marked[n.ID().String()] = true
	p.mu.Unlock()
	return object{}, nil
}

// setPow changes the minimum rating and tells the peers.
func (p *peer) setPow(line []byte) (object, error) {
	var a struct {
		Pow float64 `json:"pow"`
	}
	if err := arguments(line, &a); err != nil {
		return nil, err
	}
	return object{}, p.shh.SetMinimumPoW(a.Pow)
}

// setBloom changes the bloom filter and tells the peers.
func (p *peer) setBloom(line []byte) (object, error) {
	var a struct {
		Bloom hexutil.Bytes `json:"bloom"`
	}
	if err := arguments(line, &a); err != nil {
		return nil, err
	}
	return object{}, p.shh.SetBloomFilter(a.Bloom)
}
