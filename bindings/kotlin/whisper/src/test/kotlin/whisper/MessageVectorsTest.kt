package whisper

import kotlinx.serialization.json.JsonObject
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

class MessageVectorsTest {
    @Test
    fun `messages of the reference open`() {
        for (case in vectors("whisper-v6/whisper-v6-messages.json").cases("cases", 83)) {
            val data = case.inner("envelope").bytes("data")
            val message =
                if (case.text("encryption") == "symmetric") {
                    SymmetricKey.fromSecret(case.bytes("sym_key")).use { it.decrypt(data) }
                } else {
                    Identity.fromSecret(case.bytes("recipient_private_key")).use { it.decrypt(data) }
                }
            assertMessage(case, message, case.text("id"))
        }
    }

    @Test
    fun `what the reference must refuse is refused`() {
        for (case in vectors("whisper-v6/whisper-v6-message-negatives.json").cases("cases", 100)) {
            val name = case.text("id")
            val key = case.bytes("key")
            when {
                // Ours is not even a key.
                key.size != 32 || key.all { it == 0.toByte() } ->
                    refusal<WhisperException.Malformed> { open(case, key) }
                case.text("required") == "reject" ->
                    refusal<WhisperException.NotOpened> { open(case, key) }
                else -> assertMessage(case.inner("expect"), open(case, key), name)
            }
        }
    }

    @Test
    fun `passwords become the keys of the reference`() {
        for (case in vectors("whisper-v6/whisper-v6-passwords.json").cases("cases", 20)) {
            val made = SymmetricKey.fromPassword(case.text("password").encodeToByteArray())
            val given = SymmetricKey.fromSecret(case.bytes("key"))
            assertEquals(given.fingerprint(), made.fingerprint(), case.text("password"))
            val data = encrypt("same".encodeToByteArray(), Recipient.Sharers(given))
            assertEquals("same", made.decrypt(data).text)
        }
    }

    @Test
    fun `what one side encrypts, the other opens`() {
        Identity.generate().use { alice ->
            Identity.generate().use { bob ->
                val to = Recipient.Holder(bob.publicKey())
                val data = encrypt("hello".encodeToByteArray(), to, alice)
                val message = bob.decrypt(data)
                assertEquals("hello", message.text)
                assertEquals(alice.publicKey(), message.signer)
                refusal<WhisperException.NotOpened> { alice.decrypt(data) }
            }
        }
    }

    @Test
    fun `an identity that was sealed is unsealed by the same key only`() {
        val key = SymmetricKey.generate()
        val alice = Identity.generate()
        val sealed = alice.seal(key)
        assertEquals(alice.publicKey(), Identity.unseal(sealed, key).publicKey())
        assertFalse(sealed.contentEquals(alice.seal(key)), "sealed twice, it looks different")
        refusal<WhisperException.NotOpened> { Identity.unseal(sealed, SymmetricKey.generate()) }
    }

    @Test
    fun `keys that people type are brought into one form`() {
        val key = Identity.generate().use { it.publicKey() }
        assertTrue(key.hex.startsWith("04"))
        val typed = listOf(key.hex, " 0x${key.hex.uppercase()}\n", key.hex.drop(2))
        for (text in typed) assertEquals(key, PublicKey.of(text))
        for (text in listOf("", "04", key.hex + "00", "05" + key.hex.drop(2), "é".repeat(130))) {
            refusal<WhisperException.Malformed> { PublicKey.of(text) }
        }
    }

    private fun open(case: JsonObject, key: ByteArray): Message {
        val data = case.bytes("data")
        if (case.text("kind") == "asym") return Identity.fromSecret(key).use { it.decrypt(data) }
        return SymmetricKey.fromSecret(key).use { it.decrypt(data) }
    }

    private fun assertMessage(expected: JsonObject, message: Message, name: String) {
        assertBytes(expected.bytes("payload"), message.payload, name)
        assertBytes(expected.bytes("padding"), message.padding, name)
        assertEquals(expected.keyOrNull("signer_public_key"), message.signer, name)
    }
}
