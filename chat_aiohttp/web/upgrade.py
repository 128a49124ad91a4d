"""Taking a connection over from aiohttp after the handshake. Layer 5.

aiohttp parses the request and routes it; then the connection leaves it: its descriptor is duplicated, the 101 goes
out on the duplicate, what came early is taken along, and aiohttp's transport is aborted, which closes only aiohttp's
descriptor. From the 101 on there is no await, so nothing can come between.

This is the one place that reads something aiohttp does not promise: the bytes that came after the handshake in the same
read. tests/web/test_upgrade.py pins that; when a new aiohttp moves them, that test says so and this function is mended.
"""

from __future__ import annotations

import os
from base64 import b64encode
from hashlib import sha1
from typing import Final

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from chat_aiohttp.errors import Refused

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3


class Departed(web.StreamResponse):
    """What a handler returns after `take_over`: nothing to send, since the transport it would go to is gone."""

    async def prepare(self, request: web.BaseRequest) -> None:
        """Send no head."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Send no body."""


DEPARTED: Final = Departed()


def take_over(request: web.Request, protocol: str | None) -> tuple[int, bytes]:
    """The connection's descriptor, which is the caller's from now on, answered with the 101; and what came early.

    The caller has checked the handshake. Raises Refused when the client is already gone or no descriptor is left.
    """
    transport, handler = request.transport, request.protocol
    if transport is None or transport.is_closing() or transport.get_write_buffer_size():
        raise Refused("gone", "The connection is not free to be upgraded.")
    try:
        fd = os.dup(transport.get_extra_info("socket").fileno())
    except OSError:
        raise Refused("full", "This server is full. Try again in a moment.") from None
    try:
        answer = _switching(request.headers["Sec-WebSocket-Key"], protocol)
        if os.write(fd, answer) != len(answer):  # into an empty send buffer: all of it, or the peer is gone
            raise BrokenPipeError
    except OSError:
        os.close(fd)
        raise Refused("gone", "The connection is not free to be upgraded.") from None
    early = _early_bytes(handler)
    transport.abort()
    return fd, early


def _early_bytes(handler: RequestHandler) -> bytes:
    """What aiohttp read beyond the handshake and keeps for whoever speaks the new protocol. Pinned to 3.14.5+."""
    early: bytes = handler._message_tail
    handler._message_tail = b""
    return early


def _switching(key: str, protocol: str | None) -> bytes:
    lines = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {b64encode(sha1(key.encode() + _GUID, usedforsecurity=False).digest()).decode()}",
    ]
    if protocol:
        lines.append(f"Sec-WebSocket-Protocol: {protocol}")
    return "\r\n".join([*lines, "", ""]).encode()
