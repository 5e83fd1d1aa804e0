import Foundation
import Testing
import Whisper

/// What goes wrong, and how it is told.
@Suite(.timeLimit(.minutes(2)))
struct ErrorTests {
    @Test func eachErrorHasItsCodeItsTextAndSaysWhetherToTryAgain() {
        let rows: [(WhisperError, UInt32, Bool, String)] = [
            (.Malformed(what: "a key", reason: "odd"), 1, false, "not a key: odd"),
            (.OutOfRange(reason: "too long"), 2, false, "too long"),
            (.TooLarge(max: 7), 3, false, "at most 7 bytes fit"),
            (.NotOpened, 4, false, "this key does not open it"),
            (.NoEntropy, 5, true, "the system gives no randomness; nothing was done"),
            (.Refused(reason: "known"), 6, false, "known"),
            (.TooMuchWork(reason: "too dear"), 7, false, "too dear"),
            (
                .Expired, 8, true,
                "the envelope died before any peer had it; post it again once there are peers"
            ),
            (.Cancelled, 9, false, "cancelled"),
            (.Ended(what: "the node"), 10, false, "the node has ended; start another"),
            (.Unavailable(reason: "later"), 11, true, "later"),
            (.Conversation(reason: "no session"), 12, false, "no session"),
            (.Io(reason: "no file"), 13, false, "no file"),
            (.Unproven(reason: "no path"), 14, false, "no path"),
            (.Poisoned, 15, false, "an earlier call failed inside; make a new object"),
        ]
        for (error, code, isRetryable, text) in rows {
            #expect(error.code() == code)
            #expect(error.isRetryable() == isRetryable)
            #expect("\(error)" == text)
            #expect((error as any Error).localizedDescription == text)
        }
        #expect(Set(rows.map(\.1)).count == 15)
    }

    @Test func whatIsNoNameNoKeyAndNoEnvelopeIsMalformed() throws {
        let topic = failure { try Draft(now: Date(), ttl: 50, topic: Topic(hex: "xyz"), data: Data()) }
        #expect(topic?.code() == 1)
        #expect(topic.map { "\($0)" }?.hasPrefix("not a topic: ") == true)
        #expect(failure { try Identity.fromSecret(secret: Data(count: 31)) }?.code() == 1)
        #expect(failure { try SymmetricKey.fromSecret(secret: Data(count: 32)) }?.code() == 1)
        #expect(failure { try SymmetricKey.fromPassword(password: Data([0xff])) }?.code() == 1)
        #expect(failure { try Envelope.decode(bytes: Data([0xc0])) }?.code() == 1)
        #expect(failure { try LightClient(network: .main, anchor: Data([1])) }?.code() == 1)
    }

    @Test func whatIsOutOfBoundsSaysWhichBounds() throws {
        let draft = failure { try Draft(now: Date(), ttl: 1, topic: Self.topic, data: Data()) }
        #expect(draft?.code() == 2)
        #expect(failure { try Engine(config: EngineConfig(minRating: -1)) }?.code() == 2)
        let large = failure {
            try encrypt(
                payload: Data(count: 1 << 25),
                recipient: .sharers(key: .generate()))
        }
        #expect(large?.code() == 3)
    }

    @Test func aWrongKeyIsToldAsSuch() throws {
        let data = try encrypt(payload: Data("x".utf8), recipient: .sharers(key: .generate()))
        #expect(failure { try SymmetricKey.generate().decrypt(data: data) } == .NotOpened)
        #expect(failure { try Identity.generate().decrypt(data: data) } == .NotOpened)
    }

    @Test func anEnvelopeThatAnEngineDoesNotTakeIsRefused() throws {
        let now = Date()
        let engine = try Engine(config: EngineConfig(minRating: 1e6))
        let envelope = try Draft(now: now, ttl: 50, topic: Self.topic, data: Data()).seal(nonce: 0)
        #expect(failure { try engine.publish(now: now, envelope: envelope) }?.code() == 6)
    }

