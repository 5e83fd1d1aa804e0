package whisper

import java.time.Duration
import java.time.Instant
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

class EngineTest {
    @Test
    fun `two engines that are driven by hand hear each other`() {
        val wire = Wire(Side(), Side())
        val (alice, bob) = wire
        wire.connect()
        assertTrue(alice.isReady && bob.isReady)

        wire.carry(alice, alice.engine.invite(wire.now, bob.key, "hello"))
        assertEquals(alice.key, bob.events.filterIsInstance<ConversationEvent.Invited>().single().peer)
        wire.carry(bob, bob.engine.accept(wire.now, alice.key))
        wire.until { bob.heard == listOf("hello") }
        wire.carry(bob, bob.engine.send(wire.now, alice.key, "hello yourself".encodeToByteArray()))
        wire.until { alice.heard == listOf("hello yourself") }
        wire.carry(alice, alice.engine.send(wire.now, bob.key, "bye".encodeToByteArray()))
        wire.until { bob.heard == listOf("hello", "bye") }

        wire.carry(alice, alice.engine.hangUp(wire.now, bob.key))
        wire.until { bob.events.any { it is ConversationEvent.Over && it.why == Ended.CLOSED_BY_PEER } }
        assertTrue(alice.events.any { it is ConversationEvent.Over && it.why == Ended.CLOSED })
    }

    @Test
    fun `contacts are accepted without a question`() {
        val wire = Wire(Side(), Side())
        val (alice, bob) = wire
        wire.connect()
        wire.carry(bob, bob.engine.addContact(wire.now, alice.key))
        wire.carry(alice, alice.engine.invite(wire.now, bob.key, "it is me"))
        wire.until { bob.heard == listOf("it is me") }
        assertFalse(bob.events.any { it is ConversationEvent.Invited })
    }

    @Test
    fun `an invitation that is declined leaves no session`() {
        val wire = Wire(Side(), Side())
        val (alice, bob) = wire
        wire.connect()
        wire.carry(alice, alice.engine.invite(wire.now, bob.key, ""))
        wire.carry(bob, bob.engine.decline(wire.now, alice.key))
        refusal<WhisperException.Conversation> { bob.engine.accept(wire.now, alice.key) }
        refusal<WhisperException.Conversation> {
            bob.engine.send(wire.now, alice.key, ByteArray(1))
        }
    }

    @Test
    fun `filters find what is published for them`() {
        val wire = Wire(Side(), Side())
        val (alice, bob) = wire
        wire.connect()
        val key = SymmetricKey.generate()
        val topic = Topic("cafe0123")
        val wanted = bob.engine.addFilter(Filter(Reader.Sharer(key), listOf(topic)))
        val other = bob.engine.addFilter(Filter(Reader.Sharer(key), listOf(Topic("00000000"))))

        val data = encrypt("to all".encodeToByteArray(), Recipient.Sharers(key), alice.identity)
        val envelope = Draft(wire.now, Duration.ofSeconds(50), topic, data).seal(0u)
        wire.carry(alice, alice.engine.publish(wire.now, envelope))
        val found = bob.found.single()
        assertEquals(listOf(wanted), found.filters)
        assertEquals("to all", found.received.message.text)
        assertEquals(alice.key, found.received.message.signer)
        assertEquals(topic, found.received.topic)
        assertEquals(envelope.info().hash, found.received.hash)

        assertTrue(bob.engine.removeFilter(wanted))
        assertFalse(bob.engine.removeFilter(wanted))
        assertTrue(bob.engine.removeFilter(other))
    }

    @Test
    fun `an engine says when to wake it`() {
        val wire = Wire(Side(), Side())
        wire.connect()
        val (alice, bob) = wire
        wire.carry(alice, alice.engine.invite(wire.now, bob.key, "hello"))
        assertTrue(alice.engine.wakeAt()!! > wire.now)
        assertEquals(EASY, alice.engine.advisedRating())
    }

    @Test
    fun `a burnt engine has no sessions`() {
        val wire = Wire(Side(), Side())
        val (alice, bob) = wire
        wire.connect()
        wire.carry(alice, alice.engine.invite(wire.now, bob.key, "soon gone"))
        alice.engine.burn()
        refusal<WhisperException.Conversation> { alice.engine.send(wire.now, bob.key, ByteArray(1)) }
    }

    @Test
    fun `a peer that goes away is forgotten`() {
        val wire = Wire(Side(), Side())
        wire.connect()
        wire.carry(wire.alice, wire.alice.engine.disconnected(wire.now, PEER))
        assertEquals(listOf<Output>(), wire.alice.engine.receive(wire.now, PEER, 1u, ByteArray(8)))
    }
}

/** One end: an engine, and what came out of it. */
internal class Side {
    val identity = Identity.generate()
    val key = identity.publicKey()
    val engine = Engine(EngineConfig(minRating = EASY), identity)
    val events = mutableListOf<ConversationEvent>()
    val found = mutableListOf<Output.Found>()
    var isReady = false

    val heard get() = events.filterIsInstance<ConversationEvent.Received>().map { it.text }
}

/** A wire between two engines, and the clock of both. */
internal class Wire(val alice: Side, val bob: Side) {
    var now: Instant = Instant.now()
        private set
    private val asked = ArrayDeque<Pair<Side, Output>>()

    operator fun component1() = alice

    operator fun component2() = bob

    fun connect() {
        // Both stand before the first packet goes.
        val first = alice.engine.connected(now, PEER, inbound = false)
        val second = bob.engine.connected(now, PEER, inbound = true)
        carry(alice, first)
        carry(bob, second)
    }

    /** Does what the side asks for, and all that follows from it. */
    fun carry(side: Side, outputs: List<Output>) {
        outputs.mapTo(asked) { side to it }
        while (true) {
            val (from, output) = asked.removeFirstOrNull() ?: return
            asked += answer(from, output)
        }
    }

    /** Lets time pass, as the engines ask for it, until it is so. */
    fun until(condition: () -> Boolean) {
        repeat(1_000) {
            if (condition()) return
            now = listOfNotNull(alice.engine.wakeAt(), bob.engine.wakeAt(), now.plusSeconds(1)).min()
            for (side in listOf(alice, bob)) carry(side, side.engine.tick(now))
        }
        throw AssertionError("nothing happens any more")
    }

    private fun answer(from: Side, output: Output): List<Pair<Side, Output>> {
        val to = if (from === alice) bob else alice
        return when (output) {
            is Output.Transmit -> transmit(from, to, output)
            is Output.Post -> from.engine.publish(now, from.seal(output.draft)).map { from to it }
            is Output.Disconnect -> throw AssertionError("cut: ${output.reason}")
            else -> listOf<Pair<Side, Output>>().also { from.keep(output) }
        }
    }

    private fun transmit(from: Side, to: Side, packet: Output.Transmit): List<Pair<Side, Output>> {
        val heard = to.engine.receive(now, PEER, packet.code, packet.payload).map { to to it }
        val written = from.engine.written(now, PEER, packet.payload.size.toULong())
        return heard + written.map { from to it }
    }
}

internal fun Side.keep(output: Output) {
    when (output) {
        is Output.Ready -> isReady = true
        is Output.Found -> found += output
        is Output.Talk -> events += output.event
        else -> {}
    }
}

/** Works for what the engine advises. */
internal fun Side.seal(draft: Draft): Envelope {
    val work = draft.workFor(engine.advisedRating())
    val nonce = checkNotNull(draft.find(0u, 10_000_000u, work)) { "no nonce of $work bits" }
    return draft.seal(nonce)
}

internal val PEER = PeerId(1u)
