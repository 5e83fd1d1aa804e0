package whisper.samples

import kotlin.time.Duration.Companion.seconds
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Deferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.cancel
import kotlinx.coroutines.cancelChildren
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.job
import kotlinx.coroutines.launch
import kotlinx.coroutines.withTimeoutOrNull
import whisper.ConversationEvent
import whisper.Conversations
import whisper.Ended
import whisper.Node
import whisper.NodeEvent
import whisper.PublicKey
import whisper.SentMessage
import whisper.WhisperException
import whisper.events
import whisper.send
import whisper.text

/** One conversation in a terminal: lines go out, events come in. */
internal class Terminal(private val name: String, private val talks: Conversations) {
    /** Whom we talk to. */
    @Volatile private var peer: PublicKey? = null

    /** Strangers who wait for an answer. */
    @Volatile private var asks = emptyList<PublicKey>()
    private var ready = 0
    private val deliveries = CoroutineScope(SupervisorJob() + Dispatchers.Default)

    suspend fun invite(peer: PublicKey) {
        val sent = talks.invite(peer, "")
        println("* inviting ${short(peer)}")
        this.peer = peer
        follow("invitation", sent)
    }

    /** Goes on until somebody leaves. */
    suspend fun run(node: Node, interrupt: Deferred<Unit>) = coroutineScope {
        val isOver = Job(coroutineContext.job)
        launch {
            for (line in typedLines()) if (!say(line)) break
            isOver.complete()
        }
        launch {
            talks.events().collect { if (!hear(it)) isOver.complete() }
            isOver.complete()
        }
        launch {
            node.events().collect(::notice)
            isOver.complete()
        }
        launch {
            interrupt.await()
            isOver.complete()
        }
        isOver.join()
        coroutineContext.job.cancelChildren()
    }

    /** Says goodbye for a moment at most, and wipes the keys. */
    suspend fun leave() {
        deliveries.cancel()
        val peer = peer ?: return
        try {
            val goodbye = talks.hangUp(peer)
            withTimeoutOrNull(GOODBYE) { goodbye.sent() }
        } catch (_: WhisperException) {
            // The other side may have been first.
        }
    }

    /** Does what a line asks for; false if it is to leave. */
    private suspend fun say(line: String): Boolean {
        val text = line.trim()
        val peer = peer
        val (command, who) = text.substringBefore(' ') to text.substringAfter(' ', "").trim()
        when {
            text.isEmpty() -> {}
            text == "/quit" -> return false
            command == "/accept" -> asker(who)?.let { accept(it) }
            command == "/refuse" -> asker(who)?.let { refuse(it) }
            text.startsWith("/") -> println("* commands: /accept KEY, /refuse KEY, /quit")
            peer == null -> println("* nobody is here yet")
            else -> send(peer, text)
        }
        return true
    }

    /** The one stranger whose key begins so: another may have asked while the command was typed. */
    private fun asker(begin: String): PublicKey? {
        val fitting = asks.filter { begin.isNotEmpty() && it.hex.drop(2).startsWith(begin) }
        if (fitting.size != 1) println("* say whom, by the beginning of the key: /accept 1a2b3c4d")
        return fitting.singleOrNull()
    }

    private suspend fun accept(stranger: PublicKey) {
        try {
            talks.accept(stranger)
            asks -= stranger
            peer = stranger
        } catch (error: WhisperException) {
            println("* not accepted: $error")
        }
    }

    private suspend fun refuse(stranger: PublicKey) {
        asks -= stranger
        try {
            talks.decline(stranger)
            println("* refused; nobody is told")
        } catch (error: WhisperException) {
            println("* not refused: $error")
        }
    }

    private suspend fun send(peer: PublicKey, text: String) {
        try {
            val sent = talks.send(peer, text)
            println("$name: $text")
            follow("message", sent)
        } catch (error: WhisperException) {
            println("* not sent: $error")
        }
    }

    /** Tells what becomes of what was sent, beside the conversation. */
    private fun follow(what: String, sent: SentMessage) = deliveries.launch {
        try {
            sent.sent()
            println("  ($what: sent)")
        } catch (error: WhisperException) {
            println("  ($what: $error)")
        }
    }

    /** Shows what the conversation brings; false if it is over. */
    private fun hear(event: ConversationEvent): Boolean {
        when (event) {
            is ConversationEvent.Invited -> {
                val begin = short(event.peer)
                println("* $begin wants to talk: /accept $begin or /refuse $begin")
                println("* compare the whole key by another way: ${event.peer}")
                asks = asks - event.peer + event.peer
            }
            is ConversationEvent.Established -> {
                println("* you talk with ${short(event.peer)}")
                peer = event.peer
            }
            is ConversationEvent.Received -> println("${short(event.peer)}: ${printable(event.text)}")
            is ConversationEvent.Acknowledged -> println("* ${event.names.size} messages were read")
            is ConversationEvent.Replaced ->
                println("* the other side has begun anew: if that surprises you, ask why")
            is ConversationEvent.Nonsense -> println("* something came that makes no sense")
            is ConversationEvent.ClockSetBack ->
                println("* the clock was set back: send again what was not read")
            is ConversationEvent.Stale ->
                println("* ${short(event.peer)} has read nothing for a day: it is invited again")
            is ConversationEvent.PeerForked ->
                println("* ${short(event.peer)} writes from two places: some of it is lost")
            is ConversationEvent.Suspect ->
                println("* your key is in use elsewhere: invite again, or what you write is lost")
            is ConversationEvent.Gap -> println("* up to ${event.missed} messages were missed")
            // Others come and go, and a session that a newer one has replaced is no loss.
            is ConversationEvent.Over -> if (event.peer == peer && event.why != Ended.DISPLACED) {
                println("* the conversation is over: ${name(event.why)}")
                return false
            }
        }
        return true
    }

    /** Shows who comes and goes on the network. */
    private fun notice(event: NodeEvent) {
        when (event) {
            is NodeEvent.Ready -> println("* connected, ${++ready} peers")
            is NodeEvent.Disconnected -> {
                ready = maxOf(ready - 1, 0)
                if (ready == 0) println("* no peer is there: what you write waits for one")
            }
            is NodeEvent.Dismissed -> println("* a peer was cut: ${event.reason}")
            is NodeEvent.Unreachable -> println("* no connection to ${event.address}: ${event.reason}")
            is NodeEvent.Addresses -> println("* your address: ${event.addresses.joinToString(" ")}")
            is NodeEvent.ClockSuspect -> {
                val direction = if (event.ahead) "ahead" else "behind"
                println("* your clock seems $direction by ${event.by.seconds} s: set it")
            }
            else -> {}
        }
    }
}

/** The beginning of a key, to tell people apart on a screen. */
private fun short(key: PublicKey) = key.hex.drop(2).take(8)

/** What a peer says, not endless, and without what could play with the terminal or cannot be seen. */
private fun printable(text: String) =
    text.filterNot { it.isISOControl() || it.category in UNSEEN }.take(2_000)

private val UNSEEN =
    setOf(CharCategory.FORMAT, CharCategory.LINE_SEPARATOR, CharCategory.PARAGRAPH_SEPARATOR)

/** As the Rust chat writes it. */
private fun name(why: Ended) =
    why.name.split('_').joinToString("") { it.lowercase().replaceFirstChar(Char::uppercase) }

/** How long a goodbye may take. */
private val GOODBYE = 3.seconds
