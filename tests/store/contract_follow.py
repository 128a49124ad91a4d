"""The contract of following: who is told what, signals, leases, and several stores on one log."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from chat_aiohttp.events import NOTHING
from chat_aiohttp.store import LEASE_S
from tests.store.listener import Clock, Side, edit, eventually, ids, message, texts


class FollowContract:
    async def test_a_room_nobody_wrote_to_starts_at_nothing(self, side: Side) -> None:
        assert await side.store.attach("lobby") == NOTHING

    async def test_attach_gives_the_last_id(self, side: Side) -> None:
        given = await side.say("lobby", "a", "b")

        assert await side.store.attach("lobby") == given[-1]

    async def test_everything_after_attach_is_told_in_order_and_once(self, side: Side) -> None:
        given = await side.say("lobby", "before")
        position = await side.store.attach("lobby")
        given += await side.say("lobby", *map(str, range(150)))
        given += await side.say("lobby", *map(str, range(150)))
        told = await side.told("lobby", 300)

        assert ids(told) == given[1:]
        assert [event.prev for event in told] == [position, *given[1:-1]]
        assert side.recorder.gaps == []

    async def test_what_is_told_is_what_was_written(self, side: Side) -> None:
        await side.store.attach("lobby")
        (first,) = await side.say("lobby", "hi")
        await side.one(edit("lobby", first, "ho"))
        told = await side.told("lobby", 2)

        assert told == (await side.all("lobby")).events
        assert (told[1].kind, told[1].target) == ("edit", first)

    async def test_rooms_that_are_not_followed_are_not_told(self, side: Side) -> None:
        await side.store.attach("den")
        await side.say("lobby", "not for us")
        await side.say("den", "for us")

        assert texts(await side.told("den", 1)) == ["for us"]
        assert side.told_of("lobby") == []

    async def test_a_detached_room_is_not_told_and_can_be_attached_again(self, side: Side) -> None:
        await side.store.attach("lobby")
        await side.store.attach("den")
        side.store.detach("lobby")
        (missed,) = await side.say("lobby", "missed")
        await side.say("den", "for us")
        await side.told("den", 1)
        position = await side.store.attach("lobby")
        (heard,) = await side.say("lobby", "heard")

        assert position == missed
        assert ids(await side.told("lobby", 1)) == [heard]

    async def test_detaching_a_room_that_is_not_attached_is_nothing(self, side: Side) -> None:
        side.store.detach("lobby")

    async def test_between_the_position_and_what_is_told_nothing_is_missing(self, side: Side) -> None:
        drafts = [message(f"room {n % 3}", str(n)) for n in range(600)]
        attached = []
        for n, draft in enumerate(drafts):
            side.store.append(draft)
            if n % 10 == 0:
                await asyncio.sleep(0)
            if n == 300:
                attached = [asyncio.create_task(side.store.attach(f"room {room}")) for room in range(3)]
        positions = await asyncio.gather(*attached)
        await side.settled(*drafts)

        for room, position in enumerate(positions):
            expected = (await side.store.after(f"room {room}", position, 1000)).events
            assert await side.told(f"room {room}", len(expected)) == expected

    async def test_what_was_settled_can_be_read(self, side: Side) -> None:
        for n in range(20):
            (stored,) = await side.say("lobby", str(n))
            page = await side.store.after("lobby", NOTHING, 1000)
            assert page.events[-1].id == page.position == stored

    async def test_what_was_told_can_be_read(self, side: Side) -> None:
        await side.store.attach("lobby")
        for n in range(20):
            side.store.append(message("lobby", str(n)))
            told = await side.told("lobby", n + 1)
            assert (await side.store.before("lobby", None, 1)).position == told[-1].id


class SignalContract:
    async def test_signals_reach_followed_rooms_only(self, side: Side) -> None:
        await side.store.attach("lobby")
        side.store.signal("den", b'{"typing": 1}')
        side.store.signal("lobby", b'{"typing": 2}')
        await side.recorder.until(lambda: bool(side.recorder.signals))

        assert side.recorder.signals == [("lobby", b'{"typing": 2}')]

    async def test_signals_are_told_later_not_from_within(self, side: Side) -> None:
        await side.store.attach("lobby")
        side.store.signal("lobby", b"{}")

        assert side.recorder.signals == []

    async def test_signals_leave_no_trace_in_the_log(self, side: Side) -> None:
        await side.store.attach("lobby")
        (first,) = await side.say("lobby", "a")
        side.store.signal("lobby", b"{}")
        await side.recorder.until(lambda: bool(side.recorder.signals))
        await side.say("lobby", "b")
        page = await side.all("lobby")

        assert texts(page.events) == ["a", "b"]
        assert page.events[1].prev == first
        assert texts(await side.told("lobby", 2)) == ["a", "b"]


class LeaseContract:
    async def test_a_lease_is_shown_until_it_is_given_back(self, side: Side) -> None:
        side.store.lease("lobby", "Lobby", 2, b'["ada", "ben"]')
        await side.store.drain()
        shown = await leases_when(side, "lobby", 1)
        side.store.lease("lobby", "Lobby", 0, None)

        assert shown == [b'["ada", "ben"]']
        assert await leases_when(side, "lobby", 0) == []

    async def test_a_new_lease_replaces_the_old_one(self, side: Side) -> None:
        side.store.lease("lobby", "Lobby", 1, b'["ada"]')
        side.store.lease("lobby", "Lobby", 2, b'["ada", "ben"]')

        assert await leases_when(side, "lobby", 1) == [b'["ada", "ben"]']

    async def test_a_room_has_its_own_leases(self, side: Side) -> None:
        side.store.lease("lobby", "Lobby", 1, b'["ada"]')
        await leases_when(side, "lobby", 1)

        assert await side.store.leases("den") == []

    async def test_giving_back_what_was_never_taken_is_nothing(self, side: Side) -> None:
        side.store.lease("lobby", "Lobby", 0, None)

        assert await side.store.leases("lobby") == []

    async def test_a_lease_that_is_not_renewed_ends(self, side: Side, clock: Clock) -> None:
        side.store.lease("lobby", "Lobby", 1, b'["ada"]')
        clock.now += LEASE_S - 1
        held = await side.store.leases("lobby")
        clock.now += 2

        assert held == [b'["ada"]']
        assert await side.store.leases("lobby") == []


class SharedContract:
    async def test_two_stores_are_told_one_order(self, side: Side, other: Side) -> None:
        await side.store.attach("lobby")
        await other.store.attach("lobby")
        drafts = [message("lobby", str(n)) for n in range(400)]
        for n, draft in enumerate(drafts):
            (side, other)[n % 2].store.append(draft)
            if n % 11 == 0:
                await asyncio.sleep(0)
        here, there = await side.told("lobby", 400), await other.told("lobby", 400)

        assert here == there == (await side.all("lobby")).events
        assert all(a.id < b.id and b.prev == a.id for a, b in pairwise(here))

    async def test_a_repeat_through_another_store_is_one(self, side: Side, other: Side) -> None:
        (first,) = await side.append(message("lobby", "hi", ref="k1"))
        (again,) = await other.append(message("lobby", "hi", ref="k1"))

        assert (again.repeated, again.id) == (True, first.id)

    async def test_signals_reach_the_other_store(self, side: Side, other: Side) -> None:
        await other.store.attach("lobby")
        side.store.signal("lobby", b"{}")
        await other.recorder.until(lambda: bool(other.recorder.signals))

        assert other.recorder.signals == [("lobby", b"{}")]

    async def test_leases_of_all_stores_are_shown_together(self, side: Side, other: Side) -> None:
        side.store.lease("lobby", "Lobby", 1, b'["ada"]')
        other.store.lease("lobby", "Lobby", 2, b'["ben", "eve"]')
        shown = await leases_when(side, "lobby", 2)
        lines = await side.store.rooms(10)
        other.store.lease("lobby", "Lobby", 0, None)

        assert sorted(shown) == [b'["ada"]', b'["ben", "eve"]']
        assert [(line.key, line.people) for line in lines] == [("lobby", 3)]
        assert await leases_when(side, "lobby", 1) == [b'["ada"]']


async def leases_when(side: Side, room: str, count: int) -> list[bytes]:
    """The room's leases once they are *count*: a lease never waits, so it may take a moment to be seen."""

    async def are_there() -> bool:
        return len(await side.store.leases(room)) == count

    await eventually(are_there)
    return await side.store.leases(room)
