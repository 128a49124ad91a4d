"""Rooms' logs in this process' memory: `--store memory:`, and the model for the other stores. Layer 2.

Nothing outlives the process. What the contract asks for is written here as plainly as it can be; the other stores are
tested against it. A batch is what one turn of the event loop gave: ids, dedup and storing are one pass over it, without
a single await, so that nothing can come between.

Rejected: an id per room. One growing id for all rooms needs no memory of a room that has vanished.
"""

from __future__ import annotations

import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping
from itertools import islice
from operator import attrgetter

from chat_aiohttp.errors import Refused
from chat_aiohttp.events import DELETE, MESSAGE, NOTHING, Draft, Event, EventId, Page, RoomLine, fold
from chat_aiohttp.store import Retention
from chat_aiohttp.store.local import KEEP, LocalStore, find_gap

TRIM_SLACK = 100  # events a room may have beyond its retention before it is trimmed, or a tenth of it if that is more

_by_id = attrgetter("id")


class Log:
    """One room's log: its events in order, and which of them are about which message."""

    __slots__ = ("about", "deleted", "events", "room", "tail", "title")

    def __init__(self, room: str, title: str) -> None:
        self.room = room
        self.title = title
        self.tail = NOTHING  # the last id ever, also when nothing is kept
        self.events: list[Event] = []  # a deleted one stays as a place without a body
        self.about: dict[EventId, list[Event]] = {}  # by target
        self.deleted: set[EventId] = set()  # targets

    def add(self, draft: Draft, event_id: EventId) -> Event:
        event = Event(self.room, event_id, self.tail, draft.kind, draft.body, draft.target)
        self.tail = event_id
        self.events.append(event)
        if event.target is not None:
            self.about.setdefault(event.target, []).append(event)
            if event.kind == DELETE:
                self.deleted.add(event.target)
            if event.target in self.deleted:
                self._wipe(event.target)
        return event

    def drop(self, count: int) -> None:
        """Forget the oldest *count* events. Whatever is about a message is younger than it, so none is needed again."""
        for event in self.events[:count]:
            for target in (event.id, event.target or event.id):
                self.about.pop(target, None)
                self.deleted.discard(target)
        del self.events[:count]

    def is_shown(self, event: Event) -> bool:
        """Whether *event* is neither deleted nor about a deleted message, also when that is not kept any more. The
        delete itself is shown."""
        return event.kind == DELETE or bool(event.body)

    def kept_from(self, oldest_ms: int) -> int:
        """Where in `events` those begin that are not too old."""
        return bisect_left(self.events, EventId(oldest_ms, 0), key=_by_id)

    def folded(self, message: Event) -> Event:
        return fold(message, self.about.get(message.id, []))

    def _wipe(self, target: EventId) -> None:
        for event_id in (target, *(event.id for event in self.about[target])):
            self._blank(event_id)

    def _blank(self, event_id: EventId) -> None:
        """Leave of the event nothing but its place. A delete has no text, and can't be deleted."""
        place = bisect_left(self.events, event_id, key=_by_id)
        gone = self.events[place] if place < len(self.events) else None
        if gone is None or gone.id != event_id or gone.kind == DELETE:
            return
        self.events[place] = Event(gone.room, gone.id, gone.prev, gone.kind, b"", gone.target)
        if gone.target is not None:
            self.about[gone.target] = [event for event in self.about[gone.target] if event.id != event_id]


