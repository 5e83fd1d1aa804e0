package whisper

import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow

/**
 * What happens around this node, until it ends.
 *
 * An event is acknowledged once the collector is done with it. If the collector throws or is cancelled
 * meanwhile, the next collection begins with the same event; so it does after operators that end a
 * flow early, such as `first`. Collect in one place at a time: two collectors get the same events.
 * Operators that buffer, such as `buffer` and `shareIn`, are done with an event once they have it.
 */
fun Node.events(): Flow<NodeEvent> =
    acknowledged({ nextEvent() }, { it.event }) { acknowledge(it.number) }

/** What happens in these conversations, until the node ends. Acknowledged as [Node.events] are. */
fun Conversations.events(): Flow<ConversationEvent> =
    acknowledged({ nextEvent() }, { it.event }) { acknowledge(it.number) }

/** What the filter finds, until the node ends. Acknowledged as [Node.events] are. */
fun Subscription.events(): Flow<SubscriptionEvent> =
    acknowledged({ nextEvent() }, { it.event }) { acknowledge(it.number) }

/** What happens to the ledger, until the node ends. Acknowledged as [Node.events] are. */
fun LightLedger.events(): Flow<LedgerEvent> =
    acknowledged({ nextEvent() }, { it.event }) { acknowledge(it.number) }

/** How far the post is, up to the last state. Quick changes may be skipped, the last never is. */
fun Delivery.states(): Flow<DeliveryState> = flow {
    while (true) emit(changed() ?: return@flow)
}

/** Events, each of which is let go of only when the collector comes back from it. */
private fun <Numbered : Any, Event> acknowledged(
    next: suspend () -> Numbered?,
    event: (Numbered) -> Event,
    acknowledge: (Numbered) -> Unit,
): Flow<Event> = flow {
    while (true) {
        val numbered = next() ?: return@flow
        emit(event(numbered))
        acknowledge(numbered)
    }
}
