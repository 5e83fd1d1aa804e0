package whisper.samples

import kotlinx.coroutines.channels.ReceiveChannel
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

/** A party of the test in which three languages talk: commands come in as lines, news go out so. */
internal object Talker {
    @JvmStatic
    fun main(arguments: Array<String>) = runBlocking {
        val options = Options(arguments, setOf("--listen", "--peer"))
        val config = NodeConfig(peers = options.all("--peer"), listen = options.last("--listen"))
        Node.start(config).use { node ->
            val talk = node.converse(Identity.generate())
            tell("key ${talk.publicKey().hex}")
            node.address()?.let { tell("address $it") }
            val news = launch {
                launch { node.events().collect { if (it is NodeEvent.Ready) tell("ready") } }
                talk.events().collect {
                    if (it is ConversationEvent.Received) tell("heard ${it.peer.hex} ${it.text}")
                }
            }
            obey(typed(), talk)
            node.shutdown()
            news.cancel()
        }
    }

    private suspend fun obey(lines: ReceiveChannel<String>, talk: Conversations) {
        for (line in lines) {
            val words = line.split(' ', limit = 3)
            try {
                when (words[0]) {
                    "contact" -> talk.addContact(PublicKey(words[1]))
                    "say" -> say(talk, PublicKey(words[1]), words[2])
                    "quit" -> return
                }
            } catch (error: WhisperException) {
                System.err.println("error $error")
            }
        }
    }

    /** Invites with the text where there is no conversation yet. */
    private suspend fun say(talk: Conversations, peer: PublicKey, text: String) {
        try {
            talk.send(peer, text)
        } catch (_: WhisperException.Conversation) {
            talk.invite(peer, text)
        }
    }

    @Synchronized
    private fun tell(line: String) {
        println(line)
        System.out.flush()
    }
}
