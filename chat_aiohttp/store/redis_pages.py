"""Reading a room back from Redis: stretches of its log, its last messages, what is unread. Layer 2.

Nothing here writes. What is asked for is bounded, one question at a time: history looks at a thousand entries in one go
at most, so that no reader keeps Redis from its other work. The lobby, and who is there, is redis_lobby.py's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from itertools import islice

from chat_aiohttp.events import MESSAGE, Event, EventId, Gap, Page, fold
from chat_aiohttp.store import Retention
from chat_aiohttp.store.redis_keys import Layout, Place, ShardKeys
from chat_aiohttp.store.redis_link import Call, Reply
from chat_aiohttp.store.redis_scripts import AFTER, COUNT, STAND

SCAN_MOST = 1_000  # entries that one question looks at

Ask = Callable[[Sequence[Call]], Awaitable[list[Reply]]]


def event_id(raw: bytes) -> EventId:
    """The id that Redis writes as *raw*. Raises ValueError for anything else."""
    ms, seq = raw.split(b"-")
    return EventId(int(ms), int(seq))


def event_of(room: str, raw_id: bytes, fields: Sequence[bytes]) -> Event | None:
    """The event that an entry of a room's stream holds; None if the entry is not ours, or was deleted."""
    try:
        if fields[0] != b"p" or fields[2] != b"d" or not fields[3]:
            return None
        more = dict(zip(fields[4::2], fields[5::2], strict=True))
        target = more.get(b"t")
        return Event(
            room,
            event_id(raw_id),
            event_id(fields[1]),
            more[b"k"].decode() if b"k" in more else MESSAGE,
            fields[3],
            event_id(target) if target is not None else None,
        )
    except (ValueError, IndexError):
        return None


class Pages:
    """Reads one server's rooms. *ask* puts questions to it and raises Refused while it is away."""

    def __init__(self, *, layout: Layout, retention: Retention, clock: Callable[[], float], ask: Ask) -> None:
        self._layout = layout
        self._retention = retention
        self._clock = clock
        self._ask = ask

    async def after(self, room: str, cursor: EventId, limit: int) -> Page:
        """See Store.after."""
        (reply,) = await self._ask([self.after_call(room, cursor, limit)])
        return self.page_of(room, cursor, reply)

    def after_call(self, room: str, cursor: EventId, limit: int) -> Call:
        """The question that `page_of` understands the answer to."""
        place, keys = self._where(room)
        return AFTER.call([keys.of(b"r", place.name), keys.of(b"t", place.name)], str(cursor), self.oldest(), limit)

    def page_of(self, room: str, cursor: EventId, reply: Reply) -> Page:
        """The page that AFTER gave."""
        position, more, gap_at, reason, entries = reply
        events = [event for entry in entries if (event := event_of(room, *entry)) is not None]
        gap = Gap(cursor, event_id(gap_at), reason.decode()) if gap_at else None
        return Page(events, event_id(position), bool(more), gap)

    async def before(self, room: str, cursor: EventId | None, limit: int) -> Page:
        """See Store.before. Messages younger than the position are left out: they come after it."""
        place, keys = self._where(room)
        log, notes = keys.of(b"r", place.name), keys.of(b"a", place.name)
        end = b"+" if cursor is None else f"({cursor}"
        oldest, look_at = self.oldest(), min(limit + 1 + limit // 4, SCAN_MOST)
        stand, has_notes, entries = await self._ask(
            [
                STAND.call([keys.head, log]),
                (b"EXISTS", notes),
                (b"XREVRANGE", log, end, oldest, b"COUNT", look_at),
            ]
        )
        position = event_id(stand[2])
        found: list[Event] = []
        while True:
            found.extend(_messages(room, entries, position))
            if len(found) > limit or len(entries) < look_at:
                break
            end, look_at = b"(" + entries[-1][0], SCAN_MOST
            (entries,) = await self._ask([(b"XREVRANGE", log, end, oldest, b"COUNT", look_at)])
        page = found[limit - 1 :: -1] if len(found) > limit else found[::-1]
        if has_notes and page:
            page = await self._folded(room, page, position)
        return Page(page, position, len(found) > limit)

    async def count_after(self, cursors: Mapping[str, EventId], limit: int) -> dict[str, int]:
        """See Store.count_after."""
        calls: list[Call] = []
        for room, cursor in cursors.items():
            place, keys = self._where(room)
            calls.append(COUNT.call([keys.of(b"r", place.name)], str(cursor), self.oldest(), limit, SCAN_MOST))
        counts = await self._ask(calls) if calls else []
        return dict(zip(cursors, map(int, counts), strict=True))

    async def title(self, room: str) -> str | None:
        """See Store.title. Whoever only looks in names a room for the lobby, but nothing is written yet."""
        place, keys = self._where(room)
        title, is_kept = await self._ask([(b"HGET", keys.titles, place.name), (b"EXISTS", keys.of(b"r", place.name))])
        return title.decode() if title is not None and is_kept else None

    async def find_ref(self, room: str, session: bytes, ref: str) -> EventId | None:
        """See Store.find_ref."""
        place, keys = self._where(room)
        halves = [keys.of(half, b"%b:%b" % (place.name, session.hex().encode())) for half in (b"y", b"o")]
        seen = [answer for answer in await self._ask([(b"HGET", half, ref) for half in halves]) if answer is not None]
        return event_id(seen[0].split(b" ")[0]) if seen else None

    # -- parts

    def _where(self, room: str) -> tuple[Place, ShardKeys]:
        place = self._layout.place(room)
        return place, self._layout.shards[place.shard]

    def oldest(self) -> str:
        """The id before which everything is too old to be shown."""
        max_age_s = self._retention.max_age_s
        return f"{max(0, int((self._clock() - max_age_s) * 1000))}-0" if max_age_s else "0-0"

    async def _folded(self, room: str, page: list[Event], position: EventId) -> list[Event]:
        """*page* with what was changed later, up to *position*."""
        place, keys = self._where(room)
        (notes,) = await self._ask([(b"HMGET", keys.of(b"a", place.name), *(str(event.id) for event in page))])
        wanted = [one for note in notes if note for one in note.split()]
        changes: dict[EventId, list[Event]] = {}
        log = keys.of(b"r", place.name)
        for batch in _batches(wanted, SCAN_MOST):
            for entries in await self._ask([(b"XRANGE", log, one, one) for one in batch]):
                event = event_of(room, *entries[0]) if entries else None
                if event is not None and event.target is not None and event.id <= position:
                    changes.setdefault(event.target, []).append(event)
        return [fold(event, changes.get(event.id, [])) for event in page]


def _messages(room: str, entries: list[Reply], position: EventId) -> list[Event]:
    events = (event_of(room, *entry) for entry in entries)
    return [event for event in events if event is not None and event.kind == MESSAGE and event.id <= position]


def _batches(items: list[bytes], size: int) -> Iterable[list[bytes]]:
    remaining = iter(items)
    while batch := list(islice(remaining, size)):
        yield batch
