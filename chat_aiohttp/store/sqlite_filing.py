"""What is done with entries after they are written: put in place, and removed when there are too many. Layer 2.

These are works for the writer's thread (sqlite_writer.py); when they are due is sqlite_upkeep.py's business. Each is
short, so that no batch waits long for it.

Promise: nothing here changes what a reader may see: what is filed was readable before, and what is removed was not
shown any more, or is more than a room may have. Young refs outlive their entries.
"""

from __future__ import annotations

import sqlite3

import msgspec

from chat_aiohttp.store import Retention
from chat_aiohttp.store.local import REF_MEMORY_S
from chat_aiohttp.store.sqlite_index import forget
from chat_aiohttp.store.sqlite_writer import Work

FILE_AT = 4096  # unfiled entries: more make filing cheaper, fewer make reading cheaper
TRIM_SLACK = 100  # entries a room may have beyond its retention before it is trimmed, or a tenth of it if that is more
SLICE = 500  # entries removed in one transaction, so that no batch waits longer than a few ms for it


def file(connection: sqlite3.Connection) -> None:
    """Put what is unfiled in its place: the index by room, and the rooms' last ids and counts."""
    connection.execute(_FILE_PLACES)
    connection.execute(_FILE_ROOMS)
    connection.execute(_FILE_LOG)


def file_and_list_full(retention: Retention) -> Work:
    """Files, and gives the numbers of the rooms that now have more than they may."""
    limit = retention.max_events
    slack = max(TRIM_SLACK, limit // 10)

    def work(connection: sqlite3.Connection) -> list[int]:
        before = connection.execute("SELECT filed FROM log").fetchone()[0]
        file(connection)
        if not limit:
            return []
        full = connection.execute(_FULL, (limit + slack, before)).fetchone()[0]
        return msgspec.json.decode(full, type=list[int])

    return work


def trim(room: int, retention: Retention, now_ms: int) -> Work:
    """Removes a slice of what *room* has too much of, and says whether there is more."""

    def work(connection: sqlite3.Connection) -> bool:
        row = connection.execute("SELECT kept FROM room WHERE id = ?", (room,)).fetchone()
        surplus = row[0] - retention.max_events if row else 0
        if surplus <= 0:
            return False
        return _remove(connection, _OLDEST_OF, (room, min(surplus, SLICE)), now_ms) and surplus > SLICE

    return work


def sweep(retention: Retention, now_ms: int) -> Work:
    """Removes a slice of what is too old and of rooms too long idle, and says whether there is more to do."""

    def work(connection: sqlite3.Connection) -> bool:
        file(connection)
        connection.execute("DELETE FROM ref WHERE ms < ?", (now_ms - REF_MEMORY_S * 1000,))
        if retention.idle_room_s:
            idle_ms = now_ms - retention.idle_room_s * 1000
            connection.execute("INSERT INTO vanished SELECT id FROM room WHERE ms < ?", (idle_ms,))
            connection.execute("DELETE FROM room WHERE ms < ?", (idle_ms,))
        more = _remove_vanished(connection, now_ms)
        if retention.max_age_s:
            oldest_ms = now_ms - retention.max_age_s * 1000
            more |= _remove(connection, _TOO_OLD, (SLICE, oldest_ms), now_ms)
        return more

    return work


def scrub(connection: sqlite3.Connection) -> bool:
    """Empty the write-ahead log, in which deleted texts may still stand; whether that was done. Whoever reads for
    longer than BUSY_MS hinders it, which SQLite tells in its answer only. Bare: not in a transaction."""
    return not connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]


def _remove_vanished(connection: sqlite3.Connection, now_ms: int) -> bool:
    row = connection.execute("SELECT min(room) FROM vanished").fetchone()
    if row[0] is None:
        return False
    if not _remove(connection, _OLDEST_OF, (row[0], SLICE), now_ms):
        connection.execute("DELETE FROM vanished WHERE room = ?", row)
    return True


def _remove(connection: sqlite3.Connection, chosen: str, asked: tuple[int, ...], now_ms: int) -> bool:
    """Remove the entries that *chosen* chooses, and say whether there were any. Young refs outlive their entries."""
    connection.execute("CREATE TEMP TABLE IF NOT EXISTS doomed (id INTEGER PRIMARY KEY)")
    connection.execute("DELETE FROM doomed")
    if not connection.execute(f"INSERT INTO doomed {chosen}", asked).rowcount:
        return False
    forget(connection, "SELECT id FROM doomed")
    connection.execute(_KEEP_REFS, (now_ms - REF_MEMORY_S * 1000,))
    for statement in (_REMOVE_COUNTS, _REMOVE_PLACES, _REMOVE_ENTRIES):
        connection.execute(statement)
    return True


_FILE_PLACES = """
    INSERT INTO place SELECT room, ms, seq, id FROM entry
    WHERE id > (SELECT filed FROM log) ORDER BY room, ms, seq"""
_FILE_ROOMS = """
    UPDATE room SET ms = new.ms, seq = new.seq, kept = kept + new.count
    FROM (SELECT room, max(id), ms, seq, count(*) AS count FROM entry
          WHERE id > (SELECT filed FROM log) GROUP BY room) AS new
    WHERE room.id = new.room"""  # with max(), SQLite takes the other columns from the same row
_FILE_LOG = """
    UPDATE log SET filed = new.id, ms = new.ms, seq = new.seq
    FROM (SELECT id, ms, seq FROM entry ORDER BY id DESC LIMIT 1) AS new WHERE new.id > log.filed"""
_FULL = """
    SELECT json_group_array(id) FROM room
    WHERE kept > ? AND id IN (SELECT room FROM entry WHERE id > ?)"""

_OLDEST_OF = "SELECT entry FROM place WHERE room = ? ORDER BY ms, seq LIMIT ?"
_TOO_OLD = """
    SELECT id FROM (SELECT id, ms FROM entry WHERE id <= (SELECT filed FROM log) ORDER BY id LIMIT ?)
    WHERE ms < ?"""

_KEEP_REFS = """
    INSERT OR REPLACE INTO ref SELECT room, session, ref, digest, ms, seq FROM entry
    WHERE id IN (SELECT id FROM doomed) AND ms >= ? AND ref IS NOT NULL"""
_REMOVE_COUNTS = """
    UPDATE room SET kept = kept - gone.count
    FROM (SELECT room, count(*) AS count FROM entry WHERE id IN (SELECT id FROM doomed) GROUP BY room) AS gone
    WHERE room.id = gone.room"""
_REMOVE_PLACES = """
    DELETE FROM place WHERE (room, ms, seq) IN
        (SELECT room, ms, seq FROM entry WHERE id IN (SELECT id FROM doomed))"""
_REMOVE_ENTRIES = "DELETE FROM entry WHERE id IN (SELECT id FROM doomed)"
