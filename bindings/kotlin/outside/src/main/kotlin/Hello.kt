import kotlinx.coroutines.flow.filterIsInstance
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.runBlocking
import whisper.ConversationEvent
import whisper.Identity
import whisper.Node
import whisper.NodeConfig
import whisper.PublicKey
import whisper.events
import whisper.text

/** Says hello to somebody, and prints the answer: the address of a node, and a key. */
fun main(arguments: Array<String>): Unit = runBlocking {
    val (address, key) = arguments
    Node.start(NodeConfig(peers = listOf(address))).use { node ->
        val talk = node.converse(Identity.generate())
        talk.invite(PublicKey.of(key), "hello from Kotlin").sent()
        println(talk.events().filterIsInstance<ConversationEvent.Received>().first().text)
        node.shutdown()
    }
}
