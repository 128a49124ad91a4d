"""Workers of one supervisor that ask each other how they are. Layer 4.

What a worker counts is its own, and a scrape reaches one of them: that one asks the others. A question is a datagram
that brings the descriptor which the answer is to be written to. So there is nothing in the file system, nobody else can
ask, and nothing is left behind after a kill. The boxes are made before the workers are forked and stay with their
supervisor: what is put into a dead worker's box finds its successor.

Whoever has not answered within ANSWER_S, because its loop is stuck or it is being started, has no answer.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from typing import Final

log = logging.getLogger(__name__)

ANSWER_S: Final = 1.0
MOST_BYTES: Final = 1_048_576  # of an answer

Answer = Callable[[], Awaitable[bytes]]


class Siblings:
    """The boxes of *count* workers. Made by whoever forks them."""

    def __init__(self, count: int) -> None:
        pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(count)]
        for pair in pairs:
            for end in pair:
                end.setblocking(False)
        self._boxes = [taken for taken, _ in pairs]
        self._slots = [put for _, put in pairs]

    def member(self, number: int) -> Sibling:
        """What worker *number* has of them."""
        return Sibling(number, self._boxes[number], self._slots)

    def close(self) -> None:
        """Let go of the boxes."""
        for end in (*self._boxes, *self._slots):
            end.close()


class Sibling:
    """One worker among its siblings."""

    def __init__(self, number: int, box: socket.socket, slots: list[socket.socket]) -> None:
        self.number = number
        self._box = box
        self._slots = slots
        self._answering: set[asyncio.Task[None]] = set()

    def listen(self, answer: Answer) -> None:
        """Answer every question with *answer*(), from now on, in the running loop; until `stop`."""
        asyncio.get_running_loop().add_reader(self._box, self._asked, answer)

    async def stop(self) -> None:
        """Answer nothing more."""
        asyncio.get_running_loop().remove_reader(self._box)
        for task in self._answering:
            task.cancel()
        await asyncio.gather(*self._answering, return_exceptions=True)

    async def ask(self) -> dict[int, bytes | None]:
        """What each of the others answers; None: nothing within ANSWER_S."""
        others = [number for number in range(len(self._slots)) if number != self.number]
        answers = await asyncio.gather(*map(self._ask, others))
        return dict(zip(others, answers, strict=True))

    async def _ask(self, number: int) -> bytes | None:
        ours, theirs = socket.socketpair()
        with ours:
            ours.setblocking(False)
            try:
                with theirs:
                    socket.send_fds(self._slots[number], [b"?"], [theirs.fileno()])
                async with asyncio.timeout(ANSWER_S):
                    return await _read(ours) or None
            except (OSError, TimeoutError):  # its box is full of questions, or it doesn't answer
                return None

    def _asked(self, answer: Answer) -> None:
        try:
            _, descriptors, _, _ = socket.recv_fds(self._box, 1, 1)
        except BlockingIOError:
            return
        for descriptor in descriptors:
            task = asyncio.get_running_loop().create_task(_reply(socket.socket(fileno=descriptor), answer))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)


async def _read(line: socket.socket) -> bytes:
    loop, parts, size = asyncio.get_running_loop(), list[bytes](), 0
    while (part := await loop.sock_recv(line, 65_536)) and size < MOST_BYTES:
        parts.append(part)
        size += len(part)
    return b"".join(parts)


async def _reply(line: socket.socket, answer: Answer) -> None:
    with line:
        line.setblocking(False)
        try:
            async with asyncio.timeout(ANSWER_S):
                await asyncio.get_running_loop().sock_sendall(line, await answer())
        except (OSError, TimeoutError):
            pass  # whoever asked waits no longer
        except Exception:
            log.exception("a sibling's question could not be answered")
