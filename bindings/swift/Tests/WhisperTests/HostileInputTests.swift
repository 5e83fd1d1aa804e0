import Foundation
import Testing
import Whisper

/// Huge and odd input: errors with a type, and never a crash.
@Suite(.timeLimit(.minutes(3)))
struct HostileInputTests {
    @Test func hugeBytesAreRefused() throws {
        let huge = Data(repeating: 0xf8, count: 256 << 20)
        let key = try SymmetricKey.generate()
        let identity = try Identity.generate()
        let engine = try Engine(config: EngineConfig())
        let peer = PeerId(number: 1)
        _ = try engine.connected(now: Date(), peer: peer, inbound: false)

        #expect(failure { try Envelope.decode(bytes: huge) } != nil)
        #expect(failure { try key.decrypt(data: huge) } == .NotOpened)
        #expect(failure { try identity.decrypt(data: huge) } == .NotOpened)
        #expect(failure { try Identity.unseal(sealed: huge, under: key) } == .NotOpened)
        #expect(failure { try Identity.fromSecret(secret: huge) }?.code() == 1)
        #expect(failure { try encrypt(payload: huge, recipient: .sharers(key: key)) }?.code() == 3)
        // A peer's fault, not the caller's: it is cut off.
        let asked = try engine.receive(now: Date(), peer: peer, code: 1, payload: huge)
        #expect(asked.contains { if case .disconnect = $0 { true } else { false } })
    }

    @Test func bytesOfAllSmallLengthsAreRead() throws {
        let key = try SymmetricKey.generate()
        let identity = try Identity.generate()
        let client = try LightClient(network: .regtest)
        let data = (0...300).map { Data(repeating: UInt8(truncatingIfNeeded: $0), count: $0) }
        for bytes in data {
            #expect(failure { try key.decrypt(data: bytes) } == .NotOpened)
            #expect(failure { try identity.decrypt(data: bytes) } == .NotOpened)
            #expect(failure { try Identity.unseal(sealed: bytes, under: key) } == .NotOpened)
            #expect(failure { try Envelope.decode(bytes: bytes) }?.code() == 1)
            #expect(failure { try client.checkName(name: "alice", proof: bytes) } != nil)
            #expect(failure { try client.checkTransaction(proof: bytes) } != nil)
            if bytes.count != 32 {
                #expect(failure { try Identity.fromSecret(secret: bytes) }?.code() == 1)
                #expect(failure { try SymmetricKey.fromSecret(secret: bytes) }?.code() == 1)
            }
            let sealed = try encrypt(payload: bytes, recipient: .sharers(key: key))
            #expect(try key.decrypt(data: sealed).payload == bytes)
        }
    }

    @Test func anEngineReadsPacketsOfAllCodesAndSmallLengths() throws {
        let engine = try Engine(config: EngineConfig())
        for number in 0..<256 {
            let peer = PeerId(number: UInt64(number))
            _ = try engine.connected(now: Date(), peer: peer, inbound: true)
            let payload = Data(repeating: UInt8(number), count: number)
            _ = try engine.receive(now: Date(), peer: peer, code: UInt8(number), payload: payload)
            _ = try engine.disconnected(now: Date(), peer: peer)
        }
        // A peer that was never there, and more written than was asked for.
        _ = try engine.receive(now: Date(), peer: PeerId(number: .max), code: 0, payload: Data())
        _ = try engine.written(now: Date(), peer: PeerId(number: .max), bytes: .max)
    }

    @Test func slicesOfBytesAreReadFromWhereTheyBegin() throws {
        let key = try SymmetricKey.generate()
        let sealed = try encrypt(payload: Data("x".utf8), recipient: .sharers(key: key))
        let slice = (Data(count: 5) + sealed + Data(count: 5))[5..<5 + sealed.count]
        #expect(slice.startIndex == 5)
        #expect(try key.decrypt(data: slice).text == "x")
    }

