import Foundation
import Testing
import Whisper

/// Two nodes on this machine that have met. They hide nothing, which takes time.
struct Nodes: Sendable {
    let listener: Node
    let dialer: Node

    static func meet(ledger: Bool = false) async throws -> Nodes {
        let listener = try await Node.start(
            config: NodeConfig(
                listen: "127.0.0.1:0", minRating: cheap, ledger: ledger, privacy: .fast))
        let address = try #require(listener.address())
        let dialer = try await Node.start(
            config: NodeConfig(
                peers: [address], minRating: cheap, ledger: ledger, privacy: .fast))
        let nodes = Nodes(listener: listener, dialer: dialer)
        try await nodes.areReady()
        return nodes
    }

    /// Waits until each has heard the other.
    func areReady() async throws {
        try await eventually { [listener, dialer] in
            let peers = try await listener.peers() + dialer.peers()
            return peers.count == 2 && peers.allSatisfy(\.ready)
        }
    }

    func shutdown() async throws {
        try await dialer.shutdown()
        try await listener.shutdown()
    }
}

/// Two identities that talk over two nodes.
struct Talk: Sendable {
    let nodes: Nodes
    let alice: Conversations
    let bob: Conversations

    /// Alice has invited Bob, whose contact she is, and both have heard so.
    static func begin(saying text: String = "hello") async throws -> Talk {
        let nodes = try await Nodes.meet()
        let alice = try await nodes.listener.converse(identity: .generate())
        let bob = try await nodes.dialer.converse(identity: .generate())
        try await bob.addContact(peer: alice.publicKey())
        let invitation = try await alice.invite(peer: bob.publicKey(), text: text)
        try await within { try await invitation.sent() }
        let talk = Talk(nodes: nodes, alice: alice, bob: bob)
        try await bob.hears(text)
        // Only an answer tells her that he has heard it.
        try await within { try await bob.send(peer: alice.publicKey(), text: "I am here").sent() }
        try await alice.hears("I am here")
        return talk
    }
}

extension Conversations {
    /// Waits until somebody has said this.
    func hears(_ text: String) async throws {
        try await events.first { $0.text == text ? () : nil }
    }
}

/// A rating that costs next to nothing.
let cheap = 1e-6
