package whisper

import java.time.Duration
import java.time.Instant
import kotlin.io.path.createTempDirectory
import kotlin.time.Duration.Companion.seconds
import kotlinx.coroutines.async
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.withTimeout
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

class NodeTest {
    @Test
    fun `what one node posts, another finds`() = bounded {
        withTwoNodes { first, second ->
            val bob = Identity.generate()
            val alice = Identity.generate()
            val topic = Topic("01020304")
            val filter = Filter(Reader.Holder(bob), topics = listOf(topic), signer = alice.publicKey())
            second.subscribe(filter).use { subscription ->
                val to = Recipient.Holder(bob.publicKey())
                val post = Post(to, "hello".encodeToByteArray(), topic = topic, signer = alice)
                first.post(post).use { delivery ->
                    val last = withTimeout(30.seconds) {
                        delivery.states().first { it is DeliveryState.Acknowledged || it is DeliveryState.Sent }
                    }
                    assertTrue(last is DeliveryState.Acknowledged || last is DeliveryState.Sent)
                }
                val found = subscription.events().await<SubscriptionEvent.Found>().received
                assertEquals("hello", found.message.text)
                assertEquals(alice.publicKey(), found.message.signer)
                assertEquals(topic, found.topic)
                assertEquals(Duration.ofSeconds(50), found.ttl)
            }
        }
    }

    @Test
    fun `a post waits for room if it is told to`() = bounded {
        easyNode().use { node ->
            val large = Post(Recipient.Sharers(SymmetricKey.generate()), ByteArray(4_000 * 1_024))
            val filling = List(4) { node.post(large) }
            refusal<WhisperException.Unavailable> { node.post(large).sent() }
            val givenUp = async { node.postWhenReady(large) }
            eventually { runningJobs() == 1uL }
            val waiting = async { node.postWhenReady(large) }
            eventually { runningJobs() == 2uL }
            givenUp.cancelAndJoin()
            eventually { runningJobs() == 1uL }
            filling.first().giveUp()
            assertEquals(DeliveryState.Waiting, waiting.await().state())
        }
    }

    @Test
    fun `a node hides who wrote a post unless it is told not to`() = bounded {
        Node.start(NodeConfig(listen = "127.0.0.1:0", minRating = EASY)).use { relay ->
            val fast = NodeConfig(peers = listOf(relay.address()!!), minRating = EASY, privacy = Privacy.FAST)
            val hiding = fast.copy(privacy = null)
            val posts = listOf(fast, hiding).map { config ->
                val node = Node.start(config)
                node.events().await<NodeEvent.Ready>()
                node to node.post(Post(Recipient.Sharers(SymmetricKey.generate()), ByteArray(1)))
            }
            eventually { posts[1].second.state() == DeliveryState.Spread }
            assertEquals(DeliveryState.Acknowledged(1u), posts[0].second.state())
            posts.forEach { (node, _) -> node.shutdown() }
        }
    }

    @Test
    fun `two people converse, both ways, and hang up`() = bounded {
        withTwoNodes { first, second ->
            val alice = first.converse(Identity.generate())
            val bob = second.converse(Identity.generate())
            bob.addContact(alice.publicKey())
            assertEquals(listOf(alice.publicKey()), bob.contacts())

            val invitation = alice.invite(bob.publicKey(), "hello")
            invitation.sent()
            assertEquals("hello", bob.events().await<ConversationEvent.Received>().text)
            bob.send(alice.publicKey(), "hello yourself").sent()
            assertEquals("hello yourself", alice.events().await<ConversationEvent.Received>().text)
            val sent = alice.send(bob.publicKey(), "bye")
            assertEquals(invitation.session(), sent.session())
            val last = bob.events().await<ConversationEvent.Received> { it.name == sent.message() }
            assertEquals("bye", last.text)

            alice.hangUp(bob.publicKey())
            val over = bob.events().await<ConversationEvent.Over>()
            assertEquals(Ended.CLOSED_BY_PEER, over.why)
            refusal<WhisperException.Conversation> { bob.send(alice.publicKey(), "too late") }
        }
    }

    @Test
    fun `somebody who is no contact asks first`() = bounded {
        withTwoNodes { first, second ->
            val alice = first.converse(Identity.generate())
            val bob = second.converse(Identity.generate())
            alice.invite(bob.publicKey(), "hello")
            assertEquals(alice.publicKey(), bob.events().await<ConversationEvent.Invited>().peer)
            bob.accept(alice.publicKey())
            assertEquals("hello", bob.events().await<ConversationEvent.Received>().text)
            bob.removeContact(alice.publicKey())
            assertEquals(listOf<PublicKey>(), bob.contacts())
            bob.burn()
            refusal<WhisperException.Conversation> { bob.send(alice.publicKey(), "gone") }
        }
    }

