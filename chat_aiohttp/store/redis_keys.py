"""What the Redis store calls its keys. Layer 2: no I/O here.

A room hashes to one shard for ever, and every key of a shard carries the shard's hash tag, so that one script can
touch all of them, in Redis Cluster too. With the prefix "chat":

    chat:shards               how many shards there are: stored at the first start, never changed
    chat:{s07}:bus            stream: what happened in the shard's rooms lately; instances follow it
    chat:{s07}:head           hash: the last id given in the shard, and the epoch, random since the hash was born
    chat:{s07}:rooms          sorted set: room -> when something last happened in it (ms)
    chat:{s07}:titles         hash: room -> its name as first written
    chat:{s07}:r:<room>       stream: the room's log
    chat:{s07}:a:<room>       hash: message id -> ids of its edits and reactions
    chat:{s07}:t:<room>       hash: tombstones, deleted id -> the id before it
    chat:{s07}:l:<room>       hash: leases, instance -> "<until ms> <people> <who they are>"
    chat:{s07}:y:<room>:<session>, …:o:…   hashes: the session's younger and older refs -> "<id> <digest>"
    chat:{s07}:wake:<instance>, …:probe    a follower's wake-up, and the write that asks whether writing works

A part of the store that has several shards on one server wakes and probes in the first of them.

Rooms are percent-encoded in keys: a brace in a room's name must not choose its slot.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from urllib.parse import quote, unquote

from chat_aiohttp.errors import CannotStart
from chat_aiohttp.names import shard_of

EXIT_CONFIG: Final = 78  # sysexits.h: what is wrong stays wrong until someone changes the configuration
EXIT_TRY_LATER: Final = 75

PLACES_REMEMBERED: Final = 65_536  # rooms whose place is kept worked out; then all are forgotten and worked out again


class Place(NamedTuple):
    """Where a room lives: its shard, and its name within that shard's keys."""

    shard: int
    name: bytes


class ShardKeys(NamedTuple):
    """The keys of one shard. *base* begins the names of its rooms' keys."""

    base: bytes
    bus: bytes
    head: bytes
    rooms: bytes
    titles: bytes
    probe: bytes

    def wake(self, instance: str) -> bytes:
        """The stream that wakes the follower of *instance*."""
        return self.base + b"wake:" + instance.encode()

    def of(self, family: bytes, name: bytes) -> bytes:
        """The key of the room called *name* in *family*: r, a, t or l."""
        return b"%b%b:%b" % (self.base, family, name)


class Layout:
    """The names of all keys under one prefix."""

    def __init__(self, *, prefix: str, shards: int) -> None:
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", prefix):
            raise CannotStart("bad_prefix", f"“{prefix}” can't begin Redis keys: use A-Z a-z 0-9 . _ -", EXIT_CONFIG)
        if not 1 <= shards <= 1024:
            raise CannotStart("bad_shards", f"shards = {shards}: there can be 1 to 1024 of them.", EXIT_CONFIG)
        self.count = shards
        self.count_key = f"{prefix}:shards".encode()
        self.shards = [_shard_keys(f"{prefix}:{{s{index:02}}}:".encode()) for index in range(shards)]
        self._places: dict[str, Place] = {}

    def place(self, room: str) -> Place:
        """Where *room* lives."""
        place = self._places.get(room)
        if place is None:
            if len(self._places) >= PLACES_REMEMBERED:
                self._places.clear()
            place = self._places[room] = Place(shard_of(room, self.count), quote(room, safe="").encode())
        return place

    def shard_of_key(self, key: bytes) -> int:
        """The shard whose hash tag *key* carries."""
        tag = key.index(b"{s") + 2
        return int(key[tag : key.index(b"}", tag)])


def _shard_keys(base: bytes) -> ShardKeys:
    return ShardKeys(base, base + b"bus", base + b"head", base + b"rooms", base + b"titles", base + b"probe")


def room_of(name: bytes) -> str:
    """The room whose name in keys is *name*."""
    return unquote(name.decode())
