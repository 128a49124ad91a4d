"""Frames as a client writes them, spelt out byte by byte, so that the tests of our reader don't use our own code."""

from __future__ import annotations

import json

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
MASK = b"\x37\xfa\x21\x3d"  # RFC 6455 section 5.7


def masked(payload: bytes, key: bytes = MASK) -> bytes:
    return bytes(byte ^ key[place % 4] for place, byte in enumerate(payload))


def client_frame(opcode: int, payload: bytes = b"", *, final: bool = True, bits: int = 0, mask: bool = True) -> bytes:
    """One frame of a client: *bits* are or-ed into the first byte."""
    length = len(payload)
    first = bytes(((0x80 if final else 0) | bits | opcode,))
    if length < 126:
        head = bytes((0x80 * mask | length,))
    elif length < 65_536:
        head = bytes((0x80 * mask | 126,)) + length.to_bytes(2, "big")
    else:
        head = bytes((0x80 * mask | 127,)) + length.to_bytes(8, "big")
    return first + head + (MASK + _masked_fast(payload) if mask else payload)


def _masked_fast(payload: bytes) -> bytes:
    if len(payload) < 4096:
        return masked(payload)
    keys = (MASK * (len(payload) // 4 + 1))[: len(payload)]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(keys, "big")).to_bytes(len(payload), "big")


def server_frames(data: bytes) -> list[tuple[int, bytes]]:
    """The whole, unmasked, unfragmented frames that *data* consists of: (opcode, payload)."""
    frames = []
    while data:
        assert data[0] & 0xF0 == 0x80, f"not a whole frame without reserved bits: {data[:10]!r}"
        assert data[1] < 128, "a server must not mask"
        length, head = data[1], 2
        if length == 126:
            length, head = int.from_bytes(data[2:4], "big"), 4
            assert length >= 126
        elif length == 127:
            length, head = int.from_bytes(data[2:10], "big"), 10
            assert length >= 65_536
        assert len(data) >= head + length, "the last frame is cut"
        frames.append((data[0] & 0x0F, data[head : head + length]))
        data = data[head + length :]
    return frames


def payload(frame: bytes) -> dict[str, object]:
    """The JSON object of a single text frame."""
    [(opcode, text)] = server_frames(frame)
    assert opcode == TEXT
    fields = json.loads(text)
    assert isinstance(fields, dict)
    return fields
