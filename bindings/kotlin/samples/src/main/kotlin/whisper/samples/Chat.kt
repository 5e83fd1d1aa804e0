package whisper.samples

import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit
import kotlin.concurrent.thread
import kotlin.system.exitProcess
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.runBlocking
import whisper.Identity
import whisper.Node
import whisper.NodeConfig
import whisper.PublicKey
import whisper.WhisperException

/** Talks to somebody, end-to-end encrypted, over a network of strangers: looks as the Rust chat does. */
fun main(arguments: Array<String>) {
    if (arguments.isEmpty() || arguments.any { it == "--help" || it == "-h" }) return println(HELP)
    val interrupt = Interrupt()
    val code =
        try {
            runBlocking(Dispatchers.Default) { chat(Options.of(arguments, NAMES), interrupt) }
            0
        } catch (error: IllegalArgumentException) {
            complain(error.message.orEmpty(), 2)
        } catch (error: WhisperException) {
            complain(error.toString(), 1)
        }
    interrupt.isOver(code)
}

private suspend fun chat(options: Options, interrupt: Interrupt) {
    val config = NodeConfig(
        peers = options.all("--peer"),
        listen = options.last("--listen"),
        keyFile = options.last("--node-key"),
    )
    Node.start(config).use { node ->
        node.address()?.let { println("* your address: $it") }
        val identity = options.last("--key")?.let(Identity::fromFile) ?: Identity.generate()
        println("* your key:     ${identity.publicKey()}")
        println("* /quit or Ctrl-C ends the chat and wipes its keys")
        if (config.listen == null && config.peers.isEmpty()) {
            println("* no peer is known and nobody can come: use --peer or --listen")
        }
        val talk = Terminal(options.last("--name") ?: "you", node.converse(identity))
        options.last("--to")?.let { talk.invite(PublicKey.of(it)) }
        talk.run(node, interrupt.came)
        talk.leave()
        node.shutdown()
        println("* the keys are wiped")
    }
}

private fun complain(text: String, code: Int): Int {
    System.err.println("chat: $text")
    return code
}

/** Ctrl-C: the virtual machine ends once the chat has said goodbye. */
internal class Interrupt {
    val came = CompletableDeferred<Unit>()
    private val over = CountDownLatch(1)
    private var code = 1

    init {
        Runtime.getRuntime().addShutdownHook(
            thread(start = false) {
                came.complete(Unit)
                over.await(GOODBYE_SECONDS, TimeUnit.SECONDS)
                // Otherwise it would be that of a program that was killed.
                Runtime.getRuntime().halt(code)
            },
        )
    }

    fun isOver(code: Int): Nothing {
        this.code = code
        System.out.flush()
        over.countDown()
        exitProcess(code)
    }
}

private const val GOODBYE_SECONDS = 15L

private val NAMES = mapOf(
    "--listen" to "ADDRESS",
    "--peer" to "ENODE",
    "--to" to "PUBLIC KEY",
    "--key" to "FILE",
    "--name" to "NAME",
    "--node-key" to "FILE",
)

private val HELP = """
    Talks to somebody, end-to-end encrypted, over a network of strangers.

    Usage: chat [OPTIONS]

    Options:
          --listen <ADDRESS>  Where to listen for peers
          --peer <ENODE>      A peer to stay connected to; may be given several times
          --to <PUBLIC KEY>   Whom to talk to; without it the chat waits to be invited
          --key <FILE>        The file of your own key, made if there is none; without it the key is new each time
          --name <NAME>       How you are called on your own screen [default: you]
          --node-key <FILE>   The file of the node's key, made if there is none; without it the key is new each time
      -h, --help              Print help

    Two terminals on this machine, the first listening:
      chat --listen 127.0.0.1:30303 --name alice
      chat --peer enode://… --to 04… --name bob (both as the first one printed)
    Through a relay, start `relay` and give its enode to both with --peer.
""".trimIndent()
