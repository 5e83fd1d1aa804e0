package whisper

import java.time.Duration
import java.time.Instant
import java.util.concurrent.Callable
import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.Executors
import java.util.concurrent.TimeUnit
import java.util.concurrent.atomic.AtomicInteger
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

class ConcurrencyTest {
    @Test
    fun `eight threads of ten thousand calls each end, and nothing is lost`() {
        val threads = Executors.newFixedThreadPool(THREADS)
        val crowd = Crowd()
        val done = threads.invokeAll(List(THREADS) { Callable { crowd.call(CALLS) } }, 300, TimeUnit.SECONDS)
        threads.shutdown()
        assertEquals(THREADS * CALLS, done.sumOf { it.get() })
        // Each filter got a number of its own, and was taken out once.
        assertEquals(crowd.filtersAdded.get(), crowd.filters.size)
        assertEquals(listOf<Long>(), crowd.filters.filter { crowd.engine.removeFilter(it.toULong()) })
        assertEquals("all", crowd.key.decrypt(crowd.data).text)
    }

    @Test
    fun `a node answers many at once`() = bounded {
        withTwoNodes { first, second ->
            val key = SymmetricKey.generate()
            val subscription = second.subscribe(Filter(Reader.Sharer(key)))
            val posts = List(64) { number ->
                async(Dispatchers.IO) {
                    first.post(Post(Recipient.Sharers(key), "$number".encodeToByteArray())).sent()
                    first.peers().size
                }
            }
            assertTrue(posts.awaitAll().all { it == 1 })
            val missing = (0 until 64).map { "$it" }.toMutableSet()
            subscription.events().await<SubscriptionEvent.Found> {
                missing -= it.received.message.text
                missing.isEmpty()
            }
        }
    }
}

/** What all threads share, and what they do with it. */
private class Crowd {
    val key = SymmetricKey.generate()
    val data = encrypt("all".encodeToByteArray(), Recipient.Sharers(key))
    val engine = Engine(EngineConfig(minRating = EASY), Identity.generate())
    val filters: MutableSet<Long> = ConcurrentHashMap.newKeySet()
    val filtersAdded = AtomicInteger()
    private val now = Instant.now()
    private val envelope = Draft(now, Duration.ofMinutes(1), Topic("01020304"), data).seal(0u)
    private val encoded = envelope.encode()

    /** Makes so many calls, and tells how many were answered as they should be. */
    fun call(count: Int): Int = (0 until count).count { number ->
        when (number % 8) {
            0 -> Envelope.decode(encoded).use { it.info().hash } == envelope.info().hash
            1 -> envelope.info().topic == Topic("01020304")
            2 -> key.decrypt(data).text == "all"
            3 -> encrypt(ByteArray(8), Recipient.Sharers(key)).size > 8
            4 -> engine.tick(now).isEmpty()
            5 -> engine.advisedRating() == EASY
            6 -> addAndRemove()
            else -> Topic("01020304") == envelope.info().topic && engine.wakeAt().let { true }
        }
    }

    private fun addAndRemove(): Boolean {
        val number = engine.addFilter(Filter(Reader.Sharer(key)))
        filtersAdded.incrementAndGet()
        return filters.add(number.toLong()) && engine.removeFilter(number)
    }
}

private const val THREADS = 8
private const val CALLS = 10_000
