"""A chat server that does wrong on purpose: what the load generator must find is decided by a *fault*."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # the answer to the one key that the load generator sends

Fault = Callable[["Faulty", str, int, bytes], list[tuple["Peer", bytes]]]
"""(server, room, how many messages the room had before, text) -> what to send to whom, in this order"""


class Peer:
    """One member, as the server sees it."""

    def __init__(self, room: str, writer: asyncio.StreamWriter) -> None:
        self.room = room
        self.writer = writer
        self.held_back = b""  # by faults that cut frames


class Faulty:
    """Rooms, their members, and the fault."""

    def __init__(self, fault: Fault, delay_s: float) -> None:
        self.rooms: dict[str, list[Peer]] = {}
        self.kept: dict[str, bytes] = {}  # for faults that send something later
        self._fault = fault
        self._delay_s = delay_s
        self._said: dict[str, int] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        peer = Peer(head.split()[1].decode(), writer)
        writer.write(
            f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {ACCEPT}\r\n\r\n".encode()
        )
        self.rooms.setdefault(peer.room, []).append(peer)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                self._take(peer.room, await _text(reader))
        writer.close()

    def _take(self, room: str, text: bytes) -> None:
        number = self._said.get(room, 0)
        self._said[room] = number + 1
        for peer, data in self._fault(self, room, number, text):
            if self._delay_s:
                asyncio.get_running_loop().call_later(self._delay_s, peer.writer.write, data)
            else:
                peer.writer.write(data)


async def _text(reader: asyncio.StreamReader) -> bytes:
    _, length = await reader.readexactly(2)
    size = length & 127
    if size == 126:
        (size,) = struct.unpack("!H", await reader.readexactly(2))
    mask = await reader.readexactly(4)
    payload = await reader.readexactly(size)
    return bytes(byte ^ mask[i & 3] for i, byte in enumerate(payload))


def framed(text: bytes, *, width: int = 0) -> bytes:
    """A text frame; *width* 2 or 8 forces a longer length field than needed."""
    if width == 8 or len(text) > 65_535:
        return struct.pack("!BBQ", 0x81, 127, len(text)) + text
    if width == 2 or len(text) > 125:
        return struct.pack("!BBH", 0x81, 126, len(text)) + text
    return bytes((0x81, len(text))) + text


@asynccontextmanager
async def serving(fault: Fault, delay_s: float = 0.0) -> AsyncIterator[int]:
    """The port of a server with *fault*, until the block ends."""
    faulty = Faulty(fault, delay_s)
    server = await asyncio.start_server(faulty.serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for peers in faulty.rooms.values():
            for peer in peers:
                peer.writer.transport.abort()