    @Test func workBeyondPatienceIsNotBegun() async throws {
        let nodes = try await Nodes.meet()
        let post = Post(recipient: .sharers(key: try .generate()), text: "x", target: 1e12, patience: 1)
        let delivery = try nodes.dialer.post(post: post)
        #expect(await failure { try await delivery.sent() }?.code() == 7)
        try await nodes.shutdown()
    }

    @Test func whatIsGivenUpIsCancelledAndWhatHasEndedSaysSo() async throws {
        let node = try await Node.start(config: NodeConfig())
        let key = try SymmetricKey.generate()
        let delivery = try node.post(post: Post(recipient: .sharers(key: key), text: "x"))
        #expect(delivery.state() == .waiting)
        try delivery.giveUp()
        // Given up by the app, not by the task: no `CancellationError`.
        #expect(await failure { try await delivery.sent() } == .Cancelled)
        try await node.shutdown()
        let ended = await failure { try await node.subscribe(filter: Filter(reader: .sharer(key: key))) }
        #expect(ended == .Ended(what: "the node"))
    }

    @Test func whatIsMissingNowMayBeThereLater() async throws {
        let node = try await Node.start(config: NodeConfig(ledger: true))
        let ledger = try await node.followLedger(network: .regtest)
        let error = await failure { try await ledger.lookUp(name: "alice") }
        #expect(error?.code() == 11)
        #expect(error?.isRetryable() == true)
        try await node.shutdown()
    }

    @Test func conversationsThatAreNoneSaySo() async throws {
        let stranger = try Identity.generate().publicKey()
        let node = try await Node.start(config: NodeConfig())
        let talks = try await node.converse(identity: .generate())
        #expect(await failure { try await talks.send(peer: stranger, text: "x") }?.code() == 12)
        #expect(await failure { try await talks.accept(peer: stranger) }?.code() == 12)
        let engine = try Engine(config: EngineConfig())
        #expect(await failure { try engine.send(now: Date(), peer: stranger, text: "x") }?.code() == 12)
        try await node.shutdown()
    }

    @Test func filesAndSocketsThatDoNotDoAreTold() async throws {
        #expect(await failure { try Identity.fromFile(path: "/no/such/folder/key") }?.code() == 13)
        let taken = try await Node.start(config: NodeConfig(listen: "127.0.0.1:0"))
        let port = try #require(taken.address()?.firstMatch(of: /127\.0\.0\.1:\d+/))
        let config = NodeConfig(listen: String(port.0))
        #expect(await failure { try await Node.start(config: config) }?.code() == 13)
        try await taken.shutdown()
    }

    @Test func headersThatDoNotHoldAreUnproven() throws {
        let client = try LightClient(network: .regtest)
        #expect(failure { try client.accept(now: Date(), headers: Data(count: 80)) }?.code() == 14)
        #expect(failure { try client.accept(now: Date(), headers: Data(count: 81)) }?.code() == 1)
    }

    @Test func anEnvelopeThatNoPeerHasTakenExpires() async throws {
        let nodes = try await Nodes.meet()
        // Now and then the work is done before the peer is gone.
        while true {
            if let error = try await expired(nodes.dialer) {
                #expect(error == .Expired)
                return try await nodes.shutdown()
            }
        }
    }

    /// What becomes of the shortest life there is, and some work, without a peer.
    private func expired(_ node: Node) async throws -> WhisperError? {
        let recipient = try Recipient.sharers(key: .generate())
        let post = Post(recipient: recipient, text: "x", ttl: 10, target: 100, patience: 3_600)
        let delivery = try node.post(post: post)
        _ = try await within { try await delivery.states.first { $0 != .waiting } }
        try await node.suspend()
        do {
            try await within { try await delivery.sent() }
        } catch let error as WhisperError {
            return error
        }
        try await node.resume()
        try await eventually { try await node.peers().contains(where: \.ready) }
        return nil
    }

    private static let topic = Topic(hex: "00000000")
}
