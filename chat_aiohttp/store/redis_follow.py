"""Following: what happens in the shards' rooms, told in order. Layer 2.

One connection reads, in one blocking XREAD, the bus of every shard with a followed room. Cursors are explicit ids,
never `$`. A bus is short-lived; the truth is each room's own stream. So whenever an entry doesn't link to the one
before it (the bus was trimmed, deleted, flushed, or belongs to another past), the followed rooms of that shard are
read from their own streams from the position told last: what is there is told, what is gone is told as a gap. Once a
second an audit compares cursors with what the shards say of themselves, because a reader whose cursor lies ahead of
its stream is never woken.

Reading is also the health check: XREAD comes back within BLOCK_MS, or the log is away.

Promise: each event after a room's position once, in order, or a gap. The task never ends by itself; while it can't
follow, Health says why.

Rejected: one XREAD over the rooms' streams (milliseconds per call at thousands of rooms), pub/sub (loses silently),
consumer groups (everybody must see everything).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from random import random
from time import monotonic
from typing import Final

from chat_aiohttp.events import Event, EventId, Gap
from chat_aiohttp.store.redis_faults import Health, Remedy, code_in, remedy_of, words_of
from chat_aiohttp.store.redis_followed import NO_ID, Followed, FollowedShard, Following, event_on_bus
from chat_aiohttp.store.redis_link import Call, Link, LinkLost, Reply
from chat_aiohttp.store.redis_pages import Pages, event_id

log = logging.getLogger(__name__)

BLOCK_MS: Final = 800
AT_ONCE_MS: Final = 1  # 0 would be for ever
REPLY_S: Final = 1.0  # for an answer, beyond the time it may block: together less than the contract's AWAY_WITHIN_S
READ_EVENTS: Final = 256  # of each shard in one XREAD (COUNT is per stream)
REST_S: Final = 0.005  # after a read that brought something: what comes meanwhile comes together
AUDIT_S: Final = 1.0
BACKOFF_S: Final = 1.0  # the ceiling of a full-jitter wait between attempts to connect
FILL_ROOMS: Final = 32  # rooms read in one question when a shard is mended
FILL_EVENTS: Final = 100  # of each

PART: Final = "reading"  # this part's name in Health
_JUNK: Final = "a stream of ours in Redis holds what we didn't write: it is passed over"


class Follower:
    """Reads some shards of one server. `run` is its task."""

    def __init__(
        self, *, following: Following, wake_key: bytes, connect: Callable[[], Link], pages: Pages, health: Health
    ) -> None:
        self._wake_key = wake_key
        self._wake_cursor = NO_ID
        self._connect = connect
        self._pages = pages
        self._health = health
        self._following = following
        self._audit_at = 0.0

    # -- the task

    async def run(self) -> None:
        """Connect and follow, for ever."""
        while True:
            link = self._connect()
            try:
                await link.open()
                await self._audit(link)
                await self._catch_up(link)
                await self._read(link, AT_ONCE_MS)  # whoever refuses to be read has not come back
                self._health.heal(PART)
                while True:
                    heard = await self._read(link, BLOCK_MS)
                    await self._catch_up(link)
                    if heard:
                        await asyncio.sleep(REST_S)
                    if monotonic() >= self._audit_at:
                        await self._audit(link)
            except LinkLost as lost:
                self._health.ail(PART, lost.words)
            except Exception as error:
                log.exception("following failed")
                self._health.ail(PART, f"following failed: {error!r}")
            finally:
                await link.close()
            await asyncio.sleep(random() * BACKOFF_S)

    async def _ask(self, link: Link, calls: list[Call], deadline_s: float) -> list[Reply]:
        replies = await link.ask(calls, deadline_s)
        for reply in replies:
            if isinstance(reply, Exception):
                words = words_of(reply)
                raise LinkLost(f"Redis refuses to be followed: {words}", code=code_in(words), is_sent=True)
        return replies

    async def _read(self, link: Link, block_ms: int) -> bool:
        """One XREAD, which waits *block_ms* for news, and telling what it brought; whether it brought anything."""
        shards = {bus: shard for bus, shard in self._following.shards.items() if shard.cursor is not None}
        cursors = [shard.cursor or NO_ID for shard in shards.values()]
        keys = [self._wake_key, *shards]
        call: Call = (
            b"XREAD",
            b"COUNT",
            READ_EVENTS,
            b"BLOCK",
            block_ms,
            b"STREAMS",
            *keys,
            self._wake_cursor,
            *cursors,
        )
        (reply,) = await self._ask(link, [call], block_ms / 1000 + REPLY_S)
        for key, entries in reply or ():
            if key == self._wake_key:
                self._wake_cursor = entries[-1][0]
            elif self._following.shards.get(key) is shards[key]:  # else it was left meanwhile, and perhaps entered anew
                await self._take(link, shards[key], entries)
        return bool(reply)

    async def _take(self, link: Link, shard: FollowedShard, entries: list[tuple[bytes, list[bytes]]]) -> None:
        """Tell what these entries of the shard's bus say. Tens of thousands of entries a second pass here."""
        told: list[Event] = []
        rooms = shard.rooms
        stored = self._following.listener.stored
        for raw_id, fields in entries:
            shard.cursor = raw_id
            try:
                label, link_id, _, name, what = fields[:5]
                if label != b"b" or (what != b"p" and what != b"s"):
                    raise ValueError("not ours")
            except ValueError:
                self._health.faults.note("junk", _JUNK)
                continue
            if link_id != shard.last:
                if told:
                    stored(told)
                    told = []
                shard.last = raw_id
                await self._mend(link, shard)
            shard.last = raw_id
            followed = rooms.get(name)
            if followed is None:
                continue
            if what == b"s":
                self._following.listener.signalled(followed.room, fields[5])
            elif followed.position is None:
                followed.keep(raw_id, fields)  # for as long as an attach may take: READ_S
            elif fields[5] == followed.raw:
                event = event_on_bus(followed, raw_id, fields)
                if event is None:
                    self._health.faults.note("junk", _JUNK)
                    continue
                followed.position = event.id
                followed.raw = raw_id
                told.append(event)
            elif event_id(raw_id) > followed.position:
                # Before this one comes something that was never on the bus, or is gone: the room's stream knows.
                if told:
                    stored(told)
                    told = []
                self._following.behind.append(followed)
                await self._catch_up(link)
        if told:
            stored(told)

    # -- mending

    async def _catch_up(self, link: Link) -> None:
        """Fill the rooms that are behind. Those that can't be filled now stay behind."""
        if not self._following.behind:
            return
        # Each once, however often it was found behind: a page told twice is a gap told twice.
        behind = [followed for followed in dict.fromkeys(self._following.behind) if self._following.has(followed)]
        self._following.behind = []
        try:
            await self._fill(link, behind, is_lost=False)
        except BaseException:
            self._following.behind += behind
            raise

    async def _audit(self, link: Link) -> None:
        """Compare every shard with our place in it. Asked and answered between two reads, so our place stands still."""
        self._audit_at = monotonic() + AUDIT_S
        shards = [shard for shard in self._following.shards.values() if shard.cursor is not None]
        if not shards:
            return
        calls: list[Call] = [(b"HMGET", shard.keys.head, b"last", b"epoch") for shard in shards]
        for shard, (last, epoch) in zip(shards, await self._ask(link, calls, REPLY_S), strict=True):
            last, epoch = last or NO_ID, epoch or b""
            if not shard.epoch:
                shard.epoch = epoch  # the shard was born meanwhile
            was_there, ours = shard.seen
            is_deaf = ours == shard.last and event_id(was_there) > event_id(ours)
            if epoch != shard.epoch or event_id(shard.last) > event_id(last) or is_deaf:
                await self._mend(link, shard, is_doubted=True)
            elif shard.is_torn:
                await self._mend(link, shard)
            shard.seen = (last, shard.last)

    async def _mend(self, link: Link, shard: FollowedShard, *, is_doubted: bool = False) -> None:
        """Bring the shard's rooms up to their own streams. *is_doubted*: our cursor is worth nothing; begin anew."""
        shard.is_torn = True
        ((last, epoch),) = await self._ask(link, [(b"HMGET", shard.keys.head, b"last", b"epoch")], REPLY_S)
        is_lost = (epoch or b"") != shard.epoch
        if is_doubted:
            shard.begin(last or NO_ID, epoch or b"")
        shard.epoch = epoch or b""
        rooms = []
        for followed in shard.rooms.values():
            if followed.position is None:
                followed.is_behind = True
            else:
                rooms.append(followed)
        for start in range(0, len(rooms), FILL_ROOMS):
            await self._fill(link, rooms[start : start + FILL_ROOMS], is_lost=is_lost)
        shard.is_torn = False

    async def _fill(self, link: Link, rooms: Iterable[Followed], *, is_lost: bool) -> None:
        """Tell what *rooms*' own streams hold after what was told last, and what they no longer hold."""
        pending = list(rooms)
        while pending:
            places = [followed.place for followed in pending]
            calls = [
                self._pages.after_call(followed.room, place, FILL_EVENTS)
                for followed, place in zip(pending, places, strict=True)
            ]
            replies = await link.ask(calls, REPLY_S)
            behind = []
            for followed, place, reply in zip(pending, places, replies, strict=True):
                if isinstance(reply, Exception):
                    self._cannot_fill(words_of(reply))
                elif self._tell_page(followed, place, reply, is_lost=is_lost):
                    behind.append(followed)
            pending = behind

    def _cannot_fill(self, words: str) -> None:
        code = code_in(words)
        if remedy_of(code) is not Remedy.REFUSE:  # nothing is wrong with the room itself: it is filled later
            raise LinkLost(f"Redis refuses to be followed: {words}", code=code, is_sent=True)
        self._health.faults.note("room_broken", f"a followed room can't be read: {words}")

    def _tell_page(self, followed: Followed, place: EventId, reply: Reply, *, is_lost: bool) -> bool:
        """Tell one page of a room's stream; whether more lies behind it."""
        page = self._pages.page_of(followed.room, place, reply)
        followed.stand(page.position, str(page.position).encode())
        if page.gap is not None:
            reason = "lost" if is_lost else page.gap.reason
            self._health.faults.note("gap", f"a room's log has a gap, which is announced: {reason}")
            self._following.listener.gap(followed.room, Gap(place, page.gap.position, reason))
        if page.events:
            self._following.listener.stored(page.events)
        return page.more
