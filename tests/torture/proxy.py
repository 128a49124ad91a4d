"""A TCP proxy whose line can be bad in many ways: slow, in crumbs, stalled, cut, gone without a word, or deaf one way.

It stands between clients and an instance, and between an instance and Redis. Changing how it is concerns every
connection that passes at that time and those that come. Bytes are never reordered.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import cast

CRUMB_BYTES = 512
CRUMB_S = 0.002


class Proxy:
    """Passes connections on to *port*. Listens on `port` of its own between `start` and `stop`."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._server: asyncio.Server | None = None
        self._ends: set[_End] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.delay_s = 0.0
        self.crumbles = False  # passes little pieces on, one after another
        self.is_stalled = False
        self.is_mute = False  # what comes from behind is swallowed
        self.is_hole = False  # everything is swallowed, and nobody is told
        self.port = 0

    async def start(self) -> Proxy:
        """Listen; the second time on the port it had."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _End(self, None), "127.0.0.1", self.port, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def stop(self) -> None:
        """Listen no more, and cut everything."""
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.cut()

    def heal(self) -> None:
        """Be a good line again; what was swallowed stays so, and its connections stay dead."""
        self.delay_s, self.crumbles, self.is_mute, self.is_hole = 0.0, False, False, False
        self.stall(False)

    def cut(self) -> None:
        """Break every connection, with a reset."""
        for end in list(self._ends):
            end.abort()

    def stall(self, is_stalled: bool) -> None:
        """Pass nothing on until it is over; then everything."""
        self.is_stalled = is_stalled
        for end in list(self._ends):
            end.hold(is_stalled)

    def swallow(self) -> None:
        """All connections are half open from now on: alive for both sides, and nothing ever comes through."""
        self.is_hole = True
        for end in list(self._ends):
            end.is_dead = True

    # -- what its ends tell it

    def opened(self, end: _End) -> None:
        self._ends.add(end)
        end.is_dead = self.is_hole
        if self.is_stalled:
            end.hold(True)
        if end.is_front:
            task = asyncio.get_running_loop().create_task(self._open_back(end))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def closed(self, end: _End) -> None:
        self._ends.discard(end)

    async def _open_back(self, front: _End) -> None:
        loop = asyncio.get_running_loop()
        try:
            _, back = await loop.create_connection(lambda: _End(self, front), "127.0.0.1", self._target)
        except OSError:
            front.abort()
            return
        front.meet(back)


class _End(asyncio.Protocol):
    """One side of a passing connection: the front faces who connected, the back whom they wanted."""

    _transport: asyncio.Transport

    def __init__(self, proxy: Proxy, front: _End | None) -> None:
        self._proxy = proxy
        self._other = front
        self.is_front = front is None
        self.is_dead = False
        self._kept: deque[tuple[float, bytes]] = deque()  # what the line carries: (when it arrives, the bytes)
        self._timer: asyncio.TimerHandle | None = None
        self._is_held = False

    # -- asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by name
        self._proxy.opened(self)

    def data_received(self, data: bytes) -> None:
        if self.is_dead or (not self.is_front and self._proxy.is_mute):
            return
        if self._other is None or self._kept or self._proxy.delay_s or self._proxy.crumbles:
            self._keep(data)
        else:
            self._other.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._proxy.closed(self)
        if self._timer is not None:
            self._timer.cancel()
        if self._other is not None and not self.is_dead:
            self._pass_all()
            self._other.close(is_reset=exc is not None)

    def pause_writing(self) -> None:
        if self._other is not None:
            self._other.hold(True)

    def resume_writing(self) -> None:
        if self._other is not None:
            self._other.hold(self._proxy.is_stalled)

    # -- the other end's and the proxy's side

    def write(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)

    def close(self, *, is_reset: bool) -> None:
        self._transport.abort() if is_reset else self._transport.close()

    def abort(self) -> None:
        self._transport.abort()

    def hold(self, is_held: bool) -> None:
        if is_held == self._is_held or self._transport.is_closing():
            return
        self._is_held = is_held
        self._transport.pause_reading() if is_held else self._transport.resume_reading()

    def meet(self, back: _End) -> None:
        self._other = back
        if self._transport.is_closing():
            back.abort()
        elif not (self._proxy.delay_s or self._proxy.crumbles):
            self._pass_all()
        else:
            self._wait()

    # -- a slow line

    def _keep(self, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        due = max(loop.time() + self._proxy.delay_s, self._kept[-1][0] if self._kept else 0.0)
        if self._proxy.crumbles:
            for start in range(0, len(data), CRUMB_BYTES):
                due += CRUMB_S
                self._kept.append((due, data[start : start + CRUMB_BYTES]))
        else:
            self._kept.append((due, data))
        self._wait()

    def _wait(self) -> None:
        if self._other is not None and self._timer is None and self._kept:
            self._timer = asyncio.get_running_loop().call_at(self._kept[0][0], self._pass_due)

    def _pass_due(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        while self._kept and self._kept[0][0] <= now:
            _, data = self._kept.popleft()
            if self._other is not None and not self.is_dead:
                self._other.write(data)
        self._wait()

    def _pass_all(self) -> None:
        while self._kept and self._other is not None:
            self._other.write(self._kept.popleft()[1])
