package whisper.samples

import kotlin.concurrent.thread
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.channels.ReceiveChannel
import whisper.PublicKey

/** What is typed, line by line, read on a thread of its own: reading cannot be cancelled. */
internal fun typed(): ReceiveChannel<String> {
    val lines = Channel<String>(Channel.UNLIMITED)
    thread(isDaemon = true, name = "typed") {
        generateSequence(::readlnOrNull).forEach { lines.trySend(it) }
        lines.close()
    }
    return lines
}

/** The first digits of a key, behind the mark that all have. */
internal fun short(key: PublicKey): String = key.hex.drop(2).take(8)

/** Text without what would steer a terminal. */
internal fun printable(text: String): String = text.filterNot { it.isISOControl() }

/** Options by name, each as often as it was given. */
internal class Options(arguments: Array<String>, private val known: Set<String>) {
    private val given = mutableListOf<Pair<String, String>>()
    val wantsHelp = "--help" in arguments || "-h" in arguments

    init {
        if (!wantsHelp) {
            for (pair in arguments.toList().chunked(2)) {
                require(pair[0] in known) { "unknown option ${pair[0]}; --help tells which there are" }
                require(pair.size == 2) { "${pair[0]} wants a value" }
                given += pair[0] to pair[1]
            }
        }
    }

    fun all(name: String): List<String> = given.filter { it.first == name }.map { it.second }

    fun last(name: String): String? = all(name).lastOrNull()
}
