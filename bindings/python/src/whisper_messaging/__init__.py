"""Secure messaging in a trustless environment.

A ``Node`` runs by itself: sockets, clock and threads are its own. An ``Engine`` has none of them, for
programs that own their network. Keys, messages, envelopes, headers and proofs are values with pure
functions. Events are read with ``async for``, and whatever fails raises a ``WhisperError``.
"""

from ._generated import *
from ._generated import __all__ as _names
from ._layer import Events, States

__all__ = [*_names, "Events", "States"]
