import Foundation

// Messages are bytes. Most of them are text in UTF-8.

extension Message {
    /// What is said, if it is text in UTF-8.
    public var text: String? { String(validating: payload) }
}

extension ConversationEvent {
    /// What the peer says, if this is a message and its text is in UTF-8.
    public var text: String? {
        if case .received(_, _, _, _, _, _, let payload) = self { String(validating: payload) } else { nil }
    }
}

extension Post {
    /// A text to be sent. All else as in ``init(recipient:payload:topic:signer:ttl:target:patience:)``.
    public init(
        recipient: Recipient,
        text: String,
        topic: Topic? = nil,
        signer: Identity? = nil,
        ttl: TimeInterval? = nil,
        target: Double? = nil,
        patience: TimeInterval? = nil
    ) {
        self.init(
            recipient: recipient,
            payload: Data(text.utf8),
            topic: topic,
            signer: signer,
            ttl: ttl,
            target: target,
            patience: patience
        )
    }
}

extension Conversations {
    /// Says something to somebody there is a conversation with.
    public func send(peer: PublicKey, text: String) async throws -> SentMessage {
        try await send(peer: peer, payload: Data(text.utf8))
    }
}

extension Engine {
    /// Says something to somebody there is a conversation with.
    public func send(now: Date, peer: PublicKey, text: String) throws -> [Output] {
        try send(now: now, peer: peer, payload: Data(text.utf8))
    }
}

extension SymmetricKey {
    /// The key that go-ethereum makes of a password. That takes milliseconds, for whoever guesses as
    /// well: take a long one. The text itself cannot be wiped: who has the bytes lends those.
    public static func fromPassword(password: String) throws -> SymmetricKey {
        var bytes = Data(password.utf8)
        defer { bytes.resetBytes(in: bytes.startIndex..<bytes.endIndex) }
        return try fromPassword(password: bytes)
    }
}

extension String {
    /// The text, unless it is none.
    fileprivate init?(validating data: Data) {
        self.init(data: data, encoding: .utf8)
    }
}
