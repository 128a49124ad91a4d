"""What the database remembers for a room that is about to be written to again. Layer 2.

Its number, its last id, and the refs of the last ten minutes: read once, at the first need after a start or a pause,
and kept in memory from then on (sqlite_batch.py), because one process writes the file.
"""

from __future__ import annotations

import sqlite3
from typing import Any

import msgspec

from chat_aiohttp.store.sqlite_pages import as_json
from chat_aiohttp.store.sqlite_readers import Question, filed


class Known(msgspec.Struct, frozen=True, array_like=True):
    """A room that exists; its last entry is at *ms*-*seq*."""

    key: str
    number: int
    ms: int
    seq: int


class KnownRef(msgspec.Struct, frozen=True, array_like=True):
    """A ref used lately in room *number*; *session* and *digest* in hexadecimal."""

    number: int
    session: str
    ref: str
    digest: str
    ms: int
    seq: int


class Recalled(msgspec.Struct, frozen=True):
    """The rooms that exist, and their recent refs, oldest first."""

    rooms: list[Known]
    refs: list[KnownRef]


class Newest(msgspec.Struct, frozen=True):
    """The greatest numbers and the greatest id ever given."""

    entry: int
    room: int
    ms: int
    seq: int


def recall(keys: list[str], since_ms: int) -> Question[Recalled]:
    """Those of the rooms *keys* that exist, and the refs used in them since *since_ms*."""

    def question(connection: sqlite3.Connection) -> Recalled:
        asked: dict[str, Any] = {"filed": filed(connection), "since": since_ms}
        is_one = len(keys) == 1
        asked |= {"key": keys[0]} if is_one else {"keys": as_json(keys)}
        found = connection.execute(_ROOM if is_one else _ROOMS, asked).fetchone()[0]
        rooms = msgspec.json.decode(found, type=list[Known])
        if not rooms:
            return Recalled([], [])
        asked |= {"room": rooms[0].number} if is_one else {"rooms": as_json([room.number for room in rooms])}
        found = connection.execute(_REFS_OF_ONE if is_one else _REFS, asked).fetchone()[0]
        refs = msgspec.json.decode(found, type=list[KnownRef])
        refs.sort(key=lambda ref: (ref.ms, ref.seq))  # the table "ref" gives its own in the order of their texts
        return Recalled(rooms, refs)

    return question


def newest(connection: sqlite3.Connection) -> Newest:
    """From where on numbers and ids are given. Everything is filed."""
    return Newest(*connection.execute(_NEWEST).fetchone())


_NEWEST = """
    SELECT filed, max((SELECT coalesce(max(id), 0) FROM room), (SELECT coalesce(max(room), 0) FROM vanished)), ms, seq
    FROM log"""
# One room is what opening a room asks for. By itself it needs no table of its own in the middle of the query: such a
# table brings a page cache with it, 90 KB, and for the fresh entries a look at every one.
_ROOM = """
    SELECT json_group_array(json_array(room.key, room.id, coalesce(fresh.ms, room.ms), coalesce(fresh.seq, room.seq)))
    FROM room LEFT JOIN entry AS fresh
        ON fresh.id = (SELECT id FROM entry WHERE id > :filed AND room = room.id ORDER BY id DESC LIMIT 1)
    WHERE room.key = :key"""
_ROOMS = """
    SELECT json_group_array(json_array(room.key, room.id, coalesce(fresh.ms, room.ms), coalesce(fresh.seq, room.seq)))
    FROM json_each(:keys) AS asked CROSS JOIN room ON room.key = asked.value
    LEFT JOIN (SELECT room, max(id), ms, seq FROM entry WHERE id > :filed GROUP BY room) AS fresh
        ON fresh.room = room.id"""


def _refs_in(rooms: str) -> str:
    return f"""
    SELECT json_group_array(json_array(room, hex(session), ref, hex(digest), ms, seq)) FROM (
        SELECT room, session, ref, digest, ms, seq FROM ref WHERE room IN {rooms} AND ms >= :since
        UNION ALL
        SELECT entry.room, session, ref, digest, entry.ms, entry.seq
        FROM place CROSS JOIN entry ON entry.id = place.entry
        WHERE place.room IN {rooms} AND place.ms >= :since AND ref IS NOT NULL
        UNION ALL
        SELECT room, session, ref, digest, ms, seq FROM entry
        WHERE id > :filed AND ref IS NOT NULL AND room IN {rooms})"""


_REFS_OF_ONE = _refs_in("(:room)")
_REFS = _refs_in("(SELECT value FROM json_each(:rooms))")
