"""Servers broken on purpose, each in one way a programmer might: what the torture run must convict.

A defect patches the running server's own classes, by their real names, so that a renamed method breaks it loudly.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from itertools import count
from typing import Any, NamedTuple

from chat_aiohttp import bodies, shared_reads, wire
from chat_aiohttp.catch_up import CatchUp
from chat_aiohttp.events import Draft, Event, EventId
from chat_aiohttp.hub import Hub
from chat_aiohttp.order import SenderOrder
from chat_aiohttp.registry import RoomRegistry
from chat_aiohttp.rooms import Member, Room
from chat_aiohttp.shared_reads import View
from chat_aiohttp.store import redis_append, redis_section
from chat_aiohttp.store.local import RecentRefs
from chat_aiohttp.store.redis_follow import Follower
from chat_aiohttp.store.redis_link import Script
from chat_aiohttp.store.redis_turn import TURN
from chat_aiohttp.store.sqlite import SqliteStore

LINES = frozenset(("clients cut", "link cut", "clients half open"))
KILLS = frozenset(("instance killed", "instance killed at a write"))


class Defect(NamedTuple):
    """How to break the server, on which store and under which faults it shows, and as which violations."""

    apply: Callable[[], None]
    store: str
    kinds: frozenset[str]
    convicted_of: frozenset[str]


DEFECTS: dict[str, Defect] = {}


def defect(store: str, kinds: frozenset[str], *convicted_of: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    def named(apply: Callable[[], None]) -> Callable[[], None]:
        DEFECTS[apply.__name__.replace("_", " ")] = Defect(apply, store, kinds, frozenset(convicted_of))
        return apply

    return named


def patch(owner: Any, name: str, new: Callable[..., Any]) -> None:
    """Replace *owner*'s function *name*; *new* gets the old one as its first argument."""
    old = getattr(owner, name)
    setattr(owner, name, lambda *args, **kwargs: new(old, *args, **kwargs))


@defect("sqlite", LINES, "lost", "not converged")
def a_delivery_is_skipped() -> None:
    number = count(1)
    patch(RoomRegistry, "deliver", lambda old, self, events: old(self, [one for one in events if next(number) % 97]))


@defect("sqlite", LINES, "doubled")
def refs_are_forgotten() -> None:
    patch(RecentRefs, "answers", lambda old, self, draft: False)


@defect("sqlite", LINES, "lost")
def a_resume_begins_one_too_late() -> None:
    def data(old: Any, self: View, **member: Any) -> bytes:
        return bytes(old(View(self._read, self._read.page(), self._start + 1, self.gap), **member))

    patch(View, "data", data)


@defect("sqlite", LINES, "again")
def a_resume_begins_one_too_early() -> None:
    def data(old: Any, self: View, *, v1: bool, kinds: frozenset[str]) -> bytes:
        first = self._read.frames(kinds)[self._start : self._start + 1]
        return b"".join([*first, old(self, v1=v1, kinds=kinds)])

    patch(View, "data", data)


@defect("sqlite", LINES, "lost", "again")
def who_resumes_is_live_too_early() -> None:
    def begin(old: Any, self: CatchUp, member: Member, after: EventId | None, history: int) -> None:
        old(self, member, after, history)
        member.room.join(member, member.room.position)

    patch(CatchUp, "begin", begin)


@defect("sqlite", KILLS, "unlogged", "not in the log")
def acknowledged_before_the_commit() -> None:
    def form(old: Any, self: Any, batch: Any) -> None:
        rows = self._ledger.form(batch, self._clock())

        def write(connection: Any) -> None:
            time.sleep(0.05)
            rows(connection)

        self._settle(batch.drafts)
        self._tell(batch.events)
        batch.is_given_up = True
        batch.events, told = [], batch.events
        self._writer.put(write, lambda _, error: self._end(batch, error))
        del told

    patch(SqliteStore, "_form", form)


@defect("sqlite", frozenset(("disk takes nothing", "file locked for long")), "unlogged", "not in the log")
def a_failed_commit_is_taken_for_a_good_one() -> None:
    patch(SqliteStore, "_end", lambda old, self, batch, error: old(self, batch, None))


@defect("sqlite", LINES, "lost", "again")
def a_flush_turns_the_order_round() -> None:
    def send_pending(old: Any, self: Room) -> None:
        self._pending.reverse()
        old(self)

    patch(Room, "_send_pending", send_pending)


@defect("sqlite", LINES, "foreign room")
def a_message_strays_into_another_room() -> None:
    number = count(1)

    def deliver(old: Any, self: RoomRegistry, events: list[Event]) -> None:
        old(self, events)
        for event in events:
            if next(number) % 53 == 0:
                stray = next((room for room in self.rooms() if room.key != event.room), None)
                if stray is not None:
                    stray.deliver(Event(stray.key, event.id, event.prev, event.kind, event.body, event.target))
                    stray.flush()

    patch(RoomRegistry, "deliver", deliver)


@defect("sqlite", LINES, "altered")
def a_message_gets_anothers_name() -> None:
    number, past = count(1), ["nobody-at-all"]

    def body(old: Any, text: str, public_id: str, *more: Any) -> bytes:
        other, past[0] = past[0], public_id
        return bytes(old(text, other if next(number) % 101 == 0 else public_id, *more))

    patch(bodies, "message_body", body)


@defect("sqlite", frozenset(("instance drained",)), "unlogged", "not in the log")
def a_drain_acknowledges_what_it_drops() -> None:
    async def drain(old: Any, self: Hub, deadline_s: float) -> None:
        def drop(draft: Draft) -> None:
            draft.id, draft.repeated = EventId(int(time.time() * 1000), 7), True
            self.settled([draft])

        self.store.append = drop  # type: ignore[method-assign]
        await asyncio.sleep(0.3)
        await old(self, deadline_s)

    patch(Hub, "drain", drain)


@defect("redis", LINES | {"room deleted", "room cut short"}, "lost")
def gaps_are_swallowed() -> None:
    for module in (wire, shared_reads):
        patch(module, "gap_frame", lambda old, gap, *, v1: b"")


@defect("redis", frozenset(("redis connections cut", "redis connections stalled", "redis killed")), "lost")
def a_follower_comes_back_at_the_end() -> None:
    async def audit(old: Any, self: Any, link: Any) -> None:
        shards = [shard for shard in self._following.shards.values() if shard.cursor is not None]
        if not getattr(link, "is_known", False):
            link.is_known = True
            for shard in shards:
                ((last, epoch),) = await self._ask(link, [(b"HMGET", shard.keys.head, b"last", b"epoch")], 1.0)
                shard.begin(last or b"0-0", epoch or b"")
        await old(self, link)

    async def fill(old: Any, self: Any, link: Any, rooms: Any, *, is_lost: bool) -> None:
        calls = [self._pages.after_call(one.room, one.place, 1000) for one in rooms]
        for one, reply in zip(rooms, await link.ask(calls, 1.0), strict=True):
            page = self._pages.page_of(one.room, one.place, reply)
            one.stand(page.position, str(page.position).encode())

    patch(Follower, "_audit", audit)
    patch(Follower, "_fill", fill)


@defect("redis", LINES, "doubled")
def redis_forgets_refs() -> None:
    source = TURN.source.decode()
    assert "if seen then" in source
    for module in (redis_append, redis_section):
        vars(module)["TURN"] = Script(source.replace("if seen then", "if false then"))


@defect("redis", frozenset(("redis connections cut", "redis kills its clients", "redis killed")), "sender order")
def nobody_is_held_after_a_refusal() -> None:
    patch(SenderOrder, "holds", lambda old, self, member, ref: False)