    @Test
    fun `a node that is suspended has no peers, and has them again after it is resumed`() = bounded {
        withTwoNodes { first, second ->
            assertEquals(1, second.peers().size)
            second.suspend()
            first.events().await<NodeEvent.Disconnected>()
            eventually { second.peers().isEmpty() }
            second.resume()
            eventually { second.peers().any { it.ready } }
            val peer = second.peers().single()
            assertFalse(peer.inbound)
            assertEquals(EASY, peer.minRating)
        }
    }

    @Test
    fun `a node whose network has changed dials at once what it would dial in a minute`() = bounded {
        val key = createTempDirectory().resolve("key").toString()
        val useless = Node.start(NodeConfig(listen = "127.0.0.1:0", keyFile = key, light = true))
        val address = useless.address()!!
        Node.start(NodeConfig(peers = listOf(address), light = true)).use { node ->
            val told = node.events().await<NodeEvent.Unreachable>()
            assertTrue("both light" in told.reason, told.reason)
            useless.shutdown()
            val socket = address.substringAfter('@').substringBefore('?')
            Node.start(NodeConfig(listen = socket, keyFile = key)).use {
                node.networkChanged()
                withTimeout(20.seconds) { node.events().await<NodeEvent.Ready>() }
                assertTrue(Instant.now() < told.retryAt)
            }
        }
    }

    @Test
    fun `a node stays connected to what it dials`() = bounded {
        easyNode().use { first ->
            easyNode().use { second ->
                second.dial(first.address()!!)
                assertEquals(first.address(), second.events().await<NodeEvent.Connected>().address)
                second.events().await<NodeEvent.Ready>()
            }
        }
    }

    @Test
    fun `a node tells why it does not reach what it dials`() = bounded {
        val gone = easyNode().use { node -> node.address()!!.also { node.shutdown() } }
        easyNode(peers = listOf(gone)).use { node ->
            val started = Instant.now()
            val told = node.events().await<NodeEvent.Unreachable>()
            assertEquals(gone, told.address)
            assertTrue("nothing listens" in told.reason, told.reason)
            assertTrue(told.retryAt > started)
        }
    }

    @Test
    fun `the events of a node that is shut down end`() = bounded {
        easyNode().use { node ->
            val talks = node.converse(Identity.generate())
            val subscription = node.subscribe(Filter(Reader.Holder(Identity.generate())))
            val events = async { node.events().toList() }
            val heard = async { talks.events().toList() }
            val found = async { subscription.events().toList() }
            node.shutdown()
            assertEquals(listOf<NodeEvent>(), events.await())
            assertEquals(listOf<ConversationEvent>(), heard.await())
            assertEquals(listOf<SubscriptionEvent>(), found.await())
        }
    }

    @Test
    fun `a shutdown that is given up before it has begun goes on`() = bounded {
        easyNode().use { node ->
            val token = CancelToken()
            token.cancel()
            refusal<WhisperException.Cancelled> { node.shutdown(token) }
            assertEquals(listOf<NodeEvent>(), node.events().toList())
            refusal<WhisperException.Ended> { node.peers() }
        }
    }

    @Test
    fun `a node that does not listen has no address`() = bounded {
        Node.start(NodeConfig()).use { assertNull(it.address()) }
    }

    @Test
    fun `a node that follows the ledger knows its first block`() = bounded {
        easyNode(ledger = true).use { node ->
            node.followLedger(LedgerNetwork.REGTEST).use { ledger ->
                val tip = ledger.tip()
                assertEquals(0u, tip.height)
                assertEquals(tip.id, ledger.at(0u)?.id)
                assertEquals(tip.id, LightClient(LedgerNetwork.REGTEST).tip().id)
                assertNull(ledger.at(1u))
                assertNull(ledger.anchor())
            }
        }
    }

    @Test
    fun `a ledger that is followed anew meets the peers that are there`() = bounded {
        easyNode(ledger = true).use { first ->
            first.followLedger(LedgerNetwork.REGTEST).use { kept ->
                easyNode(peers = listOf(first.address()!!), ledger = true).use { second ->
                    repeat(2) {
                        second.followLedger(LedgerNetwork.REGTEST).use { it.events().await<LedgerEvent.PeerReady>() }
                    }
                }
                assertEquals(0u, kept.tip().height)
            }
        }
    }

    @Test
    fun `the ledgers of two nodes tell of each other`() = bounded {
        easyNode(ledger = true).use { first ->
            easyNode(ledger = true).use { second ->
                val ledgers = listOf(first, second).map { it.followLedger(LedgerNetwork.REGTEST) }
                second.dial(first.address()!!)
                for (ledger in ledgers) {
                    assertEquals(0u, ledger.events().await<LedgerEvent.PeerReady>().height)
                    ledger.close()
                }
            }
        }
    }
}