class MemoryStore(LocalStore):
    """The model of a store."""

    def __init__(self, *, retention: Retention = KEEP, clock: Callable[[], float] = time.time) -> None:
        super().__init__(retention=retention, clock=clock)
        self._logs: dict[str, Log] = {}
        self._last = NOTHING
        self._closed = False
        self._swept = 0.0

    async def close(self) -> None:
        self._turn()
        self._closed = True
        self._logs.clear()

    @property
    def away(self) -> str | None:
        return "the store is closed" if self._closed else None

    @property
    def durability(self) -> str:
        return "in memory: nothing outlives the process"

    # -- writing

    def _flush(self) -> None:
        drafts, self._gathered = self._gathered, []
        if self._closed:
            return self._refuse(drafts)
        now = self._clock()
        self._sweep(now)
        events = [self._store(draft, now) for draft in drafts if not self._refs.answers(draft)]
        self._settle(drafts)
        self._tell(events)

    def _refuse(self, drafts: list[Draft]) -> None:
        for draft in drafts:
            draft.error = Refused("log_away", "The server is closing. Send again with the same ref.")
        self._settle(drafts)

    def _store(self, draft: Draft, now: float) -> Event:
        log = self._find(draft.room) or self._found(draft)
        draft.id = self._next_id(int(now * 1000))
        event = log.add(draft, draft.id)
        if draft.ref is not None:
            self._refs.remember(draft.room, draft.session, draft.ref, (draft.id, draft.digest), now)
        limit = self._retention.max_events
        if limit and len(log.events) > limit + max(TRIM_SLACK, limit // 10):
            log.drop(len(log.events) - limit)
        return event

    def _found(self, draft: Draft) -> Log:
        log = self._logs[draft.room] = Log(draft.room, draft.title)
        return log

    def _next_id(self, ms: int) -> EventId:
        """An id greater than every other, also when the clock went back."""
        self._last = EventId(ms, 0) if ms > self._last.ms else self._last.next()
        return self._last

    def _sweep(self, now: float) -> None:
        """At most once a minute: forget what is too old."""
        if 0 <= now - self._swept < 60:
            return
        self._swept = now
        self._refs.expire(now)
        for room in list(self._logs):
            if log := self._find(room):
                log.drop(log.kept_from(self._oldest_ms()))

    def _is_idle(self, log: Log) -> bool:
        idle_s = self._retention.idle_room_s
        return bool(idle_s) and self._clock() - log.tail.ms / 1000 > idle_s

    # -- reading

    async def attach(self, room: str) -> EventId:
        self._check()
        log = self._find(room)
        self._followed.add(room)
        return log.tail if log else NOTHING

    async def title(self, room: str) -> str | None:
        self._check()
        log = self._find(room)
        return log.title if log else None

    async def after(self, room: str, cursor: EventId, limit: int) -> Page:
        self._check()
        log = self._find(room) or Log(room, "")
        start = log.kept_from(self._oldest_ms())
        edge = log.events[start].prev if start < len(log.events) else log.tail
        place = max(start, bisect_right(log.events, cursor, key=_by_id))
        nearest = log.events[place - 1].id if place > start else edge
        gap = find_gap(cursor, edge=edge, tail=log.tail, nearest=nearest)
        events: list[Event] = []
        for event in islice(log.events, place, None):
            if log.is_shown(event):
                if len(events) == limit:
                    return Page(events, events[-1].id, True, gap)
                events.append(event)
        return Page(events, log.tail, False, gap)

    async def before(self, room: str, cursor: EventId | None, limit: int) -> Page:
        self._check()
        log = self._find(room) or Log(room, "")
        found = self._messages(log, cursor, limit + 1)
        page = [log.folded(message) for message in found[:limit]]
        return Page(page[::-1], log.tail, len(found) > limit)

    async def rooms(self, limit: int) -> list[RoomLine]:
        self._check()
        lines = [line for room in self._logs.keys() | self._leases.live() if (line := self._line(room))]
        lines.sort(key=lambda line: (-line.active_ms, line.key))
        return lines[:limit]

    async def count_after(self, cursors: Mapping[str, EventId], limit: int) -> dict[str, int]:
        self._check()
        return {room: self._count_after(self._find(room) or Log(room, ""), cursors[room], limit) for room in cursors}

    def _count_after(self, log: Log, cursor: EventId, limit: int) -> int:
        start = max(log.kept_from(self._oldest_ms()), bisect_right(log.events, cursor, key=_by_id))
        messages = (1 for event in islice(log.events, start, None) if event.kind == MESSAGE and log.is_shown(event))
        return sum(islice(messages, limit))

    def _messages(self, log: Log, cursor: EventId | None, limit: int) -> list[Event]:
        """Up to *limit* messages before *cursor*, newest first."""
        start = log.kept_from(self._oldest_ms())
        end = len(log.events) if cursor is None else bisect_left(log.events, cursor, key=_by_id)
        found: list[Event] = []
        for place in range(end - 1, start - 1, -1):
            event = log.events[place]
            if event.kind == MESSAGE and log.is_shown(event):
                found.append(event)
                if len(found) == limit:
                    break
        return found

    def _line(self, room: str) -> RoomLine | None:
        """How the lobby shows *room*; None if nobody is in it and nothing is kept of it."""
        log, lease = self._find(room) or Log(room, ""), self._leases.of(room)
        is_kept = log.kept_from(self._oldest_ms()) < len(log.events)
        if not is_kept and lease is None:
            return None
        title = log.title or (lease.title if lease else room)
        active_ms = log.tail.ms if is_kept else lease.since_ms if lease else 0
        last = [log.folded(message).body for message in self._messages(log, None, 1)]
        return RoomLine(room, title, active_ms, lease.people if lease else 0, last[0] if last else None)

    def _find(self, room: str) -> Log | None:
        """The log of *room*, if anybody wrote to it and not too long ago."""
        log = self._logs.get(room)
        if log is not None and self._is_idle(log):
            del self._logs[room]
            return None
        return log

    def _oldest_ms(self) -> int:
        """Events before this time are too old to be shown."""
        max_age_s = self._retention.max_age_s
        return int((self._clock() - max_age_s) * 1000) if max_age_s else 0
