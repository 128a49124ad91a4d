"""Which rooms an instance follows in Redis, and how far each was told. Layer 2: no I/O here.

A room is entered before its position is known: what its shard's bus brings meanwhile is kept, and told as soon as
whoever asked to follow it has got the position. So nothing falls between the two, and nothing is told too early.
"""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec

from chat_aiohttp.events import MESSAGE, NOTHING, Event, EventId
from chat_aiohttp.store import Listener
from chat_aiohttp.store.redis_keys import Layout, ShardKeys
from chat_aiohttp.store.redis_pages import event_id

NO_ID: Final = b"0-0"
_json = msgspec.json.Decoder(msgspec.Raw)


class Followed:
    """A followed room: up to where it was told. While *position* is None it is being attached."""

    __slots__ = ("early", "is_behind", "is_settled", "position", "raw", "room")

    def __init__(self, room: str) -> None:
        self.room = room
        self.is_settled = False  # its position is known, and about to be set
        self.is_behind = False  # its shard was mended before that, so that its bus may have been skipped
        self.position: EventId | None = None
        self.raw = b""  # the position as Redis writes it
        # Entries read from the bus before the position was known; mostly there are none.
        self.early: list[tuple[bytes, list[bytes]]] | None = None

    def keep(self, raw_id: bytes, fields: list[bytes]) -> None:
        """Keep an entry until the position is known."""
        if self.early is None:
            self.early = []
        self.early.append((raw_id, fields))

    @property
    def place(self) -> EventId:
        """The position, or the beginning of the room while it has none."""
        return self.position or NOTHING

    def stand(self, position: EventId, raw: bytes) -> None:
        self.position, self.raw = position, raw


class FollowedShard:
    """A shard with followed rooms: where its bus is read, and what it was last known to be."""

    __slots__ = ("cursor", "epoch", "is_torn", "keys", "last", "rooms", "seen")

    def __init__(self, keys: ShardKeys) -> None:
        self.keys = keys
        self.rooms: dict[bytes, Followed] = {}
        self.cursor: bytes | None = None  # read the bus after this; None until the first room is attached
        self.last = NO_ID  # the last id of ours read from the bus: what the next entry must link to
        self.epoch = b""
        self.seen = (NO_ID, NO_ID)  # at the audit before: (the shard's last id, ours)
        self.is_torn = False  # its rooms are being brought up to their streams: when that fails, it is to be done again

    def begin(self, last: bytes, epoch: bytes) -> None:
        self.cursor = self.last = last
        self.epoch = epoch
        self.seen = (NO_ID, NO_ID)


class Following:
    """All followed rooms of one instance."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self.shards: dict[bytes, FollowedShard] = {}  # by the key of their bus
        self.behind: list[Followed] = []  # something of theirs never came by the bus: to be filled
        self.listener: Listener

    def enter(self, room: str) -> Followed:
        """Listen for *room* from now on; nothing is told before `settle` says from where."""
        place = self._layout.place(room)
        keys = self._layout.shards[place.shard]
        shard = self.shards.get(keys.bus)
        if shard is None:
            shard = self.shards[keys.bus] = FollowedShard(keys)
        followed = shard.rooms.get(place.name)
        if followed is None:
            followed = shard.rooms[place.name] = Followed(room)
        return followed

    def settle(self, followed: Followed, stand: tuple[bytes, bytes, bytes], position: EventId) -> bool:
        """Tell *followed* from its last id on, as the *stand* of its shard and room gave it, the id also as *position*.
        True: wake the task."""
        last, epoch, raw = stand
        shard = self._shard_of(followed)
        if followed.is_settled or shard is None:
            return False  # someone else was quicker, or it was left meanwhile
        followed.is_settled = True
        is_new = shard.cursor is None
        if is_new:
            shard.begin(last, epoch)
        # Told after whoever awaits the attach has got its position, and before anything the task reads from now on.
        asyncio.get_running_loop().call_soon(self._tell_early, followed, position, raw)
        return is_new

    def leave(self, room: str) -> None:
        """Stop listening for *room*."""
        place = self._layout.place(room)
        bus = self._layout.shards[place.shard].bus
        if (shard := self.shards.get(bus)) is not None:
            shard.rooms.pop(place.name, None)
            if not shard.rooms:
                del self.shards[bus]

    def give_up(self, followed: Followed) -> None:
        """The attach of *followed* failed: leave it, unless someone else has it by now."""
        if not followed.is_settled and self._shard_of(followed) is not None:
            self.leave(followed.room)

    def has(self, followed: Followed) -> bool:
        """Whether *followed* is still followed."""
        return self._shard_of(followed) is not None

    def _shard_of(self, followed: Followed) -> FollowedShard | None:
        """Its shard, if it is still followed."""
        place = self._layout.place(followed.room)
        shard = self.shards.get(self._layout.shards[place.shard].bus)
        return shard if shard is not None and shard.rooms.get(place.name) is followed else None

    def _tell_early(self, followed: Followed, position: EventId, raw: bytes) -> None:
        if self._shard_of(followed) is None:
            return
        followed.stand(position, raw)
        early, followed.early = followed.early or (), None
        told: list[Event] = []
        for raw_id, fields in early:
            if event_id(raw_id) <= followed.place:
                continue
            event = event_on_bus(followed, raw_id, fields)
            if event is None or fields[5] != followed.raw:
                followed.is_behind = True
                break
            followed.stand(event.id, raw_id)
            told.append(event)
        if followed.is_behind:
            self.behind.append(followed)
        if told:
            self.listener.stored(told)


def event_on_bus(followed: Followed, raw_id: bytes, fields: list[bytes]) -> Event | None:
    """The event that an entry of a bus carries; None if it is broken."""
    try:
        body = fields[7]
        _json.decode(body)
        ms, seq = raw_id.split(b"-")
        prev = followed.place if fields[5] == followed.raw else event_id(fields[5])
        event = EventId(int(ms), int(seq))
        if len(fields) == 8:
            return Event(followed.room, event, prev, MESSAGE, body)
        more = dict(zip(fields[8::2], fields[9::2], strict=True))
        target = more.get(b"t")
        kind = more[b"k"].decode() if b"k" in more else MESSAGE
        return Event(followed.room, event, prev, kind, body, event_id(target) if target is not None else None)
    except (ValueError, IndexError, msgspec.DecodeError):
        return None
