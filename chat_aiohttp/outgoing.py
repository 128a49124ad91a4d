"""What leaves through the upgraded sockets: one write per member, and a bounded queue for who is slow. Layer 1.

The switchboard's sending half. It writes and queues; reading, and what happens to a socket that is gone or too slow, is
the switchboard's (switchboard.py), which is told through the functions given here.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from time import perf_counter
from typing import Final

from chat_aiohttp import frames
from chat_aiohttp.metrics import Metrics
from chat_aiohttp.restraint import Restrained

SLICE_CHECK: Final = 32  # members written to between two looks at the clock
_IOV_MAX: Final = 64  # buffers per writev
GONE: Final = -1


_Paced = tuple[asyncio.Future[None], int]
"""(done when the socket has taken everything, how many bytes were put outside the queue's bound)"""


class Socket(Restrained):
    """One upgraded connection. Only the switchboard touches *fd*; -1 once it is closed."""

    __slots__ = ("closing", "fd", "heard", "queue", "queued", "reader")

    def __init__(self) -> None:
        super().__init__()
        self.fd = GONE
        self.heard = True  # since the last ping
        self.closing = 0.0  # the loop's time at which a close under way is cut short; 0: not closing
        self.reader: frames.FrameReader | None = None
        self.queue: deque[bytes | memoryview] | None = None  # what a full socket did not take yet
        self.queued = 0

    @property
    def is_open(self) -> bool:
        """Whether frames may still be sent to it."""
        return self.fd >= 0 and not self.closing


class Outgoing:
    """Writes to sockets. *watch* is told when one has begun or ceased to wait for room; *gone* that a write found one
    dead, *slow* that one's queue is over *queue_bytes*, *written* that everything queued for one has left."""

    def __init__(
        self,
        *,
        queue_bytes: int,
        slice_s: float,
        metrics: Metrics,
        watch: Callable[[Socket], None],
        gone: Callable[[Socket], None],
        slow: Callable[[Socket], None],
        written: Callable[[Socket], None],
    ) -> None:
        self._queue_bytes = queue_bytes
        self.slice_s = slice_s
        self._metrics = metrics
        self._watch = watch
        self._gone = gone
        self._slow = slow
        self._written = written
        self._paced: dict[Socket, list[_Paced]] = {}

    def send(self, socket: Socket, data: bytes) -> None:
        """Write one frame to one socket, or queue it, or close the socket as slow. Never waits, never raises."""
        if not socket.is_open:
            return
        self._metrics.bytes_out += len(data)
        if socket.queue:
            self._enqueue(socket, data)
            return
        written = self._write(socket, data)
        if 0 <= written < len(data):
            self._enqueue(socket, memoryview(data)[written:] if written else data)

    async def send_paced(self, socket: Socket, data: bytes) -> bool:
        """Write *data* and wait until the socket has taken all of it: a resume goes at its reader's own pace and does
        not count against its queue. False when the socket is gone. Ends: the ping wheel cuts who makes no progress."""
        if not socket.is_open:
            return False
        self._metrics.bytes_out += len(data)
        if socket.queue:
            socket.queue.append(data)
            socket.queued += len(data)
        else:
            written = self._write(socket, data)
            if written in (-1, len(data)):
                return written >= 0
            self._hold(socket, memoryview(data)[written:] if written else data)
        # A resume and an older page may wait for the same socket.
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._paced.setdefault(socket, []).append((waiter, len(data)))
        await waiter
        return socket.is_open

    def _write(self, socket: Socket, data: bytes) -> int:
        """How many bytes the kernel took; -1 when the socket is gone."""
        try:
            return os.write(socket.fd, data)
        except BlockingIOError:
            return 0
        except OSError:
            self._gone(socket)
            return -1

    def fan_out(self, members: Sequence[Socket], start: int, data: bytes) -> int:
        """Write *data* once to each of *members* from index *start* on, for about one slice. Where it stopped:
        `len(members)` when all had their turn, else call again, later, with what it returned."""
        write, size, end = os.write, len(data), len(members)
        deadline = perf_counter() + self.slice_s if end > SLICE_CHECK else 0.0
        while start < end:
            stop = start + SLICE_CHECK
            for socket in members[start:stop] if end > SLICE_CHECK else members:
                if socket.closing or socket.fd < 0:
                    continue
                if socket.queue:
                    self._enqueue(socket, data)
                    continue
                try:
                    written = write(socket.fd, data)
                except BlockingIOError:
                    written = 0
                except OSError:
                    self._gone(socket)
                    continue
                if written != size:
                    self._enqueue(socket, memoryview(data)[written:] if written else data)
            start = stop
            if start < end and perf_counter() > deadline:
                return start
        return end

    def _enqueue(self, socket: Socket, data: bytes | memoryview) -> None:
        if socket.queued + len(data) > self._queue_bytes + self._paced_bytes(socket):
            self._slow(socket)
            return
        if socket.queue:
            socket.queue.append(data)
            socket.queued += len(data)
        else:
            self._hold(socket, data)

    def _paced_bytes(self, socket: Socket) -> int:
        return sum(size for _, size in self._paced[socket]) if socket in self._paced else 0

    def _hold(self, socket: Socket, data: bytes | memoryview) -> None:
        socket.queue = deque((data,))
        socket.queued = len(data)
        self._watch(socket)

    def write_queue(self, socket: Socket) -> None:
        """*socket* has room again."""
        queue = socket.queue
        if queue:
            try:
                written = os.writev(socket.fd, [*islice(queue, _IOV_MAX)])
            except BlockingIOError:
                return
            except OSError:
                self._gone(socket)
                return
            socket.heard = True  # it reads: alive, though our pings wait behind its queue
            self._forget_written(socket, queue, written)
        if not queue:
            self._queue_empty(socket)

    def _forget_written(self, socket: Socket, queue: deque[bytes | memoryview], written: int) -> None:
        socket.queued -= written
        while written:
            first = queue[0]
            if written < len(first):
                queue[0] = memoryview(first)[written:]
                return
            written -= len(first)
            queue.popleft()

    def _queue_empty(self, socket: Socket) -> None:
        socket.queue = None
        self._watch(socket)
        self.wake_paced(socket)
        self._written(socket)

    def drop_queue(self, socket: Socket) -> None:
        """Forget what waits for *socket*, but not the rest of a frame that has begun."""
        # A frame that is half written must be finished, or the peer reads the close frame as its middle.
        if socket.queue:
            first = socket.queue[0]
            socket.queue.clear()
            socket.queued = 0
            if isinstance(first, memoryview):
                socket.queue.append(first)
                socket.queued = len(first)

    def put_goodbye(self, socket: Socket, goodbye: bytes) -> bool:
        """Write or queue it, whatever the queue's bound; False when the socket is gone."""
        if socket.queue:
            socket.queue.append(goodbye)
            socket.queued += len(goodbye)
            return True
        written = self._write(socket, goodbye)
        if 0 <= written < len(goodbye):
            self._hold(socket, memoryview(goodbye)[written:])
        return written >= 0

    def wake_paced(self, socket: Socket) -> None:
        """Nobody needs to wait for *socket* any more: it has taken everything, or nothing more can be sent to it."""
        for waiter, _ in self._paced.pop(socket, ()):
            if not waiter.done():
                waiter.set_result(None)
