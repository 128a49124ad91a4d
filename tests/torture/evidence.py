"""What the log holds in the end, read from the store itself and past the server: the truth the checker compares with.

And what faults took from it: only rooms whose name begins with LOSSY are ever robbed.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import NamedTuple

import msgspec

from chat_aiohttp.store.redis_keys import Layout
from tests.servers import Server

LOSSY = "lossy"  # rooms whose log is cut by hand
SHARDS = 16
Id = tuple[int, int]


def as_id(text: str) -> Id:
    """An id as two numbers, as which they compare."""
    ms, _, seq = text.partition("-")
    return int(ms), int(seq)


class Entry(NamedTuple):
    """A message in a room's log."""

    id: Id
    ref: str | None
    sender: str
    text: str


class Loss(NamedTuple):
    """From *at* on, nothing up to *edge* needs to be there any more in *room*."""

    at: float
    room: str
    edge: Id


Logs = dict[str, list[Entry]]


class _Body(msgspec.Struct):
    message: str
    sender: str = msgspec.field(name="from")
    ref: str | None = None


_body = msgspec.json.Decoder(_Body).decode


def sqlite_logs(path: Path) -> Logs:
    """Every room's messages in an SQLite file, in the order of ids."""
    logs: Logs = {}
    connection = sqlite3.connect(path)
    try:
        rows = connection.execute(
            "SELECT room.key, entry.ms, entry.seq, entry.body FROM entry JOIN room ON room.id = entry.room "
            "WHERE entry.kind IS NULL AND entry.body IS NOT NULL ORDER BY entry.room, entry.ms, entry.seq"
        )
        for room, ms, seq, body in rows:
            logs.setdefault(room, []).append(_entry((ms, seq), body))
    finally:
        connection.close()
    return logs


def redis_logs(server: Server, rooms: list[str], page: int = 5_000) -> Logs:
    """The messages of *rooms* in Redis, in the order of ids."""
    return {room: _stream(server, redis_key(room), page) for room in rooms}


def redis_key(room: str) -> bytes:
    """The stream that is the log of *room*."""
    layout = Layout(prefix="chat", shards=SHARDS)
    place = layout.place(room)
    return layout.shards[place.shard].of(b"r", place.name)


def _stream(server: Server, key: bytes, page: int) -> list[Entry]:
    entries: list[Entry] = []
    after = "-"
    while found := server.ask("XRANGE", key, after, "+", "COUNT", page):
        for raw_id, fields in found:
            entries.append(_entry(as_id(raw_id.decode()), fields[b"d"]))
        after = "(" + found[-1][0].decode()
    return entries


def _entry(event_id: Id, body: bytes) -> Entry:
    known = _body(body)
    return Entry(event_id, known.ref, known.sender, known.message)