    @Test func textsThatAreOddGoThroughOrAreRefused() async throws {
        let odd = ["", "\0", "a\0b", "\u{feff}", String(repeating: "ä", count: 300), "🏴‍☠️"]
        for text in odd {
            let key = try SymmetricKey.fromPassword(password: text)
            let sealed = try encrypt(payload: Data(text.utf8), recipient: .sharers(key: key))
            #expect(try key.decrypt(data: sealed).payload == Data(text.utf8))
        }
        // The bytes of half a surrogate pair are no text.
        let key = try SymmetricKey.generate()
        let bytes = try encrypt(payload: Data([0xed, 0xa0, 0x80]), recipient: .sharers(key: key))
        #expect(try key.decrypt(data: bytes).text == nil)
        // Half a surrogate pair cannot be in a Swift string: what stands for it arrives as such.
        let half = String(decoding: [UInt16(0xd800), 0x61], as: UTF16.self)
        #expect(try SymmetricKey.fromPassword(password: half).fingerprint()
            == SymmetricKey.fromPassword(password: "\u{fffd}a").fingerprint())
        let message = Message(payload: Data([0xff, 0xfe]), padding: Data(), signer: nil)
        #expect(message.text == nil)
        #expect(await failure { try Identity.fromFile(path: "\0") }?.code() == 13)
        for text in ["\0", "::::", "127.0.0.1", "127.0.0.1:99999", "localhost:1"] {
            #expect(await failure { try await Node.start(config: NodeConfig(listen: text)) } != nil)
        }
    }

    @Test func namesThatAreNoneAreMalformed() throws {
        let engine = try Engine(config: EngineConfig(), identity: .generate())
        let million = String(repeating: "a", count: 10 << 20)
        for text in ["", "0x", "\0", "04", "ä", "0x0x", "zz", " 00000000", million] {
            let topic = Topic(hex: text)
            #expect(failure { try Draft(now: Date(), ttl: 50, topic: topic, data: Data()) }?.code() == 1)
            let peer = PublicKey(hex: text)
            #expect(failure { try engine.addContact(now: Date(), peer: peer) }?.code() == 1)
        }
        // Of the right length, and no point of the curve.
        let point = PublicKey(hex: "04" + String(repeating: "f", count: 128))
        #expect(failure { try engine.addContact(now: Date(), peer: point) }?.code() == 1)
    }

    @Test func datesThatAreNoneAreTakenAsTheNearestThatAre() throws {
        let seconds: [Double] = [
            -.infinity, -1e300, -62_135_596_800, -0.001, 0, 4_294_967_296, 253_402_300_799, 1e18, 1e300,
            .infinity, .nan, .leastNonzeroMagnitude, .greatestFiniteMagnitude,
        ]
        let dates = seconds.map { Date(timeIntervalSince1970: $0) } + [.distantPast, .distantFuture]
        for date in dates {
            let engine = try Engine(config: EngineConfig(), identity: .generate())
            _ = try engine.connected(now: date, peer: PeerId(number: 1), inbound: false)
            _ = try engine.tick(now: date)
            _ = try engine.wakeAt()
            let draft = Result { try Draft(now: date, ttl: 50, topic: Topic(hex: "00000000"), data: Data()) }
            if case .failure(let error) = draft { #expect((error as? WhisperError)?.code() == 2) }
        }
    }

    @Test func lengthsOfTimeThatAreNoneAreOutOfRange() throws {
        let lengths: [Double] = [
            -.infinity, -1e300, -1, -0.0, 0, 9.999, 172_801, 1e18, 1e19, 1e300, .infinity, .nan,
        ]
        for ttl in lengths {
            let draft = failure {
                try Draft(now: Date(), ttl: ttl, topic: Topic(hex: "00000000"), data: Data())
            }
            #expect(draft?.code() == 2, "\(ttl)")
        }
    }

    @Test func ratingsThatAreNoneAreOutOfRange() throws {
        let draft = try Draft(now: Date(), ttl: 50, topic: Topic(hex: "00000000"), data: Data())
        for rating in [Double.nan, -.infinity, .infinity, -1, -.leastNonzeroMagnitude] {
            #expect(failure { try draft.workFor(rating: rating) }?.code() == 2, "\(rating)")
            #expect(failure { try Engine(config: EngineConfig(minRating: rating)) }?.code() == 2)
        }
        let largest = UInt32.max
        #expect(try LightClient(network: .regtest).at(height: largest) == nil)
        let inclusion = failure {
            try checkInclusion(entry: Data(), index: largest, size: largest, path: [], root: Data(count: 32))
        }
        #expect(inclusion?.code() == 14)
        #expect(try draft.find(first: .max, count: .max, work: .max) == nil)
        #expect(try draft.find(first: 0, count: 0, work: 0) == nil)
        #expect(try draft.seal(nonce: .max).info().nonce == .max)
    }
}
