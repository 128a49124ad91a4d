"""The rooms that have a member in this process, by shard: what a batch from the log is delivered to. Layer 1.

A registry of shards, a shard of rooms. A batch goes to its rooms first, then each room sends what it has, so that a
room's part of a batch leaves in one write per member. Synchronous, like the rooms themselves (rooms.py).
"""

from __future__ import annotations

from collections.abc import Sequence

from chat_aiohttp.events import Event, EventId
from chat_aiohttp.names import shard_of
from chat_aiohttp.rooms import Room
from chat_aiohttp.switchboard import Switchboard


class RoomShard:
    """The rooms of one shard: what one follower's batch is delivered to."""

    def __init__(self) -> None:
        self.rooms: dict[str, Room] = {}

    def deliver(self, event: Event) -> Room | None:
        """Give *event* to its room, which now may have something to send."""
        room = self.rooms.get(event.room)
        if room is not None:
            room.deliver(event)
        return room


class RoomRegistry:
    """Every room that has a member in this process."""

    def __init__(self, *, switchboard: Switchboard, rest: float, shards: int = 16) -> None:
        self._switchboard = switchboard
        self._rest = rest
        self._shards = [RoomShard() for _ in range(shards)]
        self._homes: dict[str, RoomShard] = {}  # of the open rooms, so that delivering hashes no name

    def shard(self, key: str) -> RoomShard:
        """The shard that *key*'s room belongs to."""
        return self._shards[shard_of(key, len(self._shards))]

    def get(self, key: str) -> Room | None:
        """The room, if anybody here is in it."""
        home = self._homes.get(key)
        return None if home is None else home.rooms.get(key)

    def deliver(self, events: Sequence[Event]) -> None:
        """Give each event to its room, then let the rooms send what they have: gathered, one write per member."""
        homes = self._homes
        touched: dict[Room, None] = {}  # in the order of their first event
        for event in events:
            home = homes.get(event.room)
            if home is not None and (room := home.deliver(event)) is not None:
                touched[room] = None
        for room in touched:
            room.flush()

    def open(self, key: str, title: str, position: EventId) -> Room:
        """A new room, which goes on from *position*."""
        room = Room(key=key, title=title, position=position, switchboard=self._switchboard, rest=self._rest)
        home = self._homes[key] = self.shard(key)
        home.rooms[key] = room
        return room

    def drop(self, room: Room) -> None:
        """Forget a room that nobody is in: an idle room costs nothing here."""
        home = self._homes.pop(room.key, None)
        if home is not None:
            home.rooms.pop(room.key, None)

    def rooms(self) -> list[Room]:
        """All of them, in no order."""
        return [room for shard in self._shards for room in shard.rooms.values()]
