"""A batch reaches its own rooms and no other, and a room is there as long as somebody is."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from chat_aiohttp.events import MESSAGE
from chat_aiohttp.names import shard_of
from chat_aiohttp.registry import RoomRegistry
from tests.boards import START, Board, event, join, settled, shown


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
