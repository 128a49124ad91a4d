"""A room gathers, slices and rests, and yet every member gets every event once, in one order."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from chat_aiohttp import rooms
from chat_aiohttp.events import DELETE, EDIT, MESSAGE, REACTION, Event, EventId
from chat_aiohttp.frames import TEXT, frame
from chat_aiohttp.names import shard_of
from chat_aiohttp.rooms import Member, Room, RoomRegistry
from chat_aiohttp.switchboard import Socket, Switchboard
from chat_aiohttp.wire import event_frame
from tests.frame_bytes import server_frames
from tests.peers import DEADLINE_S

START = EventId(1000, 0)


class Board(Switchboard):
    """Writes down who was sent what, instead of sending it."""

    def __init__(self, per_slice: int = 1_000_000) -> None:
        super().__init__(
            on_message=lambda *_: None, on_gone=lambda *_: None, max_message_bytes=1, queue_bytes=1, slice_s=1.0
        )
        self.per_slice = per_slice
        self.writes: list[tuple[Socket, bytes]] = []
        self.vanish: dict[Socket, Room] = {}  # who turns out to be gone when written to

    def send(self, socket: Socket, data: bytes) -> None:
        self.writes.append((socket, data))

    def fan_out(self, members: Sequence[Socket], start: int, data: bytes) -> int:
        stop = min(start + self.per_slice, len(members))
        for socket in members[start:stop]:
            if (room := self.vanish.pop(socket, None)) is not None:
                assert isinstance(socket, Member)
                room.leave(socket)
                room.tell(note("someone left"))
                room.flush()
            else:
                self.send(socket, data)
        return stop

    def heard(self, member: Socket) -> list[bytes]:
        """The payloads that *member* was sent."""
        return [
            payload for _, payload in server_frames(b"".join(data for socket, data in self.writes if socket is member))
        ]


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(rooms, "perf_counter", clock)
    return clock


def event(seq: int, kind: str = MESSAGE, room: str = "lobby") -> Event:
    return Event(room, EventId(1000, seq), EventId(1000, seq - 1), kind, b'{"message":"%d"}' % seq)


def note(text: str) -> bytes:
    return frame(TEXT, text.encode())


def shown(*events: Event) -> list[bytes]:
    return [payload for one in events for _, payload in server_frames(event_frame(one))]


def new_room(board: Switchboard, rest: float = 0.0) -> Room:
    return Room(key="lobby", title="Lobby", position=START, switchboard=board, rest=rest)


def join(room: Room, cursor: EventId | None = None, *, v1: bool = False) -> Member:
    member = Member(room=room, session=b"s" * 16, public_id="me", name="Me", v1=v1)
    room.join(member, room.position if cursor is None else cursor)
    return member


async def settled(room: Room) -> None:
    """Until nothing is pending, under way or waiting."""
    async with asyncio.timeout(DEADLINE_S):
        while room._pending or room._flushing or room._waiting:
            await asyncio.sleep(0)


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


class SlowBoard(Board):
    """A board whose every write takes a hundredth of a second of *clock*."""

    def __init__(self, clock: Clock, per_slice: int = 1_000_000) -> None:
        super().__init__(per_slice)
        self.clock = clock

    def send(self, socket: Socket, data: bytes) -> None:
        self.clock.now += 0.01
        super().send(socket, data)


async def test_a_busy_room_rests_in_proportion_to_its_last_flush_and_gathers_meanwhile(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    rests: list[float] = []
    wakes: list[object] = []

    def call_later(delay: float, wake: object) -> None:
        rests.append(delay)
        wakes.append(wake)

    monkeypatch.setattr(asyncio.get_running_loop(), "call_later", call_later)
    board = SlowBoard(clock)
    room = new_room(board, rest=2.0)
    members = [join(room) for _ in range(5)]

    room.deliver(event(1))
    room.flush()
    for seq in (2, 3, 4):
        room.deliver(event(seq))
        room.flush()

    assert rests == [pytest.approx(2.0 * 0.05)], "five writes took 0.05 s; one wake is enough"
    assert len(board.writes) == 5
    clock.now += 0.11
    wakes[0]()  # type: ignore[operator]
    assert len(board.writes) == 10, "three events left in one write per member"
    for member in members:
        assert board.heard(member) == shown(event(1), event(2), event(3), event(4))


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
    assert room._waiting
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


# -- registry and shards


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.just(MESSAGE)), max_size=30))
def test_no_event_reaches_another_room(told: list[tuple[str, str]]) -> None:
    async def run() -> None:
        board = Board()
        registry = RoomRegistry(switchboard=board, rest=0.0)
        members = {}
        for key in "abcdef":
            members[key] = join(registry.open(key, key, START))
        events = [event(seq, kind, key) for seq, (key, kind) in enumerate(told, 1)]

        registry.deliver(events)
        for room in registry.rooms():
            await settled(room)

        for key, member in members.items():
            assert board.heard(member) == shown(*(one for one in events if one.room == key))

    asyncio.run(run())


async def test_a_batch_leaves_in_one_write_per_member() -> None:
    board = Board()
    registry = RoomRegistry(switchboard=board, rest=0.0)
    join(registry.open("lobby", "Lobby", START))

    registry.deliver([event(seq) for seq in range(1, 50)])

    assert len(board.writes) == 1


async def test_a_room_lives_in_the_shard_of_its_key_until_it_is_dropped() -> None:
    registry = RoomRegistry(switchboard=Board(), rest=0.0, shards=4)
    room = registry.open("lobby", "Lobby", START)

    assert registry.get("lobby") is room
    assert registry.shard("lobby") is registry._shards[shard_of("lobby", 4)]
    assert registry.rooms() == [room]
    registry.drop(room)
    registry.drop(room)
    assert registry.get("lobby") is None
    assert not registry.rooms()
