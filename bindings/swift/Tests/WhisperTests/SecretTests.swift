import Foundation
import Testing
import Whisper

/// No secret comes out, and nothing that was said shows in what developers print.
struct SecretTests {
    @Test func onlyTheseFunctionsGiveBytes() throws {
        let source = try Self.generated()
        let pattern = /func (\w+)\([^\n]*\)\s*(?:async\s*)?(?:throws\s*)?->\s*(?:\[Data\]|Data\??)\s*\{/
            .ignoresCase()
        let given = Set(source.matches(of: pattern).map { String($0.1) })
        #expect(given.subtracting(["read", "lift", "lower"]) == ["data", "encode", "seal", "anchor", "encrypt"])
        // Keys have nothing else that could.
        for kind in ["Identity", "SymmetricKey"] {
            let methods = try Self.methods(of: kind, in: source)
            #expect(methods == Self.keys[kind])
        }
    }

    @Test func noRecordHasASecret() throws {
        let source = try Self.generated()
        let fields = source.matches(of: /public let (\w+): ([^\n]+)/).map { (String($0.1), String($0.2)) }
        #expect(fields.count > 40)
        for (name, type) in fields {
            #expect(!["secret", "private", "password"].contains { name.lowercased().contains($0) }, "\(name)")
            // The bytes are those of a header, which everybody has.
            if type.hasPrefix("Data") { #expect(["payload", "padding", "bytes"].contains(name), "\(name)") }
        }
    }

    @Test func whatWasSaidShowsInNoTextOfIt() throws {
        let key = try SymmetricKey.generate()
        let said = "attack at dawn"
        let payload = Data(said.utf8)
        let message = try key.decrypt(data: encrypt(payload: payload, recipient: .sharers(key: key)))
        let session = SessionId(hex: String(repeating: "0", count: 64))
        let peer = try Identity.generate().publicKey()
        let heard = ConversationEvent.received(
            session: session, peer: peer, name: MessageName(hex: "0000000000000001"), order: 1, missing: 0,
            sentAt: Date(), payload: payload)
        let post = Post(recipient: .sharers(key: key), text: said)
        let sent = Output.transmit(peer: PeerId(number: 1), code: 1, payload: payload)
        let things: [Any] = [message, heard, NumberedConversationEvent(number: 1, event: heard), post, sent, Output.talk(event: heard)]
        for thing in things {
            var dumped = ""
            dump(thing, to: &dumped)
            for text in ["\(thing)", String(reflecting: thing), dumped] {
                #expect(!text.contains(said))
                #expect(!text.contains(payload.hex))
                #expect(!text.contains("\([UInt8](payload))".dropFirst().dropLast()))
            }
        }
        #expect(!"\(message)".isEmpty && message.text == said)
    }

    @Test func messagesAreEqualByWhatTheySay() throws {
        let key = try SymmetricKey.generate()
        let data = try encrypt(payload: Data("x".utf8), recipient: .sharers(key: key))
        let (one, same) = try (key.decrypt(data: data), key.decrypt(data: data))
        let other = try key.decrypt(data: encrypt(payload: Data("y".utf8), recipient: .sharers(key: key)))
        #expect(one == same && one.hashValue == same.hashValue && one != other)
    }

    private static let keys: [String: Set<String>] = [
        "Identity": ["fromFile", "fromSecret", "generate", "unseal", "decrypt", "publicKey", "seal"],
        "SymmetricKey": ["fromPassword", "fromSecret", "generate", "decrypt", "fingerprint"],
    ]

    private static func generated() throws -> String {
        let file = repository.appendingPathComponent("bindings/swift/Sources/Whisper/Generated/Whisper.swift")
        return try String(contentsOf: file, encoding: .utf8)
    }

    /// What a class can be asked, but for what the generator needs itself.
    private static func methods(of kind: String, in source: String) throws -> Set<String> {
        let parts = source.components(separatedBy: "open class \(kind):")
        try #require(parts.count == 2)
        let body = parts[1].components(separatedBy: "FfiConverterType\(kind):")[0]
        return Set(body.matches(of: /(?:open|static) func (\w+)\(/).map { String($0.1) })
    }
}
