"""Events and states in loops, and what happens when a loop is left."""

import asyncio
import unittest

from whisper_messaging import (
    ConversationEvent,
    DeliveryState,
    Filter,
    Identity,
    LedgerEvent,
    LedgerNetwork,
    Node,
    NodeConfig,
    NodeEvent,
    Post,
    Privacy,
    Reader,
    Recipient,
    SubscriptionEvent,
    SymmetricKey,
    WhisperError,
)

PATIENCE = 20


class Loops(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.relay = await Node.start(NodeConfig(listen="127.0.0.1:0", ledger=True, privacy=Privacy.FAST))
        config = NodeConfig(peers=[self.relay.address()], ledger=True, privacy=Privacy.FAST)
        self.phone = await Node.start(config)
        self.key = SymmetricKey.generate()

    async def asyncTearDown(self):
        await self.phone.shutdown()
        await self.relay.shutdown()

    async def first(self, events, kind):
        """The first event of a kind. It is not acknowledged."""

        async def reading():
            async for event in events:
                if isinstance(event, kind):
                    return event

        return await asyncio.wait_for(reading(), PATIENCE)

    def post(self, text):
        return Post(recipient=Recipient.SHARERS(self.key), payload=text, topic="01020304")

    async def test_an_event_comes_again_until_the_loop_has_gone_on(self):
        ready = await self.first(self.phone.events(), NodeEvent.READY)
        self.assertEqual(await self.first(self.phone.events(), NodeEvent), ready)
        await self.phone.suspend()
        events = self.phone.events()
        self.assertEqual(await anext_of(events), ready)
        gone = await anext_of(events)
        self.assertIsInstance(gone, NodeEvent.DISCONNECTED)
        self.assertEqual(await self.first(self.phone.events(), NodeEvent), gone)

    async def test_an_event_comes_again_to_whoever_throws_or_is_cancelled(self):
        found = await self.relay.subscribe(Filter(reader=Reader.SHARER(self.key)))
        await asyncio.wait_for(self.phone.post(self.post(b"important")).sent(), PATIENCE)
        with self.assertRaises(ZeroDivisionError):
            async for event in found.events():
                raise ZeroDivisionError
        seen = asyncio.Event()

        async def reading():
            async for event in found.events():
                seen.set()
                await asyncio.sleep(PATIENCE)

        reader = asyncio.ensure_future(reading())
        await asyncio.wait_for(seen.wait(), PATIENCE)
        reader.cancel()
        event = await self.first(found.events(), SubscriptionEvent.FOUND)
        self.assertEqual(event.received.message.payload, b"important")

    async def test_two_talk_in_loops(self):
        alice = await self.phone.converse(Identity.generate())
        bob = await self.relay.converse(Identity.generate())

        async def echo():
            async for event in bob.events():
                if isinstance(event, ConversationEvent.INVITED):
                    await bob.accept(event.peer)
                elif isinstance(event, ConversationEvent.RECEIVED):
                    await bob.send(event.peer, event.payload)

        echoing = asyncio.ensure_future(echo())
        await alice.invite(bob.public_key(), "hello")
        heard = await self.first(alice.events(), ConversationEvent.RECEIVED)
        self.assertEqual(heard.payload, b"hello")
        echoing.cancel()

    async def test_what_the_readme_shows(self):
        printed = []
        await asyncio.wait_for(self.shown(self.phone, printed.append), PATIENCE)
        self.assertEqual(printed, [b"hello, all"])

    async def shown(self, node, print):
        # readme:begin
        key = SymmetricKey.from_password(b"correct horse battery staple")
        found = await node.subscribe(Filter(reader=Reader.SHARER(key)))
        delivery = node.post(Post(recipient=Recipient.SHARERS(key), payload=b"hello, all"))
        await delivery.sent()
        async for event in found.events():
            if isinstance(event, SubscriptionEvent.FOUND):
                print(event.received.message.payload)
                break
        # readme:end

    async def test_a_ledger_tells_of_its_peers(self):
        ledgers = [await node.follow_ledger(LedgerNetwork.REGTEST) for node in (self.phone, self.relay)]
        for ledger in ledgers:
            ready = await self.first(ledger.events(), LedgerEvent.PEER_READY)
            self.assertEqual(ready.height, 0)

    async def test_states_begin_where_the_post_stands_and_end_with_the_last(self):
        delivery = self.phone.post(self.post(b"to all"))
        await self.first(delivery.states(), DeliveryState.ACKNOWLEDGED)
        states = delivery.states()
        self.assertEqual(await anext_of(states), DeliveryState.ACKNOWLEDGED(1))
        async with await Node.start(NodeConfig()) as alone:
            waiting = alone.post(self.post(b"to nobody"))
            states = waiting.states()
            self.assertEqual(await anext_of(states), DeliveryState.WAITING())
            waiting.give_up()
            self.assertEqual(await anext_of(states), DeliveryState.CANCELLED())
            with self.assertRaises(StopAsyncIteration):
                await anext_of(states)

    async def test_events_end_with_the_node_and_a_node_with_its_block(self):
        with self.assertRaises(ZeroDivisionError):
            async with await Node.start(NodeConfig()) as node:
                talk = await node.converse(Identity.generate())
                found = await node.subscribe(Filter(reader=Reader.SHARER(self.key)))
                raise ZeroDivisionError
        for ended in (node, talk, found):
            with self.assertRaises(StopAsyncIteration):
                await anext_of(ended.events())
        with self.assertRaises(WhisperError.Ended):
            await node.peers()


async def anext_of(events):
    """`anext`, which Python has from 3.10 on, and not for ever."""
    return await asyncio.wait_for(events.__anext__(), PATIENCE)


if __name__ == "__main__":
    unittest.main()
