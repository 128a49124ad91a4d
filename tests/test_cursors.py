"""Who joins a room with a cursor gets exactly what lies after it, whatever the room is doing, and learns of losses."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from chat_aiohttp import rooms
from chat_aiohttp.events import MESSAGE, Event, EventId
from chat_aiohttp.rooms import Member
from tests.boards import Board, Clock, SlowBoard, event, join, new_room, note, settled, shown


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(rooms, "perf_counter", clock)
    return clock


# -- cursors


@pytest.mark.parametrize("v1", [False, True])
async def test_who_comes_while_frames_wait_gets_only_what_lies_after_its_cursor(clock: Clock, v1: bool) -> None:
    board = SlowBoard(clock)
    room = new_room(board, rest=1000.0)
    old = join(room, v1=v1)
    room.deliver(event(1))
    room.flush()
    room.deliver(event(2))
    room.deliver(event(3))

    at_present, one_back = join(room, v1=v1), join(room, EventId(1000, 2), v1=v1)
    room.deliver(event(4))
    clock.now += 1000
    room.flush()

    assert board.heard(old) == shown(event(1), event(2), event(3), event(4))
    assert board.heard(at_present) == shown(event(4))
    assert board.heard(one_back) == shown(event(3), event(4))
    assert len(room) == 3


async def test_who_has_read_further_than_the_room_gets_nothing_twice() -> None:
    board = Board()
    room = new_room(board)
    ahead = join(room, EventId(1000, 3))

    for seq in range(1, 6):
        room.deliver(event(seq))
        room.flush()

    assert board.heard(ahead) == shown(event(4), event(5))
    assert ahead in room.plain


async def test_who_joins_while_frames_wait_still_hears_of_people_who_come_after(clock: Clock) -> None:
    board = SlowBoard(clock)
    room = new_room(board, rest=1000.0)
    join(room, v1=True)
    room.deliver(event(1))
    room.flush()
    room.deliver(event(2))

    newcomer = join(room, v1=True)
    ahead = join(room, EventId(1000, 9), v1=True)
    room.tell(note("someone came after you"))
    clock.now += 1000
    room.flush()

    assert b"someone came after you" in board.heard(newcomer)
    assert b"someone came after you" in board.heard(ahead)


async def test_who_is_still_arriving_gets_nothing_and_counts() -> None:
    board = Board()
    room = new_room(board)
    member = Member(room=room, session=b"s" * 16, public_id="me", name="Me", v1=True)
    room.arriving.add(member)

    room.deliver(event(1))
    room.flush()

    assert not board.writes
    assert len(room) == 1
    room.join(member, EventId(1000, 1))
    assert len(room) == 1
    room.deliver(event(2))
    room.flush()
    assert board.heard(member) == shown(event(2))


# -- a log that lost something


async def test_news_of_a_loss_comes_after_what_was_under_way_and_before_what_comes_then() -> None:
    """Ids may be given again from a lower position on, so that what is stale must not come after the news."""
    board = Board(per_slice=1)
    room = new_room(board)
    members = [join(room, v1=place % 2 == 0) for place in range(6)]
    room.deliver(event(5))
    room.flush()
    room.deliver(event(6))

    room.restart(EventId(1000, 2), note("gap v1"), note("gap plain"))
    again = Event("lobby", EventId(1000, 3), EventId(1000, 2), MESSAGE, b'{"message":"another three"}')
    room.deliver(again)
    room.flush()
    await settled(room)

    for member in members:
        gap = b"gap v1" if member.v1 else b"gap plain"
        assert board.heard(member) == [*shown(event(5), event(6)), gap, *shown(again)]


async def test_a_loss_reaches_who_has_read_ahead_and_then_everything_new(clock: Clock) -> None:
    board = SlowBoard(clock)
    room = new_room(board, rest=1.0)
    old = join(room)
    room.deliver(event(1))
    room.flush()
    room.deliver(event(2))
    ahead, current = join(room, EventId(1000, 9), v1=True), join(room)

    clock.now -= 1  # still resting
    room.restart(EventId(1000, 0), note("gap v1"), note("gap plain"))
    assert room._waking is not None
    later = join(room)
    again = Event("lobby", EventId(1000, 1), EventId(1000, 0), MESSAGE, b'{"message":"another one"}')
    room.deliver(again)
    room._wake()
    await settled(room)

    assert board.heard(old) == [*shown(event(1), event(2)), b"gap plain", *shown(again)]
    assert board.heard(ahead) == [b"gap v1", *shown(again)]
    assert board.heard(current) == [b"gap plain", *shown(again)]
    assert board.heard(later) == shown(again)


async def test_a_loss_that_skips_forward_drops_what_lies_before_its_position() -> None:
    board = Board()
    room = new_room(board)
    member = join(room)

    room.restart(EventId(1000, 7), note("gap v1"), note("gap plain"))
    for seq in (6, 7, 8):
        room.deliver(event(seq))
    room.flush()

    assert board.heard(member) == [b"gap plain", *shown(event(8))]


# -- in any order


class AnyOrder(RuleBasedStateMachine):
    """Joining with any cursor, leaving, delivering, flushing, slices and rests, in any order: each member gets every
    event after its cursor once, in the log's order."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.board = Board(per_slice=1)
        self.room = new_room(self.board, rest=0.0)
        self.seq = 0
        self.members: dict[Member, int] = {}
        self.gone: dict[Member, int] = {}

    def run(self, count: int) -> None:
        async def turns() -> None:
            for _ in range(count):
                await asyncio.sleep(0)

        self.loop.run_until_complete(turns())

    @rule()
    def deliver(self) -> None:
        self.seq += 1
        self.room.deliver(event(self.seq))

    @rule(ahead=st.integers(0, 3), v1=st.booleans())
    def join(self, ahead: int, v1: bool) -> None:
        cursor = self.seq + ahead
        self.members[join(self.room, EventId(1000, cursor), v1=v1)] = cursor

    @precondition(lambda self: self.members)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        member = data.draw(st.sampled_from(list(self.members)))
        self.room.leave(member)
        del self.members[member]

    @rule(turns=st.integers(0, 3))
    def flush(self, turns: int) -> None:
        async def flush() -> None:
            self.room.flush()

        self.loop.run_until_complete(flush())
        self.run(turns)

    @invariant()
    def nothing_is_doubled_or_out_of_order(self) -> None:
        for member, cursor in self.members.items():
            heard = self.board.heard(member)
            assert heard == shown(*(event(seq) for seq in range(cursor + 1, cursor + 1 + len(heard))))

    def teardown(self) -> None:
        self.flush(0)
        self.run(200)
        for member, cursor in self.members.items():
            assert self.board.heard(member) == shown(*(event(seq) for seq in range(cursor + 1, self.seq + 1)))
        self.loop.close()


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
