package whisper

import java.nio.ByteBuffer
import java.nio.charset.CharacterCodingException
import java.time.Duration
import java.time.Instant
import kotlin.random.Random
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

class OddInputTest {
    private val identity = Identity.generate()
    private val key = SymmetricKey.generate()
    private val now = Instant.now()

    @Test
    fun `a quarter of a gigabyte is refused everywhere`() {
        val huge = ByteBuffer.allocateDirect(256 shl 20)
        assertRefused(huge)
        // As a list that claims to hold all of it, and as text.
        huge.put(0, byteArrayOf(0xfb.toByte(), 0x0f, 0xff.toByte(), 0xff.toByte(), 0xfb.toByte()))
        assertRefused(huge)
        refusal<WhisperException.TooLarge> { encrypt(huge, Recipient.Sharers(key)) }
        refusal<WhisperException> { Draft(now, Duration.ofMinutes(1), Topic("00000000"), huge) }
        refusal<WhisperException> { Identity.fromSecret(huge) }
        refusal<WhisperException> { SymmetricKey.fromPassword(huge.put(0, -1)) }
    }

    @Test
    fun `every length up to three hundred is refused or read`() {
        val random = Random(1)
        for (length in 0..300) {
            for (bytes in listOf(ByteArray(length), random.nextBytes(length))) {
                assertRefused(ByteBuffer.allocateDirect(length).put(bytes).flip())
                if (length != 32) {
                    refusal<WhisperException.Malformed> { Identity.fromSecret(bytes) }
                    refusal<WhisperException.Malformed> { SymmetricKey.fromSecret(bytes) }
                }
                assertBytes(bytes, key.decrypt(encrypt(bytes, Recipient.Sharers(key))).payload, "$length")
            }
        }
    }

    @Test
    fun `buffers must be direct, and are read from their beginning`() {
        val envelope = Envelope.of(ByteArray(9))
        val encoded = envelope.encode()
        val buffer = ByteBuffer.allocateDirect(encoded.size + 20)
        buffer.position(10).put(encoded).flip().position(10)
        // What is generated overlooks the position; a slice begins where it stands.
        refusal<WhisperException.Malformed> { Envelope.decode(buffer) }
        assertEquals(envelope.info(), Envelope.decode(buffer.slice()).info())
        assertEquals(envelope.info(), Envelope.decode(buffer.slice().asReadOnlyBuffer()).info())
        refusal<IllegalArgumentException> { Envelope.decode(ByteBuffer.wrap(encoded)) }
    }

    @Test
    fun `names that are none are malformed, however long`() = bounded {
        val long = "0".repeat(10 shl 20)
        val texts = listOf("", "0x", "\u0000", "04", "g".repeat(130), "é", "0".repeat(130), long, "0x$long")
        val engine = Engine(EngineConfig(), identity)
        easyNode(ledger = true).use { node ->
            val ledger = node.followLedger(LedgerNetwork.REGTEST)
            for (text in texts) {
                assertMalformed { engine.addContact(now, PublicKey(text)) }
                assertMalformed { encrypt(ByteArray(1), Recipient.Holder(PublicKey(text))) }
                assertMalformed { Draft(now, Duration.ofMinutes(1), Topic(text), ByteArray(1)) }
                assertMalformed { ledger.prove(BlockId(text), TxId("00".repeat(32))) }
                assertMalformed { ledger.prove(BlockId("00".repeat(32)), TxId(text)) }
                assertMalformed { ledger.lookUp(text) }
            }
        }
    }

    @Test
    fun `text with a zero in it is text`() = bounded {
        val odd = "a\u0000b\u202e\ud83d\ude00"
        assertEquals(odd, key.decrypt(encrypt(odd.encodeToByteArray(), Recipient.Sharers(key))).text)
        val one = SymmetricKey.fromPassword("a\u0000b".encodeToByteArray()).fingerprint()
        val other = SymmetricKey.fromPassword("a".encodeToByteArray()).fingerprint()
        assertTrue(one != other)
        withTwoNodes { first, second ->
            val alice = first.converse(Identity.generate())
            val bob = second.converse(Identity.generate())
            bob.addContact(alice.publicKey())
            alice.invite(bob.publicKey(), odd)
            assertEquals(odd, bob.events().await<ConversationEvent.Received>().text)
        }
        refusal<WhisperException> { Identity.fromFile("\u0000") }
    }

    @Test
    fun `half a character is refused before it gets anywhere`() = bounded {
        val half = "\ud800"
        easyNode().use { node ->
            val talks = node.converse(identity)
            val peer = Identity.generate().publicKey()
            refusal<CharacterCodingException> { talks.invite(peer, half) }
            refusal<CharacterCodingException> { talks.addContact(PublicKey(half)) }
            refusal<CharacterCodingException> { node.dial(half) }
            assertEquals(listOf<PublicKey>(), talks.contacts())
        }
        refusal<CharacterCodingException> { Identity.fromFile(half) }
        assertEquals("?", half.encodeToByteArray().decodeToString())
    }

