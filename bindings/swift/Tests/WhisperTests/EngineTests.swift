import Foundation
import Testing
import Whisper

/// Engines that the test drives by hand: no socket, no clock.
@Suite(.timeLimit(.minutes(2)))
struct EngineTests {
    @Test func twoIdentitiesTalkUntilEachHasHeardTheOther() throws {
        let (alice, bob) = try (Identity.generate(), Identity.generate())
        let hall = try Engines(alice, bob)
        try hall.connect()
        #expect(hall.heard.allSatisfy { $0.contains { if case .ready = $0 { true } else { false } } })

        try hall.call(1) { try $0.addContact(now: hall.now, peer: alice.publicKey()) }
        try hall.call(0) { try $0.invite(now: hall.now, peer: bob.publicKey(), text: "Bob?") }
        try hall.wait(seconds: 5)
        try hall.call(1) { try $0.send(now: hall.now, peer: alice.publicKey(), text: "Alice!") }
        try hall.wait(seconds: 5)

        #expect(hall.talk(1).compactMap(\.text).contains("Bob?"))
        #expect(hall.talk(0).compactMap(\.text) == ["Alice!"])
        try hall.call(0) { try $0.hangUp(now: hall.now, peer: bob.publicKey()) }
        try hall.wait(seconds: 5)
        #expect(hall.talk(1).contains { if case .over(_, _, .closedByPeer) = $0 { true } else { false } })
    }

    @Test func strangersAreHeardOnlyOnceTheyAreAccepted() throws {
        let (alice, bob) = try (Identity.generate(), Identity.generate())
        let hall = try Engines(alice, bob)
        try hall.connect()
        try hall.call(0) { try $0.invite(now: hall.now, peer: bob.publicKey(), text: "it is me") }
        try hall.wait(seconds: 5)
        #expect(hall.talk(1).contains { if case .invited = $0 { true } else { false } })
        #expect(hall.talk(1).compactMap(\.text).isEmpty)
        try hall.call(1) { try $0.accept(now: hall.now, peer: alice.publicKey()) }
        try hall.wait(seconds: 5)
        #expect(hall.talk(1).compactMap(\.text) == ["it is me"])
    }

    @Test func filtersFindWhatIsPublishedOnTheOtherSide() throws {
        let key = try SymmetricKey.generate()
        let hall = try Engines()
        try hall.connect()
        let topic = Topic(hex: "0xC0FFEE00")
        let filter = try hall.engines[1].addFilter(
            filter: Filter(reader: .sharer(key: key), topics: [topic]))
        let data = try encrypt(payload: Data("for all".utf8), recipient: .sharers(key: key))
        let draft = try Draft(now: hall.now, ttl: 50, topic: topic, data: data)
        try hall.call(0) { _ in [.post(draft: draft, message: nil)] }

        let found = hall.heard[1].compactMap { output in
            if case .found(let filters, let received) = output { (filters, received) } else { nil }
        }
        #expect(found.map(\.0) == [[filter]])
        #expect(found.first?.1.message.text == "for all")
        #expect(found.first?.1.topic == topic)
        #expect(try hall.engines[1].removeFilter(filter: filter))
        #expect(try !hall.engines[1].removeFilter(filter: filter))
    }

    @Test func aTickAtTheMomentOfWakingIsNeverTooEarly() throws {
        // Would it be, the engine would ask to be woken at the same moment for ever.
        for milliseconds in 0..<1_000 {
            let engine = try Engine(config: EngineConfig())
            let now = Date(timeIntervalSince1970: 1_800_000_000 + Double(milliseconds) / 1e3)
            _ = try engine.connected(now: now, peer: PeerId(number: 1), inbound: true)
            let wake = try #require(try engine.wakeAt())
            #expect(wake > now)
            // The peer has never said who it is.
            let asked = try engine.tick(now: wake)
            #expect(asked.contains { if case .disconnect = $0 { true } else { false } })
        }
    }

    @Test func sealedIdentitiesComeBackTheSame() throws {
        let (identity, key) = try (Identity.generate(), SymmetricKey.generate())
        let sealed = try identity.seal(under: key)
        let back = try Identity.unseal(sealed: sealed, under: key)
        #expect(back.publicKey() == identity.publicKey())
        let data = try encrypt(payload: Data("x".utf8), recipient: .holder(key: identity.publicKey()))
        #expect(try back.decrypt(data: data).text == "x")
        #expect(failure { try Identity.unseal(sealed: sealed, under: .generate()) } == .NotOpened)
    }

    @Test func signaturesTellWhoHasWritten() throws {
        let (alice, bob) = try (Identity.generate(), Identity.generate())
        let recipient = Recipient.holder(key: bob.publicKey())
        let data = try encrypt(payload: Data([1, 2, 3]), recipient: recipient, signer: alice)
        let message = try bob.decrypt(data: data)
        #expect(message.signer == alice.publicKey())
        #expect(message.payload == Data([1, 2, 3]))
        #expect(try message == bob.decrypt(data: data))
    }

    @Test func namesAreTheSameInAnyWriting() throws {
        let key = try Identity.generate().publicKey()
        #expect(PublicKey(hex: "0x" + key.hex.uppercased()) == key)
        #expect(PublicKey(hex: String(key.hex.dropFirst(2))) == key)
        #expect("\(key)" == key.hex)
        let stored = try JSONEncoder().encode([key])
        #expect(try JSONDecoder().decode([PublicKey].self, from: stored) == [key])
        #expect(Set([Topic(hex: "0A0b0c0d"), Topic(hex: "0x0a0b0c0d")]).count == 1)
    }
}
