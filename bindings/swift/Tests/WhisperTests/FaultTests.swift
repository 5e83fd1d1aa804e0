import Foundation
import Testing
import Whisper

/// A defect inside arrives as an error, whatever was called, and does not outlive the call.
///
/// Runs against a library that fails on request: the file that `WHISPER_PANIC_FILE` names holds the
/// name of the function whose next call panics. `bindings/swift/test` sees to both.
@Suite(.enabled(if: Faults.file != nil, "needs the library that fails on request"), .timeLimit(.minutes(3)))
struct FaultTests {
    @Test func everyFunctionThatDoesWorkFailsOnce() async throws {
        let faults = try Faults()
        #expect(faults.left.count >= 80)
        try await faults.valuesAndKeys()
        try await faults.engines()
        try await faults.headers()
        try await faults.nodes()
        #expect(faults.left == [], "functions that nobody makes fail")
    }
}

private typealias Call = @Sendable () async throws -> Void

/// One test, from one function to the next.
private final class Faults {
    /// Where the library looks for the name of what is to fail.
    static let file = ProcessInfo.processInfo.environment["WHISPER_PANIC_FILE"].flatMap {
        $0.isEmpty ? nil : URL(fileURLWithPath: $0)
    }

    /// The functions that have not failed yet.
    private(set) var left: Set<String>
    private let file: URL
    private let now = Date(timeIntervalSince1970: 1_800_000_000)
    private let topic = Topic(hex: "01020304")
    private let identity: Identity
    private let peer: PublicKey
    private let key: SymmetricKey

    init() throws {
        file = try #require(Self.file)
        left = try Self.names()
        identity = try Identity.generate()
        peer = try Identity.generate().publicKey()
        key = try SymmetricKey.generate()
    }

