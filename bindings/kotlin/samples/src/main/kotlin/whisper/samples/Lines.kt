package whisper.samples

import kotlin.concurrent.thread
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.channels.ReceiveChannel
import kotlinx.coroutines.channels.trySendBlocking

/** The lines that are typed, to the end of input. A thread waits for them that keeps no program alive. */
internal fun typedLines(): ReceiveChannel<String> {
    val lines = Channel<String>(capacity = 1)
    thread(isDaemon = true, name = "lines") {
        while (true) {
            val line = readlnOrNull() ?: break
            if (lines.trySendBlocking(line).isFailure) break
        }
        lines.close()
    }
    return lines
}
