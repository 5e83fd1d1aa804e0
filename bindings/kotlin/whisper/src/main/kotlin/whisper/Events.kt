package whisper

import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow

/**
 * What happens around this node, until it ends.
 *
 * An event is acknowledged once the collector is done with it. If the collector throws or is cancelled
 * meanwhile, the next collection begins with the same event; so it does after operators that end a
 * flow early, such as `first`. Collect in one place at a time: two collectors get the same events.
 * Operators that buffer, such as `buffer` and `shareIn`, are done with an event once they have it.
 * A flow that was closed behind its collector's back ends, as it does when the node ends.
 */
fun Node.events(): Flow<NodeEvent> =
    acknowledged({ uniffiIsDestroyed }, { nextEvent() }, { it.event }) { acknowledge(it.number) }

/** What happens in these conversations, until the node ends. Acknowledged as [Node.events] are. */
fun Conversations.events(): Flow<ConversationEvent> =
    acknowledged({ uniffiIsDestroyed }, { nextEvent() }, { it.event }) { acknowledge(it.number) }

/** What the filter finds, until the node ends. Acknowledged as [Node.events] are. */
fun Subscription.events(): Flow<SubscriptionEvent> =
    acknowledged({ uniffiIsDestroyed }, { nextEvent() }, { it.event }) { acknowledge(it.number) }

/** What happens to the ledger, until it ends. Acknowledged as [Node.events] are. */
fun LightLedger.events(): Flow<LedgerEvent> =
    acknowledged({ uniffiIsDestroyed }, { nextEvent() }, { it.event }) { acknowledge(it.number) }

/**
 * How far the post is, from where it stands up to the last state. Quick changes may be skipped, the last
 * never is. Each collection gets them all.
 */
fun Delivery.states(): Flow<DeliveryState> = flow {
    var known: DeliveryState? = null
    while (true) {
        val state = changed(known) ?: return@flow
        known = state
        emit(state)
    }
}

/** Events, each of which is let go of only when the collector comes back from it. */
private fun <Numbered : Any, Event> acknowledged(
    isClosed: () -> Boolean,
    next: suspend () -> Numbered?,
    event: (Numbered) -> Event,
    acknowledge: (Numbered) -> Unit,
): Flow<Event> = flow {
    while (true) {
        val numbered = unlessClosed(isClosed) { next() } ?: return@flow
        emit(event(numbered))
        unlessClosed(isClosed) { acknowledge(numbered) } ?: return@flow
    }
}

/** Calls an object that its owner may close at any moment; nothing if that has happened. */
private inline fun <Value> unlessClosed(isClosed: () -> Boolean, call: () -> Value): Value? =
    try {
        call()
    } catch (error: IllegalStateException) {
        if (error is CancellationException || !isClosed()) throw error
        null
    }
