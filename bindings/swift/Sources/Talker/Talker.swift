import Foundation
import Terminal
import Whisper

/// One party of the test in which three languages talk (`bindings/tests/talk.rs`), driven by lines.
///
///     talker [--listen HOST:PORT] [--peer ENODE]...
///
/// It writes `key HEX`, then `address ENODE` if it listens, `ready` for each peer that is, and
/// `heard HEX TEXT` for each message. It reads `contact HEX`, `say HEX TEXT` and `quit`.
@main
struct Talker {
    let node: Node
    let talks: Conversations

    static func main() async {
        do {
            try await start().run()
        } catch {
            complain("error \(error)")
            exit(1)
        }
    }

    private static func start() async throws -> Talker {
        let given = try options(["--listen", "--peer"])
        let node = try await Node.start(
            config: NodeConfig(
                peers: given.filter { $0.name == "--peer" }.map(\.value),
                listen: given.last { $0.name == "--listen" }?.value))
        return Talker(node: node, talks: try await node.converse(identity: .generate()))
    }

    private func run() async throws {
        say("key \(talks.publicKey())")
        if let address = node.address() { say("address \(address)") }
        let readers = [Task { try await tellWhoIsReady() }, Task { try await tellWhatIsHeard() }]
        for await line in typedLines() {
            if line == "quit" { break }
            do {
                try await obey(line)
            } catch {
                complain("error \(error)")
            }
        }
        try await node.shutdown()
        readers.forEach { $0.cancel() }
    }

    private func tellWhoIsReady() async throws {
        for try await event in node.events {
            if case .ready = event { say("ready") }
        }
    }

    private func tellWhatIsHeard() async throws {
        for try await event in talks.events {
            guard case .received(_, let peer, _, _, _, _, _) = event else { continue }
            say("heard \(peer) \(event.text ?? "(no text)")")
        }
    }

    private func obey(_ line: String) async throws {
        let words = line.split(separator: " ", maxSplits: 2).map(String.init)
        switch (words.first, words.count) {
        case ("contact", 2): try await talks.addContact(peer: PublicKey(hex: words[1]))
        case ("say", 3): follow(try await tell(PublicKey(hex: words[1]), words[2]))
        default: throw UsageError("not understood: \(line)")
        }
    }

    private func tell(_ peer: PublicKey, _ text: String) async throws -> SentMessage {
        do {
            return try await talks.send(peer: peer, text: text)
        } catch WhisperError.Conversation {
            // There is none yet.
            return try await talks.invite(peer: peer, text: text)
        }
    }

    /// Nothing waits for what was sent, but a failure is told.
    private func follow(_ sent: SentMessage) {
        Task {
            do {
                try await sent.sent()
            } catch {
                complain("error \(error)")
            }
        }
    }
}