    /// Every function that the library can be asked to fail in.
    private static func names() throws -> Set<String> {
        let folder = repository.appendingPathComponent("bindings/src")
        let files = try #require(FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil))
        var names: Set<String> = []
        for case let file as URL in files where file.pathExtension == "rs" {
            let source = try String(contentsOf: file, encoding: .utf8)
            names.formUnion(source.matches(of: /faults::enter\("([^"]+)"\)/).map { String($0.1) })
        }
        return names
    }

    /// `call` makes anew what it needs, so that it can be called again.
    private func fails(_ name: String, poisons: Bool = false, _ call: @escaping Call) async throws {
        try name.write(to: file, atomically: true, encoding: .utf8)
        let error = await Self.thrown(by: call)
        #expect("\(error?.localizedDescription ?? "nothing")".contains("injected into \(name)"))
        #expect(!(error is WhisperError), "\(name)")
        #expect(!FileManager.default.fileExists(atPath: file.path), "\(name)")
        // Errors of our own are fine: the call got through.
        switch await Self.thrown(by: call) {
        case WhisperError.Poisoned?: #expect(poisons, "\(name)")
        case nil, is WhisperError: #expect(!poisons, "\(name)")
        case let other?: Issue.record("\(name): \(other)")
        }
        #expect(left.remove(name) != nil, "\(name) is not in the sources")
    }

    /// As `fails`, for what waits until it is given up.
    private func waiting(
        _ name: String, _ call: @escaping @Sendable (CancelToken) async throws -> Void
    ) async throws {
        let token = CancelToken()
        token.cancel()
        try await fails(name) { try await call(token) }
    }

    private static func thrown(by call: @escaping Call) async -> (any Error)? {
        do {
            try await within(seconds: 20, call)
            return nil
        } catch {
            return error
        }
    }

    func valuesAndKeys() async throws {
        let (identity, key, topic, now) = (identity, key, topic, now)
        let secret = Data(repeating: 1, count: 32)
        let sealed = try identity.seal(under: key)
        let path = file.path + ".identity"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try await fails("Identity.generate") { _ = try Identity.generate() }
        try await fails("Identity.from_secret") { _ = try Identity.fromSecret(secret: secret) }
        try await fails("Identity.from_file") { _ = try Identity.fromFile(path: path) }
        try await fails("Identity.unseal") { _ = try Identity.unseal(sealed: sealed, under: key) }
        try await fails("Identity.seal") { _ = try identity.seal(under: key) }
        try await fails("Identity.decrypt") { _ = try identity.decrypt(data: Data()) }
        try await fails("SymmetricKey.generate") { _ = try SymmetricKey.generate() }
        try await fails("SymmetricKey.from_secret") { _ = try SymmetricKey.fromSecret(secret: secret) }
        try await fails("SymmetricKey.from_password") { _ = try SymmetricKey.fromPassword(password: "x") }
        try await fails("SymmetricKey.decrypt") { _ = try key.decrypt(data: Data()) }
        try await fails("encrypt") { _ = try encrypt(payload: Data(), recipient: .sharers(key: key)) }

        let draft = try Draft(now: now, ttl: 50, topic: topic, data: Data())
        try await fails("Draft.new") { _ = try Draft(now: now, ttl: 50, topic: topic, data: Data()) }
        try await fails("Draft.work_for") { _ = try draft.workFor(rating: 0.2) }
        try await fails("Draft.find") { _ = try draft.find(first: 0, count: 1, work: 1) }
        try await fails("Draft.seal") { _ = try draft.seal(nonce: 0) }
        try await fails("Draft.mine") { _ = try await draft.mine(rating: 0.2) }
        let envelope = try Draft(now: now, ttl: 50, topic: topic, data: Data()).seal(nonce: 0)
        try await fails("Envelope.encode") { _ = try envelope.encode() }
        let encoded = try envelope.encode()
        try await fails("Envelope.decode") { _ = try Envelope.decode(bytes: encoded) }
    }

    func engines() async throws {
        let (identity, peer, key, now) = (identity, peer, key, now)
        let envelope = try Draft(now: now, ttl: 50, topic: topic, data: Data()).seal(nonce: 0)
        let connection = PeerId(number: 1)
        try await fails("Engine.new") { _ = try Engine(config: EngineConfig()) }
        let calls: [(String, @Sendable (Engine) throws -> Void)] = [
            ("connected", { _ = try $0.connected(now: now, peer: connection, inbound: true) }),
            ("disconnected", { _ = try $0.disconnected(now: now, peer: connection) }),
            ("receive", { _ = try $0.receive(now: now, peer: connection, code: 0, payload: Data()) }),
            ("written", { _ = try $0.written(now: now, peer: connection, bytes: 1) }),
            ("tick", { _ = try $0.tick(now: now) }),
            ("publish", { _ = try $0.publish(now: now, envelope: envelope) }),
            ("add_filter", { _ = try $0.addFilter(filter: Filter(reader: .sharer(key: key))) }),
            ("remove_filter", { _ = try $0.removeFilter(filter: 1) }),
            ("invite", { _ = try $0.invite(now: now, peer: peer, text: "") }),
            ("send", { _ = try $0.send(now: now, peer: peer, payload: Data()) }),
            ("accept", { _ = try $0.accept(now: now, peer: peer) }),
            ("decline", { _ = try $0.decline(now: now, peer: peer) }),
            ("hang_up", { _ = try $0.hangUp(now: now, peer: peer) }),
            ("add_contact", { _ = try $0.addContact(now: now, peer: peer) }),
            ("burn", { _ = try $0.burn() }),
        ]
        for (name, call) in calls {
            let engine = try Engine(config: EngineConfig(), identity: identity)
            try await fails("Engine.\(name)", poisons: true) { try call(engine) }
        }
        let engine = try Engine(config: EngineConfig(), identity: identity)
        try await fails("Engine.wake_at") { _ = try engine.wakeAt() }
        try await fails("Engine.advised_rating") { _ = try engine.advisedRating() }
    }

    func headers() async throws {
        let (now, root) = (now, Data(count: 32))
        try await fails("LightClient.new") { _ = try LightClient(network: .regtest) }
        let client = try LightClient(network: .regtest)
        try await fails("LightClient.tip") { _ = try client.tip() }
        try await fails("LightClient.at") { _ = try client.at(height: 0) }
        try await fails("LightClient.check_name") { _ = try client.checkName(name: "abc", proof: Data()) }
        try await fails("LightClient.check_transaction") { _ = try client.checkTransaction(proof: Data()) }
        try await fails("LightClient.accept", poisons: true) { _ = try client.accept(now: now, headers: Data()) }
        try await fails("check_inclusion") {
            try checkInclusion(entry: Data(), index: 0, size: 1, path: [], root: root)
        }
        try await fails("check_directory") {
            try checkDirectory(name: "abc", record: nil, proof: Data(), root: root)
        }
    }

    func nodes() async throws {
        let (identity, key) = (identity, key)
        let config = NodeConfig(listen: "127.0.0.1:0", ledger: true)
        try await fails("Node.start") { _ = try await Node.start(config: config) }
        let node = try await Node.start(config: config)
        try await fails("Node.dial") { try await node.dial(address: "enode://") }
        try await fails("Node.peers") { _ = try await node.peers() }
        try await fails("Node.post") { _ = try node.post(post: Post(recipient: .sharers(key: key), text: "")) }
        try await fails("Node.post_when_ready") {
            _ = try await node.postWhenReady(post: Post(recipient: .sharers(key: key), text: ""))
        }
        try await fails("Node.subscribe") {
            _ = try await node.subscribe(filter: Filter(reader: .sharer(key: key)))
        }
        try await fails("Node.converse") { _ = try await node.converse(identity: identity) }
        try await fails("Node.suspend") { try await node.suspend() }
        try await fails("Node.resume") { try await node.resume() }
        try await fails("Node.network_changed") { try await node.networkChanged() }
        try await fails("Node.acknowledge") { try node.acknowledge(number: 0) }
        try await waiting("Node.next_event") { _ = try await node.nextEvent(cancel: $0) }
        try await subscriptions(node)
        try await deliveries(node)
        try await conversations(node)
        try await ledgers(node)
        try await fails("Node.shutdown") { try await node.shutdown() }
    }

    private func subscriptions(_ node: Node) async throws {
        let found = try await node.subscribe(filter: Filter(reader: .sharer(key: key)))
        try await fails("Subscription.acknowledge") { try found.acknowledge(number: 0) }
        try await waiting("Subscription.next_event") { _ = try await found.nextEvent(cancel: $0) }
    }

    private func deliveries(_ node: Node) async throws {
        let delivery = try node.post(post: Post(recipient: .sharers(key: key), text: ""))
        try await waiting("Delivery.sent") { try await delivery.sent(cancel: $0) }
        try await waiting("Delivery.changed") { _ = try await delivery.changed(cancel: $0) }
        try await fails("Delivery.give_up") { try delivery.giveUp() }
    }

    private func conversations(_ node: Node) async throws {
        let peer = peer
        let talk = try await node.converse(identity: .generate())
        try await fails("Conversations.invite") { _ = try await talk.invite(peer: peer, text: "") }
        let sent = try await talk.invite(peer: Identity.generate().publicKey(), text: "")
        try await waiting("SentMessage.sent") { try await sent.sent(cancel: $0) }
        try await fails("Conversations.send") { _ = try await talk.send(peer: peer, text: "") }
        try await fails("Conversations.accept") { try await talk.accept(peer: peer) }
        try await fails("Conversations.decline") { try await talk.decline(peer: peer) }
        try await fails("Conversations.add_contact") { try await talk.addContact(peer: peer) }
        try await fails("Conversations.remove_contact") { try await talk.removeContact(peer: peer) }
        try await fails("Conversations.contacts") { _ = try await talk.contacts() }
        try await fails("Conversations.acknowledge") { try talk.acknowledge(number: 0) }
        try await waiting("Conversations.next_event") { _ = try await talk.nextEvent(cancel: $0) }
        try await fails("Conversations.hang_up") { _ = try await talk.hangUp(peer: peer) }
        try await fails("Conversations.burn") { try await talk.burn() }
    }

    private func ledgers(_ node: Node) async throws {
        try await fails("Node.follow_ledger") { _ = try await node.followLedger(network: .regtest) }
        let ledger = try await node.followLedger(network: .regtest)
        let zeros = String(repeating: "0", count: 64)
        try await fails("LightLedger.tip") { _ = try await ledger.tip() }
        try await fails("LightLedger.at") { _ = try await ledger.at(height: 0) }
        try await fails("LightLedger.anchor") { _ = try await ledger.anchor() }
        try await fails("LightLedger.acknowledge") { try ledger.acknowledge(number: 0) }
        try await waiting("LightLedger.next_event") { _ = try await ledger.nextEvent(cancel: $0) }
        try await waiting("LightLedger.look_up") { _ = try await ledger.lookUp(name: "abc", cancel: $0) }
        try await waiting("LightLedger.prove") {
            _ = try await ledger.prove(block: BlockId(hex: zeros), transaction: TxId(hex: zeros), cancel: $0)
        }
    }
}
