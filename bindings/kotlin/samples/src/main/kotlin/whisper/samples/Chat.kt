package whisper.samples

import kotlin.system.exitProcess
import kotlin.time.Duration.Companion.seconds
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.cancelChildren
import kotlinx.coroutines.channels.ReceiveChannel
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.job
import kotlinx.coroutines.launch

import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeoutOrNull
import whisper.ConversationEvent
import whisper.Conversations
import whisper.Identity
import whisper.Node
import whisper.NodeConfig
import whisper.NodeEvent
import whisper.PublicKey
import whisper.SentMessage
import whisper.WhisperException
import whisper.events
import whisper.send
import whisper.text

private const val HELP = """Talks to somebody, end-to-end encrypted, over a network of strangers.

  --listen <ADDRESS>   where to listen for peers, such as 127.0.0.1:30303
  --peer <ENODE>       a peer to stay connected to; may be given several times
  --to <PUBLIC KEY>    whom to talk to; without it the chat waits to be invited
  --key <FILE>         the file of your own key, made if there is none; without it the key is new
  --name <NAME>        how you are called on your own screen

Two terminals on this machine, the first listening:
  chat --listen 127.0.0.1:30303 --name alice
  chat --peer enode://… --to 04… --name bob (both as the first one printed)"""

/** A chat between two people, in a terminal; the other may run the Rust or the Swift one. */
fun main(arguments: Array<String>) {
    try {
        val known = setOf("--listen", "--peer", "--to", "--key", "--name")
        val options = Options(arguments, known)
        if (options.wantsHelp) println(HELP) else runBlocking { chat(options) }
    } catch (error: IllegalArgumentException) {
        fail(error)
    } catch (error: WhisperException) {
        fail(error)
    }
}

private fun fail(error: Exception): Nothing {
    System.err.println("chat: ${if (error is WhisperException) error.toString() else error.message}")
    exitProcess(1)
}

private suspend fun chat(options: Options) {
    val config = NodeConfig(peers = options.all("--peer"), listen = options.last("--listen"))
    Node.start(config).use { node ->
        node.address()?.let { println("* your address: $it") }
        val identity = options.last("--key")?.let { Identity.fromFile(it) } ?: Identity.generate()
        println("* your key:     ${identity.publicKey().hex}")
        println("* /quit or Ctrl-C ends the chat and wipes its keys")
        val chat = Chat(options.last("--name") ?: "you", node.converse(identity))
        // Ctrl-C ends the machine once this is done.
        val interrupt = Thread { runBlocking { chat.leave(node) } }
        Runtime.getRuntime().addShutdownHook(interrupt)
        coroutineScope {
            options.last("--to")?.let { chat.invite(this, PublicKey(it)) }
            launch { node.events().collect(chat::notice) }
            val hearing = launch { chat.hear() }
            val typing = launch { chat.obey(this, typed()) }
            hearing.invokeOnCompletion { coroutineContext.job.cancelChildren() }
            typing.invokeOnCompletion { coroutineContext.job.cancelChildren() }
        }
        Runtime.getRuntime().removeShutdownHook(interrupt)
        chat.leave(node)
    }
}

/** One conversation on a screen. */
private class Chat(private val name: String, private val talk: Conversations) {
    /** Whom we talk to. */
    private var peer: PublicKey? = null

    /** Who has asked and has no answer yet. */
    private var asks: PublicKey? = null
    private var ready = 0

    suspend fun invite(scope: CoroutineScope, other: PublicKey) {
        val sent = talk.invite(other, "")
        println("* inviting ${short(other)}")
        peer = other
        follow(scope, "invitation", sent)
    }

    /** Does what is typed, until there is no more. */
    suspend fun obey(scope: CoroutineScope, lines: ReceiveChannel<String>) {
        for (line in lines) {
            val text = line.trim()
            when {
                text.isEmpty() -> {}
                text == "/quit" -> return
                text == "/accept" && asks != null -> accept()
                text == "/refuse" && asks != null -> refuse()
                text.startsWith("/") -> println("* commands: /accept, /refuse, /quit")
                else -> say(scope, text)
            }
        }
    }

    private suspend fun accept() {
        talk.accept(asks!!)
        peer = asks
        asks = null
    }

    private suspend fun refuse() {
        talk.decline(asks!!)
        asks = null
        println("* refused; nobody is told")
    }

    private suspend fun say(scope: CoroutineScope, text: String) {
        val other = peer ?: return println("* nobody is here yet")
        try {
            val sent = talk.send(other, text)
            println("$name: $text")
            follow(scope, "message", sent)
        } catch (error: WhisperException) {
            println("* not sent: $error")
        }
    }

    private fun follow(scope: CoroutineScope, what: String, sent: SentMessage) {
        scope.launch {
            try {
                sent.sent()
                println("  ($what: sent)")
            } catch (error: WhisperException) {
                println("  ($what: $error)")
            }
        }
    }

    /** Shows what the conversation brings, until it is over. */
    suspend fun hear() {
        while (true) {
            val numbered = talk.nextEvent() ?: return
            val goesOn = show(numbered.event)
            talk.acknowledge(numbered.number)
            if (!goesOn) return
        }
    }

    private fun show(event: ConversationEvent): Boolean {
        when (event) {
            is ConversationEvent.Invited -> {
                println("* ${short(event.peer)} wants to talk: /accept or /refuse")
                println("* compare the whole key by another way: ${event.peer.hex}")
                asks = event.peer
            }
            is ConversationEvent.Established -> {
                println("* you talk with ${short(event.peer)}")
                peer = event.peer
            }
            is ConversationEvent.Received -> println("${short(event.peer)}: ${printable(event.text)}")
            is ConversationEvent.Acknowledged -> println("* ${event.sequences.size} messages were read")
            is ConversationEvent.Replaced ->
                println("* the other side has begun anew: if that surprises you, ask why")
            is ConversationEvent.Nonsense -> println("* something came that makes no sense")
            is ConversationEvent.Over -> {
                println("* the conversation is over: ${event.why}")
                return false
            }
            is ConversationEvent.Gap -> println("* up to ${event.missed} messages were missed")
        }
        return true
    }

    /** Shows who comes and goes on the network. */
    fun notice(event: NodeEvent) {
        when (event) {
            is NodeEvent.Ready -> println("* connected, ${++ready} peers")
            is NodeEvent.Disconnected -> {
                ready = maxOf(ready - 1, 0)
                if (ready == 0) println("* no peer is there: what you write waits for one")
            }
            is NodeEvent.Dismissed -> println("* a peer was cut: ${event.reason}")
            is NodeEvent.ClockSuspect -> {
                val direction = if (event.ahead) "ahead" else "behind"
                println("* your clock seems $direction by ${event.by.seconds} s: set it")
            }
            else -> {}
        }
    }

    /** Wipes the keys and says goodbye, as well as it goes. */
    suspend fun leave(node: Node) {
        peer?.let { other ->
            // The other side may have been first.
            runCatching { withTimeoutOrNull(2.seconds) { talk.hangUp(other).sent() } }
        }
        node.shutdown()
        println("* the keys are wiped")
    }
}
