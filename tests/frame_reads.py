"""Our reader as tests use it: reads in, items out."""

from __future__ import annotations

from chat_aiohttp import frames
from chat_aiohttp.frames import FAULT, FRAMES_AT_ONCE, FrameReader, Item, read_frames

MAX = 65_536


def read(*parts: bytes, max_size: int = MAX) -> list[Item]:
    """The items of a connection whose reads are *parts*."""
    reader: FrameReader | None = None
    items: list[Item] = []
    for part in parts:
        count = FRAMES_AT_ONCE
        while count == FRAMES_AT_ONCE:
            found, reader, count = read_frames(reader, part, max_size)
            items += found
            part = b""
    return items


def byte_by_byte(data: bytes) -> list[bytes]:
    return [data[place : place + 1] for place in range(len(data))]


def fault(items: list[Item]) -> int:
    """The code of the fault that *items* ends with, which must be its only one."""
    assert [opcode for opcode, _ in items].count(FAULT) == 1
    assert items[-1][0] == FAULT
    return frames.close_code(items[-1][1])
