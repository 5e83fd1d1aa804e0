package whisper

import com.sun.jna.Memory
import java.nio.ByteBuffer
import java.time.Duration
import java.time.Instant

// The generated functions borrow their bytes: they take direct buffers, and nothing is copied. These
// take arrays, and wipe the copy that they make. Whoever has a large direct buffer calls the others.

/** Reads an envelope as peers send it. */
@Throws(WhisperException::class)
fun Envelope.Companion.decode(bytes: ByteArray): Envelope = lent(bytes) { decode(it) }

/** The identity of a private key of 32 bytes. Wipe the array afterwards: the object has its own copy. */
@Throws(WhisperException::class)
fun Identity.Companion.fromSecret(secret: ByteArray): Identity = lent(secret) { fromSecret(it) }

/** The identity that was sealed under this key. */
@Throws(WhisperException::class)
fun Identity.Companion.unseal(sealed: ByteArray, under: SymmetricKey): Identity =
    lent(sealed) { unseal(it, under) }

/** Opens what was encrypted for this identity: the data of an envelope. */
@Throws(WhisperException::class)
fun Identity.decrypt(data: ByteArray): Message = lent(data) { decrypt(it) }

/** A key of 32 bytes. Wipe the array afterwards: the object has its own copy. */
@Throws(WhisperException::class)
fun SymmetricKey.Companion.fromSecret(secret: ByteArray): SymmetricKey =
    lent(secret) { fromSecret(it) }

/** The key that go-ethereum makes of a password, in UTF-8. Wipe the array afterwards. */
@Throws(WhisperException::class)
fun SymmetricKey.Companion.fromPassword(password: ByteArray): SymmetricKey =
    lent(password) { fromPassword(it) }

/** Opens what was encrypted under this key: the data of an envelope. */
@Throws(WhisperException::class)
fun SymmetricKey.decrypt(data: ByteArray): Message = lent(data) { decrypt(it) }

/** Encrypts what is said, and signs it if somebody is to sign: the data of an envelope. */
@Throws(WhisperException::class)
fun encrypt(payload: ByteArray, recipient: Recipient, signer: Identity? = null): ByteArray =
    lent(payload) { encrypt(it, recipient, signer) }

/** A draft of an envelope that is made now and lives for 10 seconds to 2 days. */
@Throws(WhisperException::class)
fun Draft(now: Instant, ttl: Duration, topic: Topic, data: ByteArray): Draft =
    lent(data) { Draft(now, ttl, topic, it) }

/** A packet came: its code, 0 to 127, and what stands behind the code. */
@Throws(WhisperException::class)
fun Engine.receive(now: Instant, peer: PeerId, code: UByte, payload: ByteArray): List<Output> =
    lent(payload) { receive(now, peer, code, it) }

/** Says something to somebody there is a conversation with. */
@Throws(WhisperException::class)
fun Engine.send(now: Instant, peer: PublicKey, payload: ByteArray): List<Output> =
    lent(payload) { send(now, peer, it) }

/** Takes in headers of 80 bytes each, one after the other, and tells the newest. */
@Throws(WhisperException::class)
fun LightClient.accept(now: Instant, headers: ByteArray): Header = lent(headers) { accept(now, it) }

/** Checks what stands under a name. */
@Throws(WhisperException::class)
fun LightClient.checkName(name: String, proof: ByteArray): NameAnswer =
    lent(proof) { checkName(name, it) }

/** Checks that a transaction stands in the chain. */
@Throws(WhisperException::class)
fun LightClient.checkTransaction(proof: ByteArray): ProvenTransaction =
    lent(proof) { checkTransaction(it) }

/** Checks that an entry stands in a block: its place, the number of entries, its path and the root. */
@Throws(WhisperException::class)
fun checkInclusion(entry: ByteArray, index: UInt, size: UInt, path: List<ByteArray>, root: ByteArray) =
    lent(entry) { entryBuffer ->
        lent(root) { checkInclusion(entryBuffer, index, size, path, it) }
    }

/** Checks what stands under a name: its record, or nothing, by a proof and the directory's root. */
@Throws(WhisperException::class)
fun checkDirectory(name: String, record: ByteArray?, proof: ByteArray, root: ByteArray) =
    lent(proof) { proofBuffer ->
        lent(root) { checkDirectory(name, record, proofBuffer, it) }
    }

/** Says something to somebody there is a conversation with, in UTF-8. */
@Throws(WhisperException::class)
suspend fun Conversations.send(peer: PublicKey, text: String): SentMessage =
    send(peer, text.encodeToByteArray())

/** What is said, as text. What is not UTF-8 shows as replacement characters. */
val Message.text: String get() = payload.decodeToString()

/** What the peer says, as text. What is not UTF-8 shows as replacement characters. */
val ConversationEvent.Received.text: String get() = payload.decodeToString()

/** Lends the bytes to a call, in memory that is wiped and freed when it comes back. */
private inline fun <T> lent(bytes: ByteArray, call: (ByteBuffer) -> T): T {
    // There is no empty memory, but an empty part of some.
    val memory = Memory(maxOf(bytes.size, 1).toLong())
    try {
        memory.write(0, bytes, 0, bytes.size)
        return call(memory.getByteBuffer(0, bytes.size.toLong()))
    } finally {
        memory.clear()
        memory.close()
    }
}
