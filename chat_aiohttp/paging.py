"""Pages of a room's log for whoever scrolls: the messages before a place, or those after it. Layer 3.

A page holds messages as they read now, with their later edits and reactions in them. Backwards the store reads so by
itself. Forwards it gives the log's events as they were written, since that is what a resume needs; a page of later
messages is found by them and then read once more, folded. A delete between the two reads does no harm: what is gone is
left out, and nothing else moves.
"""

from __future__ import annotations

from typing import Final

from chat_aiohttp import commands, wire
from chat_aiohttp.events import MESSAGE, Event, EventId, Gap, Page
from chat_aiohttp.store import Store

PAGE_BYTES: Final = 262_144  # a page is cut to this, and says that there is more
LOOKS: Final = (
    10  # stretches of nothing but edits and reactions that one page looks past, then it ends without a message
)
STRETCH: Final = 200  # events of such a stretch


async def earlier(store: Store, room: str, wish: commands.History) -> bytes:
    """The frame with the last messages before the cursor. Raises Refused while the log is away."""
    page = await store.before(room, wish.cursor, wish.limit)
    messages = _newest_within(page.events, PAGE_BYTES)
    return wire.history_frame(wish.cursor, messages, page.more or len(messages) < len(page.events))


async def later(store: Store, room: str, wish: commands.History) -> bytes:
    """The frame with the first messages after the cursor. Raises Refused while the log is away."""
    page, gap = await _next_messages(store, room, wish)
    said = [event for event in page.events if event.kind == MESSAGE]
    more = page.more or len(said) > wish.limit
    position = said[: wish.limit][-1].id if said and more else page.position
    messages = await _folded(store, room, wish.cursor, said[: wish.limit]) if said else []
    fitting = _oldest_within(messages, PAGE_BYTES)
    if len(fitting) < len(messages):
        position, more = fitting[-1].id, True
    return wire.later_frame(wish.cursor, fitting, position, more, gap)


async def _next_messages(store: Store, room: str, wish: commands.History) -> tuple[Page, Gap | None]:
    """The first stretch of the log after the cursor that has messages in it, and what is missing before it."""
    page = await store.after(room, wish.cursor, wish.limit)
    gap, looks = page.gap, 0
    while page.more and looks < LOOKS and not any(event.kind == MESSAGE for event in page.events):
        page, looks = await store.after(room, page.position, STRETCH), looks + 1
    return page, gap


async def _folded(store: Store, room: str, after: EventId, said: list[Event]) -> list[Event]:
    page = await store.before(room, said[-1].id.next(), len(said))
    return [message for message in page.events if message.id > after]


def _newest_within(messages: list[Event], limit: int) -> list[Event]:
    """The newest of *messages* that fit *limit* bytes, at least one."""
    return _oldest_within(messages[::-1], limit)[::-1]


def _oldest_within(messages: list[Event], limit: int) -> list[Event]:
    """The first of *messages* that fit *limit* bytes, at least one."""
    room = limit
    for index, message in enumerate(messages):
        room -= len(message.body) + 80
        if room < 0 and index:
            return messages[:index]
    return messages
