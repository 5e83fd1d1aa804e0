"""What Python adds by hand: ``async for`` over events and states, ``async with`` over a node.

``stage`` makes these classes bases of the generated ones.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any, AsyncIterator, Generic, Optional, Protocol, TypeVar

Self = TypeVar("Self")
Event = TypeVar("Event")
State = TypeVar("State")


class Events(AsyncIterator[Event]):
    """Events, one at a time and at least once.

    An event is acknowledged when the loop comes for the next one. A loop that is left before that, by
    ``break``, an exception or a cancelled task, finds the same event again when it is entered anew. The
    events end with the node.

    One loop at a time: two of them get the same events.
    """

    def __init__(self, source: Any) -> None:
        self._source = source
        self._unacknowledged: Optional[int] = None

    async def __anext__(self) -> Event:
        if self._unacknowledged is not None:
            self._source.acknowledge(self._unacknowledged)
            self._unacknowledged = None
        numbered = await self._source.next_event()
        if numbered is None:
            raise StopAsyncIteration
        self._unacknowledged = numbered.number
        return numbered.event


class States(AsyncIterator[State]):
    """How far a post is, from where it stands up to the last state.

    Quick changes may be skipped, the last state never is. Each loop gets them all.
    """

    def __init__(self, delivery: Any) -> None:
        self._delivery = delivery
        self._known: Optional[State] = None

    async def __anext__(self) -> State:
        state = await self._delivery.changed(self._known)
        if state is None:
            raise StopAsyncIteration
        self._known = state
        return state


class Source(Generic[Event]):
    """What events come from."""

    def events(self) -> Events[Event]:
        """What happens, event by event: ``async for event in ….events()``."""
        return Events(self)


class Followed(Generic[State]):
    """What goes from state to state."""

    def states(self) -> States[State]:
        """How far it is, state by state: ``async for state in ….states()``."""
        return States(self)


class Running(Protocol):
    """What is shut down at the end: ``async with await Node.start(config) as node``."""

    async def shutdown(self) -> None:
        """Ends it."""

    async def __aenter__(self: Self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        await self.shutdown()
