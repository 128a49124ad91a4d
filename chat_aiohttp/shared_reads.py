"""Pages of a room's log, read once for everybody who asks at the same time. Layer 3.

When a server restarts or a network comes back, a thousand members of a room return within seconds, most of them with
the same cursor, the others with one a few messages away. One read serves them all: who asks while it is under way waits
for it, who asks within SHARE_S after it gets what it found, and a cursor inside a page gets the rest of it.

An old page is no hole: it says how far it goes, and the reader goes on from there until it meets the live stream. It is
not given out when it brings its reader no further than it is while the room is further, nor after the room was told of
a loss, an edit or a delete: what was deleted stays deleted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Final

from chat_aiohttp.events import EventId, Gap, Page
from chat_aiohttp.metrics import Metrics
from chat_aiohttp.rooms import Room
from chat_aiohttp.store import Store
from chat_aiohttp.wire import event_frame, gap_frame

PAGE: Final = 200  # events read at once on a resume: what one reader may hold in memory
SHARE_S: Final = 1.0  # for which a page is given to others too
KEPT_PAGES: Final = 256  # of all rooms; beyond it the oldest go early, and whoever wants one reads it again
KEPT_BYTES: Final = 16_777_216


class View:
    """A page of the log from event number *start* on: what one reader gets."""

    __slots__ = ("_read", "_start", "gap", "more", "position")

    def __init__(self, read: _Read, page: Page, start: int, gap: Gap | None) -> None:
        self._read = read
        self._start = start
        self.gap = gap
        self.more = page.more
        self.position = page.position

    def __len__(self) -> int:
        return len(self._read.page().events) - self._start

    @property
    def begins(self) -> EventId:
        """Its first event; if it has none, whatever comes next."""
        events = self._read.page().events
        return events[self._start].id if self._start < len(events) else self.position.next()

    def is_end(self, position: EventId) -> bool:
        """Whether nothing more was kept behind it, and the room, at *position*, has not gone on since."""
        return not self.more and self.position >= position

    def data(self, *, v1: bool, kinds: frozenset[str]) -> bytes:
        """The frames for a member who is sent these *kinds*, the gap first."""
        head = gap_frame(self.gap, v1=v1) if self.gap is not None else b""
        return head + b"".join(self._read.frames(kinds)[self._start :])


class _Read:
    """One read of one room's log, under way or done."""

    def __init__(self, room: Room, what: object, cursor: EventId | None, page: Coroutine[None, None, Page]) -> None:
        self.room = room
        self.what = what
        self.cursor = cursor
        self.losses, self.changes = room.losses, room.changes
        self.size = 0
        self._frames: dict[frozenset[str], list[bytes]] = {}
        self.task = asyncio.get_running_loop().create_task(page)

    @property
    def is_current(self) -> bool:
        return self.losses == self.room.losses and self.changes == self.room.changes

    def page(self) -> Page:
        return self.task.result()

    def view(self) -> View:
        page = self.page()
        return View(self, page, 0, page.gap)

    def view_after(self, cursor: EventId) -> View | None:
        """The rest of the page after *cursor*, if that is one of the places it knows."""
        page = self.page()
        if cursor == self.cursor:
            return self.view()
        if cursor == page.position:
            return View(self, page, len(page.events), None)
        for number, event in enumerate(page.events, 1):
            if event.id == cursor:
                return View(self, page, number, None)
        return None

    def frames(self, kinds: frozenset[str]) -> list[bytes]:
        """The page's frames, made once; nothing in the place of a kind that isn't sent."""
        if kinds not in self._frames:
            self._frames[kinds] = [event_frame(one) if one.kind in kinds else b"" for one in self.page().events]
        return self._frames[kinds]


class SharedReads:
    """The reads under way, and the pages that are still given out. Each read is a task owned here."""

    def __init__(self, *, store: Store, metrics: Metrics) -> None:
        self._store = store
        self._metrics = metrics
        self._reads: dict[Room, list[_Read]] = {}
        self._kept: dict[_Read, None] = {}  # all of them, the oldest first
        self._bytes = 0

    async def after(self, room: Room, cursor: EventId) -> View:
        """Up to PAGE events of *room* after *cursor*, as `Store.after` gives them. Raises Refused."""
        reads = [read for read in self._current(room, PAGE) if read.cursor is not None and read.cursor <= cursor]
        waited = False
        for read in sorted(reads, key=lambda read: read.cursor != cursor):
            if not read.task.done():
                if waited:
                    continue
                waited = True  # for one at most: then this one reads for itself
                await self._result(read)
            view = read.view_after(cursor)
            if view is not None and (len(view) or view.gap is not None or view.is_end(room.position)):
                return view
        return await self._result(self._begin(room, PAGE, cursor, self._store.after(room.key, cursor, PAGE)))

    async def last(self, room: Room, count: int) -> View:
        """The last *count* messages of *room*, as `Store.before` gives them. Raises Refused."""
        what = ("last", count)
        for read in self._current(room, what):
            return await self._result(read)
        return await self._result(self._begin(room, what, None, self._store.before(room.key, None, count)))

    async def stop(self) -> None:
        """End all reads, now."""
        tasks = [read.task for read in self._kept]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _current(self, room: Room, what: object) -> list[_Read]:
        return [read for read in self._reads.get(room, ()) if read.what == what and read.is_current]

    async def _result(self, read: _Read) -> View:
        # Shared, so not any one reader's to cancel; the store's own deadlines end it.
        await asyncio.shield(read.task)
        return read.view()

    def _begin(self, room: Room, what: object, cursor: EventId | None, page: Coroutine[None, None, Page]) -> _Read:
        self._metrics.log_reads += 1
        read = _Read(room, what, cursor, page)
        self._reads.setdefault(room, []).append(read)
        self._kept[read] = None
        read.task.add_done_callback(lambda task: self._done(read, task))
        return read

    def _done(self, read: _Read, task: asyncio.Task[Page]) -> None:
        if task.cancelled() or task.exception() is not None:  # whoever waited has had the error
            self._forget(read)
            return
        read.size = sum(len(event.body) for event in task.result().events)
        self._bytes += read.size
        asyncio.get_running_loop().call_later(SHARE_S, self._forget, read)
        for oldest in [*self._kept]:
            if len(self._kept) <= KEPT_PAGES and self._bytes <= KEPT_BYTES:
                break
            if oldest.task.done():
                self._forget(oldest)

    def _forget(self, read: _Read) -> None:
        if read not in self._kept:
            return
        del self._kept[read]
        self._bytes -= read.size
        reads = self._reads[read.room]
        reads.remove(read)
        if not reads:
            del self._reads[read.room]
