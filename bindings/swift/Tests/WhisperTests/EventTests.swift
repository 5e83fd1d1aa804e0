import Foundation
import Testing
import Whisper

/// Streams of events, and what happens when their readers go away.
@Suite(.serialized, .timeLimit(.minutes(3)))
struct EventTests {
    @Test func anEventComesAgainUntilTheLoopHasGoneOn() async throws {
        let nodes = try await Nodes.meet()
        let events = nodes.listener.events
        let first = try await events.first { $0 }
        #expect(try await events.first { $0 } == first)
        var iterator = events.makeAsyncIterator()
        #expect(try await iterator.next() == first)
        let second = try await iterator.next()
        #expect(second != first)
        // The second was handed out and not acknowledged, the first is gone.
        #expect(try await events.first { $0 } == second)
        try await nodes.shutdown()
    }

    @Test func anEventComesAgainIfItsReaderIsCancelledMeanwhile() async throws {
        let talk = try await Talk.begin()
        try await talk.bob.send(peer: talk.alice.publicKey(), text: "important").sent()
        let (begun, begin) = AsyncStream.makeStream(of: Void.self)
        let reader = Task {
            for try await event in talk.alice.events where event.text == "important" {
                begin.yield()
                try await Task.sleep(nanoseconds: 60_000_000_000)
            }
        }
        await begun.first { true }
        reader.cancel()
        await #expect(throws: CancellationError.self) { try await reader.value }
        try await talk.alice.hears("important")
        try await talk.nodes.shutdown()
    }

    @Test func aReaderThatThrowsFindsTheEventAgainAndOthersGoOn() async throws {
        struct Weary: Error {}
        let talk = try await Talk.begin()
        try await talk.bob.send(peer: talk.alice.publicKey(), text: "twice").sent()
        await #expect(throws: Weary.self) {
            for try await event in talk.alice.events where event.text == "twice" { throw Weary() }
        }
        // The other side is not held up by it.
        try await talk.alice.send(peer: talk.bob.publicKey(), text: "still here").sent()
        try await talk.bob.hears("still here")
        try await talk.alice.hears("twice")
        try await talk.nodes.shutdown()
    }

    @Test func callsFromWithinALoopIntoTheSameObjectWork() async throws {
        let talk = try await Talk.begin()
        // Bob answers all he hears, from within his loop.
        let echo = Task {
            for try await event in talk.bob.events {
                guard case .received(_, let peer, _, _, _, _, let payload) = event else { continue }
                _ = try await talk.bob.send(peer: peer, payload: payload)
                _ = try await talk.bob.contacts()
                _ = try await talk.nodes.dialer.peers()
            }
        }
        for text in ["one", "two", "three"] {
            try await talk.alice.send(peer: talk.bob.publicKey(), text: text).sent()
            try await talk.alice.hears(text)
        }
        echo.cancel()
        await #expect(throws: CancellationError.self) { try await echo.value }
        try await talk.nodes.shutdown()
    }

    @Test @MainActor func eventsAreReadOnTheMainActorToo() async throws {
        let nodes = try await Nodes.meet()
        for try await event in nodes.listener.events {
            if case .ready = event { break }
        }
        try await nodes.shutdown()
    }

    @Test func whoNeverReadsFindsAGapAndOthersGoOn() async throws {
        let nodes = try await Nodes.meet()
        let key = try SymmetricKey.generate()
        let filter = Filter(reader: .sharer(key: key))
        let unread = try await nodes.listener.subscribe(filter: filter)
        let read = try await nodes.listener.subscribe(filter: filter)
        let backlog = 1_024
        for number in 0..<backlog + 200 {
            let post = Post(recipient: .sharers(key: key), text: "\(number)")
            let delivery = try nodes.dialer.post(post: post)
            // The last tells that all are there: they go out in order.
            if number % 64 == 63 { try await within { try await delivery.sent() } }
            try await read.events.first { event in
                if case .found(let received) = event, received.message.text == "\(number)" { () } else { nil }
            }
        }
        let missed = try await within { () -> UInt64 in
            var found: UInt64 = 0
            for try await event in unread.events {
                switch event {
                case .gap(let missed): return missed
                case .found: found += 1
                }
                #expect(found <= UInt64(backlog))
            }
            return 0
        }
        #expect(missed >= 100)
        try await nodes.shutdown()
    }

    @Test func cancelledTasksLeaveNoCallBehind() async throws {
        let nodes = try await Nodes.meet(ledger: true)
        let ledger = try await nodes.dialer.followLedger(network: .regtest)
        let talks = try await nodes.dialer.converse(identity: .generate())
        let key = try SymmetricKey.generate()
        let found = try await nodes.dialer.subscribe(filter: Filter(reader: .sharer(key: key)))
        let draft = try Draft(now: Date(), ttl: 50, topic: Topic(hex: "00000000"), data: Data())
        try await nodes.dialer.suspend()
        let waiting = try nodes.dialer.post(post: Post(recipient: .sharers(key: key), text: "x"))
        let invitation = try await talks.invite(peer: Identity.generate().publicKey(), text: "")
        await expectNoJobs()

        let calls: [(String, @Sendable () async throws -> Void)] = [
            ("mine", { _ = try await draft.mine(rating: 1e15) }),
            ("node", { while try await nodes.dialer.nextEvent().map({ try nodes.dialer.acknowledge(number: $0.number) }) != nil {} }),
            ("conversations", { while try await talks.nextEvent().map({ try talks.acknowledge(number: $0.number) }) != nil {} }),
            ("subscription", { _ = try await found.nextEvent() }),
            ("ledger", { while try await ledger.nextEvent().map({ try ledger.acknowledge(number: $0.number) }) != nil {} }),
            ("delivery", { try await waiting.sent() }),
            ("changes", { for try await _ in waiting.states {} }),
            ("invitation", { try await invitation.sent() }),
        ]
        for (name, call) in calls {
            let task = Task { try await call() }
            try await eventually { runningJobs() == 1 }
            task.cancel()
            let result = await task.result
            #expect(throws: CancellationError.self, "\(name)") { try result.get() }
            await expectNoJobs()
        }
        try await nodes.shutdown()
    }

    @Test func aTokenGivesUpOnAllItsCalls() async throws {
        let draft = try Draft(now: Date(), ttl: 50, topic: Topic(hex: "00000000"), data: Data())
        let token = CancelToken()
        let calls = (0..<4).map { _ in Task { try await draft.mine(rating: 1e15, cancel: token) } }
        try await eventually { runningJobs() == 4 }
        token.cancel()
        for call in calls {
            await #expect(throws: WhisperError.Cancelled) { try await call.value }
        }
        #expect(token.isCancelled())
        await expectNoJobs()
    }

    @Test func cancelledLookUpsAreGone() async throws {
        let nodes = try await Nodes.meet(ledger: true)
        let ledger = try await nodes.dialer.followLedger(network: .regtest)
        let task = Task { try await ledger.lookUp(name: "nobody") }
        task.cancel()
        await #expect(throws: (any Error).self) { try await task.value }
        await expectNoJobs()
        try await nodes.shutdown()
    }
}
