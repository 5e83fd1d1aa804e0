package whisper

import java.io.File
import java.time.Duration
import java.time.Instant
import java.util.concurrent.atomic.AtomicInteger
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.onEach
import kotlinx.coroutines.flow.toList
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import whisper.WhisperException.Cancelled
import whisper.WhisperException.Conversation
import whisper.WhisperException.Ended
import whisper.WhisperException.Expired
import whisper.WhisperException.Io
import whisper.WhisperException.Malformed
import whisper.WhisperException.NoEntropy
import whisper.WhisperException.NotOpened
import whisper.WhisperException.OutOfRange
import whisper.WhisperException.Poisoned
import whisper.WhisperException.Refused
import whisper.WhisperException.TooLarge
import whisper.WhisperException.TooMuchWork
import whisper.WhisperException.Unavailable
import whisper.WhisperException.Unproven

class ErrorsTest {
    @Test
    fun `codes and what may be tried again never change`() {
        val all = listOf(
            Malformed("a key", "short"), OutOfRange("far"), TooLarge(7u), NotOpened(), NoEntropy(),
            Refused("no"), TooMuchWork("years"), Expired(), Cancelled(), Ended("the node"),
            Unavailable("later"), Conversation("none"), Io("gone"), Unproven("forged"), Poisoned(),
        )
        assertEquals((1u..15u).toList(), all.map { it.code() })
        val retryable = all.filter { it.isRetryable() }.map { it::class }
        assertEquals(listOf(NoEntropy::class, Expired::class, Unavailable::class), retryable)
        // None that was added later is forgotten here.
        assertEquals(all.map { it.javaClass }.toSet(), variants())
    }

    @Test
    fun `the text of an error is the one that the library has for it`() {
        assertEquals("not a key: it is short", Malformed("a key", "it is short").toString())
        assertEquals("at most 7 bytes fit", TooLarge(7u).toString())
        assertEquals("this key does not open it", NotOpened().toString())
        assertEquals("the node has ended; start another", Ended("the node").toString())
        assertEquals("an earlier call failed inside; make a new object", Poisoned().toString())
    }

    @Test
    fun `what is no key is malformed`() {
        val error = refusal<Malformed> { Identity.fromSecret(ByteArray(31)) }
        assertEquals("not a key: a key has 32 bytes, not 31", error.toString())
        assertEquals("a key", error.what)
    }

    @Test
    fun `a rating that is no number is out of range`() {
        val draft = Draft(Instant.now(), Duration.ofMinutes(1), Topic("00000000"), ByteArray(1))
        assertText("rating", refusal<OutOfRange> { draft.workFor(Double.NaN) })
    }

    @Test
    fun `a payload of more than 24 bits of length is too large`() {
        val key = SymmetricKey.generate()
        val error = refusal<TooLarge> { encrypt(ByteArray(1 shl 24), Recipient.Sharers(key)) }
        assertEquals("at most 16777215 bytes fit", error.toString())
        assertEquals(16_777_215uL, error.max)
    }

    @Test
    fun `another key opens nothing`() {
        val data = encrypt(ByteArray(1), Recipient.Sharers(SymmetricKey.generate()))
        refusal<NotOpened> { SymmetricKey.generate().decrypt(data) }
    }

    @Test
    fun `an envelope without enough work is refused`() {
        val engine = Engine(EngineConfig(minRating = 1e9))
        val envelope = Envelope.of(ByteArray(1))
        assertText("rated below", refusal<Refused> { engine.publish(Instant.now(), envelope) })
    }

    @Test
    fun `a post that asks for more work than it has patience for says how much`() = bounded {
        withTwoNodes { node, _ ->
            val post = Post(toSomebody(), ByteArray(1), target = 1e30, patience = Duration.ofMillis(1))
            assertText("work", refusal<TooMuchWork> { node.post(post).sent() })
        }
    }

    @Test
    fun `a post whose peers go away while it is worked for has expired`() = bounded {
        withTwoNodes { node, _ ->
            // Now and then the work is done before the peer is gone.
            val error = generateSequence { Unit }.firstNotNullOf { expired(node) }
            assertTrue(error.isRetryable())
            assertText("died", error)
        }
    }

    /** What becomes of the shortest life there is, and some work, without a peer. */
    private suspend fun expired(node: Node): Expired? {
        val post = Post(
            toSomebody(), ByteArray(1),
            ttl = Duration.ofSeconds(10), target = 100.0, patience = Duration.ofHours(1),
        )
        val delivery = node.post(post)
        delivery.states().first { it != DeliveryState.Waiting }
        node.suspend()
        try {
            delivery.sent()
        } catch (error: Expired) {
            return error
        }
        node.resume()
        eventually { node.peers().any { it.ready } }
        return null
    }

