"""Reading back from Redis: stretches of a room's log, its last messages, the lobby, who is there. Layer 2.

Nothing here writes, but for lobby lines of rooms that have vanished. What is asked for is bounded, one question at a
time: history looks at a thousand entries in one go at most, so that no reader keeps Redis from its other work.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from itertools import islice

from chat_aiohttp.events import MESSAGE, Event, EventId, Gap, Page, RoomLine, fold
from chat_aiohttp.store import Retention
from chat_aiohttp.store.redis_keys import Layout, Place, ShardKeys, room_of
from chat_aiohttp.store.redis_link import Call, Reply
from chat_aiohttp.store.redis_scripts import AFTER, COUNT, FORGET, STAND

SCAN_MOST = 1_000  # entries that one question looks at
TAIL_LOOKED_AT = 16  # entries at a room's end in which the lobby looks for its last message
LINES_AT_ONCE = 100  # rooms that one question about the lobby is about
VANISHED_SPARE = 50  # rooms more than asked for: some may turn out to have vanished

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
        return AFTER.call([keys.of(b"r", place.name), keys.of(b"t", place.name)], str(cursor), self._oldest(), limit)

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
        oldest, look_at = self._oldest(), min(limit + 1 + limit // 4, SCAN_MOST)
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
            calls.append(COUNT.call([keys.of(b"r", place.name)], str(cursor), self._oldest(), limit, SCAN_MOST))
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

    async def leases(self, room: str) -> list[bytes]:
        """See Store.leases."""
        place, keys = self._where(room)
        clock, leases = await self._ask([(b"TIME",), (b"HVALS", keys.of(b"l", place.name))])
        return [body for _, body in _live(leases, _ms(clock))]

    # -- the lobby

    async def rooms(self, limit: int) -> list[RoomLine]:
        """See Store.rooms."""
        newest = await self._newest(limit + VANISHED_SPARE)
        lines: list[RoomLine] = []
        while newest and len(lines) < limit:
            lines += await self._lines(newest[:LINES_AT_ONCE])
            newest = newest[LINES_AT_ONCE:]
        lines.sort(key=lambda line: (-line.active_ms, line.key))
        return lines[:limit]

    async def _newest(self, limit: int) -> list[tuple[int, Place]]:
        """The most recently active rooms, newest first; the index forgets rooms that were idle for too long."""
        idle_ms = self._retention.idle_room_s * 1000
        gone = f"({int(self._clock() * 1000) - idle_ms - idle_ms // 16}" if idle_ms else "-inf"
        calls: list[Call] = []
        for keys in self._layout.shards:
            calls.append((b"ZRANGEBYSCORE", keys.rooms, b"-inf", gone, b"LIMIT", 0, LINES_AT_ONCE))
            calls.append((b"ZREVRANGE", keys.rooms, 0, limit - 1, b"WITHSCORES"))
        replies = await self._ask(calls)
        if idle_ms:
            await self._forget((shard, name) for shard, names in enumerate(replies[::2]) for name in names)
        found = [
            (int(float(at)), Place(shard, name))
            for shard, flat in enumerate(replies[1::2])
            for name, at in zip(flat[::2], flat[1::2], strict=True)
        ]
        found.sort(key=lambda one: (-one[0], one[1].name))
        return found[:limit]

    async def _lines(self, rooms: list[tuple[int, Place]]) -> list[RoomLine]:
        """How the lobby shows *rooms*, less those that have vanished."""
        calls: list[Call] = [(b"TIME",)]
        for _, (shard, name) in rooms:
            keys = self._layout.shards[shard]
            calls.append((b"HGET", keys.titles, name))
            calls.append((b"HVALS", keys.of(b"l", name)))
            calls.append((b"XREVRANGE", keys.of(b"r", name), b"+", self._oldest(), b"COUNT", TAIL_LOOKED_AT))
        clock, *replies = await self._ask(calls)
        lines, vanished = [], []
        for (active_ms, place), title, leases, tail in zip(
            rooms, replies[::3], replies[1::3], replies[2::3], strict=True
        ):
            room, people = room_of(place.name), sum(count for count, _ in _live(leases, _ms(clock)))
            if tail or people:
                last = await self._last(room, tail)
                lines.append(RoomLine(room, title.decode() if title else room, active_ms, people, last))
            else:
                vanished.append(place)
        await self._forget(vanished)
        return lines

    async def _last(self, room: str, tail: list[Reply]) -> bytes | None:
        """The room's last message as it is now."""
        if tail and len(tail[0][1]) == 4 and (event := event_of(room, *tail[0])) is not None:
            return event.body  # nothing is younger, so nothing is about it
        events = (await self.before(room, None, 1)).events
        return events[0].body if events else None

    async def _forget(self, places: Iterable[tuple[int, bytes]]) -> None:
        """Take rooms off the lobby's index that are gone. The script looks again: someone may have just come."""
        gone: dict[int, list[bytes]] = {}
        for shard, name in places:
            gone.setdefault(shard, []).append(name)
        shards = self._layout.shards
        if gone:
            await self._ask(
                [FORGET.call([shards[n].rooms, shards[n].titles], shards[n].base, *names) for n, names in gone.items()]
            )

    # -- parts

    def _where(self, room: str) -> tuple[Place, ShardKeys]:
        place = self._layout.place(room)
        return place, self._layout.shards[place.shard]

    def _oldest(self) -> str:
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


def _live(leases: list[bytes], now_ms: int) -> list[tuple[int, bytes]]:
    """How many and who, for each lease that has not run out. What is no lease is nobody."""
    found = []
    for lease in leases:
        until, _, rest = lease.partition(b" ")
        people, _, body = rest.partition(b" ")
        if until.isdigit() and people.isdigit() and int(until) > now_ms:
            found.append((int(people), body))
    return found


def _ms(clock: list[bytes]) -> int:
    """Milliseconds of Redis' TIME."""
    return int(clock[0]) * 1000 + int(clock[1]) // 1000


def _batches(items: list[bytes], size: int) -> Iterable[list[bytes]]:
    remaining = iter(items)
    while batch := list(islice(remaining, size)):
        yield batch
