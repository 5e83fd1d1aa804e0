package whisper

import java.io.File
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Assumptions.abort

/** A folder of other vectors, of the same shape. */
private val foreign = System.getenv("WHISPER_VECTORS")?.let(::File)

/** A file of facts that the reference has computed. Another set need not have all files. */
internal fun vectors(file: String): JsonObject {
    val path = (foreign ?: File(repository, "whisper-core/tests/vectors")).resolve(file)
    if (foreign != null && !path.exists()) abort<Nothing>("absent: $path")
    return Json.parseToJsonElement(path.readText()).jsonObject
}

/** The cases under `key`: so many in our own set, at least one in another. */
internal fun JsonObject.cases(key: String, own: Int): List<JsonObject> {
    val cases = getValue(key).jsonArray.map { it.jsonObject }
    assertCount(key, cases.size, own)
    return cases
}

internal fun assertCount(what: String, actual: Int, own: Int) {
    if (foreign == null) assertEquals(own, actual, what) else assertTrue(actual > 0, what)
}

internal fun JsonObject.text(key: String): String = getValue(key).jsonPrimitive.content

internal fun JsonObject.textOrNull(key: String): String? =
    get(key)?.takeUnless { it is JsonNull }?.jsonPrimitive?.content

internal fun JsonObject.bytes(key: String): ByteArray = unhex(text(key))

internal fun JsonObject.number(key: String): ULong = text(key).toULong()

internal fun JsonObject.inner(key: String): JsonObject = getValue(key).jsonObject

internal fun JsonObject.list(key: String): List<JsonElement> = getValue(key).jsonArray

/** A double, given by its bits. */
internal fun JsonObject.double(key: String): Double =
    Double.fromBits(text(key).removePrefix("0x").toULong(16).toLong())

internal fun JsonObject.keyOrNull(key: String): PublicKey? = textOrNull(key)?.let(PublicKey::of)
