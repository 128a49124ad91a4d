"""Search without an index: a room's newest messages are read and looked at, so many and no more. Layer 2.

What every store can do, and what one with an index falls back to. The answer says how far it looked, so that whoever
asks can go on from there; between pages the event loop does its other work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from chat_aiohttp.events import NOTHING, Event, EventId, Found, Page
from chat_aiohttp.words import Query

SCAN_MOST = 2_000  # messages that one search looks at: some 20 ms of work
SCAN_PAGE = 200  # messages between which other work goes on

Before = Callable[[EventId | None, int], Awaitable[Page]]


class _Text(msgspec.Struct):
    message: str = ""


_text: Final = msgspec.json.Decoder(_Text)


def text_of(body: bytes) -> str:
    """The text of a message's body; empty if it has none."""
    try:
        return _text.decode(body).message
    except msgspec.MsgspecError:  # written by somebody else
        return ""


async def scan(read: Before, query: Query, before: EventId | None, limit: int) -> Found:
    """See Store.search. *read* is the room's `before`."""
    lines: list[Event] = []
    looked_at = 0
    while looked_at < SCAN_MOST:
        page = await read(before, SCAN_PAGE)
        for message in reversed(page.events):
            if query.matches(text_of(message.body)):
                lines.append(message)
                if len(lines) > limit:
                    return Found(lines[:limit], lines[limit - 1].id, False)
        if not page.more or not page.events:
            return Found(lines, NOTHING, True)
        before = page.events[0].id
        looked_at += len(page.events)
        await asyncio.sleep(0)  # a store in this process never waits by itself
    if len(lines) == limit:
        return Found(lines, lines[-1].id, False)
    return Found(lines, before or NOTHING, False)
