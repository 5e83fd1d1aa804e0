package whisper

import java.io.File
import java.time.Duration
import java.time.Instant
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.DynamicTest
import org.junit.jupiter.api.DynamicTest.dynamicTest
import org.junit.jupiter.api.Tag
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.TestFactory

/** Defects of the library, on purpose: on a library that was built for it, in a process of its own. */
@Tag("faults")
class FaultsTest {
    @Test
    fun `every function that can fail on purpose is provoked`() {
        val sources = File(repository, "bindings/src").walk().filter { it.extension == "rs" }
        val named = Regex("""faults::enter\("([^"]*)"\)""")
        val names = sources.flatMap { named.findAll(it.readText()) }.map { it.groupValues[1] }.toList()
        assertTrue(names.size >= 80, "names are found: $names")
        assertEquals(names.toSortedSet(), (alone.keys + together.keys).toSortedSet())
        assertEquals(setOf<String>(), poisoning - alone.keys)
    }

    @TestFactory
    fun `a defect without a node arrives as an exception`(): List<DynamicTest> =
        alone.map { (name, call) ->
            dynamicTest(name) { bounded { Alone().use { assertArrives(name) { it.call() } } } }
        }

    @TestFactory
    fun `a defect of what runs arrives as an exception`(): List<DynamicTest> =
        together.map { (name, call) ->
            dynamicTest(name) { bounded { withCompany { assertArrives(name) { it.call() } } } }
        }

    @Test
    fun `an engine that is poisoned says so everywhere`() {
        Alone().use { it ->
            arm("Engine.tick")
            refusal<InternalException> { it.engine.tick(it.now) }
            refusal<WhisperException.Poisoned> { it.engine.tick(it.now) }
            refusal<WhisperException.Poisoned> { it.engine.wakeAt() }
            refusal<WhisperException.Poisoned> { it.engine.advisedRating() }
            refusal<WhisperException.Poisoned> { it.engine.burn() }
            // A new one works.
            Engine(EngineConfig()).tick(it.now)
        }
    }

    /** The call fails once, and then does what it always did, or says that the object is poisoned. */
    private suspend fun assertArrives(name: String, call: suspend () -> Any?) {
        arm(name)
        val error = refusal<InternalException> { call() }
        assertTrue("injected into $name" in error.message.orEmpty(), "${error.message}")
        assertFalse(panicFile.exists(), "it was $name that has read the file")
        if (name in poisoning) {
            refusal<WhisperException.Poisoned> { call() }
        } else {
            call()
        }
        eventually { runningJobs() == 0uL }
    }

    private fun arm(name: String) = panicFile.writeText(name)

    private val panicFile = File(System.getenv("WHISPER_PANIC_FILE"))
}

/** Objects that need no node. */
private class Alone : AutoCloseable {
    val now: Instant = Instant.now()
    val identity = Identity.generate()
    val peer = Identity.generate().publicKey()
    val key = SymmetricKey.generate()
    val data = encrypt(ByteArray(1), Recipient.Sharers(key))
    val sealed = identity.seal(key)
    val draft = Draft(now, Duration.ofMinutes(1), Topic("01020304"), data)
    val envelope = draft.seal(0u)
    val engine = Engine(EngineConfig(minRating = EASY), identity).also { it.connected(now, PEER, true) }
    val client = LightClient(LedgerNetwork.REGTEST)
    val keyFile: File = File.createTempFile("whisper", ".key").also { it.delete() }

    override fun close() {
        keyFile.delete()
    }
}

