package whisper.samples

import java.util.concurrent.ConcurrentHashMap
import kotlin.system.exitProcess
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import whisper.ConversationEvent
import whisper.Conversations
import whisper.Identity
import whisper.Node
import whisper.NodeConfig
import whisper.NodeEvent
import whisper.PublicKey
import whisper.WhisperException
import whisper.events
import whisper.send
import whisper.text

/** Converses for a program: commands come in as lines, and what is heard goes out as lines. */
fun main(arguments: Array<String>) {
    val options = try {
        Options.of(arguments, mapOf("--listen" to "HOST:PORT", "--peer" to "ENODE"))
    } catch (error: IllegalArgumentException) {
        System.err.println("error ${error.message}")
        exitProcess(2)
    }
    try {
        runBlocking(Dispatchers.Default) { talk(options) }
    } catch (error: WhisperException) {
        System.err.println("error $error")
        exitProcess(1)
    }
    // The thread that reads lines may still wait for one.
    exitProcess(0)
}

private suspend fun talk(options: Options) = coroutineScope {
    val config = NodeConfig(peers = options.all("--peer"), listen = options.last("--listen"))
    Node.start(config).use { node ->
        val talker = Talker(node.converse(Identity.generate()))
        tell("key ${talker.key}")
        node.address()?.let { tell("address $it") }
        val watching = launch { node.events().collect { if (it is NodeEvent.Ready) tell("ready") } }
        val hearing = launch { talker.hear() }
        for (line in typedLines()) {
            if (line.trim() == "quit") break
            talker.obey(line, this)
        }
        watching.cancel()
        hearing.cancel()
        node.shutdown()
    }
}

private class Talker(private val conversations: Conversations) {
    val key: PublicKey = conversations.publicKey()

    /** Whom there is a conversation with. */
    private val talking: MutableSet<String> = ConcurrentHashMap.newKeySet()

    /** Does what a line asks for; what goes wrong is said, and the next line comes. */
    suspend fun obey(line: String, scope: CoroutineScope) {
        val words = line.trim().split(' ', limit = 3)
        try {
            when {
                words[0] == "contact" && words.size == 2 ->
                    conversations.addContact(PublicKey.of(words[1]))
                words[0] == "say" && words.size == 3 -> say(PublicKey.of(words[1]), words[2], scope)
                line.isBlank() -> {}
                else -> complain("no such command: ${words[0]}")
            }
        } catch (error: WhisperException) {
            complain(error.toString())
        }
    }

    suspend fun hear() = conversations.events().collect { event ->
        when (event) {
            is ConversationEvent.Established -> talking += event.peer.hex
            is ConversationEvent.Received -> {
                talking += event.peer.hex
                tell("heard ${event.peer} ${event.text.replace('\n', ' ')}")
            }
            is ConversationEvent.Over -> talking -= event.peer.hex
            is ConversationEvent.Gap -> complain("missed ${event.missed} events")
            else -> {}
        }
    }

    private suspend fun say(peer: PublicKey, text: String, scope: CoroutineScope) {
        val sent =
            if (peer.hex in talking) {
                conversations.send(peer, text)
            } else {
                conversations.invite(peer, text).also { talking += peer.hex }
            }
        scope.launch {
            try {
                sent.sent()
            } catch (error: WhisperException) {
                complain(error.toString())
            }
        }
    }
}

private fun tell(line: String) {
    println(line)
    System.out.flush()
}

private fun complain(text: String) = System.err.println("error $text")
