"""A batch's rows, and how they get into the database. Layer 2.

Ids and numbers are given by then (sqlite_batch.py). A batch with a delete takes the text away in the same transaction.

Rejected: executemany (a step a row) and json_each for whole entries (three times the CPU of VALUES).
"""

from __future__ import annotations

import sqlite3
from typing import Any

from chat_aiohttp.store.sqlite_filing import file
from chat_aiohttp.store.sqlite_index import forget, soil

COLUMNS = 13  # of entry


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


_ROW = "(" + ",".join("?" * COLUMNS) + ")"

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