private val alone: Map<String, suspend Alone.() -> Any?> = mapOf(
    "Identity.generate" to { Identity.generate() },
    "Identity.from_secret" to { Identity.fromSecret(ByteArray(32) { 1 }) },
    "Identity.from_file" to { Identity.fromFile(keyFile.path) },
    "Identity.unseal" to { Identity.unseal(sealed, key) },
    "Identity.seal" to { identity.seal(key) },
    "Identity.decrypt" to { identity.decrypt(encrypt(ByteArray(1), Recipient.Holder(identity.publicKey()))) },
    "SymmetricKey.generate" to { SymmetricKey.generate() },
    "SymmetricKey.from_secret" to { SymmetricKey.fromSecret(ByteArray(32) { 1 }) },
    "SymmetricKey.from_password" to { SymmetricKey.fromPassword(ByteArray(3)) },
    "SymmetricKey.decrypt" to { key.decrypt(data) },
    "encrypt" to { encrypt(ByteArray(1), Recipient.Sharers(key)) },
    "Envelope.decode" to { Envelope.decode(envelope.encode()) },
    "Envelope.encode" to { envelope.encode() },
    "Draft.new" to { Draft(now, Duration.ofMinutes(1), Topic("01020304"), data) },
    "Draft.work_for" to { draft.workFor(EASY) },
    "Draft.find" to { draft.find(0u, 1u, 0u) },
    "Draft.seal" to { draft.seal(0u) },
    "Draft.mine" to { draft.mine(EASY) },
    "Engine.new" to { Engine(EngineConfig(), identity) },
    "Engine.connected" to { engine.connected(now, PeerId(2u), false) },
    "Engine.disconnected" to { engine.disconnected(now, PEER) },
    "Engine.receive" to { engine.receive(now, PEER, 1u, ByteArray(1)) },
    "Engine.written" to { engine.written(now, PEER, 1u) },
    "Engine.tick" to { engine.tick(now) },
    "Engine.wake_at" to { engine.wakeAt() },
    "Engine.advised_rating" to { engine.advisedRating() },
    "Engine.publish" to { engine.publish(now, envelope) },
    "Engine.add_filter" to { engine.addFilter(Filter(Reader.Sharer(key))) },
    "Engine.remove_filter" to { engine.removeFilter(1u) },
    "Engine.invite" to { engine.invite(now, peer, "hello") },
    "Engine.send" to { engine.send(now, peer, ByteArray(1)) },
    "Engine.accept" to { engine.accept(now, peer) },
    "Engine.decline" to { engine.decline(now, peer) },
    "Engine.hang_up" to { engine.hangUp(now, peer) },
    "Engine.add_contact" to { engine.addContact(now, peer) },
    "Engine.burn" to { engine.burn() },
    "LightClient.new" to { LightClient(LedgerNetwork.REGTEST) },
    "LightClient.accept" to { client.accept(now, ByteArray(0)) },
    "LightClient.tip" to { client.tip() },
    "LightClient.at" to { client.at(0u) },
    "LightClient.check_name" to { refused { client.checkName("alice", ByteArray(1)) } },
    "LightClient.check_transaction" to { refused { client.checkTransaction(ByteArray(1)) } },
    "check_inclusion" to { refused { checkInclusion(ByteArray(1), 0u, 1u, listOf(), ByteArray(32)) } },
    "check_directory" to { refused { checkDirectory("alice", null, ByteArray(1), ByteArray(32)) } },
    "Node.start" to { Node.start(NodeConfig()).close() },
)

/** Those that a defect may leave half done: the object tells, from then on. */
private val poisoning = setOf(
    "Engine.connected", "Engine.disconnected", "Engine.receive", "Engine.written", "Engine.tick",
    "Engine.publish", "Engine.add_filter", "Engine.remove_filter", "Engine.invite", "Engine.send",
    "Engine.accept", "Engine.decline", "Engine.hang_up", "Engine.add_contact", "Engine.burn",
    "LightClient.accept",
)

/** Two nodes that know each other. Alice has invited Bob, who has not answered; all events wait. */
private class Company(
    val node: Node,
    val peer: Node,
    val alice: Conversations,
    val bob: Conversations,
    val subscription: Subscription,
    val ledger: LightLedger,
    val delivery: Delivery,
    val invitation: SentMessage,
) {
    val filter = Filter(Reader.Sharer(SymmetricKey.generate()))
    val stranger = Identity.generate().publicKey()
}

