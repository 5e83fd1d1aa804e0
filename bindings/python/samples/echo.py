"""Says back to everybody what they say. Prints the address of its node and its key first.

    python3 echo.py [IP:PORT]
"""

import asyncio
import sys

from whisper_messaging import ConversationEvent, Identity, Node, NodeConfig


async def echo(listen: str) -> None:
    async with await Node.start(NodeConfig(listen=listen)) as node:
        identity = Identity.generate()
        print(node.address(), identity.public_key(), flush=True)
        talk = await node.converse(identity)
        async for event in talk.events():
            if isinstance(event, ConversationEvent.INVITED):
                await talk.accept(event.peer)
            elif isinstance(event, ConversationEvent.RECEIVED):
                await talk.send(event.peer, event.payload)


asyncio.run(echo(sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:0"))
