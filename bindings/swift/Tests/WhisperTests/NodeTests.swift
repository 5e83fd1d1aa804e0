import Foundation
import Testing
import Whisper

/// Nodes on this machine, over real sockets.
@Suite(.timeLimit(.minutes(3)))
struct NodeTests {
    @Test func whatOneNodePostsTheOtherFinds() async throws {
        let nodes = try await Nodes.meet()
        let key = try SymmetricKey.fromPassword(password: "correct horse battery staple")
        let found = try await nodes.listener.subscribe(filter: Filter(reader: .sharer(key: key)))
        let signer = try Identity.generate()
        let topic = Topic(hex: "c0ffee00")
        let delivery = try nodes.dialer.post(
            post: Post(recipient: .sharers(key: key), text: "hello", topic: topic, signer: signer))
        try await within { try await delivery.sent() }

        let received = try await found.events.first { event in
            if case .found(let received) = event { received } else { nil }
        }
        #expect(received.message.text == "hello")
        #expect(received.message.signer == signer.publicKey())
        #expect(received.topic == topic)
        #expect(received.ttl == 50)
        #expect(abs(received.issuedAt.timeIntervalSinceNow) < 60)
        try await nodes.shutdown()
    }

    @Test func aDeliveryTellsWhatBecomesOfAPost() async throws {
        let nodes = try await Nodes.meet()
        let identity = try Identity.generate()
        let delivery = try nodes.dialer.post(
            post: Post(recipient: .holder(key: identity.publicKey()), text: "x"))
        let taken = try await within {
            for try await state in delivery.states where state == .acknowledged(peers: 1) { return true }
            return false
        }
        #expect(taken)
        try await nodes.shutdown()
    }

    @Test func whoFollowsAPostGetsAllStatesAndDoesNotHoldItUp() async throws {
        let node = try await Node.start(config: NodeConfig())
        let delivery = try node.post(post: Post(recipient: .sharers(key: .generate()), text: "x"))
        let followed = (0..<2).map { _ in
            Task { try await delivery.states.reduce(into: []) { $0.append($1) } }
        }
        #expect(try await delivery.states.first { _ in true } == .waiting)
        try await eventually { runningJobs() == 2 }
        try delivery.giveUp()
        for states in followed {
            #expect(try await within { try await states.value }.last == .cancelled)
        }
        try await node.shutdown()
    }

