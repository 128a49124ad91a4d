"""Batch after batch into SQLite, and what is told of each: the writing half of the store. Layer 2.

What gathers while a batch is being committed is the next batch: at most one is under way, so the order holds, and the
slower the disk the larger the batches. Ids, dedup and rows are made in the loop's thread when a batch is formed
(sqlite_batch.py); the writer's thread gets it as one parcel and tells how it ended (sqlite_writer.py). Opening, closing
and reading are sqlite.py's.

Promise: a draft is told as stored when its transaction is committed, with the durability that `synchronous` gives. What
the disk refuses is refused to the sender, together with everything behind it; the store tries again every second.

Rejected: a commit per message (a tenth of the speed), and reading back what was written to tell it (we have it here).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from chat_aiohttp.errors import Refused, Unknown
from chat_aiohttp.events import NOTHING, Draft, Event, EventId
from chat_aiohttp.store import Retention
from chat_aiohttp.store.local import REF_MEMORY_S, LocalStore
from chat_aiohttp.store.sqlite_batch import Batch, Ledger
from chat_aiohttp.store.sqlite_faults import Fault, cause, may_be_stored
from chat_aiohttp.store.sqlite_health import Health
from chat_aiohttp.store.sqlite_readers import Readers
from chat_aiohttp.store.sqlite_recall import Recalled, recall
from chat_aiohttp.store.sqlite_upkeep import Upkeep
from chat_aiohttp.store.sqlite_writer import Writer

# A commit costs some 0.2 ms of CPU, most of it the kernel's for the sync, however little is in it: after a quiet time a
# message is committed at once, then not before so long. At 1,000 messages/s that is 25 instead of 200 µs a message.
REST_S = 0.008
LATE_S = 1.8  # a batch not committed by then is answered as unknown: below AWAY_WITHIN_S and APPEND_DEADLINE_S
GATHER_LIMIT = 20_000  # drafts that wait for the disk; further ones are refused
GATHER_BYTES = 32 * 1024 * 1024  # the same for their bodies
EXPIRE_S = 60.0  # so often, at most, old refs are looked for


class CommittingStore(LocalStore):
    """The writing half. A subclass opens the file, which makes the four parts below, then reads and closes it."""

    _writer: Writer
    _readers: Readers
    _upkeep: Upkeep
    _health: Health

    def __init__(self, *, path: Path, retention: Retention, clock: Callable[[], float]) -> None:
        super().__init__(retention=retention, clock=clock)
        self._path = path
        self._ledger = Ledger(refs=self._refs, idle_room_s=retention.idle_room_s)
        self._batch: Batch | None = None
        self._held: list[Event] = []  # committed, but not told while nobody knows where the file is
        self._since = 0.0  # when the first of the gathered drafts was given
        self._weight = 0  # of the gathered bodies
        self._turned_away: list[Draft] = []  # over the limit, not told yet
        self._expired = 0.0
        self._rested_at = 0.0  # when the next batch may begin
        self._rest: asyncio.TimerHandle | None = None
        self._watchdog: asyncio.TimerHandle | None = None

    @property
    def away(self) -> str | None:
        return self._health.away if hasattr(self, "_health") else "the store is not open"

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

    def _position(self, room: str) -> EventId:
        """The last id that was told: what is being committed now is still to come."""
        under_way = self._batch.events if self._batch else []
        for event in self._held + under_way:
            if event.room == room:
                return event.prev
        return self._ledger.tail(room, self._clock())

    def _stop_timers(self) -> None:
        for timer in (self._rest, self._watchdog):
            if timer is not None:
                timer.cancel()

    def _ms_ago(self, seconds: int) -> int:
        """The time *seconds* ago; 0 if they are 0, which stands for no limit."""
        return int((self._clock() - seconds) * 1000) if seconds else 0