    @Test
    fun `dates at the ends of time are taken or refused`() {
        val dates = listOf(
            Instant.MIN, Instant.EPOCH.minusNanos(1), Instant.EPOCH, Instant.ofEpochSecond(4_294_967_296),
            Instant.parse("9999-12-31T23:59:59.999999999Z"), Instant.MAX,
        )
        for (date in dates) {
            val engine = Engine(EngineConfig(), identity)
            assertTyped { engine.connected(date, PEER, true) }
            assertTyped { engine.tick(date) }
            assertTyped { engine.wakeAt() }
            assertTyped { engine.publish(date, Envelope.of(ByteArray(1))) }
            assertTyped { engine.invite(date, Identity.generate().publicKey(), "hello") }
            assertTyped { Draft(date, Duration.ofMinutes(1), Topic("00000000"), ByteArray(1)) }
            assertTyped { LightClient(LedgerNetwork.MAIN).accept(date, ByteArray(80)) }
            // Back again: the engine still works.
            assertTyped { engine.tick(now) }
            engine.wakeAt()
        }
    }

    @Test
    fun `lengths of time out of bounds are refused`() {
        val lengths = listOf(Duration.ZERO, Duration.ofNanos(1), Duration.ofSeconds(9), Duration.ofDays(3))
        for (ttl in lengths + Duration.ofSeconds(Long.MAX_VALUE)) {
            refusal<WhisperException.OutOfRange> { Draft(now, ttl, Topic("00000000"), ByteArray(1)) }
        }
        refusal<IllegalArgumentException> {
            Draft(now, Duration.ofSeconds(-1), Topic("00000000"), ByteArray(1))
        }
    }

    @Test
    fun `ratings that are none are out of range`() = bounded {
        val draft = Draft(now, Duration.ofMinutes(1), Topic("00000000"), ByteArray(1))
        for (rating in NO_RATINGS) {
            refusal<WhisperException.OutOfRange> { draft.workFor(rating) }
            refusal<WhisperException.OutOfRange> { draft.mine(rating) }
            refusal<WhisperException.OutOfRange> { Engine(EngineConfig(minRating = rating)) }
            refusal<WhisperException.OutOfRange> { Node.start(NodeConfig(minRating = rating)) }
            refusal<WhisperException.OutOfRange> {
                Engine(EngineConfig()).addFilter(Filter(Reader.Sharer(key), minRating = rating))
            }
        }
        assertTrue(draft.workFor(0.0) <= 1u)
        assertEquals(256u, draft.workFor(Double.MAX_VALUE))
    }

    @Test
    fun `numbers at their ends are taken or refused`() {
        val draft = Draft(now, Duration.ofMinutes(1), Topic("00000000"), ByteArray(1))
        assertEquals(null, draft.find(ULong.MAX_VALUE, ULong.MAX_VALUE, 0u))
        assertEquals(null, draft.find(0u, 1_000u, UInt.MAX_VALUE))
        assertEquals(ULong.MAX_VALUE, draft.seal(ULong.MAX_VALUE).info().nonce)
        val engine = Engine(EngineConfig(poolMib = UInt.MAX_VALUE), identity)
        val peer = PeerId(ULong.MAX_VALUE)
        engine.connected(now, peer, false)
        for (code in listOf(0, 1, 127, 128, 255)) {
            assertTyped { engine.receive(now, peer, code.toUByte(), ByteArray(0)) }
        }
        assertTyped { engine.written(now, peer, ULong.MAX_VALUE) }
        assertEquals(false, engine.removeFilter(ULong.MAX_VALUE))
        assertEquals(null, LightClient(LedgerNetwork.TEST).at(UInt.MAX_VALUE))
        refusal<WhisperException.Unproven> {
            checkInclusion(ByteArray(0), UInt.MAX_VALUE, UInt.MAX_VALUE, listOf(), ByteArray(32))
        }
        refusal<WhisperException> {
            checkInclusion(ByteArray(0), 0u, 1u, List(10_000) { ByteArray(32) }, ByteArray(32))
        }
    }

    /** All that reads bytes says that these are none of its own, and works on. */
    private fun assertRefused(bytes: ByteBuffer) {
        refusal<WhisperException.Malformed> { Envelope.decode(bytes) }
        refusal<WhisperException.NotOpened> { identity.decrypt(bytes) }
        refusal<WhisperException.NotOpened> { key.decrypt(bytes) }
        refusal<WhisperException.NotOpened> { Identity.unseal(bytes, key) }
        refusal<WhisperException.Malformed> { LightClient(LedgerNetwork.MAIN).checkTransaction(bytes) }
        refusal<WhisperException.Malformed> { LightClient(LedgerNetwork.MAIN).checkName("alice", bytes) }
        // All zero, it would be that of an empty directory.
        val root = ByteBuffer.allocateDirect(32).put(0, 1)
        refusal<WhisperException> { checkDirectory("alice", null, bytes, root) }
        refusal<WhisperException> { checkInclusion(bytes, 0u, 1u, listOf(), root) }
        val engine = Engine(EngineConfig(), identity)
        engine.connected(now, PEER, true)
        for (code in 0..3) engine.receive(now, PEER, code.toUByte(), bytes)
        engine.close()
    }

    /** It is done, or refused with an error of ours: nothing else comes out. */
    private inline fun assertTyped(call: () -> Any?) {
        try {
            call()
        } catch (error: WhisperException) {
            assertTrue(error.toString().length in 1..200)
        }
    }

    private inline fun assertMalformed(call: () -> Any?) {
        val error = refusal<WhisperException.Malformed>(call)
        assertTrue(error.toString().length < 200, "the input is not repeated")
    }
}

private val NO_RATINGS = listOf(
    Double.NaN, -1.0, -Double.MIN_VALUE, Double.NEGATIVE_INFINITY, Double.POSITIVE_INFINITY,
)
