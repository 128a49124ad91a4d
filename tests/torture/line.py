"""One WebSocket connection of a client: handshake, frames in, frames out; all else is its owner's.

It can also behave badly: stop reading, vanish with a reset, or be let go half open.
"""

from __future__ import annotations

import asyncio
import base64
import os
import socket
import struct
from typing import Protocol, cast

from chat_aiohttp.closing import NO_CLOSE
from chat_aiohttp.frames import CLOSE, PING, PONG, TEXT, close_code, close_payload, frame, unmask

SMALL_BUFFER = 8_192  # a line that may stop reading: what it doesn't read stays with the server
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close() sends RST


class Owner(Protocol):
    """Who the line is for."""

    def connected(self, line: Line) -> None: ...
    def opened(self) -> None: ...
    def heard(self) -> None: ...
    def took(self, payload: bytes) -> None: ...
    def closed(self, code: int, reason: str) -> None: ...


class Line(asyncio.Protocol):
    """Connects as soon as it is made a protocol. Its owner hears of the end exactly once, unless it let go before."""

    _transport: asyncio.Transport

    def __init__(self, *, target: str, v1: bool, owner: Owner) -> None:
        self._target = target
        self._v1 = v1
        self._owner: Owner | None = owner
        self._buffer = bytearray()
        self._is_open = False
        self._code = NO_CLOSE
        self._reason = ""

    # -- asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by name
        if self._owner is not None:
            self._owner.connected(self)
        raw = transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
        key = base64.b64encode(os.urandom(16)).decode()
        protocol = "Sec-WebSocket-Protocol: chat.v1\r\n" if self._v1 else ""
        self._transport.write(
            f"GET {self._target} HTTP/1.1\r\nHost: torture\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n{protocol}\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        if self._owner is None:
            return
        self._owner.heard()
        self._buffer += data
        if not self._is_open and not self._shake_hands():
            return
        self._take_frames()

    def connection_lost(self, exc: Exception | None) -> None:
        owner, self._owner = self._owner, None
        if owner is not None:
            owner.closed(self._code, self._reason)

    # -- in

    def _shake_hands(self) -> bool:
        head, end, rest = bytes(self._buffer).partition(b"\r\n\r\n")
        if not end:
            return False
        status = int(head[9:12])
        if status != 101:
            self._code = status
            self._transport.abort()
            return False
        self._buffer = bytearray(rest)
        self._is_open = True
        if self._owner is not None:
            self._owner.opened()
        return True

    def _take_frames(self) -> None:
        buffer, at, end = self._buffer, 0, len(self._buffer)
        while end - at >= 2 and self._owner is not None:
            length, head = buffer[at + 1], 2
            if length == 126:
                length, head = int.from_bytes(buffer[at + 2 : at + 4], "big"), 4
            elif length == 127:
                length, head = int.from_bytes(buffer[at + 2 : at + 10], "big"), 10
            if end - at < head + length:
                break
            payload = bytes(buffer[at + head : at + head + length])
            self._take(buffer[at] & 0x0F, payload)
            at += head + length
        del buffer[:at]

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == TEXT and self._owner is not None:
            self._owner.took(payload)
        elif opcode == PING:
            self._write(PONG, payload)
        elif opcode == CLOSE:
            self._code, self._reason = close_code(payload), payload[2:].decode()
            self._write(CLOSE, payload[:2])
            self._transport.close()

    # -- out

    def say(self, texts: list[bytes]) -> None:
        """Send text frames, in one write."""
        self._transport.write(b"".join([_masked(TEXT, text) for text in texts]))

    def ping(self) -> None:
        """Ask for a sign of life."""
        self._write(PING, b"")

    def bye(self) -> None:
        """Close politely."""
        self._code = 0
        self._write(CLOSE, close_payload(1000))
        self._transport.close()

    def _write(self, opcode: int, payload: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(_masked(opcode, payload))

    # -- behaving badly

    def deaf(self, is_deaf: bool) -> None:
        """Read nothing more, or read again."""
        if not self._transport.is_closing():
            self._transport.pause_reading() if is_deaf else self._transport.resume_reading()

    def reset(self) -> None:
        """Vanish with an RST."""
        raw = self._transport.get_extra_info("socket")
        if raw is not None and raw.fileno() >= 0:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._code = 0
        self._transport.abort()

    def let_go(self) -> None:
        """Read, write and tell nothing more, and keep the connection open until `reset`: half open, for the server."""
        self.deaf(True)
        self._owner = None


def _masked(opcode: int, payload: bytes) -> bytes:
    whole = bytearray(frame(opcode, payload))
    head = len(whole) - len(payload)
    whole[1] |= 0x80
    key = os.urandom(4)
    return bytes(whole[:head]) + key + unmask(key, payload)
