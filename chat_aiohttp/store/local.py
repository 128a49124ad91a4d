"""What the in-process stores share: gathering, following, signals, leases and the memory of refs. Layer 2.

A local store is the only one that writes to its log, so that everything a reader must be told passes through this
process: following a room is membership in a set, and a lease needs no log. It is not a store by itself: how a batch is
kept is memory.py's and sqlite.py's business.

Promise: drafts leave in the order in which they came, and each settles once.

Rejected: an asyncio.Future per draft. A batch of a thousand costs one callback here, not a thousand.
"""

from __future__ import annotations

import asyncio
import time
from abc import abstractmethod
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Sequence

import msgspec

from chat_aiohttp.errors import BadInput, Refused
from chat_aiohttp.events import NOTHING, Draft, Event, EventId, Gap
from chat_aiohttp.store import APPEND_DEADLINE_S, LEASE_S, Retention, Store

REFS_KEPT = 128  # refs a session may repeat in a room, at least; at twice as many the older half is forgotten
REF_MEMORY_S = 600  # for so long, at least, after the session's last send in the room
KEEP = Retention()  # the contract's own retention


class Lease(msgspec.Struct, frozen=True, gc=False):
    """Who is in a room, until when, and since when someone has been there without a break."""

    title: str
    people: int
    body: bytes
    since_ms: int
    until: float


class Leases:
    """This process' people, room by room. One process: one lease a room."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._rooms: dict[str, Lease] = {}

    def take(self, room: str, title: str, people: int, body: bytes) -> None:
        now = self._clock()
        before = self.of(room)
        since_ms = before.since_ms if before else int(now * 1000)
        self._rooms[room] = Lease(title, people, body, since_ms, now + LEASE_S)

    def give_back(self, room: str) -> None:
        self._rooms.pop(room, None)

    def of(self, room: str) -> Lease | None:
        """The live lease of *room*."""
        lease = self._rooms.get(room)
        if lease is not None and lease.until <= self._clock():
            del self._rooms[room]
            return None
        return lease

    def live(self) -> dict[str, Lease]:
        """Every live lease by its room."""
        return {room: lease for room in list(self._rooms) if (lease := self.of(room))}


class RecentRefs:
    """What sessions sent to rooms lately, so that a repeat is answered instead of stored again.

    Sessions are kept in the order of their last send: forgetting looks at the oldest only and idle ones cost nothing.
    """

    def __init__(self) -> None:
        self._sessions: OrderedDict[tuple[str, bytes], dict[str, tuple[EventId, bytes]]] = OrderedDict()
        self._used: dict[tuple[str, bytes], float] = {}

    def answers(self, draft: Draft) -> bool:
        """Whether *draft*'s ref was used before. Then how it ends is written on it."""
        if draft.ref is None:
            return False
        refs = self._sessions.get((draft.room, draft.session))
        first = refs.get(draft.ref) if refs else None
        if first is None:
            return False
        if first[1] == draft.digest:
            draft.id, draft.repeated = first[0], True
        else:
            words = "This ref was used for another message before. Send with a new ref."
            draft.error = BadInput("ref_reused", words, draft.ref)
        return True

    def find(self, room: str, session: bytes, ref: str) -> EventId | None:
        """Where the ref was stored, if it was."""
        first = self._sessions.get((room, session), {}).get(ref)
        return first[0] if first else None

    def remember(self, room: str, session: bytes, ref: str, stored: tuple[EventId, bytes], now: float) -> None:
        key = (room, session)
        refs = self._sessions.get(key)
        if refs is None:
            refs = self._sessions[key] = {}
        else:
            self._sessions.move_to_end(key)
        self._used[key] = now
        refs[ref] = stored
        if len(refs) >= 2 * REFS_KEPT:
            for old in list(refs)[:REFS_KEPT]:
                del refs[old]

    def expire(self, now: float) -> None:
        """Forget the sessions that sent nothing for REF_MEMORY_S. Costs as much as there is to forget."""
        while self._sessions:
            key = next(iter(self._sessions))
            if now - self._used[key] <= REF_MEMORY_S:
                return
            del self._sessions[key], self._used[key]

    def clear(self) -> None:
        self._sessions.clear()
        self._used.clear()


