package whisper

import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.onEach
import kotlinx.coroutines.flow.take
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.coroutines.coroutineScope
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNotEquals
import org.junit.jupiter.api.Test

class EventsTest {
    @Test
    fun `events of a node come again if the collector is cancelled meanwhile`() = bounded {
        withTwoNodes { first, _ ->
            first.suspend()
            assertComesAgain(first.events())
        }
    }

    @Test
    fun `events of conversations come again if the collector is cancelled meanwhile`() = bounded {
        withTwoNodes { first, second ->
            val alice = first.converse(Identity.generate())
            val bob = second.converse(Identity.generate())
            bob.addContact(alice.publicKey())
            alice.invite(bob.publicKey(), "hello")
            assertComesAgain(bob.events())
        }
    }

    @Test
    fun `events of subscriptions come again if the collector is cancelled meanwhile`() = bounded {
        withTwoNodes { first, second ->
            val key = SymmetricKey.generate()
            val subscription = second.subscribe(Filter(Reader.Sharer(key)))
            for (number in 1..2) {
                first.post(Post(Recipient.Sharers(key), "$number".encodeToByteArray())).sent()
            }
            assertComesAgain(subscription.events())
        }
    }

    @Test
    fun `events of ledgers come again if the collector is cancelled meanwhile`() = bounded {
        easyNode(ledger = true).use { first ->
            val peers = listOf(first.address()!!)
            easyNode(peers, ledger = true).use { second ->
                easyNode(peers, ledger = true).use { third ->
                    val ledger = first.followLedger(LedgerNetwork.REGTEST)
                    second.followLedger(LedgerNetwork.REGTEST)
                    third.followLedger(LedgerNetwork.REGTEST)
                    // Both events may say the same, so only that the first is kept can be seen.
                    assertEquals(ledger.nextEvent()!!.number, ledger.nextEvent()!!.number)
                    val taken = ledger.nextEvent()!!.number
                    ledger.events().take(2).toList()
                    assertNotEquals(taken, ledger.nextEvent()!!.number)
                }
            }
        }
    }

    @Test
    fun `an event comes again if the collector throws`() = bounded {
        withTwoNodes { first, _ ->
            first.suspend()
            val seen = mutableListOf<NodeEvent>()
            refusal<IllegalArgumentException> {
                first.events().collect {
                    seen += it
                    throw IllegalArgumentException("on purpose")
                }
            }
            assertEquals(seen.single(), first.events().first())
        }
    }

    @Test
    fun `a flow ends when its object is closed meanwhile`() = bounded {
        withTwoNodes { first, _ ->
            val talks = first.converse(Identity.generate())
            val key = SymmetricKey.generate()
            val subscription = first.subscribe(Filter(Reader.Sharer(key)))
            first.post(Post(Recipient.Sharers(key), ByteArray(1)))
            assertEquals(1, subscription.events().onEach { subscription.close() }.toList().size)
            talks.close()
            assertEquals(listOf<ConversationEvent>(), talks.events().toList())
            assertEquals(1, first.events().onEach { first.close() }.toList().size)
        }
    }

    @Test
    fun `an acknowledgement of an older event changes nothing`() = bounded {
        withTwoNodes { first, _ ->
            first.suspend()
            val event = first.nextEvent()!!
            first.acknowledge(event.number - 1u)
            first.acknowledge(event.number + 1u)
            assertEquals(event, first.nextEvent())
            first.acknowledge(event.number)
            assertNotEquals(event.number, first.nextEvent()?.number)
        }
    }

    @Test
    fun `the states of a delivery end with the last`() = bounded {
        withTwoNodes { first, _ ->
            val key = SymmetricKey.generate()
            val delivery = first.post(Post(Recipient.Sharers(key), ByteArray(1)))
            eventually { delivery.state() is DeliveryState.Acknowledged }
            // Whoever waits for this takes no state from those who follow the post.
            delivery.sent()
            assertEquals(DeliveryState.Acknowledged(1u), delivery.states().first())
            val other = first.post(Post(Recipient.Sharers(key), ByteArray(1), target = 1e30))
            val last = other.states().toList().last()
            assertEquals(DeliveryState.Failed::class, last::class)
        }
    }

    /** Of a flow that at least two different events wait in. */
    private suspend fun <Event> assertComesAgain(events: Flow<Event>) = coroutineScope {
        val seen = CompletableDeferred<Event>()
        val interrupted = launch(Dispatchers.Default) {
            events.collect {
                seen.complete(it)
                awaitCancellation()
            }
        }
        val event = seen.await()
        interrupted.cancelAndJoin()
        val both = events.take(2).toList()
        assertEquals(event, both[0], "the one that nobody was done with comes again")
        assertNotEquals(event, both[1], "the one that somebody was done with does not")
    }
}
