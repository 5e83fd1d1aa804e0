import Foundation

// What may take long ends with the task that waits for it, and throws `CancellationError` then. The
// same calls with `cancel:` are for those who give up by a token of their own.

extension Node {
    /// Posts a message once there is room for it among the posts that wait. Cancelled before that,
    /// nothing is posted.
    public func postWhenReady(post: Post) async throws -> Delivery {
        try await withCancellation { try await self.postWhenReady(post: post, cancel: $0) }
    }

    /// The event that is not acknowledged yet, or the next one; nothing once the node has ended.
    /// ``events`` is easier to read from.
    public func nextEvent() async throws -> NumberedNodeEvent? {
        try await withCancellation { try await self.nextEvent(cancel: $0) }
    }

    /// Ends the node once what was posted is sent, after 5 seconds at the latest; what no peer takes
    /// fails at once. Cancelled, even before it has begun, the shutdown goes on.
    public func shutdown() async throws {
        try await withCancellation { try await self.shutdown(cancel: $0) }
    }
}

extension Conversations {
    /// The event that is not acknowledged yet, or the next one; nothing once the node has ended.
    /// ``events`` is easier to read from.
    public func nextEvent() async throws -> NumberedConversationEvent? {
        try await withCancellation { try await self.nextEvent(cancel: $0) }
    }
}

extension Subscription {
    /// The event that is not acknowledged yet, or the next one; nothing once the node has ended.
    /// ``events`` is easier to read from.
    public func nextEvent() async throws -> NumberedSubscriptionEvent? {
        try await withCancellation { try await self.nextEvent(cancel: $0) }
    }
}

extension LightLedger {
    /// The event that is not acknowledged yet, or the next one; nothing once the ledger has ended.
    /// ``events`` is easier to read from.
    public func nextEvent() async throws -> NumberedLedgerEvent? {
        try await withCancellation { try await self.nextEvent(cancel: $0) }
    }

    /// Asks peers what stands under a name, and checks what they prove.
    public func lookUp(name: String) async throws -> NameAnswer {
        try await withCancellation { try await self.lookUp(name: name, cancel: $0) }
    }

    /// Asks peers to prove that a transaction stands in a block, and checks what they prove.
    public func prove(block: BlockId, transaction: TxId) async throws -> ProvenTransaction {
        try await withCancellation {
            try await self.prove(block: block, transaction: transaction, cancel: $0)
        }
    }
}

extension Delivery {
    /// Waits until its state is another than the one that is known, and tells it; nothing if that was
    /// the last. ``states`` is easier to read from.
    public func changed(known: DeliveryState? = nil) async throws -> DeliveryState? {
        try await withCancellation { try await self.changed(known: known, cancel: $0) }
    }

    /// Waits until a peer has it, or nobody will. Cancelled, the post goes on.
    public func sent() async throws {
        try await withCancellation { try await self.sent(cancel: $0) }
    }
}

extension SentMessage {
    /// Waits until peers have all of it, or one envelope is lost. Cancelled, it goes on.
    public func sent() async throws {
        try await withCancellation { try await self.sent(cancel: $0) }
    }
}

extension Draft {
    /// Works until every node rates it so high, on a thread of its own, and closes the draft.
    /// Cancelled, the work ends.
    public func mine(rating: Double) async throws -> Envelope {
        try await withCancellation { try await self.mine(rating: rating, cancel: $0) }
    }
}