def find_gap(cursor: EventId, *, edge: EventId, tail: EventId, nearest: EventId) -> Gap | None:
    """What is missing for a reader at *cursor*.

    *edge* is the id just before the first kept event (the *tail* if none is kept), *tail* the last id ever, *nearest*
    the greatest id up to *cursor* that the log still knows, at least *edge*.
    """
    if cursor in (NOTHING, edge, tail, nearest):
        return None
    if cursor < edge:
        return Gap(cursor, edge, "trimmed")
    return Gap(cursor, nearest, "lost" if cursor > tail else "unknown")


class LocalStore(Store):
    """The in-process half of a store. A subclass keeps the batches in `_flush`, then calls `_settle` and `_tell`."""

    _loop: asyncio.AbstractEventLoop

    def __init__(self, *, retention: Retention, clock: Callable[[], float] = time.time) -> None:
        self._retention = retention
        self._clock = clock
        self.faults = Counter()
        self._gathered: list[Draft] = []
        self._signals: list[tuple[str, bytes]] = []
        self._woken = False
        self._given = self._ended = 0
        self._drains: list[tuple[int, asyncio.Future[None]]] = []
        self._followed: set[str] = set()
        self._leases = Leases(clock)
        self._refs = RecentRefs()

    async def open(self) -> None:
        self._loop = asyncio.get_running_loop()

    @abstractmethod
    def _flush(self) -> None:
        """Take what has gathered. Called once after each turn of the loop in which something was given."""

    # -- events

    def append(self, draft: Draft) -> None:
        self._gathered.append(draft)
        self._given += 1
        self._wake()

    async def drain(self) -> None:
        if self._ended >= self._given:
            return
        settled: asyncio.Future[None] = self._loop.create_future()
        self._drains.append((self._given, settled))
        await asyncio.wait([settled], timeout=APPEND_DEADLINE_S)

    async def find_ref(self, room: str, session: bytes, ref: str) -> EventId | None:
        self._check()
        return self._refs.find(room, session, ref)

    def detach(self, room: str) -> None:
        self._followed.discard(room)

    def _wake(self) -> None:
        if not self._woken:
            self._woken = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._woken = False
        if self._gathered:
            self._flush()
        if self._signals:
            self._tell_signals()

    def _settle(self, drafts: Sequence[Draft]) -> None:
        self._ended += len(drafts)
        self.listener.settled(drafts)
        while self._drains and self._drains[0][0] <= self._ended:
            settled = self._drains.pop(0)[1]
            if not settled.done():
                settled.set_result(None)

    def _tell(self, events: Iterable[Event]) -> None:
        if told := [event for event in events if event.room in self._followed]:
            self.listener.stored(told)

    # -- signals

    def signal(self, room: str, body: bytes) -> None:
        if room in self._followed and self.away is None:
            self._signals.append((room, body))
            self._wake()

    def _tell_signals(self) -> None:
        signals, self._signals = self._signals, []
        for room, body in signals:
            if room in self._followed:
                self.listener.signalled(room, body)

    def lease(self, room: str, title: str, people: int, body: bytes | None) -> None:
        if body is None:
            self._leases.give_back(room)
        else:
            self._leases.take(room, title, people, body)

    async def leases(self, room: str) -> list[bytes]:
        self._check()
        lease = self._leases.of(room)
        return [lease.body] if lease else []

    def _check(self) -> None:
        """Raises Refused while the log is away."""
        if self.away is not None:
            raise Refused("log_away", f"The room's log does not answer: {self.away}. Try again soon.")
