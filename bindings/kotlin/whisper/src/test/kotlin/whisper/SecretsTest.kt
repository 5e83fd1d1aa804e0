package whisper

import java.io.File
import java.time.Duration
import java.time.Instant
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNotEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

class SecretsTest {
    private val generated =
        File(System.getProperty("bindings.out"), "kotlin/whisper/whisper_bindings.kt").readText()
    private val payload = ByteArray(16) { 77 }
    private val somebody = Identity.generate().publicKey()
    private val message = Message(payload, ByteArray(3), null)

    @Test
    fun `no object gives out bytes but those that are public or sealed`() {
        val methods = Regex("""public interface (\w+)Interface \{(.*?)\n}""", RegexOption.DOT_MATCHES_ALL)
        val found = methods.findAll(generated).flatMap { match ->
            val (type, body) = match.destructured
            Regex("""fun `(\w+)`\([^\n]*\): [^\n]*ByteArray""").findAll(body)
                .map { "$type.${it.groupValues[1]}" }
        }
        val allowed = setOf("Envelope.data", "Envelope.encode", "Identity.seal", "LightLedger.anchor")
        assertEquals(allowed, found.toSet())
    }

    @Test
    fun `no key gives out text but its public name`() {
        for ((type, allowed) in mapOf("Identity" to "publicKey", "SymmetricKey" to "fingerprint")) {
            val body = generated.substringAfter("public interface ${type}Interface {").substringBefore("\n}")
            val names = Regex("""fun `(\w+)`\([^\n]*\): ([\w.]+)""").findAll(body).map { it.groupValues }
            val given = names.filter { it[2] in listOf("kotlin.String", "PublicKey") }.map { it[1] }
            assertEquals(listOf(allowed), given.toList())
        }
    }

    @Test
    fun `no record or event has a secret in it`() {
        val types = Regex("""\ndata class (\w+) ?\((.*?)\n\)""", RegexOption.DOT_MATCHES_ALL)
        val records = types.findAll(generated).map { it.groupValues[1] to it.groupValues[2] }.toList()
        assertTrue(records.size >= 14, "records are found: ${records.map { it.first }}")
        val fields = records.flatMap { (type, body) ->
            Regex("""val `(\w+)`: ([^\n]*)""").findAll(body)
                .map { Triple(type, it.groupValues[1], it.groupValues[2]) }
        }
        val bytes = fields.filter { "ByteArray" in it.third }.map { "${it.first}.${it.second}" }
        val allowed = listOf("Header.bytes", "Message.padding", "Message.payload", "Post.payload")
        assertEquals(allowed, bytes.sorted())
        val telling = Regex("secret|private|password|seed", RegexOption.IGNORE_CASE)
        assertEquals(listOf<String>(), fields.map { it.second }.filter { telling.containsMatchIn(it) })
    }

    @Test
    fun `the text of what holds a payload does not show it`() {
        val received = Received(
            message, EnvelopeHash("00".repeat(32)), Topic("00000000"), Instant.EPOCH, Duration.ZERO, 1.0,
        )
        val said = ConversationEvent.Received(
            SessionId("00".repeat(32)), somebody, MessageName("00".repeat(8)), 1u, 0u, Instant.EPOCH, payload,
        )
        val talk = Output.Talk(said)
        val holders = listOf(
            message, received, said, talk, Output.Found(listOf(1u), received),
            Output.Transmit(PEER, 1u, payload), SubscriptionEvent.Found(received),
            NumberedSubscriptionEvent(1u, SubscriptionEvent.Found(received)),
            NumberedConversationEvent(1u, said),
        )
        for (holder in holders) {
            assertFalse("77" in holder.toString() || "MMM" in holder.toString(), "$holder")
        }
        for (holder in holders - listOf(talk)) assertTrue("16 bytes" in holder.toString(), "$holder")
    }

    @Test
    fun `handles of keys show nothing`() {
        val secret = ByteArray(32) { 77 }
        for (handle in listOf(Identity.fromSecret(secret), SymmetricKey.fromSecret(secret))) {
            assertTrue(Regex("""whisper\.\w+@[0-9a-f]+""").matches(handle.toString()))
        }
    }

    @Test
    fun `what has the same content is equal`() {
        assertEquals(message, Message(payload.clone(), ByteArray(3), null))
        assertEquals(message.hashCode(), Message(payload.clone(), ByteArray(3), null).hashCode())
        assertNotEquals(message, Message(payload, ByteArray(4), null))
        val event = ConversationEvent.Received(
            SessionId("00".repeat(32)), somebody, MessageName("00".repeat(8)), 1u, 0u, Instant.EPOCH, payload,
        )
        assertEquals(event, event.copy(payload = payload.clone()))
        assertNotEquals(event, event.copy(payload = ByteArray(16)))
        assertEquals(PublicKey("04"), PublicKey("04"))
        val envelope = Envelope.of(payload)
        assertEquals(envelope.info(), Envelope.decode(envelope.encode()).info())
    }

    @Test
    fun `arrays that are lent are left as they are`() {
        val secret = ByteArray(32) { 77 }
        Identity.fromSecret(secret)
        assertTrue(secret.all { it == 77.toByte() })
    }
}
