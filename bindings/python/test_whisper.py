"""Two who talk, over engines that are driven by hand and over nodes with sockets."""

import asyncio
import datetime
import pathlib
import re
import tempfile
import unittest

from whisper_messaging import _generated
from whisper_messaging import (
    CancelToken,
    ConversationEvent,
    DeliveryState,
    Draft,
    Engine,
    EngineConfig,
    Envelope,
    Filter,
    Identity,
    LedgerNetwork,
    LightClient,
    Message,
    Node,
    NodeConfig,
    NodeEvent,
    Output,
    Post,
    Privacy,
    Reader,
    Recipient,
    SubscriptionEvent,
    SymmetricKey,
    WhisperError,
    encrypt,
    running_jobs,
)

NOW = datetime.datetime(2026, 11, 25, tzinfo=datetime.timezone.utc)
TTL = datetime.timedelta(seconds=50)
PATIENCE = 20


class Pair:
    """Two engines and the wire between them."""

    def __init__(self, *identities):
        self.engines = [Engine(EngineConfig(), identity) for identity in identities]
        self.told = [[], []]
        first = [engine.connected(NOW, 1, at == 1) for at, engine in enumerate(self.engines)]
        for at, outputs in enumerate(first):
            self.carry(at, outputs)

    def carry(self, at, outputs):
        for output in outputs:
            if isinstance(output, Output.TRANSMIT):
                self.carry(at, self.engines[at].written(NOW, 1, len(output.payload)))
                other = 1 - at
                answer = self.engines[other].receive(NOW, 1, output.code, output.payload)
                self.carry(other, answer)
            elif isinstance(output, Output.POST):
                engine = self.engines[at]
                work = output.draft.work_for(engine.advised_rating())
                envelope = output.draft.seal(output.draft.find(0, 1 << 30, work))
                self.carry(at, engine.publish(NOW, envelope))
            else:
                self.told[at].append(output)

    def heard(self, at):
        events = [output.event for output in self.told[at] if isinstance(output, Output.TALK)]
        received = ConversationEvent.RECEIVED
        return [event.payload for event in events if isinstance(event, received)]


class Engines(unittest.TestCase):
    def test_two_engines_talk(self):
        alice, bob = Identity.generate(), Identity.generate()
        pair = Pair(alice, bob)
        first, second = pair.engines
        pair.carry(0, first.invite(NOW, bob.public_key(), "hello"))
        self.assertEqual(pair.heard(1), [], "what a stranger says is withheld")
        pair.carry(1, second.accept(NOW, alice.public_key()))
        self.assertEqual(pair.heard(1), [b"hello"])
        pair.carry(1, second.send(NOW, alice.public_key(), b"good to hear from you"))
        self.assertEqual(pair.heard(0), [b"good to hear from you"])
        pair.carry(0, first.hang_up(NOW, bob.public_key()))
        self.assertIsInstance(pair.told[1][-1].event, ConversationEvent.OVER)

    def test_a_filter_finds_what_its_key_opens(self):
        pair = Pair(None, None)
        key = SymmetricKey.generate()
        number = pair.engines[1].add_filter(Filter(reader=Reader.SHARER(key), topics=["01020304"]))
        data = encrypt(b"to all", Recipient.SHARERS(key))
        draft = Draft(NOW, TTL, "01020304", data)
        work = draft.work_for(pair.engines[0].advised_rating())
        envelope = draft.seal(draft.find(0, 1 << 30, work))
        pair.carry(0, pair.engines[0].publish(NOW, envelope))
        found = [output for output in pair.told[1] if isinstance(output, Output.FOUND)]
        self.assertEqual(found[0].filters, [number])
        self.assertEqual(found[0].received.message.payload, b"to all")
        self.assertTrue(pair.engines[1].remove_filter(number))


