import Foundation
import Testing
import Whisper

/// Many threads, and input that nobody sends in good faith.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct AttackTests {
    @Test func eightThreadsOfTenThousandCallsEachLoseNothing() throws {
        let shared = try Shared()
        let done = Counter()
        let group = DispatchGroup()
        for thread in 0..<8 {
            group.enter()
            Thread.detachNewThread {
                defer { group.leave() }
                for call in 0..<10_000 {
                    do {
                        try shared.call(call, connection: PeerId(number: UInt64(thread)))
                        done.add()
                    } catch {
                        Issue.record("call \(call): \(error)")
                    }
                }
            }
        }
        #expect(group.wait(timeout: .now() + 240) == .success)
        #expect(done.value == 80_000)
        #expect(runningJobs() == 0)
    }

    @Test func aQuarterOfAGigabyteIsRefused() throws {
        let huge = Data(count: 256 << 20)
        #expect(failure { try Envelope.decode(bytes: huge) } != nil)
        #expect(failure { try SymmetricKey.generate().decrypt(data: huge) } == .NotOpened)
        #expect(failure { try Identity.generate().decrypt(data: huge) } == .NotOpened)
        let engine = try Engine(config: EngineConfig())
        let connection = PeerId(number: 1)
        _ = try engine.connected(now: Self.now, peer: connection, inbound: true)
        // A peer that sends this is dismissed.
        let outputs = try engine.receive(now: Self.now, peer: connection, code: 1, payload: huge)
        #expect(outputs.contains { if case .disconnect = $0 { true } else { false } })
        _ = try engine.tick(now: Self.now)
    }

    @Test func bytesOfEveryLengthAreRefused() throws {
        let (identity, key) = try (Identity.generate(), SymmetricKey.generate())
        for length in 0...300 {
            let data = Data(repeating: UInt8(length & 0xff), count: length)
            #expect(failure { try Envelope.decode(bytes: data) } != nil)
            #expect(failure { try key.decrypt(data: data) } == .NotOpened)
            #expect(failure { try identity.decrypt(data: data) } == .NotOpened)
            #expect(failure { try Identity.unseal(sealed: data, under: key) } != nil)
            // Each has a connection that it may well lose.
            let engine = try Engine(config: EngineConfig())
            _ = try engine.connected(now: Self.now, peer: PeerId(number: 1), inbound: true)
            for code in [UInt8](0...5) + [126, 127, 255] {
                _ = try engine.receive(now: Self.now, peer: PeerId(number: 1), code: code, payload: data)
            }
        }
    }

    @Test func namesOfTenMebibytesAreRefused() throws {
        let long = String(repeating: "ab", count: 5 << 20)
        for hex in [long, "", "0", "0x", "\0", "g0", "🦀", "ab\0cd", String(repeating: "\u{301}", count: 300)] {
            let key = Recipient.holder(key: PublicKey(hex: hex))
            #expect(failure { try encrypt(payload: Data(), recipient: key) }?.code() == 1)
            let topic = Topic(hex: hex)
            #expect(failure { try Draft(now: Self.now, ttl: 50, topic: topic, data: Data()) }?.code() == 1)
        }
    }

    @Test func textsWithNulGoThroughUnchanged() throws {
        let key = try SymmetricKey.generate()
        for text in ["\0", "a\0b", "\u{FFFD}\u{10FFFF}", String(repeating: "🦀", count: 1_000)] {
            let data = try encrypt(payload: Data(text.utf8), recipient: .sharers(key: key))
            #expect(try key.decrypt(data: data).text == text)
        }
        // Bytes that are no text are none, and no crash.
        let data = try encrypt(payload: Data([0xed, 0xa0, 0x80]), recipient: .sharers(key: key))
        #expect(try key.decrypt(data: data).text == nil)
    }

    @Test func datesAndLengthsOfTimeOfAnyKindAreTakenOrRefused() throws {
        let numbers: [Double] = [
            .nan, .infinity, -.infinity, -1, -1e300, 0, 1e-300, 0.5, 1e9, 1e18, 1e300, .greatestFiniteMagnitude,
        ]
        let topic = Topic(hex: "00000000")
        for number in numbers {
            ended { try Draft(now: Date(timeIntervalSince1970: number), ttl: 50, topic: topic, data: Data()) }
            ended { try Draft(now: Self.now, ttl: number, topic: topic, data: Data()) }
            ended { try Draft(now: Self.now, ttl: 50, topic: topic, data: Data()).workFor(rating: number) }
            ended { try Engine(config: EngineConfig(minRating: number)) }
            ended { try Engine(config: EngineConfig()).tick(now: Date(timeIntervalSince1970: number)) }
        }
        for rating in [Double.nan, .infinity, -1] {
            #expect(failure { try Draft(now: Self.now, ttl: 50, topic: topic, data: Data()).workFor(rating: rating) } != nil)
        }
        #expect(failure { try Draft(now: Self.now, ttl: -5, topic: topic, data: Data()) }?.code() == 2)
        let largest = UInt32.max
        ended { try LightClient(network: .regtest).at(height: largest) }
        ended { try checkInclusion(entry: Data(), index: largest, size: largest, path: [], root: Data()) }
    }

    /// A call that may do or not, with an error of the library if not.
    private func ended<Value>(_ call: () throws -> Value) {
        do {
            _ = try call()
        } catch {
            #expect(error is WhisperError)
        }
    }

    private static let now = Date(timeIntervalSince1970: 1_800_000_000)
}

/// What eight threads use at once.
private final class Shared: Sendable {
    private let key = try! SymmetricKey.generate()
    private let identity = try! Identity.generate()
    private let engine = try! Engine(config: EngineConfig())
    private let encoded: Data
    private let sealed: Data

    init() throws {
        let draft = try Draft(
            now: Date(timeIntervalSince1970: 1_800_000_000), ttl: 50, topic: Topic(hex: "01020304"), data: Data(count: 64))
        encoded = try draft.seal(nonce: 1).encode()
        sealed = try encrypt(payload: Data("x".utf8), recipient: .sharers(key: key))
    }

    func call(_ number: Int, connection: PeerId) throws {
        let now = Date(timeIntervalSince1970: 1_800_000_000 + Double(number) / 1_000)
        switch number % 8 {
        case 0: #expect(try Envelope.decode(bytes: encoded).encode() == encoded)
        case 1: #expect(try Envelope.decode(bytes: encoded).info().nonce == 1)
        case 2: #expect(try key.decrypt(data: sealed).payload == Data("x".utf8))
        case 3: #expect(try !encrypt(payload: Data("x".utf8), recipient: .sharers(key: key)).isEmpty)
        case 4: _ = try engine.connected(now: now, peer: connection, inbound: true)
        case 5: _ = try engine.tick(now: now)
        case 6: _ = try engine.disconnected(now: now, peer: connection)
        default: #expect(identity.publicKey() == identity.publicKey())
        }
    }
}

private final class Counter: @unchecked Sendable {
    private let lock = NSLock()
    private var count = 0

    func add() { lock.withLock { count += 1 } }
    var value: Int { lock.withLock { count } }
}
