"""The store's contract: what holds the rooms' logs, and what instances follow. Layer 2.

One contract suite (tests/store/contract.py) runs against every implementation; memory.py is the model for the others.
Two kinds of things pass through a store:

* **events** are appended to a room's log and come back, in the log's order, to every instance that follows the room,
  also to the one that appended them. There is no other way to a member: one path, one order.
* **signals** (presence, typing) travel the same way but are never kept: they may be lost, and nothing waits for them.

Promises every implementation keeps:

1. Ids of a room only grow: also when the clock goes back, after deletion and after a restart.
2. `append` never waits and never raises; every draft settles exactly once, within 2.5 s, through `Listener.settled`.
   Drafts of one room are stored in the order in which they were given. If one is refused retryably, every draft given
   for the same room after it and before that refusal was told is refused too, so that a sender's order holds.
3. A draft that settled as stored is in the log, as durably as the store is configured, before it is told to anyone.
4. The same (session, ref) in a room is stored once: a repeat settles with the first id and `repeated`; the same ref
   with another digest settles with BadInput ``ref_reused``. At least the last 128 refs of a session in a room are
   remembered, for 10 minutes, over restarts too.
5. After `attach(room)` returned P, every event after P is told through `Listener.stored`, in order, each once, or a
   hole is told through `Listener.gap`. Until `detach(room)`.
6. Reading (`after`, `before`) sees at least everything that was settled or told before the call.
7. Nothing is silent: what retention, expiry or a lost log took away shows as a `Gap`. Not a gap: an `after` equal to
   the room's last id ever, `after=0-0`, and a hole that a delete made.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from chat_aiohttp.events import Draft, Event, EventId, Found, Gap, Page, RoomLine
from chat_aiohttp.store.search import scan
from chat_aiohttp.words import Query

APPEND_DEADLINE_S = 2.5  # then the outcome is Unknown: G10 promises an answer within this time
AWAY_WITHIN_S = 2.0  # a log that doesn't answer is noticed within this time


class Retention(msgspec.Struct, frozen=True):
    """What a room keeps. Enforced when writing, with some slack, and exactly (age) when reading."""

    max_events: int = 10_000  # 0: no limit
    max_age_s: int = 30 * 86_400  # 0: no limit
    idle_room_s: int = 90 * 86_400  # a room nobody wrote to for so long vanishes; 0: never


class Listener(Protocol):
    """Whoever is told what happens in the rooms: the hub. Synchronous, in the event loop's thread, never raises."""

    def stored(self, events: Sequence[Event]) -> None:
        """Events of followed rooms, in each room's order; our own included."""

    def settled(self, drafts: Sequence[Draft]) -> None:
        """How drafts given to `append` ended. May come before or after the same event's `stored`."""

    def signalled(self, room: str, body: bytes) -> None:
        """A signal for a followed room, from any instance, our own included."""

    def gap(self, room: str, gap: Gap) -> None:
        """A followed room's log lost something between two events told here."""


class Store(ABC):
    """Rooms' logs. Built with keyword arguments, then `bind`, then `open`; `close` ends it."""

    listener: Listener
    faults: Counter[str]  # what went wrong with the log since the start, by kind: full, locked, late, …

    def bind(self, listener: Listener) -> None:
        """Tell everything to *listener*. Once, before `open`."""
        self.listener = listener

    @abstractmethod
    async def open(self) -> None:
        """Connect and be ready. Raises CannotStart with the cause and the remedy."""

    @abstractmethod
    async def close(self) -> None:
        """Settle what is under way (bounded by APPEND_DEADLINE_S), then let go of everything."""

    @property
    @abstractmethod
    def away(self) -> str | None:
        """None while the log answers; else the cause in words. Known within AWAY_WITHIN_S of the fact."""

    @property
    @abstractmethod
    def durability(self) -> str:
        """What an acknowledgement is worth with this configuration, in words for the start line."""

    # -- events

    @abstractmethod
    def append(self, draft: Draft) -> None:
        """Take *draft* for the room's log. Appends of one turn of the loop go as one batch."""

    @abstractmethod
    async def drain(self) -> None:
        """Wait until every draft given so far has settled: at most APPEND_DEADLINE_S."""

    @abstractmethod
    async def attach(self, room: str) -> EventId:
        """Follow *room*; the position from which on events are told. Raises Refused while the log is away."""

    @abstractmethod
    async def title(self, room: str) -> str | None:
        """How *room*'s name was first written; None while nothing was written to it. Raises Refused."""

    @abstractmethod
    def detach(self, room: str) -> None:
        """Stop following *room*. Events already under way for it may still be told."""

    @abstractmethod
    async def after(self, room: str, cursor: EventId, limit: int) -> Page:
        """Up to *limit* events (1 to 1000) after *cursor*, of all kinds, oldest first, as they were written, less what
        was deleted. `Page.position` is the last event's id, or the room's last id ever when nothing more is kept.
        A cursor the log can't vouch for gives a gap, and the events that are kept after the gap's position.
        Raises Refused while the log is away."""

    @abstractmethod
    async def before(self, room: str, cursor: EventId | None, limit: int) -> Page:
        """The last *limit* messages (1 to 1000) before *cursor* (None: the newest), oldest first, each folded with its
        later edits, deletes and reactions (events.fold). `Page.position` is the id of the room's newest event of any
        kind at the time of reading (its last id ever), so that `after(position)` goes on without a hole; `more` says
        whether older messages are kept. Raises Refused while the log is away."""

    async def search(self, room: str, query: str, *, before: EventId | None = None, limit: int = 50) -> Found:
        """The last *limit* (1 to 100) messages before *before* (None: the newest) that hold *query*, newest first, each
        folded as `before` shows it; what counts as holding it is said in words.py. One search may look at a part of the
        room only, and says how far it came. Edits are found as they read now, deleted messages not at all.
        Raises BadInput (``bad_query``), and Refused while the log is away."""
        return await scan(lambda at, count: self.before(room, at, count), Query(query), before, limit)

    @abstractmethod
    async def find_ref(self, room: str, session: bytes, ref: str) -> EventId | None:
        """Where *session* stored *ref* in *room*, if that is still remembered (promise 4): how an Unknown outcome
        turned out. Raises Refused while the log is away."""

    @abstractmethod
    async def rooms(self, limit: int) -> list[RoomLine]:
        """The rooms with someone in them or something said in them, most recently active first, at most *limit* (1 to
        500). Raises Refused while the log is away."""

    @abstractmethod
    async def count_after(self, cursors: Mapping[str, EventId], limit: int) -> dict[str, int]:
        """How many messages each of the rooms (at most 50) keeps after its cursor, deleted ones left out, at most
        *limit* (1 to 100) of each: what is unread. A room nobody wrote to has 0. A store need not look further than
        the next 1,000 events of a room. Raises Refused while the log is away."""

    # -- signals

    @abstractmethod
    def signal(self, room: str, body: bytes) -> None:
        """Tell *body* to every instance that follows *room*. Never waits; dropped while the log is away."""

    @abstractmethod
    def lease(self, room: str, title: str, people: int, body: bytes | None) -> None:
        """This instance's people in *room*, to be shown to others for LEASE_S: *people* is their count, *body* who they
        are (presence.py's own bytes). None gives the lease back. Renew well before it ends. Never waits."""

    @abstractmethod
    async def leases(self, room: str) -> list[bytes]:
        """The bodies of all instances' live leases of *room*, ours included. Raises Refused while the log is away."""


LEASE_S = 38  # after a crash an instance's people are gone within this time (presence.LEASE_S)
