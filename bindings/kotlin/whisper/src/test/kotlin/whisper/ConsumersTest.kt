package whisper

import java.time.Duration
import kotlinx.coroutines.async
import kotlinx.coroutines.launch
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

class ConsumersTest {
    @Test
    fun `whoever reads the events of an object may call it`() = bounded {
        withTwoNodes { first, second ->
            val alice = first.converse(Identity.generate())
            val bob = second.converse(Identity.generate())
            val echo = launch {
                bob.events().collect { event ->
                    when (event) {
                        is ConversationEvent.Invited -> bob.accept(event.peer)
                        is ConversationEvent.Received -> {
                            assertTrue(alice.publicKey() in bob.contacts())
                            bob.send(event.peer, event.payload).sent()
                        }
                        else -> {}
                    }
                }
            }
            alice.invite(bob.publicKey(), "one")
            assertEquals("one", alice.events().await<ConversationEvent.Received>().text)
            alice.send(bob.publicKey(), "two")
            alice.events().await<ConversationEvent.Received> { it.text == "two" }
            echo.cancel()
        }
    }

    @Test
    fun `whoever reads the events of a node may dial, ask and shut it down`() = bounded {
        easyNode().use { relay ->
            easyNode(peers = listOf(relay.address()!!)).use { node ->
                node.events().collect { event ->
                    if (event is NodeEvent.Ready) {
                        assertEquals(event.peer, node.peers().single().id)
                        node.dial(relay.address()!!)
                        node.shutdown()
                    }
                }
            }
        }
    }

    @Test
    fun `a consumer that throws stops nobody else`() = bounded {
        withTwoNodes { first, second ->
            val key = SymmetricKey.generate()
            val throwing = second.subscribe(Filter(Reader.Sharer(key)))
            val reading = second.subscribe(Filter(Reader.Sharer(key)))
            val post = Post(Recipient.Sharers(key), "hello".encodeToByteArray())
            first.post(post).sent()
            val thrown = refusal<UnsupportedOperationException> {
                throwing.events().collect { throw UnsupportedOperationException("on purpose") }
            }
            assertEquals("on purpose", thrown.message)
            assertEquals("hello", reading.events().await<SubscriptionEvent.Found>().received.message.text)
            assertEquals("hello", throwing.events().await<SubscriptionEvent.Found>().received.message.text)
        }
    }

    @Test
    fun `a consumer that never reads holds a bounded queue, and others go on`() = bounded {
        withTwoNodes { first, second ->
            val key = SymmetricKey.generate()
            val topic = Topic("01020304")
            val sleeping = second.subscribe(Filter(Reader.Sharer(key)))
            val reading = second.subscribe(Filter(Reader.Sharer(key)))
            repeat(BACKLOG + 100) { number ->
                first.post(post(key, topic, "$number"))
                // Nobody falls behind who reads.
                reading.events().await<SubscriptionEvent.Found> { it.received.message.text == "$number" }
            }
            // The gap stands behind what was kept, once something comes after it.
            val gap = async { sleeping.events().await<SubscriptionEvent.Gap>() }
            eventually {
                first.post(post(key, topic, "wake")).sent()
                gap.isCompleted
            }
            assertTrue(gap.await().missed in 1uL..(BACKLOG + 200).toULong())
        }
    }

    private fun post(key: SymmetricKey, topic: Topic, text: String) =
        Post(Recipient.Sharers(key), text.encodeToByteArray(), topic, ttl = Duration.ofMinutes(2))
}

/** What waits for a slow reader, as the library is set. */
private const val BACKLOG = 1_024
