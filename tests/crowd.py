"""Many cheap members for tests: each only keeps a digest of the bytes it was sent.

Members of a room who speak plain are sent the same bytes in the same order. So two members agree on what was said, in
which order, and how often, exactly when their digests agree; one of them is read in full.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
from urllib.parse import urlsplit

import msgspec

from chat_aiohttp.frames import frame, unmask

PING = frame(9, b"")


class Listener(asyncio.Protocol):
    """A plain member that listens. *keep*: remember every frame's text, not only the digest of all."""

    def __init__(self, keep: bool) -> None:
        self.keep = keep
        self.digest = hashlib.blake2b(digest_size=16)
        self.received = 0
        self.kept = bytearray()
        self.joined = asyncio.get_running_loop().create_future()
        self.target = 0
        self.reached: asyncio.Future[None] | None = None
        self._head = bytearray()
        self._carry = b""

    def data_received(self, data: bytes) -> None:
        if not self.joined.done():
            self._head += data
            head, end, data = bytes(self._head).partition(b"\r\n\r\n")
            if not end:
                return
            assert head.startswith(b"HTTP/1.1 101"), head
            self.joined.set_result(None)
        data = self._without_pings(data)
        self.digest.update(data)
        self.received += len(data)
        if self.keep:
            self.kept += data
        if self.reached is not None and self.received >= self.target and not self.reached.done():
            self.reached.set_result(None)

    def _without_pings(self, data: bytes) -> bytes:
        # Each member is pinged at another moment. These two bytes stand nowhere else: text has no zero byte, and no
        # frame here is so long that its length would read like that.
        data = self._carry + data
        self._carry = data[-1:] if data.endswith(PING[:1]) else b""
        return data.removesuffix(self._carry).replace(PING, b"")

    async def until(self, received: int, timeout_s: float) -> None:
        """Wait until *received* bytes have come in all."""
        if self.received >= received:
            return
        self.target, self.reached = received, asyncio.get_running_loop().create_future()
        async with asyncio.timeout(timeout_s):
            await self.reached

    def messages(self) -> list[dict[str, object]]:
        """Every message so far (of one who keeps)."""
        return [msgspec.json.decode(payload) for payload in server_frames(bytes(self.kept))]


def server_frames(data: bytes) -> list[bytes]:
    """The payloads of the unmasked frames that are whole in *data*."""
    payloads, at = [], 0
    while at + 10 <= len(data):  # no frame of ours is shorter
        length, head = data[at + 1], 2
        if length == 126:
            length, head = int.from_bytes(data[at + 2 : at + 4]), 4
        elif length == 127:
            length, head = int.from_bytes(data[at + 2 : at + 10]), 10
        if at + head + length > len(data):
            break
        payloads.append(data[at + head : at + head + length])
        at += head + length
    return payloads


async def listen(url: str, *, keep: bool = False) -> tuple[asyncio.Transport, Listener]:
    """Join the room at *url* as a plain member."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    transport, listener = await asyncio.get_running_loop().create_connection(
        lambda: Listener(keep), parts.hostname, parts.port
    )
    key = base64.b64encode(os.urandom(16)).decode()
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    transport.write(
        f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
    )
    async with asyncio.timeout(20):
        await listener.joined
    return transport, listener


def say(transport: asyncio.Transport, text: str) -> None:
    """Send *text* as a plain client does."""
    payload = msgspec.json.encode({"message": text})
    masked = bytearray(frame(1, payload))
    head = len(masked) - len(payload)
    masked[1] |= 0x80
    key = os.urandom(4)
    transport.write(bytes(masked[:head]) + key + unmask(key, payload))
