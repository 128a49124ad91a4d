"""Rooms' logs in one SQLite file: the default store of one process. Layer 2.

What gathers while a batch is being committed is the next batch: at most one is under way, so the order holds, and the
slower the disk the larger the batches. Ids, dedup and rows are made in the loop's thread when a batch is formed
(sqlite_batch.py); the writer's thread gets it as one parcel and tells how it ended (sqlite_writer.py); readers are
apart (sqlite_reader.py).

Promise: a draft is told as stored when its transaction is committed, with the durability that `synchronous` gives. What
the disk refuses is refused to the sender, together with everything behind it; the store tries again every second.

Rejected: a commit per message (a tenth of the speed), and reading back what was written to tell it (we have it here).
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from chat_aiohttp.errors import CannotStart, Refused, Unknown
from chat_aiohttp.events import NOTHING, Draft, Event, EventId, Found, Page, RoomLine
from chat_aiohttp.store import APPEND_DEADLINE_S, Retention
from chat_aiohttp.store import sqlite_reader as reader
from chat_aiohttp.store.local import KEEP, REF_MEMORY_S, LocalStore
from chat_aiohttp.store.sqlite_batch import Batch, Ledger
from chat_aiohttp.store.sqlite_faults import Fault, Whereabouts, cannot_start, cause, may_be_stored
from chat_aiohttp.store.sqlite_file import SYNCHRONOUS, connect, lock
from chat_aiohttp.store.sqlite_filing import file
from chat_aiohttp.store.sqlite_health import Health
from chat_aiohttp.store.sqlite_index import prepare
from chat_aiohttp.store.sqlite_lobby import lobby
from chat_aiohttp.store.sqlite_recall import Newest, Recalled, newest, recall
from chat_aiohttp.store.sqlite_search import search
from chat_aiohttp.store.sqlite_upkeep import Upkeep
from chat_aiohttp.store.sqlite_writer import Writer, transact
from chat_aiohttp.words import Query

# A commit costs some 0.2 ms of CPU, most of it the kernel's for the sync, however little is in it: after a quiet time a
# message is committed at once, then not before so long. At 1,000 messages/s that is 25 instead of 200 µs a message.
REST_S = 0.008
LATE_S = 1.8  # a batch not committed by then is answered as unknown: below AWAY_WITHIN_S and APPEND_DEADLINE_S
READ_DEADLINE_S = 5.0  # a question not answered by then is refused; what was read of it is in memory the next time
GATHER_LIMIT = 20_000  # drafts that wait for the disk; further ones are refused
GATHER_BYTES = 32 * 1024 * 1024  # the same for their bodies
EXPIRE_S = 60.0  # so often, at most, old refs are looked for

Answer = TypeVar("Answer")


class SqliteStore(LocalStore):
    """The store of a single process."""

    _writer: Writer
    _readers: reader.Readers
    _upkeep: Upkeep
    _health: Health

    def __init__(
        self,
        *,
        path: Path,
        synchronous: str = "FULL",
        retention: Retention = KEEP,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(retention=retention, clock=clock)
        self._path = path
        self._synchronous = synchronous
        self._ledger = Ledger(refs=self._refs, idle_room_s=retention.idle_room_s)
        self._is_closed = False
        self._batch: Batch | None = None
        self._held: list[Event] = []  # committed, but not told while nobody knows where the file is
        self._since = 0.0  # when the first of the gathered drafts was given
        self._weight = 0  # of the gathered bodies
        self._turned_away: list[Draft] = []  # over the limit, not told yet
        self._expired = 0.0
        self._rested_at = 0.0  # when the next batch may begin
        self._rest: asyncio.TimerHandle | None = None
        self._watchdog: asyncio.TimerHandle | None = None
        self._undo = contextlib.ExitStack()

    async def open(self) -> None:
        await super().open()
        if self._synchronous not in SYNCHRONOUS:
            raise CannotStart("store", f"synchronous is one of {', '.join(SYNCHRONOUS)}, not {self._synchronous}", 78)
        self._undo.enter_context(lock(self._path))
        try:
            connection, known = await asyncio.to_thread(self._open_file)
        except CannotStart:
            self._undo.close()
            raise
        self._ledger.start(known)
        whereabouts = Whereabouts(self._path)
        self._writer = Writer(connection=connection, loop=self._loop, verify=whereabouts.check)
        self._readers = reader.Readers(self._path)
        self._health = Health(
            path=self._path,
            faults=self.faults,
            loop=self._loop,
            the_writer=self._writer,
            whereabouts=whereabouts,
            is_writing=lambda: self._batch is not None,
            lost=lambda: self._refuse(self._take(), self._sorry()),
            found=self._found,
        )
        self._upkeep = Upkeep(
            the_writer=self._writer,
            loop=self._loop,
            clock=self._clock,
            retention=self._retention,
            failed=self._health.failed,
        )

    async def close(self) -> None:
        if not hasattr(self, "_writer"):
            return
        await self.drain()
        self._is_closed = True
        self._health.close()
        self._refuse(self._take(), "The server is closing. Send again with the same ref.")
        self._upkeep.close()
        for timer in (self._rest, self._watchdog):
            if timer is not None:
                timer.cancel()
        self._writer.put(file, lambda *_: None)
        await asyncio.to_thread(self._readers.close, APPEND_DEADLINE_S)
        await asyncio.to_thread(self._writer.close, APPEND_DEADLINE_S)
        self._undo.close()

    @property
    def away(self) -> str | None:
        return self._health.away if hasattr(self, "_health") else "the store is not open"

    @property
    def durability(self) -> str:
        return SYNCHRONOUS[self._synchronous]

    # -- writing

    def append(self, draft: Draft) -> None:
        if len(self._gathered) >= GATHER_LIMIT or self._weight >= GATHER_BYTES:
            self._turned_away.append(draft)
            self._given += 1
            return self._wake()
        if not self._gathered:
            self._since = self._loop.time()
        self._weight += len(draft.body)
        super().append(draft)

    def _flush(self) -> None:
        if self.away is not None:
            self._refuse(self._take(), self._sorry())
        elif self._batch is None:
            self._begin()
        # else: the end of the batch under way begins the next

    def _take(self) -> list[Draft]:
        """What has gathered. Those turned away are told first: nothing behind them may be stored before."""
        drafts, self._gathered, self._weight = self._gathered, [], 0
        if self._turned_away:
            turned_away, self._turned_away = self._turned_away, []
            self.faults["overload"] += 1
            self._refuse(turned_away, "More is sent than the disk can take. Send again with the same ref.")
        return drafts

    def _begin(self) -> None:
        """Make a batch of what has gathered, unless it is too soon after the last."""
        if not self._gathered or self._rest is not None:
            return
        now = self._loop.time()
        if now < self._rested_at:
            self._rest = self._loop.call_at(self._rested_at, self._rested)
        else:
            self._rested_at = now + REST_S
            self._recall()

    def _rested(self) -> None:
        self._rest = None
        if self.away is None and self._batch is None:
            self._begin()

    def _recall(self) -> None:
        """Begin a batch. Its rooms are looked up first, if some are not known."""
        self._expire()
        batch = self._batch = Batch(self._take(), self._since)
        self._watch(batch)
        missing = self._ledger.missing(draft.room for draft in batch.drafts)
        if not missing:
            return self._form(batch)
        answer = self._readers.ask(recall(missing, self._ms_ago(REF_MEMORY_S)))
        answer.add_done_callback(lambda answer: self._recalled(batch, missing, answer))

    def _recalled(self, batch: Batch, rooms: list[str], answer: asyncio.Future[Recalled]) -> None:
        if (error := answer.exception()) is not None:
            return self._end(batch, RuntimeError(error) if not isinstance(error, Exception) else error)
        self._ledger.learn(rooms, answer.result(), self._clock())
        if batch.is_given_up:
            return self._end(batch, None)
        self._form(batch)

    def _form(self, batch: Batch) -> None:
        rows = self._ledger.form(batch, self._clock())
        if batch.events:
            self._writer.put(rows, lambda _, error: self._end(batch, error))
        else:
            self._end(batch, None)

    def _end(self, batch: Batch, error: Exception | None) -> None:
        self._batch = None
        if error is not None:
            self._fail(batch, error)
            return
        self._health.committed()
        if not batch.is_given_up:
            self._settle(batch.drafts)
        if batch.events:
            self._tell(batch.events)
            self._upkeep.committed(len(batch.events), has_deletes=batch.has_deletes)
        self._begin()

    # -- when the disk doesn't do its part

    def _watch(self, batch: Batch) -> None:
        """Look after *batch* when it would be late. One timer serves many batches."""
        if self._watchdog is None:
            self._watchdog = self._loop.call_at(batch.since + LATE_S, self._look)

    def _look(self) -> None:
        self._watchdog = None
        batch = self._batch
        if batch is None or batch.is_given_up:
            return
        if self._loop.time() < batch.since + LATE_S:
            self._watch(batch)
        else:
            self._give_up(batch)

    def _give_up(self, batch: Batch) -> None:
        """Answer *batch* and what gathered behind it. It goes on: should it be committed, its events are told."""
        batch.is_given_up = True
        self._unknown(batch.drafts)
        self._health.late(LATE_S)

    def _fail(self, batch: Batch, error: Exception) -> None:
        if isinstance(error, Fault):  # it was committed, to a file that is somewhere else now
            self._held += batch.events
        else:
            self._ledger.forget()
        if not batch.is_given_up:
            words = f"The room's log does not answer: {cause(error, self._path)}. Send again with the same ref."
            self._unknown(batch.drafts) if may_be_stored(error) else self._refuse(batch.drafts, words)
        self._health.failed(error)

    def _found(self) -> None:
        """The log is back, and with it what was committed when it was not to be found."""
        events, self._held = self._held, []
        if events:
            self._tell(events)
            self._upkeep.committed(len(events), has_deletes=True)

    def _refuse(self, drafts: list[Draft], words: str) -> None:
        self._settle_with(drafts, lambda: Refused("log_away", words))

    def _unknown(self, drafts: list[Draft]) -> None:
        words = "The room's log did not answer in time. Send again with the same ref."
        self._settle_with(drafts, lambda: Unknown("unknown", words))

    def _settle_with(self, drafts: list[Draft], error: Callable[[], Refused]) -> None:
        for draft in drafts:
            if draft.error is None:
                draft.error, draft.id, draft.repeated = error(), NOTHING, False
        if drafts:
            self._settle(drafts)

    def _sorry(self) -> str:
        return f"The room's log does not answer: {self.away}. Send again with the same ref."

    def _expire(self) -> None:
        now = self._clock()
        if not 0 <= now - self._expired <= EXPIRE_S:
            self._expired = now
            self._ledger.expire(now)

    # -- reading

    async def attach(self, room: str) -> EventId:
        await self._know(room)
        self._followed.add(room)
        return self._position(room)

    async def find_ref(self, room: str, session: bytes, ref: str) -> EventId | None:
        await self.drain()  # the refs of a batch under way are in memory before they are on the disk
        super()._check()
        await self._know(room)
        return self._refs.find(room, session, ref)

    async def _know(self, room: str) -> None:
        self._check()
        while self._ledger.missing([room]):
            forgets = self._ledger.forgets
            recalled = await self._ask(recall([room], self._ms_ago(REF_MEMORY_S)))
            if forgets == self._ledger.forgets:
                self._ledger.learn([room], recalled, self._clock())

    def _position(self, room: str) -> EventId:
        """The last id that was told: what is being committed now is still to come."""
        under_way = self._batch.events if self._batch else []
        for event in self._held + under_way:
            if event.room == room:
                return event.prev
        return self._ledger.tail(room, self._clock())

    async def title(self, room: str) -> str | None:
        return await self._ask(reader.title(room, self._span()))

    async def after(self, room: str, cursor: EventId, limit: int) -> Page:
        return await self._ask(reader.after(room, self._span(), cursor, limit))

    async def before(self, room: str, cursor: EventId | None, limit: int) -> Page:
        return await self._ask(reader.before(room, self._span(), cursor or reader.LAST, limit))

    async def search(self, room: str, query: str, *, before: EventId | None = None, limit: int = 50) -> Found:
        found = await self._ask(search(room, self._span(), Query(query), before, limit))
        return found if found is not None else await super().search(room, query, before=before, limit=limit)

    async def rooms(self, limit: int) -> list[RoomLine]:
        return await self._ask(lobby(self._span(), self._leases.live(), limit))

    async def count_after(self, cursors: Mapping[str, EventId], limit: int) -> dict[str, int]:
        return await self._ask(reader.count_after(cursors, self._span(), limit))

    async def _ask(self, question: reader.Question[Answer]) -> Answer:
        self._check()
        try:
            async with asyncio.timeout(READ_DEADLINE_S):
                return await self._readers.ask(question)
        except TimeoutError as error:
            self.faults["late"] += 1
            words = f"the disk with {self._path} has not answered for {READ_DEADLINE_S:g} s"
            raise Refused("log_away", f"The room's log does not answer: {words}. Try again soon.") from error
        except sqlite3.Error as error:
            words = f"The room's log does not answer: {self._health.misread(error)}. Try again soon."
            raise Refused("log_away", words) from error

    def _check(self) -> None:
        """Reading goes on while only writing fails."""
        if self._is_closed or not hasattr(self, "_readers"):
            super()._check()

    def _span(self) -> reader.Span:
        return reader.Span(self._ms_ago(self._retention.max_age_s), self._ms_ago(self._retention.idle_room_s))

    def _ms_ago(self, seconds: int) -> int:
        """The time *seconds* ago; 0 if they are 0, which stands for no limit."""
        return int((self._clock() - seconds) * 1000) if seconds else 0

    def _open_file(self) -> tuple[sqlite3.Connection, Newest]:
        connection = connect(self._path, synchronous=self._synchronous)
        try:
            transact(connection, file)
            transact(connection, prepare)
            return connection, newest(connection)
        except sqlite3.Error as error:
            connection.close()
            raise cannot_start(error, self._path) from error
