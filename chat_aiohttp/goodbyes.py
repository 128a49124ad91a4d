"""Closing upgraded sockets: the close frame goes out, the peer answers, and both waits have an end. Layer 1.

RFC 6455 section 7: our half is shut when the goodbye has left, the descriptor is closed when the peer has said its own,
or when CLOSE_S are over. The switchboard (switchboard.py) owns the sockets; this says how they leave.
"""

from __future__ import annotations

import asyncio
import socket as sockets
from collections.abc import Callable
from time import perf_counter
from typing import Final

from chat_aiohttp import frames
from chat_aiohttp.outgoing import Outgoing, Socket

CLOSE_S: Final = 5.0  # how long a close handshake may take; then the descriptor is closed


class Goodbyes:
    """Closes under way. *left(socket, code)* is told when nothing can be sent to one any more, *cut* closes one now."""

    def __init__(
        self,
        *,
        out: Outgoing,
        left: Callable[[Socket, int], None],
        cut: Callable[[Socket], None],
    ) -> None:
        self._out = out
        self._left = left
        self._cut = cut
        self._closing: set[Socket] = set()

    def __len__(self) -> int:
        return len(self._closing)

    def say(self, socket: Socket, payload: bytes, code: int) -> None:
        """Send *socket* a close frame of *payload*, and wait for its own. Saying it twice is saying it once."""
        if not socket.is_open:
            return
        self._out.drop_queue(socket)
        if not self._out.put_goodbye(socket, frames.frame(frames.CLOSE, payload)):
            return
        socket.closing = asyncio.get_running_loop().time() + CLOSE_S
        self._closing.add(socket)
        if not socket.queue:
            _shut(socket)
        self._left(socket, code)
        self._out.wake_paced(socket)

    def written(self, socket: Socket) -> None:
        """Everything queued for *socket* has left; if that was our goodbye, nothing will follow."""
        if socket.closing:
            _shut(socket)

    def forget(self, socket: Socket) -> None:
        """*socket* is closed."""
        self._closing.discard(socket)

    def cut_overdue(self) -> None:
        """Close whom the goodbye has waited for long enough; in slices, since what the kernel still holds for each must
        be thrown away."""
        loop = asyncio.get_running_loop()
        now, deadline = loop.time(), perf_counter() + self._out.slice_s
        for socket in [socket for socket in self._closing if socket.closing <= now]:
            self._cut(socket)
            if perf_counter() > deadline:
                loop.call_soon(self.cut_overdue)
                return


def _shut(socket: Socket) -> None:
    # Our half only: close() with unread input becomes a reset, which can destroy our goodbye on its way.
    half = sockets.socket(fileno=socket.fd)
    try:
        half.shutdown(sockets.SHUT_WR)
    except OSError:
        pass
    finally:
        half.detach()
