"""A sender's order after a refusal: what is behind it waits, and a hold is looked into."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from chat_aiohttp.errors import Refused
from chat_aiohttp.events import EventId
from chat_aiohttp.order import SenderOrder
from chat_aiohttp.rooms import Member, Room
from chat_aiohttp.store.memory import MemoryStore

STORED = EventId(1, 0)
REFUSED = Refused("log_away", "away")


class Remembering(MemoryStore):
    """Remembers *refs*; *away* makes it refuse to say."""

    def __init__(self, *refs: str) -> None:
        super().__init__()
        self.refs = refs
        self.is_away = False
        self.asked = asyncio.Event()

    async def find_ref(self, room: str, session: bytes, ref: str) -> EventId | None:
        self.asked.set()
        if self.is_away:
            raise REFUSED
        return STORED if ref in self.refs else None


@pytest.fixture
def member() -> Member:
    nothing: Any = None
    room = Room(key="lobby", title="Lobby", position=STORED, switchboard=nothing, rest=0)
    return Member(room=room, session=b"s", public_id="p", name="Ada", v1=True)


async def looked(store: Remembering) -> None:
    await asyncio.wait_for(store.asked.wait(), 20)
    store.asked.clear()
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def test_what_is_behind_a_refused_send_waits_until_it_comes_again(member: Member) -> None:
    order = SenderOrder(store=Remembering())

    order.hold(member, "a", 1)

    assert order.holds(member, "b")
    assert order.holds(member, None)
    assert not order.holds(member, "a")
    order.release(member)
    assert member.held is None


async def test_the_first_refused_one_is_what_holds(member: Member) -> None:
    order = SenderOrder(store=Remembering())

    order.hold(member, "a", 1)
    order.hold(member, "b", 2)

    assert order.holds(member, "b")
    assert not order.holds(member, "a")


async def test_what_was_sent_first_holds_though_it_was_refused_last(member: Member) -> None:
    order = SenderOrder(store=Remembering())

    order.hold(member, "b", 2)  # at the door, while "a" still waits for the log
    order.hold(member, "a", 1)
    order.hold(member, "c", 3)

    assert not order.holds(member, "a")
    assert order.holds(member, "b")
    order.release(member)
    order.hold(member, "d", 4)  # the numbers of before count no more
    assert not order.holds(member, "d")


async def test_a_copy_refused_before_its_original_takes_the_originals_place(member: Member) -> None:
    order = SenderOrder(store=Remembering())
    for ref, number in (("c", 3), ("a", 4), ("b", 20), ("c", 6)):  # at the door, while the first "a" and "b" still wait
        order.hold(member, ref, number)

    for ref, number in (("a", 1), ("b", 2)):
        order.hold(member, ref, number)

    assert member.held == "a"


async def test_only_what_was_sent_after_the_refused_one_is_behind_it(member: Member) -> None:
    order = SenderOrder(store=Remembering())
    assert not order.is_behind(member, 1)

    order.hold(member, "b", 2)

    assert not order.is_behind(member, 1)
    assert order.is_behind(member, 3)
    order.forget(member)
    assert order.is_behind(member, 1), "whoever has gone sends everything again"


async def test_what_is_refused_for_good_holds_nobody(member: Member) -> None:
    order = SenderOrder(store=Remembering())
    order.hold(member, "a", 1)

    order.give_up(member, "b")
    assert member.held == "a"
    order.give_up(member, "a")

    assert member.held is None


async def test_what_was_refused_for_good_behind_the_held_one_does_not_hold_after_it(member: Member) -> None:
    store = Remembering("a")
    order = SenderOrder(store=store)
    order.hold(member, "a", 1)
    order.hold(member, "b", 2)

    order.give_up(member, "b")
    assert order.holds(member, "c")
    await looked(store)

    assert member.held is None


async def test_a_send_that_is_in_the_log_after_all_holds_nobody(member: Member) -> None:
    store = Remembering("a")
    order = SenderOrder(store=store)
    order.hold(member, "a", 1)

    assert order.holds(member, "b")
    await looked(store)

    assert member.held is None


async def test_behind_a_send_that_is_in_the_log_the_next_refused_one_holds(member: Member) -> None:
    store = Remembering("a", "b")
    order = SenderOrder(store=store)
    order.hold(member, "a", 1)
    order.hold(member, "b", 2)
    order.hold(member, "c", 3)
    order.hold(member, "d", 4)
    order.hold(member, "b", 20)  # sent again before its echo came: it keeps its place

    assert order.holds(member, "e")
    await looked(store)

    assert member.held == "c"
    assert order.holds(member, "d")
    assert not order.holds(member, "c")


async def test_a_send_that_is_not_in_the_log_goes_on_holding(member: Member) -> None:
    store = Remembering()
    order = SenderOrder(store=store)
    order.hold(member, "a", 1)

    assert order.holds(member, "b")
    await looked(store)

    assert order.holds(member, "b")


async def test_while_the_log_is_away_the_hold_stays_and_is_looked_into_again(member: Member) -> None:
    store = Remembering("a")
    store.is_away = True
    order = SenderOrder(store=store)
    order.hold(member, "a", 1)
    assert order.holds(member, "b")
    await looked(store)

    store.is_away = False
    assert order.holds(member, "b")
    await looked(store)

    assert member.held is None


async def test_stopping_ends_what_is_being_looked_into(member: Member) -> None:
    class Stuck(Remembering):
        async def find_ref(self, room: str, session: bytes, ref: str) -> EventId | None:
            self.asked.set()
            await asyncio.Event().wait()
            return None

    store = Stuck("a")
    order = SenderOrder(store=store)
    order.hold(member, "a", 1)
    order.holds(member, "b")
    await asyncio.wait_for(store.asked.wait(), 20)

    await asyncio.wait_for(order.stop(), 20)

    assert member.held == "a"
