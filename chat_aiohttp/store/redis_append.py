"""Writing to Redis: what gathers in a turn of the loop leaves as one batch. Layer 2.

A lane is one connection and the shards it writes to. It has one batch under way at a time: at most one call of the
TURN script for each shard, so that what is refused in one can't be overtaken by what came later. What is given
meanwhile gathers behind, bounded. How drafts look to the script, and its answers to them, is redis_marshal.py's.

Promise: every draft settles once, in time. When an answer doesn't come, the drafts under way are unknown and
everything gathered behind them is refused; nothing is sent a second time from here. Signals and leases ride along;
while the log is away they are dropped.

Rejected: a future per draft, and a pipeline of XADDs: neither is atomic over a sender's messages, and both cost more.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from random import random
from time import monotonic
from typing import Final

from chat_aiohttp.errors import ChatError, Refused
from chat_aiohttp.events import Draft
from chat_aiohttp.store import Retention
from chat_aiohttp.store.redis_faults import Health, Remedy, code_in, remedy_of, words_of
from chat_aiohttp.store.redis_gather import Aside, Batch, Gathered, Item, drafts_of
from chat_aiohttp.store.redis_keys import Layout
from chat_aiohttp.store.redis_link import Call, Link, LinkLost, Reply
from chat_aiohttp.store.redis_marshal import arguments_of, conclude, unknown
from chat_aiohttp.store.redis_readers import refused
from chat_aiohttp.store.redis_turn import BROKEN, FAILED, TURN

log = logging.getLogger(__name__)

REPLY_S: Final = 2.2  # from a draft's append to its answer; then it is unknown. The contract's 2.5 s less the telling
LEAST_PATIENCE_S: Final = 0.2  # what has waited longer than leaves this is refused rather than sent too late
BACKOFF_S: Final = 1.0  # the ceiling of a full-jitter wait between attempts to connect
# A batch costs some 0.2 ms of CPU here and 0.1 ms in Redis, however little is in it: after a quiet time a message
# leaves at once, then not before so long.
REST_S: Final = 0.005
PROBE_S: Final = 0.5  # between attempts to write while Redis answers but refuses to
PROBED_S: Final = 1.0  # for the answer to an attempt; with the time to connect it is less than the contract's 2.5 s

PART: Final = "writing"  # this part's name in Health


class Lane:
    """Writes to some shards of one server, of which *first* is one. `run` is its task."""

    def __init__(
        self,
        *,
        layout: Layout,
        first: int,
        retention: Retention,
        instance: str,
        connect: Callable[[], Link],
        health: Health,
        settle: Callable[[Sequence[Draft]], None],
    ) -> None:
        self._layout = layout
        self._first = first
        self._connect = connect
        self._health = health
        self._settle = settle
        self._fixed = (
            instance,
            retention.max_events,
            retention.max_age_s * 1000,
            retention.idle_room_s * 1000,
        )
        self._gathered = Gathered()
        self._refused: list[Draft] = []
        self._is_writing = False
        self.quiet = asyncio.Event()  # set while nothing is gathered, under way or untold
        self.quiet.set()

    # -- giving

    def append(self, draft: Draft) -> None:
        """Take *draft*; it settles later, never within this call."""
        # While a refusal is yet to be told, nothing may be stored that its sender gave after it.
        if self._refused or self._health.causes or self._gathered.is_full:
            return self._refuse_soon(draft)
        self._gathered.add(self._layout.place(draft.room).shard, draft, len(draft.body))
        self.quiet.clear()

    def ride(self, shard: int, aside: Aside) -> None:
        """Take *aside* along, if the log is there and there is room."""
        if not self._health.causes and not self._gathered.is_full:
            last = aside.arguments[-1]
            self._gathered.add(shard, aside, len(last) if isinstance(last, bytes) else 0)
            self.quiet.clear()

    def _refuse_soon(self, draft: Draft) -> None:
        draft.error = refused(self._health.away or "more is waiting for it than it can take")
        self._refused.append(draft)
        self.quiet.clear()
        if len(self._refused) == 1:
            asyncio.get_running_loop().call_soon(self._tell_refused)

    def _tell_refused(self) -> None:
        # What had gathered is older than these refusals, so it need not be refused with them.
        drafts, self._refused = self._refused, []
        self._settle(drafts)
        self._rest()

    def _rest(self) -> None:
        if not (self._gathered.items or self._refused or self._is_writing):
            self.quiet.set()

    # -- the task

    async def run(self) -> None:
        """Connect and write, for ever. Cancelled, it refuses what it holds."""
        try:
            while True:
                link = self._connect()
                try:
                    await link.open()
                    await self._until_writable(link)
                    await self._serve(link)
                except LinkLost as lost:
                    self._health.ail(PART, lost.words)
                    self._refuse_all(lost.words)
                    await asyncio.sleep(random() * BACKOFF_S)
                except Exception as error:
                    log.exception("writing failed")
                    self._refuse_all(f"writing failed: {error!r}")
                    await asyncio.sleep(random() * BACKOFF_S)
                finally:
                    await link.close()
        finally:
            self._refuse_all("the server is closing")

    async def _serve(self, link: Link) -> None:
        """Write batch after batch. Returns when, between two, the server hung up or another took over: nothing is lost
        by connecting again."""
        while True:
            waited = not self._gathered.work.is_set()
            await self._gathered.work.wait()
            if link.is_left or (waited and await link.is_stale()):
                return
            since, batch = self._gathered.take()
            again_at = monotonic() + (0 if self._gathered.is_parted else REST_S)
            self._is_writing = True
            try:
                await self._write(link, batch, since + REPLY_S - monotonic())
            finally:
                self._is_writing = False
                self._rest()
            del batch  # a busy turn's, and perhaps the last for long
            if PART in self._health.causes:
                await self._until_writable(link)
            if (rest_s := again_at - monotonic()) > 0:
                await asyncio.sleep(rest_s)

    async def _write(self, link: Link, batch: Batch, patience_s: float) -> None:
        if patience_s < LEAST_PATIENCE_S:
            return self._give_up(batch, refused("Redis is too slow for what it is given"))
        try:
            replies = await link.ask([self._call(shard, items) for shard, items in batch.items()], patience_s)
        except LinkLost as lost:
            self._health.ail(PART, lost.words)
            self._give_up(batch, unknown(lost.words) if lost.is_sent else refused(lost.words))
            raise
        except BaseException:
            self._give_up(batch, unknown("the server is closing"))  # or it has a bug: either way, every draft settles
            raise
        settled: list[Draft] = []
        for (shard, items), reply in zip(batch.items(), replies, strict=True):
            drafts = drafts_of(items)
            if not self._read(drafts, reply):
                drafts += self._withdraw(shard, drafts[-1].error)
            settled += drafts
        if settled:
            self._settle(settled)

    def _give_up(self, batch: Batch, error: Refused) -> None:
        """Settle *batch*, whose answer will not come, and refuse what gathered behind it."""
        drafts = drafts_of([item for items in batch.values() for item in items])
        for draft in drafts:
            draft.error = error
        self._refuse_all("a batch before this one got no answer", drafts)

    def _call(self, shard: int, items: list[Item]) -> Call:
        keys = self._layout.shards[shard]
        fixed = (keys.base, *self._fixed)
        return TURN.call([keys.bus, keys.head, keys.rooms, keys.titles], *fixed, *arguments_of(items, self._layout))

    # -- outcomes

    def _read(self, drafts: list[Draft], reply: Reply) -> bool:
        """Write on each of *drafts* how it ended. False if some are refused: then nothing behind them may be stored."""
        if isinstance(reply, Exception):
            return self._refuse(drafts, words_of(reply))
        for index, (draft, answer) in enumerate(zip(drafts, reply, strict=False)):
            if answer[0] == FAILED:
                words = answer[1:].decode(errors="replace")
                self._health.faults.note(code_in(words))
                return self._refuse(drafts[index:], words)
            if answer[0] == BROKEN:
                self._health.faults.note("room_broken", "a room's log in Redis is no log: somebody wrote over its keys")
            conclude(draft, answer)
        return len(reply) == len(drafts) or self._refuse(drafts[len(reply) :], "ERR an answer is missing")

    def _refuse(self, drafts: list[Draft], cause: str) -> bool:
        if (
            remedy_of(code_in(cause)) is not Remedy.REFUSE
        ):  # that is of one shard or room; others are the whole server's
            self._health.ail(PART, f"Redis refuses to write: {cause}")
        for draft in drafts:
            draft.error = refused(cause)
        return not drafts

    def _withdraw(self, shard: int, error: ChatError | None) -> list[Draft]:
        """Refuse what gathered for *shard*: it was given behind something refused that is not told yet."""
        drafts = drafts_of(self._gathered.withdraw(shard))
        for draft in drafts:
            draft.error = error
        return drafts

    def _refuse_all(self, cause: str, before: Sequence[Draft] = ()) -> None:
        """Settle *before*, and refuse all that has gathered: told at once, so that nothing can come between."""
        drafts = list(before)
        for shard in self._gathered.shards():
            drafts += self._withdraw(shard, refused(cause))
        if drafts:
            self._settle(drafts)
        self._rest()

    async def _until_writable(self, link: Link) -> None:
        """Returns when Redis takes a write; meanwhile refuses what is given. Raises LinkLost when another should be
        asked: this one was made a replica, or the shard moved."""
        keys = self._layout.shards[self._first]
        probe: list[Call] = [(b"SET", keys.probe, b"", b"PX", 60_000), self._call(self._first, [])]
        while True:
            codes = {}
            for reply in await link.ask(probe, PROBED_S):
                if isinstance(reply, Exception):
                    words = words_of(reply)
                    codes[remedy_of(code_in(words))] = words
            hindrance = codes.get(Remedy.MOVE) or codes.get(Remedy.WAIT)
            if hindrance is None:
                return self._health.heal(PART)
            hindrance = f"Redis refuses to write: {hindrance}"
            if Remedy.MOVE in codes:
                raise LinkLost(hindrance, code=code_in(codes[Remedy.MOVE]), is_sent=False)
            self._health.ail(PART, hindrance)
            self._refuse_all(hindrance)
            await asyncio.sleep(PROBE_S)
