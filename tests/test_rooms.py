"""A room gathers, slices and rests, and yet every member gets every event once, in one order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from chat_aiohttp import rooms
from chat_aiohttp.events import DELETE, EDIT, MESSAGE, REACTION, Event, EventId
from chat_aiohttp.rooms import GATHERED_BYTES, Room
from tests.boards import Board, Clock, SlowBoard, event, join, new_room, note, settled, shown
from tests.peers import DEADLINE_S


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(rooms, "perf_counter", clock)
    return clock


@pytest.fixture
async def timers(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, asyncio.Handle]]:
    """What the loop is to do later, and after how many seconds; nothing of it is done by itself."""
    loop, set_so_far = asyncio.get_running_loop(), list[tuple[float, asyncio.Handle]]()

    def call_later(delay: float, callback: Callable[[], object]) -> asyncio.Handle:
        set_so_far.append((delay, asyncio.Handle(callback, (), loop)))
        return set_so_far[-1][1]

    monkeypatch.setattr(loop, "call_later", call_later)
    return set_so_far


# -- who gets what


async def test_everybody_gets_an_event_once_and_v1_gets_the_same_bytes() -> None:
    board = Board()
    room = new_room(board)
    plain, v1 = join(room), join(room, v1=True)

    room.deliver(event(1))
    room.flush()

    assert board.heard(plain) == board.heard(v1) == shown(event(1))
    assert board.writes[0][1] is board.writes[1][1], "one frame's bytes serve all"


async def test_an_event_told_again_or_out_of_order_is_dropped() -> None:
    board = Board()
    room = new_room(board)
    member = join(room)

    for seq in (1, 1, 3, 2, 3, 0, 4):
        room.deliver(event(seq))
        room.flush()

    assert board.heard(member) == shown(event(1), event(3), event(4))


async def test_plain_members_get_messages_only_and_kinds_of_the_future_go_to_nobody() -> None:
    board = Board()
    room = new_room(board)
    plain, v1 = join(room), join(room, v1=True)
    kinds = [MESSAGE, EDIT, "poll", REACTION, DELETE, MESSAGE]
    told = [event(seq, kind) for seq, kind in enumerate(kinds, 1)]

    for one in told:
        room.deliver(one)
    room.tell(note("typing"))
    room.flush()

    assert board.heard(plain) == shown(told[0], told[5])
    assert board.heard(v1) == [*shown(told[0], told[1], told[3], told[4], told[5]), b"typing"]
    assert room.position == told[5].id


async def test_a_room_of_plain_members_sends_nothing_for_what_is_not_for_them() -> None:
    board = Board()
    room = new_room(board)
    join(room)

    room.tell(note("typing"))
    room.deliver(event(1, EDIT))
    room.flush()

    assert not board.writes


async def test_who_left_gets_nothing_more() -> None:
    board = Board()
    room = new_room(board)
    member, other = join(room), join(room)

    room.leave(member)
    room.leave(member)
    room.deliver(event(1))
    room.flush()

    assert not board.heard(member)
    assert board.heard(other)
    assert len(room) == 1


# -- gathering, resting, slices


async def test_a_quiet_room_sends_at_once(clock: Clock) -> None:
    board = Board()
    room = new_room(board, rest=1000.0)
    member = join(room)

    room.deliver(event(1))
    room.flush()

    assert board.heard(member) == shown(event(1))


async def test_a_busy_room_rests_in_proportion_to_its_last_flush_and_gathers_meanwhile(
    clock: Clock, timers: list[tuple[float, asyncio.Handle]]
) -> None:
    board = SlowBoard(clock)
    room = new_room(board, rest=2.0)
    members = [join(room) for _ in range(5)]

    room.deliver(event(1))
    room.flush()
    for seq in (2, 3, 4):
        room.deliver(event(seq))
        room.flush()

    ((delay, timer),) = timers
    assert delay == pytest.approx(2.0 * 0.05), "five writes took 0.05 s; one wake is enough"
    assert len(board.writes) == 5
    clock.now += 0.11
    timer._run()
    assert len(board.writes) == 10, "three events left in one write per member"
    for member in members:
        assert board.heard(member) == shown(event(1), event(2), event(3), event(4))


def long_event(seq: int) -> Event:
    """One that a room gathers two of before it sends, rested or not."""
    return Event("lobby", EventId(1000, seq), EventId(1000, seq - 1), MESSAGE, b"x" * (GATHERED_BYTES // 2))


async def test_a_room_that_has_gathered_much_sends_before_its_rest_ends_and_then_rests_in_full(
    clock: Clock, timers: list[tuple[float, asyncio.Handle]]
) -> None:
    board = SlowBoard(clock)
    room = new_room(board, rest=2.0)
    member = join(room)
    told = [event(1), event(2), long_event(3), long_event(4), event(5), event(6)]

    def tell(*seqs: int) -> None:
        for seq in seqs:
            room.deliver(told[seq - 1])
            room.flush()

    tell(1, 2, 3)
    assert board.heard(member) == shown(*told[:1])
    tell(4)
    assert board.heard(member) == shown(*told[:4])
    assert len(board.writes) == 2
    tell(5, 6)

    assert len(board.writes) == 2, "the bound counts anew: no storm of small flushes"
    (_, old), (rest, timer) = timers
    assert old.cancelled(), "it would end the rest early"
    assert rest == pytest.approx(2.0 * 0.01)
    timer._run()
    assert board.heard(member) == shown(*told)
    assert len(board.writes) == 3


async def flushed(room: Room) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while room._flushing:
            await asyncio.sleep(0)


async def test_after_a_flush_in_the_middle_of_a_rest_one_timer_is_under_way(
    clock: Clock, timers: list[tuple[float, asyncio.Handle]]
) -> None:
    board = SlowBoard(clock, per_slice=1)
    room = new_room(board, rest=2.0)
    members = [join(room) for _ in range(3)]
    told = [event(1), event(2), long_event(3), long_event(4), event(5)]

    room.deliver(told[0])
    room.flush()
    await flushed(room)
    for one in told[1:]:  # the last one between two slices
        room.deliver(one)
        room.flush()
    await flushed(room)
    await asyncio.sleep(0)  # what is pending then is looked at in the next turn

    assert [timer.cancelled() for _, timer in timers] == [True, False]
    timers[-1][1]._run()
    await flushed(room)
    for member in members:
        assert board.heard(member) == shown(*told)


async def test_a_rest_that_is_over_is_not_waited_for(clock: Clock) -> None:
    board = SlowBoard(clock)
    room = new_room(board, rest=2.0)
    member = join(room)

    for seq in (1, 2, 3):
        room.deliver(event(seq))
        room.flush()
        clock.now += 0.1

    assert board.heard(member) == shown(event(1), event(2), event(3))


async def test_what_others_do_between_two_slices_is_not_this_rooms_cost(clock: Clock) -> None:
    board = SlowBoard(clock, per_slice=1)
    room = new_room(board, rest=1.0)
    for _ in range(3):
        join(room)

    room.deliver(event(1))
    room.flush()
    while room._flushing:
        clock.now += 50.0
        await asyncio.sleep(0)

    assert room._rested_at - clock.now == pytest.approx(0.03)


async def test_between_two_slices_the_loop_looks_at_others_and_the_next_flush_waits() -> None:
    board = Board(per_slice=2)
    room = new_room(board)
    members = [join(room, v1=place % 2 == 0) for place in range(9)]

    room.deliver(event(1))
    room.flush()
    assert len(board.writes) == 2
    room.deliver(event(2))
    room.flush()
    assert len(board.writes) == 2, "the second flush must not overtake the first"
    await settled(room)

    for member in members:
        assert board.heard(member) == shown(event(1), event(2))


async def test_who_comes_between_two_slices_gets_what_comes_then_and_nothing_twice() -> None:
    board = Board(per_slice=1)
    room = new_room(board)
    for _ in range(4):
        join(room)

    room.deliver(event(1))
    room.flush()
    late = join(room)
    room.deliver(event(2))
    room.flush()
    await settled(room)

    assert board.heard(late) == shown(event(2))


async def test_who_goes_between_two_slices_is_no_matter() -> None:
    board = Board(per_slice=1)
    room = new_room(board)
    members = [join(room) for _ in range(4)]

    room.deliver(event(1))
    room.flush()
    for member in members[1:3]:
        room.leave(member)
    await settled(room)

    assert len(room) == 2
    room.deliver(event(2))
    room.flush()
    await settled(room)
    assert board.heard(members[0]) == shown(event(1), event(2))
    assert shown(event(2))[0] not in board.heard(members[1])


async def test_news_of_someone_gone_does_not_overtake_the_flush_that_found_it_out() -> None:
    """A write finds a member gone, the room is told so at once, while most members still wait for their slice."""
    board = Board(per_slice=2)
    room = new_room(board)
    members = [join(room, v1=True) for _ in range(7)]
    room.deliver(event(1))
    first = next(iter(room.v1))
    board.vanish[first] = room

    room.flush()
    room.deliver(event(2))
    room.flush()
    room.deliver(event(3))
    room.flush()
    await settled(room)

    for member in set(members) - {first}:
        assert [payload for payload in board.heard(member) if payload != b"someone left"] == shown(
            event(1), event(2), event(3)
        )
        assert board.heard(member)[:2] == [*shown(event(1)), b"someone left"]
