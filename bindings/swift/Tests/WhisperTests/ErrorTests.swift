import Foundation
import Testing
import Whisper

/// What goes wrong says so in words, by a number, and by whether it is worth another try.
@Suite(.timeLimit(.minutes(2)))
struct ErrorTests {
    @Test func everyErrorHasACodeOfItsOwnAndSaysWhetherToTryAgain() {
        let all: [WhisperError] = [
            .Malformed(what: "a key", reason: "r"), .OutOfRange(reason: "r"), .TooLarge(max: 7), .NotOpened,
            .NoEntropy, .Refused(reason: "r"), .TooMuchWork(reason: "r"), .Expired, .Cancelled,
            .Ended(what: "it"), .Unavailable(reason: "r"), .Conversation(reason: "r"), .Io(reason: "r"),
            .Unproven(reason: "r"), .Poisoned,
        ]
        #expect(all.map { $0.code() } == Array(1...15))
        #expect(all.filter { $0.isRetryable() }.map { $0.code() } == [5, 8, 11])
        #expect("\(all[0])" == "not a key: r")
        #expect("\(all[2])" == "at most 7 bytes fit")
        for error in all {
            #expect(error.localizedDescription == "\(error)")
            #expect(!"\(error)".isEmpty)
        }
    }

    @Test func whatIsNoKeyNoHandleOrNoEnvelopeIsMalformed() throws {
        let recipient = Recipient.holder(key: PublicKey(hex: "zz"))
        expect(1, failure { try encrypt(payload: Data(), recipient: recipient) })
        expect(1, failure { try Envelope.decode(bytes: Data([1, 2, 3])) })
        expect(1, failure { try Identity.fromSecret(secret: Data(count: 32)) })
        expect(1, failure { try LightClient(network: .regtest).checkHandle(handle: "NO!", proof: Data()) })
    }

    @Test func numbersOutOfBoundsAndBytesThatDoNotFitAreToldApart() throws {
        let topic = Topic(hex: "00000000")
        expect(2, failure { try Draft(now: Date(), ttl: 0, topic: topic, data: Data()) })
        expect(2, failure { try Draft(now: Date(), ttl: 50, topic: topic, data: Data()).workFor(rating: .nan) })
        let key = try SymmetricKey.generate()
        expect(3, failure { try encrypt(payload: Data(count: 1 << 25), recipient: .sharers(key: key)) })
        expect(4, failure { try key.decrypt(data: Data(count: 100)) })
    }

    @Test func nodesSayWhatTheyRefuse() async throws {
        let node = try await Node.start(config: NodeConfig())
        let key = try SymmetricKey.generate()
        let delivery = try node.post(post: Post(recipient: .sharers(key: key), text: ""))
        try await delivery.giveUp()
        expect(9, await failure { try await within { try await delivery.sent() } })
        let short = try node.post(post: Post(recipient: .sharers(key: key), text: "", ttl: 1))
        expect(2, await failure { try await within { try await short.sent() } })
        let talks = try await node.converse(identity: .generate())
        let peer = try Identity.generate().publicKey()
        expect(12, await failure { try await talks.send(peer: peer, text: "") })
        expect(1, await failure { try await node.dial(address: "enode://") })
        try await node.shutdown()
        expect(10, await failure { try await node.peers() })
        expect(13, await failure { try await Node.start(config: NodeConfig(keyFile: "/")) })
    }

    @Test func headersThatDoNotHoldAreUnproven() throws {
        let client = try LightClient(network: .regtest)
        expectOneOf([1, 14], failure { try client.accept(now: Date(), headers: Data(count: 80)) })
        #expect(try client.tip().height == 0)
    }

    private func expect(_ code: UInt32, _ error: WhisperError?, _ location: SourceLocation = #_sourceLocation) {
        expectOneOf([code], error, location)
    }

    private func expectOneOf(
        _ codes: [UInt32], _ error: WhisperError?, _ location: SourceLocation = #_sourceLocation
    ) {
        guard let error else { return }
        #expect(codes.contains(error.code()), "\(error)", sourceLocation: location)
    }
}
