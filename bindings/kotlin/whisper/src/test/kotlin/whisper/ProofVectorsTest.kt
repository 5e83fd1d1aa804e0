package whisper

import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.jsonPrimitive
import org.junit.jupiter.api.Test

class ProofVectorsTest {
    private val cases = vectors("ledger/whisper-ledger-v1.json").cases("proofs", 26)

    @Test
    fun `entries are proven by their paths, and by nothing that is bent`() {
        val inclusions = cases.filter { it.text("kind") == "inclusion" }
        assertCount("inclusion proofs", inclusions.size, 17)
        for (case in inclusions) {
            val proof = Inclusion(case)
            proof.check()
            for (bent in proof.bent()) refusal<WhisperException.Unproven> { bent.check() }
        }
    }

    @Test
    fun `records are proven by the directory, and by nothing that is bent`() {
        val directories = cases.filter { it.text("kind") == "directory" }
        assertCount("directory proofs", directories.size, 9)
        for (case in directories) {
            val name = case.text("handle")
            val record = case.textOrNull("record")?.let(::unhex)
            val proof = case.bytes("proof")
            val root = case.bytes("root")
            checkDirectory(name, record, proof, root)
            for (at in proof.indices) {
                // It cannot be read any more, or does not hold.
                refusal<WhisperException> { checkDirectory(name, record, proof.bent(at), root) }
            }
            refusal<WhisperException.Unproven> { checkDirectory(name, record, proof, root.bent(0)) }
            refusal<WhisperException.Unproven> { checkDirectory("other", record, proof, root) }
            for (at in record?.indices ?: IntRange.EMPTY) {
                refusal<WhisperException> { checkDirectory(name, record?.bent(at), proof, root) }
            }
        }
    }
}

private class Inclusion(
    val entry: ByteArray,
    val index: UInt,
    val size: UInt,
    val path: List<ByteArray>,
    val root: ByteArray,
) {
    constructor(case: JsonObject) : this(
        case.bytes("leaf_data"),
        case.number("index").toUInt(),
        case.number("size").toUInt(),
        case.list("path").map { unhex(it.jsonPrimitive.content) },
        case.bytes("root"),
    )

    fun check() = checkInclusion(entry, index, size, path, root)

    /** The same with one bit changed: in the entry, in each hash, in the root. */
    fun bent(): List<Inclusion> =
        entry.indices.map { Inclusion(entry.bent(it), index, size, path, root) } +
            path.indices.map { at ->
                val bent = path.mapIndexed { other, hash -> if (other == at) hash.bent(7) else hash }
                Inclusion(entry, index, size, bent, root)
            } +
            Inclusion(entry, index, size, path, root.bent(31)) +
            Inclusion(entry, size, size, path, root)
}

private fun ByteArray.bent(at: Int): ByteArray =
    clone().also { it[at] = (it[at].toInt() xor 1).toByte() }
