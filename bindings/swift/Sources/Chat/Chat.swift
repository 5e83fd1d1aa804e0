import Foundation
import Terminal
import Whisper

/// One conversation on a screen: lines go out, events come in.
actor Chat {
    private let name: String
    private let node: Node
    private let talks: Conversations
    /// Whom we talk to.
    private var peer: PublicKey?
    /// Who has asked and has no answer yet.
    private var asks: PublicKey?
    private var ready = 0

    init(name: String, node: Node, talks: Conversations) {
        (self.name, self.node, self.talks) = (name, node, talks)
    }

    func invite(_ peer: PublicKey) async throws {
        let sent = try await talks.invite(peer: peer, text: "")
        say("* inviting \(short(peer))")
        self.peer = peer
        follow("invitation", sent)
    }

    /// Goes on until somebody leaves.
    func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for await line in typedLines() where try await !self.obey(line) { return }
            }
            group.addTask {
                for try await event in self.talks.events where try await !self.hear(event) { return }
            }
            group.addTask {
                for try await event in self.node.events { await self.notice(event) }
            }
            group.addTask {
                for await _ in interrupts() { return }
            }
            // No `defer`: in an actor it crashes the compiler of Swift 6.0. Who throws cancels all as well.
            try await group.next()
            group.cancelAll()
        }
    }

    /// Says goodbye, as well as it goes, and wipes the keys.
    func leave() async throws {
        // The other side may have been first.
        if let peer, let goodbye = try? await talks.hangUp(peer: peer) {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { try? await goodbye.sent() }
                group.addTask { try? await Task.sleep(nanoseconds: 3_000_000_000) }
                await group.next()
                group.cancelAll()
            }
        }
        try await node.shutdown()
        say("* the keys are wiped")
    }

    /// Does what a line asks for. Whether the chat goes on.
    private func obey(_ line: String) async throws -> Bool {
        let line = line.trimmingCharacters(in: .whitespaces)
        switch (line, asks, peer) {
        case ("", _, _): break
        case ("/quit", _, _): return false
        case ("/accept", let stranger?, _):
            do {
                try await talks.accept(peer: stranger)
                (asks, peer) = (nil, stranger)
            } catch {
                say("* not accepted: \(error)")
            }
        case ("/refuse", let stranger?, _):
            asks = nil
            do {
                try await talks.decline(peer: stranger)
                say("* refused; nobody is told")
            } catch {
                say("* not refused: \(error)")
            }
        case _ where line.hasPrefix("/"): say("* commands: /accept, /refuse, /quit")
        case (_, _, nil): say("* nobody is here yet")
        case (_, _, let peer?): await tell(peer, line)
        }
        return true
    }

    private func tell(_ peer: PublicKey, _ text: String) async {
        do {
            let sent = try await talks.send(peer: peer, text: text)
            say("\(name): \(text)")
            follow("message", sent)
        } catch {
            say("* not sent: \(error)")
        }
    }

    /// Shows what the conversation brings. Whether the chat goes on.
    private func hear(_ event: ConversationEvent) throws -> Bool {
        switch event {
        case .invited(_, let peer):
            say("* \(short(peer)) wants to talk: /accept or /refuse")
            say("* compare the whole key by another way: \(peer)")
            asks = peer
        case .established(_, let peer):
            say("* you talk with \(short(peer))")
            self.peer = peer
        case .received(_, let peer, _, _, _, _, let payload): say("\(short(peer)): \(printable(payload))")
        case .acknowledged(_, _, let names): say("* \(names.count) messages were read")
        case .replaced: say("* the other side has begun anew: if that surprises you, ask why")
        case .nonsense: say("* something came that makes no sense")
        case .clockSetBack: say("* the clock was set back: send again what was not read")
        // Others come and go, and a session that a newer one has replaced is no loss.
        case .over(_, peer, let why) where why != .displaced:
            say("* the conversation is over: \(why)")
            return false
        case .over: break
        case .gap(let missed): say("* up to \(missed) messages were missed")
        }
        return true
    }

    /// Shows who comes and goes on the network.
    private func notice(_ event: NodeEvent) {
        switch event {
        case .ready:
            ready += 1
            say("* connected, \(ready) peers")
        case .disconnected:
            ready = max(ready - 1, 0)
            if ready == 0 { say("* no peer is there: what you write waits for one") }
        case .dismissed(_, let reason): say("* a peer was cut: \(reason)")
        case .clockSuspect(let ahead, let by):
            say("* your clock seems \(ahead ? "ahead" : "behind") by \(Int(by)) s: set it")
        case .connected, .gap: break
        }
    }

    /// Tells what becomes of what was sent, beside the conversation.
    private func follow(_ what: String, _ sent: SentMessage) {
        Task {
            do {
                try await sent.sent()
                say("  (\(what): sent)")
            } catch {
                say("  (\(what): \(error))")
            }
        }
    }
}

/// Each Ctrl-C.
private func interrupts() -> AsyncStream<Void> {
    AsyncStream { interrupts in
        // Otherwise the system ends the program before it can say goodbye.
        signal(SIGINT, SIG_IGN)
        // Sources may be cancelled from any thread; Linux does not say so.
        nonisolated(unsafe) let source = DispatchSource.makeSignalSource(signal: SIGINT)
        source.setEventHandler { interrupts.yield() }
        source.resume()
        interrupts.onTermination = { _ in source.cancel() }
    }
}

/// The beginning of a key, to tell people apart on a screen.
private func short(_ key: PublicKey) -> Substring {
    key.hex.dropFirst(2).prefix(8)
}

/// What a peer says, without what could play with the terminal.
private func printable(_ payload: Data) -> String {
    let text = String(decoding: payload, as: UTF8.self)
    return String(String.UnicodeScalarView(text.unicodeScalars.filter { $0.properties.generalCategory != .control }))
}
