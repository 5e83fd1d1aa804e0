import Foundation
import Testing
import Whisper

/// What the README tells people to write.
struct ReadmeTests {
    @Test(.timeLimit(.minutes(2))) func theFirstMessageIsSent() async throws {
        let relay = try await Node.start(config: NodeConfig(listen: "127.0.0.1:0"))
        let bob = try await relay.converse(identity: .generate())
        let (address, friend) = (try #require(relay.address()), bob.publicKey())
        try await bob.accept(peer: ReadmeTests.greet(address, friend))
        try await bob.hears("Hello from Swift")
        try await relay.shutdown()
    }

    /// Who has greeted.
    private static func greet(_ address: String, _ friend: PublicKey) async throws -> PublicKey {
        // readme:begin
        let node = try await Node.start(config: NodeConfig(peers: [address]))
        let identity = try Identity.generate()
        let talks = try await node.converse(identity: identity)
        let message = try await talks.invite(peer: friend, text: "Hello from Swift")
        try await message.sent()
        try await node.shutdown()
        // readme:end
        return identity.publicKey()
    }
}