private suspend fun withCompany(test: suspend (Company) -> Unit) {
    easyNode(ledger = true).use { first ->
        easyNode(ledger = true).use { second ->
            val ledgers = listOf(first, second).map { it.followLedger(LedgerNetwork.REGTEST) }
            second.dial(first.address()!!)
            second.events().await<NodeEvent.Ready>()
            val key = SymmetricKey.generate()
            val subscription = second.subscribe(Filter(Reader.Sharer(key)))
            val delivery = first.post(Post(Recipient.Sharers(key), ByteArray(1)))
            val alice = first.converse(Identity.generate())
            val bob = second.converse(Identity.generate())
            val invitation = alice.invite(bob.publicKey(), "hello")
            bob.events().await<ConversationEvent.Invited>()
            subscription.events().await<SubscriptionEvent.Found>()
            ledgers[0].events().await<LedgerEvent.PeerReady>()
            test(Company(first, second, alice, bob, subscription, ledgers[0], delivery, invitation))
            ledgers.forEach { it.close() }
        }
    }
}

private val together: Map<String, suspend Company.() -> Any?> = mapOf(
    "Node.dial" to { node.dial(peer.address()!!) },
    "Node.peers" to { node.peers().single() },
    "Node.post" to { node.post(Post(Recipient.Holder(stranger), ByteArray(1))).sent() },
    "Node.post_when_ready" to { node.postWhenReady(Post(Recipient.Holder(stranger), ByteArray(1))).sent() },
    "Node.subscribe" to { node.subscribe(filter) },
    "Node.converse" to { node.converse(Identity.generate()) },
    "Node.follow_ledger" to { easyNode(ledger = true).use { it.followLedger(LedgerNetwork.REGTEST) } },
    "Node.next_event" to { node.nextEvent()!! },
    "Node.acknowledge" to { node.acknowledge(node.nextEvent()!!.number) },
    "Node.suspend" to { node.suspend() },
    "Node.resume" to { node.resume() },
    "Node.network_changed" to { node.networkChanged() },
    "Node.shutdown" to { node.shutdown() },
    "Conversations.invite" to { alice.invite(stranger, "hello") },
    "Conversations.send" to { alice.send(bob.publicKey(), "hello").sent() },
    "Conversations.accept" to { bob.accept(alice.publicKey()) },
    "Conversations.decline" to { bob.decline(alice.publicKey()) },
    "Conversations.hang_up" to { alice.hangUp(bob.publicKey()) },
    "Conversations.burn" to { alice.burn() },
    "Conversations.add_contact" to { alice.addContact(stranger) },
    "Conversations.remove_contact" to { alice.removeContact(bob.publicKey()) },
    "Conversations.contacts" to { alice.contacts().single() },
    "Conversations.next_event" to { bob.nextEvent()!! },
    "Conversations.acknowledge" to { bob.acknowledge(bob.nextEvent()!!.number) },
    "SentMessage.sent" to { invitation.sent() },
    "Delivery.sent" to { delivery.sent() },
    "Delivery.changed" to { delivery.changed() },
    "Delivery.give_up" to { delivery.giveUp() },
    "Subscription.next_event" to { subscription.nextEvent()!! },
    "Subscription.acknowledge" to { subscription.acknowledge(subscription.nextEvent()!!.number) },
    "LightLedger.tip" to { ledger.tip() },
    "LightLedger.at" to { ledger.at(0u)!! },
    "LightLedger.look_up" to { refused { ledger.lookUp("alice") } },
    "LightLedger.prove" to { refused { ledger.prove(ledger.tip().id, TxId("00".repeat(32))) } },
    "LightLedger.anchor" to { ledger.anchor() },
    "LightLedger.next_event" to { ledger.nextEvent()!! },
    "LightLedger.acknowledge" to { ledger.acknowledge(ledger.nextEvent()!!.number) },
)

/** A call that works is one that says why not. */
private inline fun refused(call: () -> Any?) {
    val error = refusal<Exception> { call() }
    if (error !is WhisperException || error is WhisperException.Poisoned) throw error
}
