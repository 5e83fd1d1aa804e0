package whisper

import java.time.Duration
import java.time.Instant
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Job
import kotlinx.coroutines.async
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.collect
import kotlinx.coroutines.launch
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

class CancellationTest {
    @Test
    fun `whoever gives up mining ends the work`() = bounded {
        val draft = Draft(Instant.now(), Duration.ofMinutes(1), Topic("00000000"), ByteArray(1))
        assertFreed { draft.mine(1e30) }
    }

    @Test
    fun `whoever gives up waiting for events leaves nothing behind`() = bounded {
        easyNode(ledger = true).use { node ->
            assertFreed { node.nextEvent() }
            val talks = node.converse(Identity.generate())
            assertFreed { talks.nextEvent() }
            val subscription = node.subscribe(Filter(Reader.Sharer(SymmetricKey.generate())))
            assertFreed { subscription.nextEvent() }
            val ledger = node.followLedger(LedgerNetwork.REGTEST)
            assertFreed { ledger.nextEvent() }
        }
    }

    @Test
    fun `whoever gives up waiting for a delivery leaves the post on its way`() = bounded {
        easyNode().use { node ->
            val delivery = node.post(Post(toSomebody(), ByteArray(1)))
            assertFreed { delivery.sent() }
            assertFreed { delivery.changed(delivery.state()) }
            assertFreed { delivery.states().collect() }
            val talks = node.converse(Identity.generate())
            val sent = talks.invite(Identity.generate().publicKey(), "hello")
            assertFreed { sent.sent() }
            // It goes on: a peer that comes now gets it.
            easyNode().use { peer ->
                node.dial(peer.address()!!)
                delivery.sent()
                sent.sent()
            }
        }
    }

    @Test
    fun `whoever gives up looking up a name leaves nothing behind`() = bounded {
        easyNode(ledger = true).use { node ->
            val ledger = node.followLedger(LedgerNetwork.REGTEST)
            easyNode(peers = listOf(node.address()!!), ledger = true).use { peer ->
                peer.followLedger(LedgerNetwork.REGTEST)
                ledger.events().await<LedgerEvent.PeerReady>()
                // It may be answered, or refused, before it is given up: what counts is what stays.
                repeat(20) {
                    val asking = launch(start = CoroutineStart.UNDISPATCHED) {
                        runCatching { ledger.lookUp("alice") }
                    }
                    asking.cancelAndJoin()
                }
                eventually { runningJobs() == 0uL }
            }
        }
    }

    @Test
    fun `a token gives up the calls that have it, now and later`() = bounded {
        val draft = Draft(Instant.now(), Duration.ofMinutes(1), Topic("00000000"), ByteArray(1))
        val token = CancelToken()
        assertFalse(token.isCancelled())
        val mining = async { refusal<WhisperException.Cancelled> { draft.mine(1e30, token) } }
        eventually { runningJobs() == 1uL }
        token.cancel()
        assertEquals("cancelled", mining.await().toString())
        refusal<WhisperException.Cancelled> { draft.mine(1e30, token) }
        assertTrue(token.isCancelled())
        eventually { runningJobs() == 0uL }
    }

    @Test
    fun `a hundred jobs that are cancelled at once are all freed`() = bounded {
        easyNode().use { node ->
            val jobs = List(100) {
                launch(start = CoroutineStart.UNDISPATCHED) { node.nextEvent() }
            }
            eventually { runningJobs() == 100uL }
            jobs.forEach(Job::cancel)
            eventually { runningJobs() == 0uL }
            assertEquals(listOf<Peer>(), node.peers())
        }
    }

    /** Starts a call that does not end by itself, gives it up, and looks whether it is gone. */
    private suspend fun assertFreed(call: suspend () -> Any?) = coroutineScope {
        eventually { runningJobs() == 0uL }
        val outcome = async { runCatching { call() } }
        eventually { runningJobs() == 1uL }
        outcome.cancelAndJoin()
        assertTrue(outcome.isCancelled)
        eventually { runningJobs() == 0uL }
    }

    private fun toSomebody() = Recipient.Holder(Identity.generate().publicKey())
}
