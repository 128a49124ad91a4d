"""Opening and closing rooms: one room however many come at once, and none when nobody is left."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from chat_aiohttp.errors import Refused
from chat_aiohttp.events import NOTHING, EventId, Gap
from chat_aiohttp.hub import Hub, HubRules
from chat_aiohttp.store.memory import MemoryStore


class Slow(MemoryStore):
    """Attaches when it is let to, and counts."""

    def __init__(self) -> None:
        super().__init__()
        self.let = asyncio.Event()
        self.asked = asyncio.Event()
        self.attached = 0
        self.detached = 0
        self.is_away = False

    async def attach(self, room: str) -> EventId:
        self.attached += 1
        self.asked.set()
        await self.let.wait()
        if self.is_away:
            raise Refused("log_away", "away")
        return await super().attach(room)

    def detach(self, room: str) -> None:
        self.detached += 1
        super().detach(room)


@pytest.fixture
async def store() -> Slow:
    return Slow()


@pytest.fixture
async def hub(store: Slow) -> Hub:
    hub = Hub(store=store, rules=HubRules(), instance="i", random=Random(1))
    await store.open()
    return hub


async def test_all_who_come_at_once_come_into_one_room_opened_once(hub: Hub, store: Slow) -> None:
    async def come() -> int:
        async with hub.door("lobby", "Lobby") as room:
            return id(room)

    coming = [asyncio.create_task(come()) for _ in range(50)]
    await asyncio.wait_for(store.asked.wait(), 20)
    store.let.set()

    assert len(set(await asyncio.gather(*coming))) == 1
    assert store.attached == 1


async def test_whoever_comes_to_an_empty_room_that_is_open_shares_it(hub: Hub, store: Slow) -> None:
    store.let.set()
    async with hub.door("lobby", "Lobby") as first, hub.door("lobby", "Lobby") as second:
        assert first is second

    assert store.attached == 1
    assert hub.registry.get("lobby") is None
    assert store.detached == 1


async def test_a_room_whose_visitors_gave_up_is_not_left_open(hub: Hub, store: Slow) -> None:
    async def come() -> None:
        async with hub.door("lobby", "Lobby"):
            raise AssertionError("it was given up before")

    coming = asyncio.create_task(come())
    await asyncio.wait_for(store.asked.wait(), 20)
    coming.cancel()
    await asyncio.wait([coming])
    store.let.set()

    async with asyncio.timeout(20):
        while not store.detached:
            await asyncio.sleep(0)
    assert hub.registry.get("lobby") is None


async def test_a_room_that_cannot_be_opened_is_refused_and_opened_the_next_time(hub: Hub, store: Slow) -> None:
    store.is_away = True
    store.let.set()
    with pytest.raises(Refused):
        async with hub.door("lobby", "Lobby"):
            pass

    store.is_away = False
    async with hub.door("lobby", "Lobby") as room:
        assert room is hub.registry.get("lobby")


async def test_a_room_whose_log_loses_something_while_it_opens_is_opened_anew(hub: Hub, store: Slow) -> None:
    """Opened where its log ended before, it would take what is said next, with the same ids, for known."""

    async def come() -> None:
        async with hub.door("lobby", "Lobby"):
            raise AssertionError("its position is of before the loss")

    coming = asyncio.create_task(come())
    await asyncio.wait_for(store.asked.wait(), 20)
    hub.gap("lobby", Gap(after=EventId(5, 0), position=NOTHING, reason="lost"))
    store.let.set()

    with pytest.raises(Refused, match="lost something"):
        await coming
    async with hub.door("lobby", "Lobby") as room:
        assert room.position == NOTHING


async def test_whoever_waits_at_the_door_when_a_drain_begins_is_refused(hub: Hub, store: Slow) -> None:
    """Let in after the goodbyes, they would hold the drain up to its deadline and be cut without one."""

    async def come() -> None:
        async with hub.door("lobby", "Lobby") as room:
            hub.member(room, session=b"s" * 16, who="w", name="Ada", v1=True)

    coming = asyncio.create_task(come())
    await asyncio.wait_for(store.asked.wait(), 20)
    await hub.drain(5)
    store.let.set()

    with pytest.raises(Refused) as refusal:
        await coming
    assert refusal.value.code == "draining"
