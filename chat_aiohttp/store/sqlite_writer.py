"""The one thread that writes the database, and what it writes. Layer 2.

Works go through one queue, each in a transaction of its own; how it ended is told in the event loop's thread. While a
work runs SQLite the interpreter is free, but every step of a statement takes the interpreter's lock again, which a busy
loop may give back only 5 ms later. So nothing here steps row by row: many rows go in one VALUES, lists travel as JSON.

Promise: a work either happened wholly or not at all. It is not this module's business what a batch means to a sender.

Rejected: executemany (a step a row) and json_each for whole entries (three times the CPU of VALUES).
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from asyncio import AbstractEventLoop
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

import msgspec

from chat_aiohttp.store import Retention
from chat_aiohttp.store.local import REF_MEMORY_S
from chat_aiohttp.store.sqlite_faults import Fault
from chat_aiohttp.store.sqlite_index import forget, soil

COLUMNS = 13  # of entry
FILE_AT = 4096  # unfiled entries: more make filing cheaper, fewer make reading cheaper
TRIM_SLACK = 100  # entries a room may have beyond its retention before it is trimmed, or a tenth of it if that is more
SLICE = 500  # entries removed in one transaction, so that no batch waits longer than a few ms for it

Work = Callable[[sqlite3.Connection], Any]
Done = Callable[[Any, Exception | None], None]


class Writer:
    """Runs works on *connection*, one after another, in a thread of its own. *verify* raises when what was committed
    went into a file that is not there any more."""

    def __init__(self, *, connection: sqlite3.Connection, loop: AbstractEventLoop, verify: Callable[[], None]) -> None:
        self._connection = connection
        self._verify = verify
        self._loop = loop
        self._works: SimpleQueue[tuple[Work, Done, bool] | None] = SimpleQueue()
        # A daemon: a disk that never answers must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name="chat-sqlite-writer", daemon=True)
        self._thread.start()

    def put(self, work: Work, done: Done, *, bare: bool = False) -> None:
        """Do *work* in a transaction, or *bare* of one, then call *done* with its result or its error in the loop's
        thread."""
        self._works.put((work, done, bare))

    def close(self, timeout_s: float) -> None:
        """End after what was put before; blocks for at most *timeout_s*."""
        self._works.put(None)
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while (item := self._works.get()) is not None:
            work, done, bare = item
            result, error = self._attempt(work, bare)
            try:
                self._loop.call_soon_threadsafe(done, result, error)
            except RuntimeError:  # the loop is closed: nobody is left to be told
                break
            del item, work, done, result, error  # not to be held until there is more to do
        self._connection.close()

    def _attempt(self, work: Work, bare: bool) -> tuple[Any, Exception | None]:
        try:
            result = work(self._connection) if bare else transact(self._connection, work)
            self._verify()
            return result, None
        except (sqlite3.Error, Fault) as error:
            return None, error
        except Exception as error:
            logging.getLogger(__name__).exception("the writer failed")
            return None, error


def transact(connection: sqlite3.Connection, work: Work) -> Any:
    connection.execute("BEGIN IMMEDIATE")
    try:
        result = work(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return result


class Rows:
    """A batch's rows as SQLite takes them: flat, column after column."""

    __slots__ = ("amendments", "deletes", "entries", "first", "rooms")

    def __init__(self, first: int) -> None:
        self.first = first  # the number of the first entry
        self.entries: list[Any] = []
        self.rooms: list[tuple[int, str, str]] = []  # new ones: number, key, title
        self.amendments = 0  # how many are about a message
        self.deletes = 0  # how many of those delete it

    def __call__(self, connection: sqlite3.Connection) -> None:
        for number, key, title in self.rooms:
            _found(connection, number, key, title)
        _insert(connection, self.entries)
        if self.amendments:
            self._wipe(connection)

    def _wipe(self, connection: sqlite3.Connection) -> None:
        """Take away the text of what this batch deletes, and of amendments that came too late."""
        # Freed pages are zeroed too, here and only here: a delete truly removes the text, retention need not.
        connection.execute("PRAGMA secure_delete=ON")
        connection.execute(_WIPE_LATE, (self.first,))
        if self.deletes:
            file(connection)
            connection.execute(_WIPE, (self.first, self.first))
            forget(connection, _DELETED, (self.first,))
            soil(connection)
        connection.execute("PRAGMA secure_delete=FAST")


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


def probe(connection: sqlite3.Connection) -> None:
    """Write something, to see whether the disk takes it again."""
    connection.execute("UPDATE log SET probes = probes + 1")


def scrub(connection: sqlite3.Connection) -> bool:
    """Empty the write-ahead log, in which deleted texts may still stand; whether that was done. Whoever reads for
    longer than BUSY_MS hinders it, which SQLite tells in its answer only. Bare: not in a transaction."""
    return not connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]


def _insert(connection: sqlite3.Connection, entries: list[Any]) -> None:
    """Insert in as few statements as there are ones in the binary count: few steps, few different statements."""
    at, left = 0, len(entries) // COLUMNS
    while left:
        count = 1 << min(10, left.bit_length() - 1)  # at most 1,024 x 13 parameters: SQLite takes 32,766
        end = at + count * COLUMNS
        connection.execute(_inserts(count), entries[at:end])
        at, left = end, left - count


def _inserts(count: int) -> str:
    return "INSERT INTO entry VALUES " + ",".join([_ROW] * count)


def _found(connection: sqlite3.Connection, number: int, key: str, title: str) -> None:
    """A new room. If an idle one of that name is still there, it makes place."""
    connection.execute("INSERT INTO vanished SELECT id FROM room WHERE key = ?", (key,))
    connection.execute("DELETE FROM room WHERE key = ?", (key,))
    connection.execute("INSERT INTO room VALUES (?, ?, ?, 0, 0, 0)", (number, key, title))


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


_ROW = "(" + ",".join("?" * COLUMNS) + ")"

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

_DELETED = """
        SELECT place.entry FROM entry AS gone CROSS JOIN place
            ON (place.room, place.ms, place.seq) = (gone.room, gone.target_ms, gone.target_seq)
            WHERE gone.id >= ? AND gone.kind = 'delete'"""
_WIPE = f"""
    UPDATE entry SET body = NULL WHERE kind IS NOT 'delete' AND id IN ({_DELETED}
        UNION ALL
        SELECT late.id FROM entry AS gone CROSS JOIN entry AS late INDEXED BY about
            ON (late.room, late.target_ms, late.target_seq) = (gone.room, gone.target_ms, gone.target_seq)
            WHERE gone.id >= ? AND gone.kind = 'delete' AND late.target_ms IS NOT NULL)"""
_WIPE_LATE = """
    UPDATE entry SET body = NULL
    WHERE id >= ? AND target_ms IS NOT NULL AND kind IS NOT 'delete' AND EXISTS (
        SELECT 1 FROM entry AS gone INDEXED BY about
        WHERE (gone.room, gone.target_ms, gone.target_seq) = (entry.room, entry.target_ms, entry.target_seq)
        AND gone.target_ms IS NOT NULL AND gone.kind = 'delete')"""

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
