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
    /// Strangers who wait for an answer.
    private var asks: [PublicKey] = []
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

    /// Says goodbye for a moment at most, and wipes the keys.
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
        let words = line.split(separator: " ", maxSplits: 1).map(String.init)
        let who = words.count > 1 ? words[1] : ""
        switch (words.first ?? "", peer) {
        case ("", _): break
        case ("/quit", _): return false
        case ("/accept", _): if let stranger = asker(who) { await accept(stranger) }
        case ("/refuse", _): if let stranger = asker(who) { await refuse(stranger) }
        case _ where line.hasPrefix("/"): say("* commands: /accept KEY, /refuse KEY, /quit")
        case (_, nil): say("* nobody is here yet")
        case (_, let peer?): await tell(peer, line)
        }
        return true
    }

    /// The one stranger whose key begins so: another may have asked while the command was typed.
    private func asker(_ begin: String) -> PublicKey? {
        let fitting = asks.filter { !begin.isEmpty && $0.hex.dropFirst(2).hasPrefix(begin) }
        if fitting.count != 1 { say("* say whom, by the beginning of the key: /accept 1a2b3c4d") }
        return fitting.count == 1 ? fitting[0] : nil
    }

    private func accept(_ stranger: PublicKey) async {
        do {
            try await talks.accept(peer: stranger)
            asks.removeAll { $0 == stranger }
            peer = stranger
        } catch {
            say("* not accepted: \(error)")
        }
    }

    private func refuse(_ stranger: PublicKey) async {
        asks.removeAll { $0 == stranger }
        do {
            try await talks.decline(peer: stranger)
            say("* refused; nobody is told")
        } catch {
            say("* not refused: \(error)")
        }
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
            let begin = short(peer)
            say("* \(begin) wants to talk: /accept \(begin) or /refuse \(begin)")
            say("* compare the whole key by another way: \(peer)")
            asks = asks.filter { $0 != peer } + [peer]
        case .established(_, let peer):
            say("* you talk with \(short(peer))")
            self.peer = peer
        case .received(_, let peer, _, _, _, _, let payload): say("\(short(peer)): \(printable(payload))")
        case .acknowledged(_, _, let names): say("* \(names.count) messages were read")
        case .replaced: say("* the other side has begun anew: if that surprises you, ask why")
        case .nonsense: say("* something came that makes no sense")
        case .clockSetBack: say("* the clock was set back: send again what was not read")
        case .stale(_, let peer): say("* \(short(peer)) has read nothing for a day: it is invited again")
        case .peerForked(_, let peer): say("* \(short(peer)) writes from two places: some of it is lost")
        case .suspect: say("* your key is in use elsewhere: invite again, or what you write is lost")
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
        case .unreachable(let address, let reason, _): say("* no connection to \(address): \(reason)")
        case .addresses(let addresses): say("* your address: \(addresses.joined(separator: " "))")
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

/// What a peer says, not endless, and without what could play with the terminal or cannot be seen.
private func printable(_ payload: Data) -> String {
    let unseen: Set<Unicode.GeneralCategory> = [.control, .format, .lineSeparator, .paragraphSeparator]
    let scalars = String(decoding: payload, as: UTF8.self).unicodeScalars
    let seen = scalars.filter { !unseen.contains($0.properties.generalCategory) }
    return String(String.UnicodeScalarView(seen.prefix(2_000)))
}
