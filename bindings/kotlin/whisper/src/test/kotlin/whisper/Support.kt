package whisper

import java.io.File
import java.time.Duration
import java.time.Instant
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import org.junit.jupiter.api.Assertions.assertEquals

/** The clone that this is tested in. */
internal val repository = File(System.getProperty("repository"))

/** A rating that costs no work, so that tests take no time. */
internal const val EASY = 1e-9

/** Waits no longer than anything on one machine takes. */
internal fun bounded(test: suspend CoroutineScope.() -> Unit): Unit =
    runBlocking(Dispatchers.Default) { withTimeout(60.seconds, test) }

/** Looks until it is so; [bounded] ends the wait. */
internal suspend fun eventually(condition: suspend () -> Boolean) {
    while (!condition()) delay(5.milliseconds)
}

/** Goes on with the flow until an event of this kind comes. */
internal suspend inline fun <reified Kind> Flow<*>.await(
    crossinline condition: (Kind) -> Boolean = { true },
): Kind = first { it is Kind && condition(it) } as Kind

/** Calls, and gives what it throws. */
internal inline fun <reified Thrown : Throwable> refusal(call: () -> Any?): Thrown {
    val outcome =
        try {
            call()
        } catch (error: Throwable) {
            if (error is Thrown) return error
            throw AssertionError("${Thrown::class.simpleName} was expected", error)
        }
    throw AssertionError("${Thrown::class.simpleName} was expected, not $outcome")
}

/** The bytes of hex digits, 0x before them or not. */
internal fun unhex(text: String): ByteArray = text.removePrefix("0x").hexToByteArray()

/** Compares contents, and shows them where they differ. */
internal fun assertBytes(expected: ByteArray, actual: ByteArray, name: String) =
    assertEquals(expected.toHexString(), actual.toHexString(), name)

internal fun Envelope.Companion.of(data: ByteArray, now: Instant = Instant.now()): Envelope =
    Draft(now, Duration.ofSeconds(50), Topic("01020304"), data).use { it.seal(0u) }

/** A node of a test: it listens, takes what costs nothing, and hides nothing, which takes time. */
internal suspend fun easyNode(peers: List<String> = listOf(), ledger: Boolean = false): Node =
    Node.start(
        NodeConfig(
            peers = peers,
            listen = "127.0.0.1:0",
            minRating = EASY,
            ledger = ledger,
            privacy = Privacy.FAST,
        ),
    )

/** Two nodes that are ready for each other, and end with the test. */
internal suspend fun withTwoNodes(test: suspend (Node, Node) -> Unit) {
    easyNode().use { first ->
        easyNode(peers = listOf(first.address()!!)).use { second ->
            first.events().await<NodeEvent.Ready>()
            second.events().await<NodeEvent.Ready>()
            test(first, second)
        }
    }
}
