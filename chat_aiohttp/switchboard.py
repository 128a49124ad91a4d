"""The upgraded sockets: one poller reads them all, one write per member sends what a room has pending. Layer 1.

aiohttp does HTTP and the handshake; then a connection's descriptor is duplicated and handed to `adopt`, and from then
on nothing of aiohttp is left of it: no task, no request, no transport, no parser. What stays is a Socket of a few
words. One epoll (kqueue elsewhere), itself watched by the event loop, tells which of all the sockets can be read or
written.

It knows frames and bytes, not rooms and not JSON. Its promises:

* Whoever is slow delays nobody: a write never waits; what a full socket doesn't take waits in a queue of its own,
  bounded in bytes; over the bound the socket is closed as slow (4008), and its client resumes by id.
* A fan-out to many runs in slices of a few milliseconds, so that other rooms' readers don't wait for a large one.
* A dead peer is found within 2 * PING_S: whoever was silent between two pings is gone. One wheel, no timer per socket.
* Whoever sends too much that says nothing is not read until its allowance refills (restraint.py).
* Ending is bounded: a close waits CLOSE_S for the peer, then the descriptor is closed without further words.

Everything here is synchronous and runs in the loop's thread.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import perf_counter
from typing import Final

from chat_aiohttp import frames
from chat_aiohttp.closing import NO_CLOSE, Close
from chat_aiohttp.goodbyes import Goodbyes
from chat_aiohttp.limits import IntakeRules
from chat_aiohttp.metrics import Metrics
from chat_aiohttp.outgoing import GONE, Outgoing, Socket
from chat_aiohttp.poller import READ, WRITE, new_poller
from chat_aiohttp.restraint import LARGE_READ, Restraint

PING_S: Final = 25  # below every common proxy's idle limit (nginx: 60 s)
READ_SIZE: Final = 16_384  # per socket and turn: whoever sends more waits for the next turn like everybody
_TICKS: Final = 100  # the wheel turns once in PING_S; more ticks, shorter bursts of pings
_PING: Final = frames.frame(frames.PING, b"")


class Switchboard:
    """All upgraded sockets of this process.

    *on_message(socket, opcode, payload)* gets every text and binary message; *on_gone(socket, code)* is called once per
    socket, as soon as nothing can be sent to it any more, with the close code (NO_CLOSE: none came).
    """

    def __init__(
        self,
        *,
        on_message: Callable[[Socket, int, bytes], None],
        on_gone: Callable[[Socket, int], None],
        max_message_bytes: int,
        queue_bytes: int,
        slice_s: float,
        intake: IntakeRules | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self.metrics = metrics or Metrics()
        self.restraint: Restraint[Socket] = Restraint(intake or IntakeRules(), self.metrics)
        self._on_message = on_message
        self._on_gone = on_gone
        self._max_message_bytes = max_message_bytes
        self._out = Outgoing(
            queue_bytes=queue_bytes,
            slice_s=slice_s,
            metrics=self.metrics,
            watch=self._watch,
            gone=self._found_gone,
            slow=self._found_slow,
            written=lambda socket: self._goodbyes.written(socket),
        )
        self._goodbyes = Goodbyes(out=self._out, left=on_gone, cut=self._found_gone)
        self._poller = new_poller()
        self._by_fd: list[Socket | None] = []  # indexed by descriptor: 8 bytes a socket, and the ping wheel for free
        self._tick = 0
        self._again = False  # a look at those who are not read is due
        self._timer: asyncio.TimerHandle | None = None
        self.count = 0
        self._empty = asyncio.Event()

    def start(self) -> None:
        """Begin to serve, in the running loop."""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._poller.fileno(), self._poll)
        self._timer = self._loop.call_later(PING_S / _TICKS, self._turn_wheel)

    async def wait_empty(self, timeout_s: float) -> None:
        """Return when the last socket is closed, or after *timeout_s*."""
        self._empty.clear()
        if self.count:
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await self._empty.wait()

    def stop(self) -> None:
        """Close what is left, at once, and serve no more."""
        if self._timer is None:
            return
        for socket in self.sockets():
            self._cut(socket, Close.GOING_AWAY)
        self._timer.cancel()
        self._timer = None
        self._loop.remove_reader(self._poller.fileno())
        self._poller.close()

    def sockets(self) -> list[Socket]:
        """All that are not closed yet."""
        return [socket for socket in self._by_fd if socket is not None]

    # -- in

    def adopt(self, socket: Socket, fd: int) -> None:
        """Serve *socket* on the non-blocking descriptor *fd*, which is ours from now on."""
        try:
            self._poller.register(fd, READ)
        except OSError:  # the kernel watches only so many
            os.close(fd)
            raise
        by_fd = self._by_fd
        if fd >= len(by_fd):
            by_fd.extend([None] * (fd + 1 - len(by_fd)))
        by_fd[fd] = socket
        socket.fd = fd
        self.count += 1
        self.metrics.connections += 1

    def _poll(self) -> None:
        by_fd = self._by_fd
        for fd, events in self._poller.poll():
            socket = by_fd[fd]
            if socket is None:
                continue  # closed by an earlier event of this round
            if events & WRITE:
                self._out.write_queue(socket)
            if events & ~WRITE and socket.fd == fd:
                self._read(socket)

    def _read(self, socket: Socket) -> None:
        if socket in self.restraint:  # only its end is told of one that is not read
            self._cut(socket, NO_CLOSE)
            return
        try:
            data = os.read(socket.fd, READ_SIZE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            if len(data) >= LARGE_READ and self.restraint.charge_bytes(socket, len(data), self._loop.time()):
                self._watch(socket)
            self.feed(socket, data)
        else:
            self._cut(socket, NO_CLOSE)

    def feed(self, socket: Socket, data: bytes) -> None:
        """Take *data* as read from *socket*: what came together with the handshake, too."""
        free = 0 if socket.heard else 1  # the answer to our ping
        socket.heard = True
        count = frames.FRAMES_AT_ONCE
        while count == frames.FRAMES_AT_ONCE:
            items, socket.reader, count = frames.read_frames(socket.reader, data, self._max_message_bytes)
            empty = count
            for opcode, payload in items:
                if opcode <= frames.BINARY and opcode != frames.FAULT:
                    if socket.closing:
                        continue  # we have said goodbye: what comes now has no reader (RFC 6455 section 5.5.1)
                    empty -= 1
                    self._on_message(socket, opcode, payload)
                else:
                    self._control(socket, opcode, payload)
                if socket.fd < 0:
                    return
            if empty > free:
                self.charge(socket, empty - free)
            if socket in self.restraint:
                return
            if count == frames.FRAMES_AT_ONCE and self.restraint.rest(socket, self._loop.time()):
                self._watch(socket)
                self._read_again_soon()
                return
            data, free = b"", 0

    def charge(self, socket: Socket, count: float = 1) -> None:
        """*count* frames of *socket* said nothing: too many of them, and it is not read for a while, or closed."""
        now = self._loop.time()
        if socket.fd >= 0 and self.restraint.charge_frames(socket, count, now):
            if self.restraint.is_rude(socket, now):
                self.close(socket, Close.RUDE, "you send too much that says nothing")
            if socket.fd >= 0:
                self._watch(socket)

    def _watch(self, socket: Socket) -> None:
        reading = 0 if socket in self.restraint else READ
        self._poller.modify(socket.fd, reading | WRITE if socket.queue else reading)

    def _read_again_soon(self) -> None:
        if not self._again:
            self._again = True
            self._loop.call_soon(self._read_again)

    def _read_again(self) -> None:
        """Read those whose allowance is out of debt: first what they had sent already. For about one slice; then
        everybody else is looked at first."""
        self._again = False
        now, deadline = self._loop.time(), perf_counter() + self._out.slice_s
        for socket in self.restraint.due(now):
            if perf_counter() > deadline:
                self._read_again_soon()
                return
            if socket not in self.restraint:
                continue  # closed by what one before it sent
            self.restraint.release(socket, now)
            self._watch(socket)
            if socket.reader is not None:
                self.feed(socket, b"")

    def _control(self, socket: Socket, opcode: int, payload: bytes) -> None:
        if opcode == frames.PING:
            if not socket.closing:
                self.send(socket, frames.frame(frames.PONG, payload))
        elif opcode == frames.CLOSE:
            if socket.closing:
                self._cut(socket, frames.close_code(payload))
            else:
                self._goodbyes.say(socket, payload[:2], frames.close_code(payload))  # the same code (section 5.5.1)
        elif opcode == frames.FAULT:
            self._goodbyes.say(socket, payload, frames.close_code(payload))

    # -- out: see outgoing.py

    def send(self, socket: Socket, data: bytes) -> None:
        """Write one frame to one socket, or queue it, or close the socket as slow. Never waits, never raises."""
        self._out.send(socket, data)

    async def send_paced(self, socket: Socket, data: bytes) -> bool:
        """Write *data* and wait until *socket* has taken all of it. False when the socket is gone."""
        return await self._out.send_paced(socket, data)

    def fan_out(self, members: Sequence[Socket], start: int, data: bytes) -> int:
        """Write *data* to each of *members* from index *start* on, for about one slice. Where it stopped."""
        return self._out.fan_out(members, start, data)

    # -- the end

    def _found_gone(self, socket: Socket) -> None:
        self._cut(socket, NO_CLOSE)

    def _found_slow(self, socket: Socket) -> None:
        self.close(socket, Close.SLOW, "you read slower than the room speaks; resume with your last id")

    def close(self, socket: Socket, code: int, reason: str = "") -> None:
        """Say goodbye with *code*, and wait at most CLOSE_S for the peer to do the same."""
        self._goodbyes.say(socket, frames.close_payload(code, reason), code)

    def _cut(self, socket: Socket, code: int) -> None:
        """Close the descriptor now."""
        fd, socket.fd = socket.fd, GONE
        if fd < 0:
            return
        was_open = not socket.closing
        self._by_fd[fd] = None
        self._poller.unregister(fd)
        os.close(fd)
        self.count -= 1
        if not self.count:
            self._empty.set()
        self._goodbyes.forget(socket)
        self.restraint.forget(socket)
        socket.queue, socket.queued, socket.reader = None, 0, None
        if was_open:
            self._on_gone(socket, code)
            self._out.wake_paced(socket)

    # -- time

    def _turn_wheel(self) -> None:
        self._timer = self._loop.call_later(PING_S / _TICKS, self._turn_wheel)
        self._tick = (self._tick + 1) % _TICKS
        for socket in self._by_fd[self._tick :: _TICKS]:
            if socket is not None and not socket.closing:
                self._ping(socket)
        if self._goodbyes:
            self._goodbyes.cut_overdue()
        if self.restraint:
            self._read_again_soon()

    def _ping(self, socket: Socket) -> None:
        if not socket.heard:
            self._cut(socket, NO_CLOSE)
            return
        socket.heard = socket in self.restraint  # who is not read can't be heard
        self.restraint.tidy(socket, self._loop.time())
        if not socket.queue:
            self.send(socket, _PING)
