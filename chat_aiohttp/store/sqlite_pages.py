"""What is read of a room: stretches of its log, its last messages, its title, what is unread. Layer 2.

Questions for the threads of sqlite_readers.py. A room's entries lie in two parts, older ones by `place` and fresh ones
beyond `log.filed` (see sqlite_file.py); fresh ones are all younger. Every query is a range scan of an index or of the
fresh part, and every answer is one row.

Rejected: a view over both parts (SQLite sorts it whole for every page).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any

import msgspec

from chat_aiohttp.events import MESSAGE, NOTHING, Event, EventId, Page, fold
from chat_aiohttp.store.local import find_gap
from chat_aiohttp.store.sqlite_readers import Question, filed

Row = tuple[int, int, int, int, int, str | None, int | None, int | None, int]


class Span(msgspec.Struct, frozen=True):
    """What retention lets a reader see: nothing before *oldest_ms*, no room whose last entry is before *idle_ms*."""

    oldest_ms: int
    idle_ms: int


class Shelf:
    """One room's entries in one snapshot."""

    def __init__(self, connection: sqlite3.Connection, key: str, number: int, tail: EventId, span: Span) -> None:
        self._connection = connection
        self.number = number
        self._keys = {number: key}
        self._asked: dict[str, Any] = {"room": number, "filed": filed(connection), "oldest": span.oldest_ms}
        self.tail = self._one(_TAIL) or tail

    def edge(self) -> EventId:
        """The id just before the first entry that is kept."""
        return self._one(_EDGE_FILED) or self._one(_EDGE_FRESH) or self.tail

    def nearest(self, cursor: EventId) -> EventId | None:
        """The greatest id up to *cursor* that is kept."""
        return self._one(_NEAREST_FRESH, cursor) or self._one(_NEAREST_FILED, cursor)

    def after(self, cursor: EventId, limit: int) -> list[Event]:
        start = max(cursor, EventId(self._asked["oldest"], -1))
        found = self._events(_AFTER_FILED, cursor=start, limit=limit)
        if len(found) < limit:
            found += self._events(_AFTER_FRESH, cursor=start, limit=limit - len(found))
        return found

    def messages_before(self, cursor: EventId, limit: int) -> list[Event]:
        """Newest first."""
        found = self._events(_BEFORE_FRESH, cursor=cursor, limit=limit)
        if len(found) < limit:
            found += self._events(_BEFORE_FILED, cursor=cursor, limit=limit - len(found))
        return found

    def count_after(self, cursor: EventId, limit: int) -> int:
        """How many messages follow, at most *limit*."""
        start = max(cursor, EventId(self._asked["oldest"], -1))
        asked = self._asked | {"ms": start.ms, "seq": start.seq, "limit": limit}
        return int(self._connection.execute(_COUNT, asked).fetchone()[0])

    def folded(self, messages: list[Event]) -> list[Event]:
        return fold_all(self._connection, messages, self._keys)

    def _one(self, query: str, cursor: EventId = NOTHING) -> EventId | None:
        row = self._connection.execute(query, self._asked | {"ms": cursor.ms, "seq": cursor.seq}).fetchone()
        return EventId(*row) if row else None

    def _events(self, select: str, cursor: EventId = NOTHING, **asked: Any) -> list[Event]:
        asked |= self._asked | {"ms": cursor.ms, "seq": cursor.seq}
        return read_events(self._connection, select, asked, self._keys)


def find(connection: sqlite3.Connection, key: str, span: Span) -> Shelf | None:
    """The room *key*, if it is there and not idle for too long."""
    row = connection.execute("SELECT id, ms, seq FROM room WHERE key = ?", (key,)).fetchone()
    if row is None:
        return None
    shelf = Shelf(connection, key, row[0], EventId(row[1], row[2]), span)
    return shelf if shelf.tail.ms >= span.idle_ms else None


def after(key: str, span: Span, cursor: EventId, limit: int) -> Question[Page]:
    def question(connection: sqlite3.Connection) -> Page:
        room = find(connection, key, span)
        if room is None:
            return Page([], NOTHING, False, find_gap(cursor, edge=NOTHING, tail=NOTHING, nearest=NOTHING))
        edge = room.edge()
        gap = find_gap(cursor, edge=edge, tail=room.tail, nearest=room.nearest(cursor) or edge)
        found = room.after(cursor, limit + 1)
        if len(found) > limit:
            return Page(found[:limit], found[limit - 1].id, True, gap)
        return Page(found, room.tail, False, gap)

    return question


def before(key: str, span: Span, cursor: EventId, limit: int) -> Question[Page]:
    def question(connection: sqlite3.Connection) -> Page:
        room = find(connection, key, span)
        if room is None:
            return Page([], NOTHING, False)
        found = room.messages_before(cursor, limit + 1)
        return Page(room.folded(found[:limit])[::-1], room.tail, len(found) > limit)

    return question


def count_after(cursors: Mapping[str, EventId], span: Span, limit: int) -> Question[dict[str, int]]:
    def question(connection: sqlite3.Connection) -> dict[str, int]:
        rooms = {key: find(connection, key, span) for key in cursors}
        return {key: room.count_after(cursors[key], limit) if room else 0 for key, room in rooms.items()}

    return question


