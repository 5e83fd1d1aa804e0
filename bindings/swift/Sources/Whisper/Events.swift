import Foundation

/// Events, one at a time and at least once.
///
/// An event is acknowledged when the loop comes for the next one. A loop that is left before that, by
/// an error, a cancelled task or `break`, finds the same event again when it is entered anew. The
/// sequence ends when the node ends; a cancelled task leaves it with `CancellationError`.
///
/// One loop at a time: two of them get the same events.
public struct Events<Event: Sendable>: AsyncSequence, Sendable {
    public typealias Element = Event

    let next: @Sendable () async throws -> (number: UInt64, event: Event)?
    let acknowledge: @Sendable (UInt64) throws -> Void

    /// Begins with the event that is not acknowledged yet.
    public func makeAsyncIterator() -> Iterator {
        Iterator(events: self)
    }

    /// Remembers what it has handed out.
    public struct Iterator: AsyncIteratorProtocol, Sendable {
        let events: Events
        private var unacknowledged: UInt64?

        init(events: Events) {
            self.events = events
        }

        /// Acknowledges the event before, and waits for the next one.
        public mutating func next() async throws -> Event? {
            if let number = unacknowledged {
                try events.acknowledge(number)
                unacknowledged = nil
            }
            guard let (number, event) = try await events.next() else { return nil }
            unacknowledged = number
            return event
        }
    }
}

extension Delivery {
    /// How far the post is, from where it stands up to the last state. Quick changes may be skipped, the
    /// last never is. Each loop gets them all; a cancelled task leaves it with `CancellationError`.
    public var states: DeliveryStates {
        DeliveryStates(delivery: self)
    }
}

/// How far a post is, state by state.
public struct DeliveryStates: AsyncSequence, Sendable {
    public typealias Element = DeliveryState

    let delivery: Delivery

    /// Begins with the present state.
    public func makeAsyncIterator() -> Iterator {
        Iterator(delivery: delivery)
    }

    /// Remembers what it has handed out.
    public struct Iterator: AsyncIteratorProtocol, Sendable {
        let delivery: Delivery
        private var known: DeliveryState?

        init(delivery: Delivery) {
            self.delivery = delivery
        }

        /// Waits for a state that it has not handed out; nothing after the last.
        public mutating func next() async throws -> DeliveryState? {
            guard let state = try await delivery.changed(known: known) else { return nil }
            known = state
            return state
        }
    }
}

extension Node {
    /// What happens around this node.
    public var events: Events<NodeEvent> {
        Events(
            next: { try await self.nextEvent().map { ($0.number, $0.event) } },
            acknowledge: { try self.acknowledge(number: $0) }
        )
    }
}

extension Conversations {
    /// What happens in these conversations.
    public var events: Events<ConversationEvent> {
        Events(
            next: { try await self.nextEvent().map { ($0.number, $0.event) } },
            acknowledge: { try self.acknowledge(number: $0) }
        )
    }
}

extension Subscription {
    /// What the filter finds.
    public var events: Events<SubscriptionEvent> {
        Events(
            next: { try await self.nextEvent().map { ($0.number, $0.event) } },
            acknowledge: { try self.acknowledge(number: $0) }
        )
    }
}

extension LightLedger {
    /// What happens to this ledger.
    public var events: Events<LedgerEvent> {
        Events(
            next: { try await self.nextEvent().map { ($0.number, $0.event) } },
            acknowledge: { try self.acknowledge(number: $0) }
        )
    }
}
