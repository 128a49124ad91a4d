"""The database file: whose it is, its schema, and whether a server can start on it. Layer 2.

Promise: an open file is ours alone, of this schema, in WAL mode; everything else is a CannotStart that names the file
and the remedy, never a traceback. Nothing is ever deleted or repaired here.

Why these tables. A room's history wants its entries side by side; a commit wants them at the end of one table: with a
thousand busy rooms an index by room costs one scattered page a message, three times the price of all else together.
So `entry` is written in the log's own order, and `place` (which entry is where in its room) is filled in for a few
thousand entries at once. `log.filed` says how far; what is beyond it is found by a short scan. Numbers in `entry.id`
are given in the order of event ids, so that entries too old to be kept are simply the first ones.

Rejected: WITHOUT ROWID tables clustered by room (twice as dear again), and numbers given by AUTOINCREMENT.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from pathlib import Path
from typing import IO

from chat_aiohttp.errors import CannotStart
from chat_aiohttp.store.sqlite_faults import cannot_start

SYNCHRONOUS = {
    "OFF": "in SQLite (synchronous=OFF): survives a crash of the server, not of the machine",
    "NORMAL": "in SQLite (synchronous=NORMAL): survives a crash of the server; a power loss may take the last moments",
    "FULL": "in SQLite (synchronous=FULL): survives a power loss",
    "EXTRA": "in SQLite (synchronous=EXTRA): survives a power loss",
}
APPLICATION_ID = 0x63686174  # "chat", so that another program's database is not taken for ours
OLDEST_SQLITE = (3, 37, 0)  # STRICT tables
BUSY_MS = 1000  # then a foreign lock counts as the log being away
CHECKPOINT_PAGES = 4000  # 16 MB: hot pages are copied back once for many commits
CHECKED_BYTES = 256 * 1024 * 1024  # a larger file is not looked through at the start: it would take seconds
WAL_LIMIT = 64 * 1024 * 1024  # to which the WAL shrinks again after a long read held it open

# One script a version; `user_version` counts those that ran. Never change one that was released: add another.
MIGRATIONS = [
    """
    CREATE TABLE log (          -- one row
        filed INTEGER NOT NULL, -- entries up to this number are in place
        ms INTEGER NOT NULL, seq INTEGER NOT NULL,  -- the id of that entry: ids grow also when none is kept
        probes INTEGER NOT NULL -- how often the disk was tried after it had failed
    ) STRICT;
    INSERT INTO log VALUES (0, 0, 0, 0);

    CREATE TABLE room (
        id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, title TEXT NOT NULL,
        ms INTEGER NOT NULL, seq INTEGER NOT NULL,  -- the id of its last entry in place, also when that is not kept
        kept INTEGER NOT NULL                       -- how many entries it has in place
    ) STRICT;
    CREATE INDEX activity ON room (ms, seq);

    CREATE TABLE entry (
        id INTEGER PRIMARY KEY, room INTEGER NOT NULL, ms INTEGER NOT NULL, seq INTEGER NOT NULL,
        prev_ms INTEGER NOT NULL, prev_seq INTEGER NOT NULL,
        kind TEXT,      -- NULL: a message
        target_ms INTEGER, target_seq INTEGER,
        session BLOB, ref TEXT, digest BLOB,
        body BLOB       -- NULL: deleted
    ) STRICT;
    CREATE INDEX about ON entry (room, target_ms, target_seq) WHERE target_ms IS NOT NULL;

    CREATE TABLE place (
        room INTEGER NOT NULL, ms INTEGER NOT NULL, seq INTEGER NOT NULL, entry INTEGER NOT NULL,
        PRIMARY KEY (room, ms, seq)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE ref (  -- young refs of entries that retention already took
        room INTEGER NOT NULL, session BLOB NOT NULL, ref TEXT NOT NULL, digest BLOB NOT NULL,
        ms INTEGER NOT NULL, seq INTEGER NOT NULL,
        PRIMARY KEY (room, session, ref)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE vanished (room INTEGER PRIMARY KEY) STRICT;  -- rooms whose entries are still to be removed
    """,
    """
    CREATE TABLE search (       -- one row: the index for search, the table "words" of sqlite_index.py
        indexed INTEGER NOT NULL,                   -- entries up to this number are in it; -1: there is none
        ms INTEGER NOT NULL, seq INTEGER NOT NULL,  -- the id of that entry
        soiled INTEGER NOT NULL, purged INTEGER NOT NULL  -- deletes, and how many of them left nothing in the index
    ) STRICT;
    INSERT INTO search VALUES (0, 0, 0, 0, 0);
    """,
]


def lock(path: Path) -> IO[str]:
    """Hold *path* for this process. The lock ends with the file that is returned, or with the process."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)  # SQLite gives its other files the same rights
        file = open(f"{path}-lock", "a+", encoding="utf-8")  # noqa: SIM115 - it stays open as long as the store
    except OSError as error:
        raise CannotStart("store", f"{path} can't be written ({error.strerror}): {_ELSEWHERE}", 74) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        with file:
            owner = _owner(file)
        words = f"{path} is in use by another server{owner}: stop that one, or {_ELSEWHERE}"
        raise CannotStart("store", words, 75) from error
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file


def connect(path: Path, *, synchronous: str) -> sqlite3.Connection:
    """The writing connection to *path*, made or migrated as needed."""
    try:
        with contextlib.ExitStack() as undo:
            connection = _connect(path, "rwc")
            undo.callback(connection.close)
            _check(connection, path)
            _look_for_damage(connection, path)
            _prepare(connection, path, synchronous)
            _migrate(connection)
            undo.pop_all()
            return connection
    except sqlite3.Error as error:
        raise cannot_start(error, path) from error


def connect_reader(path: Path) -> sqlite3.Connection:
    """A connection to *path* that can only read. Texts come as bytes: a page's bodies are never decoded."""
    connection = _connect(path, "rw")  # where the file was taken away, none is made in its place
    connection.execute("PRAGMA query_only=ON")
    connection.text_factory = bytes
    return connection


_ELSEWHERE = "name another folder with --data DIR"


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
    connection.execute(f"PRAGMA busy_timeout={BUSY_MS}")
    return connection


def _owner(file: IO[str]) -> str:
    file.seek(0)
    number = file.read(20)
    return f" (process {number})" if number.isdigit() else ""


def _check(connection: sqlite3.Connection, path: Path) -> None:
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        words = f"This Python has SQLite {sqlite3.sqlite_version}; 3.37 or younger is needed. Use another Python."
        raise CannotStart("store", words, 78)
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    owner = int(connection.execute("PRAGMA application_id").fetchone()[0])
    is_new = not connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if owner != APPLICATION_ID and not is_new:
        raise CannotStart("store", f"{path} is another program's database: {_ELSEWHERE}", 78)
    if version > len(MIGRATIONS):
        words = f"{path} was written by a newer version (schema {version}, this one knows {len(MIGRATIONS)}): "
        raise CannotStart("store", words + "run that version, or restore the backup from before", 78)


def _look_for_damage(connection: sqlite3.Connection, path: Path) -> None:
    """Raises sqlite3.DatabaseError, as SQLite would when it comes upon the damage."""
    if path.stat().st_size <= CHECKED_BYTES:
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            error = sqlite3.DatabaseError(found)
            error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise error


def _prepare(connection: sqlite3.Connection, path: Path, synchronous: str) -> None:
    mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
    if mode != "wal":
        words = f"{path} lies where SQLite can't share memory (a network disk?): {_ELSEWHERE}"
        raise CannotStart("store", words, 74)
    connection.execute(f"PRAGMA synchronous={synchronous}")
    connection.execute("PRAGMA wal_autocheckpoint=" + str(CHECKPOINT_PAGES))
    connection.execute("PRAGMA journal_size_limit=" + str(WAL_LIMIT))
    connection.execute("PRAGMA secure_delete=FAST")  # ON while a delete is carried out
    connection.execute("PRAGMA cache_size=-16384")
    connection.execute("PRAGMA temp_store=MEMORY")


def _migrate(connection: sqlite3.Connection) -> None:
    """Run the scripts that are missing, each with its number in one transaction: killed half-way, nothing happened."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
        marks = f"PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version={number};"
        connection.executescript(f"BEGIN IMMEDIATE; {script} {marks} COMMIT;")
