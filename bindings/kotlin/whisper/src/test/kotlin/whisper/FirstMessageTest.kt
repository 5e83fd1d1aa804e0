package whisper

import kotlinx.coroutines.async
import kotlinx.coroutines.flow.filterIsInstance
import kotlinx.coroutines.flow.first
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Test

class FirstMessageTest {
    @Test
    fun `the first message takes ten lines`() = bounded {
        easyNode().use { relay ->
            val bob = relay.converse(Identity.generate())
            val shown = async { firstMessage(relay.address()!!, bob.publicKey()) }
            val alice = bob.events().await<ConversationEvent.Invited>().peer
            bob.accept(alice)
            assertEquals("hello, Bob", bob.events().await<ConversationEvent.Received>().text)
            bob.send(alice, "hello, Alice").sent()
            assertEquals("Bob: hello, Alice", shown.await())
        }
    }

    private suspend fun firstMessage(relay: String, bob: PublicKey): String {
        lateinit var shown: String
        fun println(line: String) {
            shown = line
        }
        // readme:begin
        Node.start(NodeConfig(peers = listOf(relay))).use { node ->
            val alice = node.converse(Identity.generate())
            alice.invite(bob, "hello, Bob").sent()
            val answer = alice.events().filterIsInstance<ConversationEvent.Received>().first()
            println("Bob: ${answer.text}")
            alice.hangUp(bob).sent()
            node.shutdown()
        }
        // readme:end
        return shown
    }
}
