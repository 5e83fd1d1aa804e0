"""Says hello to somebody, and prints the answer.

    python3 hello.py ADDRESS KEY
"""

import asyncio
import sys

from whisper_messaging import ConversationEvent, Identity, Node, NodeConfig


async def hello(relay: str, friend: str) -> None:
    # readme:begin
    async with await Node.start(NodeConfig(peers=[relay])) as node:
        talk = await node.converse(Identity.generate())
        message = await talk.invite(friend, "hello from Python")
        await message.sent()
        async for event in talk.events():
            if isinstance(event, ConversationEvent.RECEIVED):
                print(event.payload.decode())
                break
    # readme:end


asyncio.run(hello(sys.argv[1], sys.argv[2]))
