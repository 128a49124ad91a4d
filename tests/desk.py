"""A switchboard on its own, with peers at its lines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager

from chat_aiohttp import frames
from chat_aiohttp.limits import IntakeRules
from chat_aiohttp.outgoing import Socket
from chat_aiohttp.switchboard import Switchboard
from tests.frame_bytes import TEXT
from tests.peers import Peer, Recorder, adopt, loopback

QUEUE = 65_536


class Desk:
    """A switchboard, what it told, and the peers at its lines."""

    def __init__(self, told: Recorder, board: Switchboard, lines: ExitStack) -> None:
        self.told = told
        self.board = board
        self._lines = lines

    def call(self, buffer_bytes: int = 0) -> tuple[Socket, Peer]:
        """A new connection: our end and the peer's."""
        server, client = self._lines.enter_context(loopback(buffer_bytes))
        return adopt(self.board, server), Peer(client)

    def fill(self, socket: Socket, frame: bytes) -> int:
        """Send *frame* until something waits in the socket's queue; how often."""
        for count in range(1, 100_000):
            self.board.send(socket, frame)
            if socket.queue:
                return count
        raise AssertionError("the kernel takes everything")


@asynccontextmanager
async def opened_desk(intake: IntakeRules | None = None) -> AsyncIterator[Desk]:
    """A switchboard that serves; at the end nothing of it may be left, and none of its callbacks may have failed."""
    told = Recorder()
    board = Switchboard(
        on_message=told.on_message,
        on_gone=told.on_gone,
        max_message_bytes=QUEUE,
        queue_bytes=QUEUE,
        slice_s=0.002,
        intake=intake,
    )
    board.start()
    failures: list[object] = []  # the loop would only log them
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
    with ExitStack() as lines:
        yield Desk(told, board, lines)
        board.stop()
    assert board.count == 0
    assert not failures


def text(payload: bytes) -> bytes:
    return frames.frame(TEXT, payload)
