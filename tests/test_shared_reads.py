"""A room that comes back whole reads its log a few times, and nobody gets anything else than by reading alone."""

from __future__ import annotations

import asyncio
from collections import Counter
from random import Random

import pytest

from chat_aiohttp import shared_reads
from chat_aiohttp.errors import Refused
from chat_aiohttp.events import DELETE, MESSAGE, NOTHING, Draft, Event, EventId, Gap, Page
from chat_aiohttp.metrics import Metrics
from chat_aiohttp.rooms import Room
from chat_aiohttp.shared_reads import PAGE, SharedReads, View
from chat_aiohttp.store.memory import MemoryStore
from tests.boards import Board

KINDS = frozenset((MESSAGE, DELETE))


class Counting(MemoryStore):
    """Answers when it is let to, and counts what it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: Counter[str] = Counter()
        self.let = asyncio.Event()
        self.let.set()
        self.is_away = False

    async def after(self, room: str, cursor: EventId, limit: int) -> Page:
        self.asked[room] += 1
        page = await super().after(room, cursor, limit)  # what there is when the read begins
        await self.let.wait()
        if self.is_away:
            raise Refused("log_away", "away")
        return page

    async def before(self, room: str, cursor: EventId | None, limit: int) -> Page:
        self.asked[room] += 1
        return await super().before(room, cursor, limit)


class Told:
    """The store's listener: the rooms' positions go on with what it is told."""

    def __init__(self) -> None:
        self.rooms: dict[str, Room] = {}
        self.ids: list[EventId] = []

    def stored(self, events: list[Event]) -> None:
        for event in events:
            self.ids.append(event.id)
            if event.room in self.rooms:
                self.rooms[event.room].deliver(event)

    def settled(self, drafts: list[Draft]) -> None: ...

    def signalled(self, room: str, body: bytes) -> None: ...

    def gap(self, room: str, gap: Gap) -> None: ...


class Log:
    """A room "lobby" with what was said in it."""

    def __init__(self) -> None:
        self.store = Counting()
        self.told = Told()
        self.metrics = Metrics()
        self.reads = SharedReads(store=self.store, metrics=self.metrics)

    async def open(self) -> Log:
        self.store.bind(self.told)  # type: ignore[arg-type]
        await self.store.open()
        self.room = self.told.rooms["lobby"] = Room(
            key="lobby", title="Lobby", position=await self.store.attach("lobby"), switchboard=Board(), rest=0.0
        )
        return self

    async def say(self, count: int, kind: str = MESSAGE, target: EventId | None = None) -> list[EventId]:
        before = len(self.told.ids)
        for number in range(count):
            self.store.append(Draft("lobby", "Lobby", kind, b'{"message":"%d"}' % number, target=target))
        await self.store.drain()
        async with asyncio.timeout(20):
            while len(self.told.ids) < before + count:
                await asyncio.sleep(0)
        return self.told.ids[before:]

    def shown(self, view: View) -> bytes:
        return view.data(v1=True, kinds=KINDS)

    async def alone(self, cursor: EventId) -> bytes:
        """What a reader gets that shares with nobody."""
        return self.shown(await SharedReads(store=self.store, metrics=Metrics()).after(self.room, cursor))


@pytest.fixture
async def log() -> Log:
    return await Log().open()


async def test_a_thousand_with_one_cursor_read_once(log: Log) -> None:
    ids = await log.say(20)

    views = await asyncio.gather(*(log.reads.after(log.room, ids[4]) for _ in range(1000)))

    assert log.store.asked["lobby"] == log.metrics.log_reads == 1
    assert {log.shown(view) for view in views} == {await log.alone(ids[4])}


async def test_a_thousand_with_near_cursors_read_a_few_times_and_each_gets_its_own(log: Log) -> None:
    ids = await log.say(60)
    random = Random(7)
    cursors = [random.choice(ids[10:]) for _ in range(1000)]

    views = await asyncio.gather(*(log.reads.after(log.room, cursor) for cursor in cursors))

    assert log.store.asked["lobby"] <= 12
    for cursor, view in zip(cursors[:100], views, strict=False):
        assert log.shown(view) == await log.alone(cursor)
        assert (view.position, view.more) == (ids[-1], False)


async def test_the_last_messages_are_read_once_for_all(log: Log) -> None:
    ids = await log.say(20)

    views = await asyncio.gather(*(log.reads.last(log.room, 5) for _ in range(100)))
    other = await log.reads.last(log.room, 6)

    assert {len(view) for view in views} == {5}
    assert (len(other), other.position) == (6, ids[-1])
    assert log.store.asked["lobby"] == 2


async def test_who_comes_after_something_was_said_gets_that_too(log: Log) -> None:
    (first,) = await log.say(1)
    assert len(await log.reads.after(log.room, NOTHING)) == 1
    assert len(await log.reads.after(log.room, first)) == 0

    second, third = await log.say(2)

    view = await log.reads.after(log.room, first)
    assert (len(view), view.position) == (2, third)
    assert len(await log.reads.after(log.room, second)) == 1
    stale = await log.reads.after(log.room, NOTHING)
    assert (len(stale), stale.position) == (1, first), "an old page says how far it goes"
    assert log.store.asked["lobby"] == 2


async def test_long_histories_go_page_by_page_for_all(log: Log) -> None:
    ids = await log.say(PAGE * 2 + 50)

    async def read_all() -> list[bytes]:
        cursor, pages, more = NOTHING, [], True
        while more:
            view = await log.reads.after(log.room, cursor)
            cursor, more = view.position, view.more
            pages.append(log.shown(view))
        assert cursor == ids[-1]
        return pages

    everything = await asyncio.gather(*(read_all() for _ in range(50)))

    assert log.store.asked["lobby"] == 3
    assert all(pages == everything[0] for pages in everything)


async def test_who_has_read_a_page_to_its_end_gets_the_next_one_also_while_the_room_is_behind(log: Log) -> None:
    ids = await log.say(PAGE + 1)
    log.room.position = ids[0]  # as where another instance wrote the rest, and the follower lags
    await log.reads.after(log.room, NOTHING)

    async with asyncio.timeout(20):
        rest = await log.reads.after(log.room, ids[PAGE - 1])

    assert rest.position == ids[PAGE]
    assert log.shown(rest) == await log.alone(ids[PAGE - 1]) != b""


async def test_what_was_deleted_is_not_given_out_again(log: Log) -> None:
    ids = await log.say(3)
    before = log.shown(await log.reads.after(log.room, NOTHING))

    await log.say(1, DELETE, target=ids[1])
    after = log.shown(await log.reads.after(log.room, NOTHING))

    assert b'"message":"1"' in before
    assert b'"message":"1"' not in after


async def test_after_a_loss_nothing_read_before_it_is_given_out(log: Log) -> None:
    await log.say(3)
    await log.reads.after(log.room, NOTHING)

    log.room.restart(log.room.position, b"", b"")
    await log.reads.after(log.room, NOTHING)

    assert log.store.asked["lobby"] == 2


async def test_a_read_that_fails_fails_for_all_and_the_next_is_a_new_one(log: Log) -> None:
    await log.say(1)
    log.store.is_away = True
    outcomes = await asyncio.gather(*(log.reads.after(log.room, NOTHING) for _ in range(10)), return_exceptions=True)
    assert all(isinstance(outcome, Refused) for outcome in outcomes)
    assert log.store.asked["lobby"] == 1

    log.store.is_away = False

    assert len(await log.reads.after(log.room, NOTHING)) == 1


async def test_who_gives_up_leaves_the_read_to_the_others(log: Log) -> None:
    await log.say(1)
    log.store.let.clear()
    impatient, patient = (asyncio.ensure_future(log.reads.after(log.room, NOTHING)) for _ in range(2))
    await asyncio.sleep(0)

    impatient.cancel()
    await asyncio.wait([impatient])
    log.store.let.set()

    assert len(await patient) == 1


async def test_pages_are_kept_for_a_moment_and_within_bounds(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_reads, "SHARE_S", 0.01)
    monkeypatch.setattr(shared_reads, "KEPT_PAGES", 4)
    await log.say(30)

    for count in range(1, 20):
        await log.reads.last(log.room, count)
        assert len(log.reads._kept) <= 4 + 1

    async with asyncio.timeout(20):
        while log.reads._kept:
            await asyncio.sleep(0.005)
    assert not log.reads._reads
    assert log.reads._bytes == 0


async def test_large_pages_are_not_kept(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_reads, "KEPT_BYTES", 10)
    await log.say(30)

    assert len(await log.reads.after(log.room, NOTHING)) == 30

    assert not log.reads._kept


async def test_stopping_ends_what_is_under_way(log: Log) -> None:
    log.store.let.clear()
    reading = asyncio.ensure_future(log.reads.after(log.room, NOTHING))
    await asyncio.sleep(0)

    await log.reads.stop()

    with pytest.raises(asyncio.CancelledError):
        await reading
