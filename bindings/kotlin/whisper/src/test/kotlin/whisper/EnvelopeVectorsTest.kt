package whisper

import java.io.ByteArrayOutputStream
import java.math.BigInteger
import java.time.Duration
import java.time.Instant
import kotlinx.serialization.json.JsonObject
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

class EnvelopeVectorsTest {
    @Test
    fun `envelopes are read, hashed and rated as the reference does`() {
        for (case in vectors("whisper-v6/whisper-v6-envelopes.json").cases("cases", 73)) {
            val name = case.text("id")
            val encoded = case.written()
            case.textOrNull("rlp")?.let { assertBytes(unhex(it), encoded, name) }
            Envelope.decode(encoded).use { envelope ->
                assertBytes(encoded, envelope.encode(), name)
                assertBytes(case.data(), envelope.data(), name)
                assertInfo(case, envelope.info(), name)
            }
        }
    }

    @Test
    fun `rlp is accepted and refused as by the reference`() {
        val cases = vectors("whisper-v6/whisper-v6-rlp.json").cases("cases", 52)
        for (case in cases.filter { it.text("target") == "envelope" }) {
            val payload = case.bytes("payload")
            when (case.text("required")) {
                "accept" -> assertEquals(
                    EnvelopeHash(case.inner("geth").text("hash").removePrefix("0x")),
                    Envelope.decode(payload).use { it.info().hash },
                    case.text("id"),
                )
                // "either": only what follows the value is in doubt; ours refuses it.
                else -> refusal<WhisperException.Malformed> { Envelope.decode(payload) }
            }
        }
    }

    @Test
    fun `topics of the reference are the topics of envelopes`() {
        for (case in vectors("whisper-v6/whisper-v6-topics.json").cases("topics", 85)) {
            val topic = Topic(case.text("topic").removePrefix("0x"))
            val draft = Draft(Instant.now(), Duration.ofMinutes(1), topic, byteArrayOf(1))
            assertEquals(topic, draft.seal(0u).info().topic)
        }
    }

    private fun assertInfo(case: JsonObject, info: EnvelopeInfo, name: String) {
        assertEquals(case.text("hash").removePrefix("0x"), info.hash.hex, name)
        assertEquals(case.number("expiry"), info.expiry, name)
        assertEquals(case.number("ttl"), info.ttl, name)
        assertEquals(case.number("nonce"), info.nonce, name)
        assertEquals(case.text("topic").removePrefix("0x"), info.topic.hex, name)
        assertEquals(case.number("leading_zeros"), info.work.toULong(), name)
        assertEquals(case.number("size"), info.size, name)
        val pow = case.double("pow_f64")
        if (info.ttl == 0uL) {
            // The reference divides by zero here.
            assertTrue(pow.isInfinite() && info.rating.isFinite(), name)
        } else {
            assertEquals(pow.toRawBits(), info.rating.toRawBits(), name)
        }
    }
}

/** The envelope of a case, written from its fields: large ones are not stored. */
private fun JsonObject.written(): ByteArray {
    val items = listOf(
        rlpUint(text("expiry")),
        rlpUint(text("ttl")),
        rlpString(bytes("topic")),
        rlpString(data()),
        rlpUint(text("nonce")),
    )
    return rlp(0xc0, items.fold(ByteArray(0), ByteArray::plus))
}

private fun JsonObject.data(): ByteArray {
    val fill = get("data_fill") as? JsonObject ?: return bytes("data")
    return ByteArray(fill.number("len").toInt()) { fill.bytes("byte").single() }
}

private fun rlpUint(decimal: String): ByteArray =
    rlpString(BigInteger(decimal).toByteArray().dropWhile { it == 0.toByte() }.toByteArray())

private fun rlpString(bytes: ByteArray): ByteArray =
    if (bytes.size == 1 && bytes[0] >= 0) bytes else rlp(0x80, bytes)

private fun rlp(base: Int, content: ByteArray): ByteArray {
    val out = ByteArrayOutputStream()
    if (content.size < 56) {
        out.write(base + content.size)
    } else {
        val length = BigInteger.valueOf(content.size.toLong()).toByteArray().dropWhile { it == 0.toByte() }
        out.write(base + 55 + length.size)
        out.write(length.toByteArray())
    }
    out.write(content)
    return out.toByteArray()
}
