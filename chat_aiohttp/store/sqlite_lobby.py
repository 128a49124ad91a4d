"""The rooms as the lobby shows them, read from the database and joined with who is in them. Layer 2."""

from __future__ import annotations

import sqlite3
from typing import Any

import msgspec

from chat_aiohttp.events import RoomLine
from chat_aiohttp.store.local import Lease
from chat_aiohttp.store.sqlite_pages import SELECT_EVENT, Span, as_json, fold_all, read_events
from chat_aiohttp.store.sqlite_readers import Question, filed


class Written(msgspec.Struct, frozen=True, array_like=True):
    """A room in the database: *ms* is when it was last written to, 0 if nothing of it is kept."""

    key: str
    number: int
    title: str
    ms: int


def lobby(span: Span, leases: dict[str, Lease], limit: int) -> Question[list[RoomLine]]:
    """The most recently active *limit* rooms."""

    def question(connection: sqlite3.Connection) -> list[RoomLine]:
        asked: dict[str, Any] = {
            "filed": filed(connection),
            "oldest": max(span.oldest_ms, span.idle_ms),
            "leased": as_json(list(leases)),
            "limit": limit,
        }
        written = {room.key: room for query in (_LEASED, _FILED, _FRESH) for room in _written(connection, query, asked)}
        active = {key: lease.since_ms for key, lease in leases.items()}
        active |= {key: room.ms for key, room in written.items() if room.ms}
        shown = sorted(active, key=lambda key: (-active[key], key))[:limit]
        last = _last_messages(connection, [written[key] for key in shown if key in written], asked)
        return [_line(key, written.get(key), leases.get(key), active[key], last.get(key)) for key in shown]

    return question


def _written(connection: sqlite3.Connection, query: str, asked: dict[str, Any]) -> list[Written]:
    return msgspec.json.decode(connection.execute(query, asked).fetchone()[0], type=list[Written])


def _last_messages(connection: sqlite3.Connection, shown: list[Written], asked: dict[str, Any]) -> dict[str, bytes]:
    keys = {room.number: room.key for room in shown}
    messages = read_events(connection, _LAST, asked | {"rooms": as_json(list(keys))}, keys)
    return {message.room: message.body for message in fold_all(connection, messages, keys)}


def _line(key: str, room: Written | None, lease: Lease | None, active_ms: int, last: bytes | None) -> RoomLine:
    title = room.title if room else lease.title if lease else key
    return RoomLine(key, title, active_ms, lease.people if lease else 0, last)


_FRESH = """
    SELECT json_group_array(json_array(room.key, room.id, room.title, fresh.ms))
    FROM (SELECT room, max(ms) AS ms, max(id) AS id FROM entry WHERE id > :filed AND ms >= :oldest
          GROUP BY room ORDER BY max(id) DESC LIMIT :limit) AS fresh CROSS JOIN room ON room.id = fresh.room"""
_FILED = """
    SELECT json_group_array(json_array(key, id, title, ms)) FROM (
        SELECT key, id, title, ms FROM room INDEXED BY activity WHERE ms >= :oldest AND kept > 0
        ORDER BY ms DESC, seq DESC LIMIT :limit)"""
_LEASED = """
    SELECT json_group_array(json_array(room.key, room.id, title, iif(kept > 0 AND ms >= :oldest, ms, 0)))
    FROM json_each(:leased) AS leased CROSS JOIN room ON room.key = leased.value"""
_LAST = f"""
    {SELECT_EVENT} FROM (
        SELECT coalesce(fresh.id, (
            SELECT entry.id FROM place CROSS JOIN entry ON entry.id = place.entry
            WHERE place.room = asked.value AND place.ms >= :oldest AND kind IS NULL AND body IS NOT NULL
            ORDER BY place.ms DESC, place.seq DESC LIMIT 1)) AS id
        FROM json_each(:rooms) AS asked LEFT JOIN (
            SELECT room, max(id) AS id FROM entry
            WHERE id > :filed AND ms >= :oldest AND kind IS NULL AND body IS NOT NULL GROUP BY room) AS fresh
        ON fresh.room = asked.value) AS last
    CROSS JOIN entry ON entry.id = last.id"""