    @Test func aNodeHidesWhoWroteAPostUnlessItIsToldNotTo() async throws {
        let relay = try await Node.start(
            config: NodeConfig(listen: "127.0.0.1:0", minRating: cheap))
        let peers = [try #require(relay.address())]
        let fast = try await Node.start(
            config: NodeConfig(peers: peers, minRating: cheap, privacy: .fast))
        let hiding = try await Node.start(
            config: NodeConfig(peers: peers, minRating: cheap))
        let deliveries = try [fast, hiding].map { node in
            try node.post(post: Post(recipient: .sharers(key: .generate()), text: "x"))
        }
        try await eventually { deliveries[1].state() == .spread }
        #expect(deliveries[0].state() == .acknowledged(peers: 1))
        for node in [fast, hiding, relay] { try await node.shutdown() }
    }

    @Test func aPostWaitsForRoomIfItIsToldTo() async throws {
        let node = try await Node.start(config: NodeConfig())
        let large = Post(
            recipient: .sharers(key: try .generate()), payload: Data(count: 4_000 * 1_024))
        let filling = try (0..<4).map { _ in try node.post(post: large) }
        #expect(await failure { try await node.post(post: large).sent() }?.code() == 11)
        let givenUp = Task { try await node.postWhenReady(post: large) }
        try await eventually { runningJobs() == 1 }
        let waiting = Task { try await node.postWhenReady(post: large) }
        try await eventually { runningJobs() == 2 }
        givenUp.cancel()
        await #expect(throws: CancellationError.self) { try await givenUp.value }
        try await eventually { runningJobs() == 1 }
        try filling[0].giveUp()
        #expect(try await within { try await waiting.value }.state() == .waiting)
        try await node.shutdown()
    }

    @Test func aShutdownInATaskThatWasCancelledGoesOn() async throws {
        let node = try await Node.start(config: NodeConfig())
        let task = Task {
            while !Task.isCancelled { await Task.yield() }
            try await node.shutdown()
        }
        task.cancel()
        let result = await task.result
        #expect(throws: CancellationError.self) { try result.get() }
        try await within { for try await _ in node.events {} }
        #expect(await failure { try await node.peers() } == .Ended(what: "the node"))
    }

    @Test func twoPeopleTalkBothWaysAndHangUp() async throws {
        let talk = try await Talk.begin(saying: "Bob?")
        let answer = try await talk.bob.send(peer: talk.alice.publicKey(), text: "Alice!")
        #expect(answer.session() != nil)
        try await within { try await answer.sent() }
        try await talk.alice.hears("Alice!")
        try await talk.alice.send(peer: talk.bob.publicKey(), text: "good night").sent()
        try await talk.bob.hears("good night")
        #expect(try await talk.bob.contacts() == [talk.alice.publicKey()])

        _ = try await talk.alice.hangUp(peer: talk.bob.publicKey())
        let why = try await talk.bob.events.first { event in
            if case .over(_, _, let why) = event { why } else { nil }
        }
        #expect(why == .closedByPeer)
        try await talk.nodes.shutdown()
    }

    @Test func strangersAreAcceptedOrDeclined() async throws {
        let nodes = try await Nodes.meet()
        let alice = try await nodes.listener.converse(identity: .generate())
        let bob = try await nodes.dialer.converse(identity: .generate())
        try await within { try await alice.invite(peer: bob.publicKey(), text: "me").sent() }
        let stranger = try await bob.events.first { event in
            if case .invited(_, let peer) = event { peer } else { nil }
        }
        #expect(stranger == alice.publicKey())
        try await bob.accept(peer: stranger)
        try await bob.hears("me")
        try await bob.removeContact(peer: stranger)
        #expect(try await bob.contacts().isEmpty)
        try await bob.burn()
        let error = await failure { try await bob.send(peer: stranger, text: "gone") }
        #expect(error?.code() == 12)
        try await nodes.shutdown()
    }

    @Test func aNodeThatIsSuspendedComesBackWithItsConversations() async throws {
        let talk = try await Talk.begin()
        try await talk.nodes.dialer.suspend()
        try await eventually { try await talk.nodes.dialer.peers().isEmpty }
        try await talk.nodes.dialer.resume()
        try await talk.nodes.areReady()
        try await within { try await talk.bob.send(peer: talk.alice.publicKey(), text: "back").sent() }
        try await talk.alice.hears("back")
        try await talk.nodes.shutdown()
    }

    @Test func aNodeTellsWhoComesAndGoes() async throws {
        let nodes = try await Nodes.meet()
        let ready = try await nodes.listener.events.first { event in
            if case .ready(let peer) = event { peer } else { nil }
        }
        let peer = try #require(try await nodes.listener.peers().first)
        #expect(peer.id == ready && peer.inbound && !peer.light)
        #expect(peer.address.hasPrefix("enode://"))
        try await nodes.dialer.shutdown()
        let gone = try await nodes.listener.events.first { event in
            if case .disconnected(let peer) = event { peer } else { nil }
        }
        #expect(gone == ready)
        try await nodes.listener.shutdown()
    }

    @Test func aNodeIsDialedByItsAddress() async throws {
        let listener = try await Node.start(
            config: NodeConfig(listen: "127.0.0.1:0", minRating: cheap))
        let dialer = try await Node.start(config: NodeConfig(minRating: cheap))
        #expect(dialer.address() == nil)
        try await dialer.dial(address: #require(listener.address()))
        try await Nodes(listener: listener, dialer: dialer).areReady()
        try await Nodes(listener: listener, dialer: dialer).shutdown()
    }

    @Test func aNodeTellsWhyItDoesNotReachWhatItDials() async throws {
        let gone = try await Node.start(config: NodeConfig(listen: "127.0.0.1:0"))
        let address = try #require(gone.address())
        try await gone.shutdown()
        let started = Date()
        let node = try await Node.start(config: NodeConfig(peers: [address]))
        let told = try await node.events.first { event in
            if case .unreachable(let address, let reason, let retryAt) = event {
                (address, reason, retryAt)
            } else {
                nil
            }
        }
        #expect(told.0 == address && told.1.contains("nothing listens") && told.2 > started)
        try await node.shutdown()
    }

    @Test func aNodeWhoseNetworkHasChangedDialsAtOnceWhatItWouldDialInAMinute() async throws {
        let key = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
        defer { try? FileManager.default.removeItem(atPath: key) }
        let useless = try await Node.start(
            config: NodeConfig(listen: "127.0.0.1:0", keyFile: key, light: true))
        let address = try #require(useless.address())
        let node = try await Node.start(config: NodeConfig(peers: [address], light: true))
        let told = try await node.events.first { event in
            if case .unreachable(_, let reason, let retryAt) = event { (reason, retryAt) } else { nil }
        }
        #expect(told.0.contains("both light"))
        try await useless.shutdown()
        let socket = try #require(address.split(separator: "@").last?.prefix { $0 != "?" })
        let relay = try await Node.start(config: NodeConfig(listen: String(socket), keyFile: key))
        try await node.networkChanged()
        try await node.events.first { if case .ready = $0 { () } else { nil } }
        #expect(Date() < told.1)
        try await Nodes(listener: relay, dialer: node).shutdown()
    }

    @Test func streamsEndWithTheNode() async throws {
        let nodes = try await Nodes.meet()
        let talks = try await nodes.dialer.converse(identity: .generate())
        try await nodes.shutdown()
        try await within {
            for try await _ in nodes.dialer.events {}
            for try await _ in talks.events {}
        }
        #expect(await failure { try await nodes.dialer.peers() }?.code() == 10)
        await expectNoJobs()
    }

    @Test func aLedgerIsFollowedFromItsFirstBlock() async throws {
        let nodes = try await Nodes.meet(ledger: true)
        let ledger = try await nodes.dialer.followLedger(network: .regtest)
        let tip = try await ledger.tip()
        #expect(tip.height == 0)
        #expect(try await ledger.at(height: 0) == tip)
        #expect(try await ledger.at(height: 1) == nil)
        #expect(try await ledger.anchor() == nil)
        let error = await failure { try await ledger.lookUp(name: "alice") }
        #expect(error?.code() == 11 && error?.isRetryable() == true)
        try await nodes.shutdown()
    }
}
