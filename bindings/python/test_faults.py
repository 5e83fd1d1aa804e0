"""A defect inside arrives as an exception, whatever was called, and does not outlive the call.

Runs against a library that fails on request: the file that WHISPER_PANIC_FILE names holds the name of
the function whose next call panics.
"""

import asyncio
import contextlib
import datetime
import os
import pathlib
import re
import tempfile
import unittest

import whisper_messaging as whisper

NOW = datetime.datetime(2026, 11, 25, tzinfo=datetime.timezone.utc)
TTL = datetime.timedelta(seconds=50)
SOURCES = pathlib.Path(__file__).resolve().parents[1] / "src"
PATIENCE = 20


def names():
    """Every function that the library can be asked to fail in."""
    sources = "".join(path.read_text() for path in SOURCES.rglob("*.rs"))
    return set(re.findall(r'faults::enter\("([^"]+)"\)', sources))


class Faults(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.file = pathlib.Path(self.folder.name) / "panic"
        os.environ["WHISPER_PANIC_FILE"] = str(self.file)
        self.left = names()
        self.identity = whisper.Identity.generate()
        self.peer = whisper.Identity.generate().public_key()
        self.key = whisper.SymmetricKey.generate()

    async def asyncTearDown(self):
        self.folder.cleanup()

    async def fails_once(self, name, call, poisons=False):
        """`call` makes anew what it needs, so that it can be called again."""
        self.file.write_text(name)
        with self.assertRaises(whisper.InternalError, msg=name) as caught:
            await self.outcome(call)
        self.assertIn(f"injected into {name}", str(caught.exception))
        self.assertFalse(self.file.exists(), name)
        if poisons:
            with self.assertRaises(whisper.WhisperError.Poisoned, msg=name):
                await self.outcome(call)
        else:
            # Errors of our own are fine: the call got through.
            with contextlib.suppress(whisper.WhisperError):
                await self.outcome(call)
        self.left.remove(name)

    async def outcome(self, call):
        result = call()
        if asyncio.iscoroutine(result):
            result = await asyncio.wait_for(result, PATIENCE)
        return result

    async def test_every_function_that_does_work(self):
        await self.values_and_keys()
        await self.engines()
        await self.headers()
        await self.nodes()
        self.assertEqual(self.left, set(), "functions that nobody makes fail")

    async def values_and_keys(self):
        kind, secret = whisper.Identity, b"\1" * 32
        sealed = self.identity.seal(self.key)
        path = str(pathlib.Path(self.folder.name) / "identity")
        await self.fails_once("Identity.generate", kind.generate)
        await self.fails_once("Identity.from_secret", lambda: kind.from_secret(secret))
        await self.fails_once("Identity.from_file", lambda: kind.from_file(path))
        await self.fails_once("Identity.unseal", lambda: kind.unseal(sealed, self.key))
        await self.fails_once("Identity.seal", lambda: self.identity.seal(self.key))
        await self.fails_once("Identity.decrypt", lambda: self.identity.decrypt(b""))
        kind = whisper.SymmetricKey
        await self.fails_once("SymmetricKey.generate", kind.generate)
        await self.fails_once("SymmetricKey.from_secret", lambda: kind.from_secret(secret))
        await self.fails_once("SymmetricKey.from_password", lambda: kind.from_password(b"x"))
        await self.fails_once("SymmetricKey.decrypt", lambda: self.key.decrypt(b""))
        sharers = whisper.Recipient.SHARERS(self.key)
        await self.fails_once("encrypt", lambda: whisper.encrypt(b"", sharers))
        draft = whisper.Draft(NOW, TTL, "01020304", b"")
        await self.fails_once("Draft.new", lambda: whisper.Draft(NOW, TTL, "01020304", b""))
        await self.fails_once("Draft.work_for", lambda: draft.work_for(0.2))
        await self.fails_once("Draft.find", lambda: draft.find(0, 1, 1))
        await self.fails_once("Draft.seal", lambda: draft.seal(0))
        await self.fails_once("Draft.mine", lambda: draft.mine(0.2))
        envelope = draft.seal(0)
        await self.fails_once("Envelope.encode", envelope.encode)
        encoded = envelope.encode()
        await self.fails_once("Envelope.decode", lambda: whisper.Envelope.decode(encoded))

    async def engines(self):
        config, envelope = whisper.EngineConfig(), whisper.Draft(NOW, TTL, "01020304", b"").seal(0)
        await self.fails_once("Engine.new", lambda: whisper.Engine(config))
        filter_ = whisper.Filter(reader=whisper.Reader.SHARER(self.key))
        calls = {
            "connected": lambda engine: engine.connected(NOW, 1, True),
            "disconnected": lambda engine: engine.disconnected(NOW, 1),
            "receive": lambda engine: engine.receive(NOW, 1, 0, b""),
            "written": lambda engine: engine.written(NOW, 1, 1),
            "tick": lambda engine: engine.tick(NOW),
            "publish": lambda engine: engine.publish(NOW, envelope),
            "add_filter": lambda engine: engine.add_filter(filter_),
            "remove_filter": lambda engine: engine.remove_filter(1),
            "invite": lambda engine: engine.invite(NOW, self.peer, ""),
            "send": lambda engine: engine.send(NOW, self.peer, b""),
            "accept": lambda engine: engine.accept(NOW, self.peer),
            "decline": lambda engine: engine.decline(NOW, self.peer),
            "hang_up": lambda engine: engine.hang_up(NOW, self.peer),
            "add_contact": lambda engine: engine.add_contact(NOW, self.peer),
            "burn": lambda engine: engine.burn(),
        }
        for name, call in calls.items():
            engine = whisper.Engine(config, self.identity)
            await self.fails_once(f"Engine.{name}", lambda: call(engine), poisons=True)
        engine = whisper.Engine(config, self.identity)
        await self.fails_once("Engine.wake_at", engine.wake_at)
        await self.fails_once("Engine.advised_rating", engine.advised_rating)

    async def headers(self):
        regtest = whisper.LedgerNetwork.REGTEST
        await self.fails_once("LightClient.new", lambda: whisper.LightClient(regtest))
        client = whisper.LightClient(regtest)
        await self.fails_once("LightClient.tip", client.tip)
        await self.fails_once("LightClient.at", lambda: client.at(0))
        await self.fails_once("LightClient.check_name", lambda: client.check_name("abc", b""))
        await self.fails_once("LightClient.check_transaction", lambda: client.check_transaction(b""))
        await self.fails_once("LightClient.accept", lambda: client.accept(NOW, b""), poisons=True)
        root = bytes(32)
        await self.fails_once("check_inclusion", lambda: whisper.check_inclusion(b"", 0, 1, [], root))
        await self.fails_once("check_directory", lambda: whisper.check_directory("abc", None, b"", root))

    async def nodes(self):
        config = whisper.NodeConfig(listen="127.0.0.1:0", ledger=True)
        await self.fails_once("Node.start", lambda: whisper.Node.start(config))
        node = await whisper.Node.start(config)
        sharers = whisper.Recipient.SHARERS(self.key)
        post = whisper.Post(recipient=sharers, payload=b"")
        filter_ = whisper.Filter(reader=whisper.Reader.SHARER(self.key))
        await self.fails_once("Node.dial", lambda: node.dial("enode://"))
        await self.fails_once("Node.peers", node.peers)
        await self.fails_once("Node.post", lambda: node.post(post))
        await self.fails_once("Node.post_when_ready", lambda: node.post_when_ready(post))
        await self.fails_once("Node.subscribe", lambda: node.subscribe(filter_))
        await self.fails_once("Node.converse", lambda: node.converse(self.identity))
        await self.fails_once("Node.suspend", node.suspend)
        await self.fails_once("Node.resume", node.resume)
        await self.fails_once("Node.network_changed", node.network_changed)
        await self.fails_once("Node.acknowledge", lambda: node.acknowledge(0))
        await self.waiting("Node.next_event", node.next_event)
        await self.subscriptions(node, filter_)
        await self.deliveries(node, post)
        await self.conversations(node)
        await self.ledgers(node)
        await self.fails_once("Node.shutdown", node.shutdown)

    async def waiting(self, name, call):
        """As `fails_once`, for what waits until it is given up."""
        token = whisper.CancelToken()
        token.cancel()
        await self.fails_once(name, lambda: call(token))

    async def subscriptions(self, node, filter_):
        found = await node.subscribe(filter_)
        await self.fails_once("Subscription.acknowledge", lambda: found.acknowledge(0))
        await self.waiting("Subscription.next_event", found.next_event)

    async def deliveries(self, node, post):
        delivery = node.post(post)
        await self.waiting("Delivery.sent", delivery.sent)
        await self.waiting("Delivery.changed", lambda token: delivery.changed(cancel=token))
        await self.fails_once("Delivery.give_up", delivery.give_up)

    async def conversations(self, node):
        talk = await node.converse(whisper.Identity.generate())
        peer = self.peer
        await self.fails_once("Conversations.invite", lambda: talk.invite(peer, ""))
        sent = await talk.invite(whisper.Identity.generate().public_key(), "")
        await self.waiting("SentMessage.sent", sent.sent)
        await self.fails_once("Conversations.send", lambda: talk.send(peer, b""))
        await self.fails_once("Conversations.accept", lambda: talk.accept(peer))
        await self.fails_once("Conversations.decline", lambda: talk.decline(peer))
        await self.fails_once("Conversations.add_contact", lambda: talk.add_contact(peer))
        await self.fails_once("Conversations.remove_contact", lambda: talk.remove_contact(peer))
        await self.fails_once("Conversations.contacts", talk.contacts)
        await self.fails_once("Conversations.acknowledge", lambda: talk.acknowledge(0))
        await self.waiting("Conversations.next_event", talk.next_event)
        await self.fails_once("Conversations.hang_up", lambda: talk.hang_up(peer))
        await self.fails_once("Conversations.burn", talk.burn)

    async def ledgers(self, node):
        regtest = whisper.LedgerNetwork.REGTEST
        await self.fails_once("Node.follow_ledger", lambda: node.follow_ledger(regtest))
        ledger = await node.follow_ledger(regtest)
        block, transaction = "00" * 32, "00" * 32
        await self.fails_once("LightLedger.tip", ledger.tip)
        await self.fails_once("LightLedger.at", lambda: ledger.at(0))
        await self.fails_once("LightLedger.anchor", ledger.anchor)
        await self.fails_once("LightLedger.acknowledge", lambda: ledger.acknowledge(0))
        await self.waiting("LightLedger.next_event", ledger.next_event)
        await self.waiting("LightLedger.look_up", lambda token: ledger.look_up("abc", token))
        await self.waiting("LightLedger.prove", lambda token: ledger.prove(block, transaction, token))


if __name__ == "__main__":
    unittest.main()
