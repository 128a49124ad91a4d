"""The other end of a switchboard's sockets: real descriptors, frames spelt out, every wait with a deadline."""

from __future__ import annotations

import asyncio
import socket as sockets
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from chat_aiohttp.outgoing import Socket
from chat_aiohttp.switchboard import Switchboard
from tests.frame_bytes import CLOSE, client_frame, server_frames

DEADLINE_S = 20.0  # for whatever a test waits for


class Recorder:
    """What a switchboard told: messages, and who is gone with which code."""

    def __init__(self) -> None:
        self.messages: list[tuple[Socket, int, bytes]] = []
        self.gone: list[tuple[Socket, int]] = []
        self._told = asyncio.Event()

    def on_message(self, socket: Socket, opcode: int, payload: bytes) -> None:
        self.messages.append((socket, opcode, payload))
        self._told.set()

    def on_gone(self, socket: Socket, code: int) -> None:
        self.gone.append((socket, code))
        self._told.set()

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait until *is_so*; looked at whenever something was told."""
        async with asyncio.timeout(DEADLINE_S):
            while not is_so():
                self._told.clear()
                await self._told.wait()


class Peer:
    """A client at the far end of *line*, which reads only when it is told to."""

    def __init__(self, line: sockets.socket) -> None:
        line.setblocking(False)
        self.line = line
        self.received = b""

    async def send(self, data: bytes) -> None:
        async with asyncio.timeout(DEADLINE_S):
            await asyncio.get_running_loop().sock_sendall(self.line, data)

    async def say(self, opcode: int, payload: bytes = b"") -> None:
        await self.send(client_frame(opcode, payload))

    async def read(self, size: int = 65_536) -> bytes:
        """What comes next; empty at the end."""
        async with asyncio.timeout(DEADLINE_S):
            try:
                data = await asyncio.get_running_loop().sock_recv(self.line, size)
            except ConnectionResetError:
                data = b""
        self.received += data
        return data

    async def frames(self, count: int) -> list[tuple[int, bytes]]:
        """The next *count* frames, which must come without more."""
        while (found := _whole(self.received)) is None or len(found) < count:
            assert await self.read(), f"the end came after {self.received!r}"
        self.received = b""
        assert len(found) == count, found
        return found

    async def rest(self) -> list[tuple[int, bytes]]:
        """Everything up to the end: whole frames, or this fails."""
        while await self.read():
            pass
        found, self.received = server_frames(self.received), b""
        return found

    async def farewell(self) -> int:
        """Read to the end; the code of the close frame that must be the last thing that comes."""
        frames = await self.rest()
        assert frames, "no close frame came"
        assert [opcode for opcode, _ in frames].count(CLOSE) == 1
        assert frames[-1][0] == CLOSE
        return int.from_bytes(frames[-1][1][:2], "big")

    def reset(self) -> None:
        """Vanish with an RST instead of a FIN."""
        self.line.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, struct.pack("ii", 1, 0))
        self.line.close()


def _whole(data: bytes) -> list[tuple[int, bytes]] | None:
    try:
        return server_frames(data)
    except (AssertionError, IndexError):
        return None


@contextmanager
def loopback(buffer_bytes: int = 0) -> Iterator[tuple[sockets.socket, sockets.socket]]:
    """Two ends of a TCP connection: the server's and the client's, with buffers of about *buffer_bytes*."""
    with sockets.create_server(("127.0.0.1", 0)) as listener, sockets.socket() as client:
        if buffer_bytes:
            client.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, buffer_bytes)
        client.connect(listener.getsockname())
        server, _ = listener.accept()
        with server:
            if buffer_bytes:
                server.setsockopt(sockets.SOL_SOCKET, sockets.SO_SNDBUF, buffer_bytes)
            server.setsockopt(sockets.IPPROTO_TCP, sockets.TCP_NODELAY, 1)
            server.setblocking(False)
            yield server, client


def adopt(board: Switchboard, server: sockets.socket, socket: Socket | None = None) -> Socket:
    """*server*'s descriptor becomes the switchboard's."""
    socket = socket or Socket()
    board.adopt(socket, server.detach())
    return socket