def title(key: str, span: Span) -> Question[str | None]:
    def question(connection: sqlite3.Connection) -> str | None:
        if find(connection, key, span) is None:
            return None
        return str(connection.execute("SELECT title FROM room WHERE key = ?", (key,)).fetchone()[0], "utf-8")

    return question


def read_events(
    connection: sqlite3.Connection, select: str, asked: dict[str, Any], keys: dict[int, str]
) -> list[Event]:
    """The entries that *select* chooses, as events of the rooms that *keys* names by their numbers."""
    rows, bodies = connection.execute(_ONE_ROW.format(select=select), asked).fetchone()
    events, at = [], 0
    for room, ms, seq, prev_ms, prev_seq, kind, target_ms, target_seq, length in _rows.decode(rows):
        target = None if target_ms is None or target_seq is None else EventId(target_ms, target_seq)
        body = bodies[at : at + length]
        events.append(Event(keys[room], EventId(ms, seq), EventId(prev_ms, prev_seq), kind or MESSAGE, body, target))
        at += length
    return events


def fold_all(connection: sqlite3.Connection, messages: list[Event], keys: dict[int, str]) -> list[Event]:
    """*messages* with what was later said about them."""
    numbers = {key: number for number, key in keys.items()}
    targets = [(numbers[message.room], *message.id) for message in messages]
    about: dict[tuple[str, EventId | None], list[Event]] = {}
    for event in read_events(connection, _ABOUT, {"targets": as_json(targets)}, keys) if targets else []:
        about.setdefault((event.room, event.target), []).append(event)
    return [fold(message, about.get((message.room, message.id), [])) for message in messages]


def as_json(value: Any) -> str:
    """A list as one parameter of a query."""
    return msgspec.json.encode(value).decode()


LAST = EventId(2**53, 0)  # after every id there can be
_rows = msgspec.json.Decoder(list[Row])

_ONE_ROW = """
    SELECT json_group_array(json_array(room, ms, seq, prev_ms, prev_seq, kind, target_ms, target_seq, length(body))),
           group_concat(body, '') FROM ({select})"""
SELECT_EVENT = """
    SELECT entry.room AS room, entry.ms AS ms, entry.seq AS seq, prev_ms, prev_seq, kind, target_ms, target_seq, body"""
# CROSS JOIN keeps SQLite from turning the join round: first the places, then their entries.
_FILED = "FROM place CROSS JOIN entry ON entry.id = place.entry WHERE place.room = :room"
_FRESHLY = "FROM entry WHERE entry.id > :filed AND entry.room = :room"

_TAIL = f"SELECT ms, seq {_FRESHLY} ORDER BY id DESC LIMIT 1"
_EDGE_FILED = f"SELECT prev_ms, prev_seq {_FILED} AND place.ms >= :oldest ORDER BY place.ms, place.seq LIMIT 1"
_EDGE_FRESH = f"SELECT prev_ms, prev_seq {_FRESHLY} AND ms >= :oldest ORDER BY id LIMIT 1"
_NEAREST_FILED = """
    SELECT ms, seq FROM place WHERE room = :room AND (ms, seq) <= (:ms, :seq) AND ms >= :oldest
    ORDER BY ms DESC, seq DESC LIMIT 1"""
_NEAREST_FRESH = f"""
    SELECT ms, seq {_FRESHLY} AND (ms, seq) <= (:ms, :seq) AND ms >= :oldest ORDER BY id DESC LIMIT 1"""

_AFTER_FILED = f"""{SELECT_EVENT} {_FILED} AND (place.ms, place.seq) > (:ms, :seq) AND body IS NOT NULL
    ORDER BY place.ms, place.seq LIMIT :limit"""
_AFTER_FRESH = f"""{SELECT_EVENT} {_FRESHLY} AND (ms, seq) > (:ms, :seq) AND body IS NOT NULL
    ORDER BY id LIMIT :limit"""
_BEFORE_FILED = f"""{SELECT_EVENT} {_FILED} AND (place.ms, place.seq) < (:ms, :seq) AND place.ms >= :oldest
    AND kind IS NULL AND body IS NOT NULL ORDER BY place.ms DESC, place.seq DESC LIMIT :limit"""
_BEFORE_FRESH = f"""{SELECT_EVENT} {_FRESHLY} AND (ms, seq) < (:ms, :seq) AND ms >= :oldest
    AND kind IS NULL AND body IS NOT NULL ORDER BY id DESC LIMIT :limit"""
_COUNT = f"""SELECT count(*) FROM (
    SELECT 1 FROM (SELECT 1 {_FILED} AND (place.ms, place.seq) > (:ms, :seq) AND kind IS NULL AND body IS NOT NULL
        LIMIT :limit)
    UNION ALL SELECT 1 FROM (SELECT 1 {_FRESHLY} AND (ms, seq) > (:ms, :seq) AND kind IS NULL AND body IS NOT NULL
        LIMIT :limit)
    LIMIT :limit)"""
_ABOUT = f"""{SELECT_EVENT} FROM json_each(:targets) AS target CROSS JOIN entry INDEXED BY about
    ON room = json_extract(target.value, '$[0]') AND target_ms = json_extract(target.value, '$[1]')
    AND target_seq = json_extract(target.value, '$[2]')
    WHERE target_ms IS NOT NULL AND kind IS NOT 'delete' AND body IS NOT NULL ORDER BY entry.id"""