class Nodes(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.server = await Node.start(NodeConfig(listen="127.0.0.1:0", privacy=Privacy.FAST))
        config = NodeConfig(peers=[self.server.address()], ledger=True, privacy=Privacy.FAST)
        self.phone = await Node.start(config)
        await self.ready(self.phone)

    async def asyncTearDown(self):
        await self.phone.shutdown()
        await self.server.shutdown()

    async def next(self, source):
        numbered = await asyncio.wait_for(source.next_event(), PATIENCE)
        source.acknowledge(numbered.number)
        return numbered.event

    async def ready(self, node):
        while not isinstance(await self.next(node), NodeEvent.READY):
            pass

    async def reaches(self, delivery, state):
        """Waits until a post has come so far. What hides its author takes seconds."""
        deadline = asyncio.get_running_loop().time() + 60
        while delivery.state() != state and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.01)
        self.assertEqual(delivery.state(), state)

    async def jobs(self, number):
        """Waits until so many calls run."""
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while running_jobs() != number and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.01)
        self.assertEqual(running_jobs(), number)

    async def hear(self, talk):
        while not isinstance(event := await self.next(talk), ConversationEvent.RECEIVED):
            pass
        return event.payload

    async def test_a_post_is_found(self):
        key = SymmetricKey.generate()
        found = await self.server.subscribe(Filter(reader=Reader.SHARER(key)))
        delivery = self.phone.post(Post(recipient=Recipient.SHARERS(key), payload=b"to all", topic="01020304"))
        await asyncio.wait_for(delivery.sent(), PATIENCE)
        event = await self.next(found)
        self.assertIsInstance(event, SubscriptionEvent.FOUND)
        self.assertEqual(event.received.message.payload, b"to all")

    async def test_a_node_hides_who_wrote_a_post_unless_it_is_told_not_to(self):
        async with await Node.start(NodeConfig(listen="127.0.0.1:0")) as relay:
            async with await Node.start(NodeConfig(peers=[relay.address()])) as hiding:
                await self.ready(hiding)
                post = Post(recipient=Recipient.SHARERS(SymmetricKey.generate()), payload=b"")
                fast, hidden = self.phone.post(post), hiding.post(post)
                await self.reaches(hidden, DeliveryState.SPREAD())
                self.assertEqual(fast.state(), DeliveryState.ACKNOWLEDGED(1))

    async def test_a_post_waits_for_room_if_it_is_told_to(self):
        async with await Node.start(NodeConfig()) as node:
            large = Post(recipient=Recipient.SHARERS(SymmetricKey.generate()), payload=bytes(4_000 << 10))
            filling = [node.post(large) for _ in range(4)]
            with self.assertRaises(WhisperError.Unavailable):
                await node.post(large).sent()
            given_up = asyncio.ensure_future(node.post_when_ready(large))
            await self.jobs(1)
            waiting = asyncio.ensure_future(node.post_when_ready(large))
            await self.jobs(2)
            given_up.cancel()
            await self.jobs(1)
            filling[0].give_up()
            delivery = await asyncio.wait_for(waiting, PATIENCE)
            self.assertEqual(delivery.state(), DeliveryState.WAITING())

    async def test_two_talk_and_an_event_comes_until_it_is_acknowledged(self):
        alice, bob = Identity.generate(), Identity.generate()
        alice_talks = await self.phone.converse(alice)
        bob_talks = await self.server.converse(bob)
        sent = await alice_talks.invite(bob.public_key(), "hello")
        await asyncio.wait_for(sent.sent(), PATIENCE)
        first = await asyncio.wait_for(bob_talks.next_event(), PATIENCE)
        again = await asyncio.wait_for(bob_talks.next_event(), PATIENCE)
        self.assertEqual(first, again)
        self.assertIsInstance(first.event, ConversationEvent.INVITED)
        bob_talks.acknowledge(first.number)
        await bob_talks.accept(alice.public_key())
        self.assertEqual(await self.hear(bob_talks), b"hello")
        await bob_talks.send(alice.public_key(), b"good to hear from you")
        self.assertEqual(await self.hear(alice_talks), b"good to hear from you")

    async def test_a_suspended_node_has_no_peers_until_it_resumes(self):
        await self.phone.suspend()
        while not isinstance(await self.next(self.phone), NodeEvent.DISCONNECTED):
            pass
        self.assertEqual(await self.phone.peers(), [])
        await self.phone.resume()
        await self.ready(self.phone)

    async def test_a_node_tells_why_it_does_not_reach_what_it_dials(self):
        gone = await Node.start(NodeConfig(listen="127.0.0.1:0"))
        address = gone.address()
        await gone.shutdown()
        started = datetime.datetime.now(datetime.timezone.utc)
        await self.phone.dial(address)
        while not isinstance(told := await self.next(self.phone), NodeEvent.UNREACHABLE):
            pass
        self.assertEqual(told.address, address)
        self.assertIn("nothing listens", told.reason)
        self.assertGreater(told.retry_at, started)

    async def test_a_node_whose_network_has_changed_dials_at_once_what_it_would_dial_in_a_minute(self):
        with tempfile.TemporaryDirectory() as folder:
            key = str(pathlib.Path(folder) / "key")
            useless = await Node.start(NodeConfig(listen="127.0.0.1:0", key_file=key, light=True))
            address = useless.address()
            async with await Node.start(NodeConfig(peers=[address], light=True)) as node:
                while not isinstance(told := await self.next(node), NodeEvent.UNREACHABLE):
                    pass
                self.assertIn("both light", told.reason)
                await useless.shutdown()
                socket = re.search("@([^?]+)", address).group(1)
                async with await Node.start(NodeConfig(listen=socket, key_file=key)):
                    await node.network_changed()
                    await self.ready(node)
                    self.assertLess(datetime.datetime.now(datetime.timezone.utc), told.retry_at)

    async def test_calls_that_are_given_up_are_gone(self):
        draft = Draft(datetime.datetime.now(datetime.timezone.utc), TTL, "01020304", b"")
        talk = await self.phone.converse(Identity.generate())
        found = await self.phone.subscribe(Filter(reader=Reader.SHARER(SymmetricKey.generate())))
        calls = (draft.mine(1e15), talk.next_event(), found.next_event())
        waiting = [asyncio.ensure_future(call) for call in calls]
        await self.jobs(len(calls))
        for call in waiting:
            call.cancel()
        token = CancelToken()
        mined = asyncio.ensure_future(draft.mine(1e15, token))
        token.cancel()
        with self.assertRaises(WhisperError.Cancelled):
            await mined
        await self.jobs(0)

    async def test_a_light_ledger_says_that_nobody_can_prove_anything(self):
        ledger = await self.phone.follow_ledger(LedgerNetwork.REGTEST)
        self.assertEqual((await ledger.tip()).height, 0)
        with self.assertRaises(WhisperError.Unavailable) as caught:
            await asyncio.wait_for(ledger.look_up("nobody"), PATIENCE)
        self.assertTrue(caught.exception.is_retryable())


