import Foundation
import Testing
import Whisper

/// Many threads at once.
@Suite(.timeLimit(.minutes(3)))
struct ThreadTests {
    @Test func eightThreadsOfTenThousandCallsLoseNothing() async throws {
        let shared = try Shared()
        let done = try await withThrowingTaskGroup(of: Int.self) { group in
            for thread in 0..<8 {
                group.addTask { try await Self.onThread { try shared.call(10_000, thread) } }
            }
            return try await group.reduce(0, +)
        }
        #expect(done == 80_000)
        // Each thread has left its filters behind, and each is found once.
        #expect(try shared.filtersThatAreThere() == shared.filtersThatWereAdded)
    }

    /// A thread of its own: tasks would share two.
    private static func onThread<Value: Sendable>(
        _ work: @escaping @Sendable () throws -> Value
    ) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            Thread { continuation.resume(with: Result(catching: work)) }.start()
        }
    }

    /// What all threads call.
    private final class Shared: Sendable {
        let engine: Engine
        let key: SymmetricKey
        let identity: Identity
        let encoded: Data
        let hash: EnvelopeHash
        let sealed: Data

        init() throws {
            engine = try Engine(config: EngineConfig(minRating: cheap), identity: .generate())
            key = try SymmetricKey.generate()
            identity = try Identity.generate()
            sealed = try encrypt(payload: Data("x".utf8), recipient: .sharers(key: key))
            let draft = try Draft(now: Date(), ttl: 50, topic: Topic(hex: "00000000"), data: sealed)
            let envelope = try draft.seal(nonce: 0)
            encoded = try envelope.encode()
            hash = envelope.info().hash
        }

        /// Calls so often, and tells how often the answer was right.
        func call(_ times: Int, _ thread: Int) throws -> Int {
            try (0..<times).reduce(0) { right, turn in
                try right + (isRight(turn, PeerId(number: UInt64(thread * times + turn))) ? 1 : 0)
            }
        }

        private func isRight(_ turn: Int, _ peer: PeerId) throws -> Bool {
            switch turn % 8 {
            case 0: return try Envelope.decode(bytes: encoded).info().hash == hash
            case 1: return try key.decrypt(data: sealed).text == "x"
            case 2: return try !engine.connected(now: Date(), peer: peer, inbound: true).isEmpty
            case 3:
                let before = PeerId(number: peer.number - 1)
                return try engine.disconnected(now: Date(), peer: before).isEmpty
            case 4: return try !encrypt(payload: Data(), recipient: .sharers(key: key)).isEmpty
            case 5: return try engine.advisedRating() >= 0
            case 6: return identity.publicKey() == identity.publicKey()
            default:
                _ = try engine.addFilter(filter: Filter(reader: .sharer(key: key)))
                return true
            }
        }

        let filtersThatWereAdded = 8 * 10_000 / 8

        func filtersThatAreThere() throws -> Int {
            try (0..<UInt64(4 * filtersThatWereAdded)).filter { try engine.removeFilter(filter: $0) }.count
        }
    }
}