    @Test
    fun `a post that is given up is cancelled`() = bounded {
        easyNode().use { node ->
            val delivery = node.post(Post(toSomebody(), ByteArray(1)))
            delivery.giveUp()
            assertText("cancelled", refusal<Cancelled> { delivery.sent() })
        }
    }

    @Test
    fun `a post can be given up while somebody follows it`() = bounded {
        easyNode().use { node ->
            val delivery = node.post(Post(toSomebody(), ByteArray(1)))
            assertEquals(DeliveryState.Waiting, delivery.state())
            val begun = AtomicInteger()
            val followed = List(2) {
                async { delivery.states().onEach { begun.incrementAndGet() }.toList() }
            }
            eventually { begun.get() == 2 && runningJobs() == 2uL }
            delivery.giveUp()
            val all = listOf<DeliveryState>(DeliveryState.Waiting, DeliveryState.Cancelled)
            assertEquals(listOf(all, all), followed.awaitAll())
            assertEquals(DeliveryState.Cancelled, delivery.state())
        }
    }

    @Test
    fun `a node that was shut down has ended`() = bounded {
        val node = easyNode()
        val talks = node.converse(Identity.generate())
        node.shutdown()
        assertText("the node has ended", refusal<Ended> { node.peers() })
        assertText("the node has ended", refusal<Ended> { node.dial(ADDRESS) })
        assertText("ended", refusal<Ended> { talks.contacts() })
        assertText("the node has ended", refusal<Ended> { node.post(Post(toSomebody(), ByteArray(1))).sent() })
    }

    @Test
    fun `a ledger without peers cannot be asked yet`() = bounded {
        easyNode(ledger = true).use { node ->
            val ledger = node.followLedger(LedgerNetwork.REGTEST)
            val error = refusal<Unavailable> { ledger.lookUp("alice") }
            assertTrue(error.isRetryable())
        }
    }

    @Test
    fun `a node that is not set for a ledger follows none`() = bounded {
        easyNode().use { node ->
            val error = refusal<Refused> { node.followLedger(LedgerNetwork.REGTEST) }
            assertText("settings", error)
        }
    }

    @Test
    fun `a ledger ends when another is followed, and the node goes on`() = bounded {
        easyNode(ledger = true).use { node ->
            val older = node.followLedger(LedgerNetwork.REGTEST)
            val newer = node.followLedger(LedgerNetwork.REGTEST)
            assertText("the ledger has ended", refusal<Ended> { older.tip() })
            assertText("the ledger has ended", refusal<Ended> { older.lookUp("alice") })
            assertEquals(0u, newer.tip().height)
            assertEquals(listOf<Peer>(), node.peers())
        }
    }

    @Test
    fun `a message to somebody there is no conversation with stays here`() = bounded {
        easyNode().use { node ->
            val talks = node.converse(Identity.generate())
            val stranger = Identity.generate().publicKey()
            assertText("no session", refusal<Conversation> { talks.send(stranger, "hello") })
            assertFalse(refusal<Conversation> { talks.accept(stranger) }.isRetryable())
        }
    }

    @Test
    fun `an address that is taken cannot be listened on`() = bounded {
        easyNode().use { node ->
            val taken = node.address()!!.substringAfter('@').substringBefore('?')
            refusal<Io> { Node.start(NodeConfig(listen = taken)) }
        }
        refusal<Malformed> { Node.start(NodeConfig(listen = "nowhere")) }
        refusal<Malformed> { easyNode().use { it.dial("enode://nobody") } }
        refusal<Malformed> { Node.start(NodeConfig(peers = listOf("enode://nobody"))) }
        refusal<Io> { Identity.fromFile(File(repository, "no/such/folder/key").path) }
    }

    @Test
    fun `headers without work are unproven`() {
        val client = LightClient(LedgerNetwork.MAIN)
        refusal<Unproven> { client.accept(Instant.now(), ByteArray(80)) }
        refusal<Malformed> { client.accept(Instant.now(), ByteArray(79)) }
        assertEquals(0u, client.tip().height)
    }

    @Test
    fun `an object that was closed says so`() {
        val key = SymmetricKey.generate()
        key.close()
        key.close()
        refusal<IllegalStateException> { key.fingerprint() }
    }

    private fun assertText(part: String, error: WhisperException) =
        assertTrue(part in error.toString(), "\"$error\" tells of $part")

    private fun toSomebody() = Recipient.Holder(Identity.generate().publicKey())
}

/** Where nobody listens. */
private val ADDRESS = "enode://${Identity.generate().publicKey().hex.drop(2)}@127.0.0.1:1"

/** Every kind of error that the library has. */
internal fun variants(): Set<Class<*>> =
    WhisperException::class.java.declaredClasses
        .filter { WhisperException::class.java.isAssignableFrom(it) }
        .toSet()