class Errors(unittest.TestCase):
    def test_errors_have_a_code_a_text_and_advice(self):
        with self.assertRaises(WhisperError.Malformed) as caught:
            Envelope.decode(b"\xc0")
        error = caught.exception
        self.assertEqual((error.code(), error.is_retryable()), (1, False))
        self.assertIn("an envelope", str(error))
        with self.assertRaises(WhisperError.OutOfRange):
            Draft(NOW, datetime.timedelta(days=3), "01020304", b"")
        with self.assertRaises(WhisperError.Malformed):
            Draft(NOW, TTL, "no topic", b"")
        with self.assertRaises(WhisperError.NotOpened):
            SymmetricKey.generate().decrypt(bytes(100))
        with self.assertRaises(WhisperError.Unproven):
            LightClient(LedgerNetwork.REGTEST).accept(NOW, bytes(80))
        with self.assertRaises(WhisperError.Conversation):
            peer = Identity.generate().public_key()
            Engine(EngineConfig(), Identity.generate()).send(NOW, peer, b"")

    def test_huge_and_odd_input_is_an_error(self):
        huge = bytes(256 << 20)
        key, identity = SymmetricKey.generate(), Identity.generate()
        engine = Engine(EngineConfig())
        engine.connected(NOW, 1, True)
        for call in (Envelope.decode, key.decrypt, identity.decrypt):
            for data in [huge, *(bytes(length) for length in range(300))]:
                with self.assertRaises(WhisperError):
                    call(data)
        self.assertIn("Disconnect", str(engine.receive(NOW, 1, 1, huge)))
        for rating in (float("nan"), -1.0, float("inf")):
            with self.assertRaises(WhisperError.OutOfRange):
                Engine(EngineConfig(min_rating=rating))
        for name in ("", "\0", "ab" * (5 << 20), "é"):
            with self.assertRaises(WhisperError.Malformed):
                Draft(NOW, TTL, name, b"")


class Secrets(unittest.TestCase):
    def test_an_identity_crosses_sealed_only(self):
        identity, under = Identity.generate(), SymmetricKey.generate()
        sealed = identity.seal(under)
        self.assertEqual(Identity.unseal(sealed, under).public_key(), identity.public_key())
        with self.assertRaises(WhisperError.NotOpened):
            Identity.unseal(sealed, SymmetricKey.generate())

    def test_an_identity_stays_in_its_file(self):
        with tempfile.TemporaryDirectory() as folder:
            path = str(pathlib.Path(folder) / "identity")
            first, again = Identity.from_file(path), Identity.from_file(path)
            self.assertEqual(first.public_key(), again.public_key())

    def test_texts_of_messages_tell_sizes_only(self):
        message = Message(payload=b"the secret", padding=b"", signer=None)
        self.assertNotIn("secret", repr(message))
        self.assertEqual(message, Message(payload=b"the secret", padding=b"", signer=None))

    def test_no_method_of_a_key_returns_bytes_but_the_sealed_ones(self):
        source = pathlib.Path(_generated.__file__).read_text()
        for kind in ("Identity", "SymmetricKey"):
            body = re.search(rf"^class {kind}Protocol.*?(?=^class )", source, re.M | re.S)
            returned = re.findall(r"def (\w+)\([^)]*\) -> bytes", body.group())
            self.assertEqual(returned, ["seal"] if kind == "Identity" else [])


if __name__ == "__main__":
    unittest.main()
