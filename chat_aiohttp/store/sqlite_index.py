"""The index for search: which words are in which message. Written in batches beside the batches of messages. Layer 2.

SQLite's FTS5 keeps it. It gets words.py's words, separated by spaces, with the plain `ascii` tokenizer, so that what
is a word is ours to say and stays the same with every SQLite. A message's row has the message's number; an edit writes
it anew, a delete and retention take it away. `search.indexed` says how far it is: what is beyond is found by looking.

A row that is taken away leaves its words in older parts of an FTS5 index until these are merged, so a delete is
followed by a merge of everything, slice by slice (`purge`); `search` counts what was deleted and what was purged of it.

Rejected: contentless tables (deleting needs SQLite 3.43 there), the option `secure-delete` (older versions can't read
the file any more), and indexing within a message's own transaction (see docs/performance.md). Where sqlite3 has no
FTS5 there is no index, and `search.indexed` is -1.
"""

from __future__ import annotations

import sqlite3
from typing import Final

import msgspec

from chat_aiohttp.words import words_of

SLICE = 500  # entries indexed in one transaction: some 5 ms
MERGE_PAGES = 200  # pages that one slice of a purge writes: the same
NOT_THERE = -1

_Doc = tuple[int, int, str | None]  # the message's number, its room's number, its text
_docs: Final = msgspec.json.Decoder(list[_Doc])


def prepare(connection: sqlite3.Connection) -> None:
    """Make the index if it can be had and is not there. In a transaction."""
    indexed = connection.execute("SELECT indexed FROM search").fetchone()[0]
    is_there = connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'words'").fetchone()[0]
    if not has_fts5(connection):
        if is_there and indexed != NOT_THERE:
            _empty(connection)  # nobody would take deleted texts out of it
        connection.execute("UPDATE search SET indexed = ?", (NOT_THERE,))
    elif not is_there:
        _make(connection)
    elif indexed == NOT_THERE:
        _begin_anew(connection)


def has_fts5(connection: sqlite3.Connection) -> bool:
    found = connection.execute("SELECT count(*) FROM pragma_module_list WHERE name = 'fts5'").fetchone()
    return bool(found[0])


def index(connection: sqlite3.Connection) -> int:
    """Index a slice of what is filed; how many entries are left."""
    since, filed = connection.execute("SELECT indexed, filed FROM search, log").fetchone()
    if since == NOT_THERE or since >= filed:
        return 0
    until = connection.execute(_UNTIL, (since, filed, SLICE)).fetchone()[0] or filed
    found = _docs.decode(connection.execute(_DOCS, {"since": since, "until": until}).fetchone()[0])
    docs = [(number, str(room), _spaced(text)) for number, room, text in found if text]
    try:
        _write(connection, docs, since)
    except sqlite3.DatabaseError as error:
        _mend(connection, error)
        return int(filed)
    connection.execute(_INDEXED, (until,))
    return int(filed - until)


def forget(connection: sqlite3.Connection, chosen: str, asked: tuple[int, ...] = ()) -> None:
    """Take the messages whose numbers *chosen* selects out of the index."""
    if connection.execute("SELECT indexed FROM search").fetchone()[0] == NOT_THERE:
        return
    try:
        connection.execute(f"DELETE FROM words WHERE rowid IN ({chosen})", asked)
    except sqlite3.DatabaseError as error:
        _mend(connection, error)


def soil(connection: sqlite3.Connection) -> None:
    """Something deleted was forgotten: its words are to be purged."""
    connection.execute("UPDATE search SET soiled = soiled + 1")


def soiled(connection: sqlite3.Connection) -> int | None:
    """What a purge that begins now will have purged; None if there is nothing to purge."""
    row = connection.execute("SELECT soiled FROM search WHERE soiled > purged AND indexed > ?", (NOT_THERE,)).fetchone()
    return int(row[0]) if row else None


def purge(connection: sqlite3.Connection, goal: int, *, begin: bool) -> bool:
    """Merge a slice of the index, the first with *begin*. False once everything soiled before is purged, *goal*."""
    connection.execute("PRAGMA secure_delete=ON")
    before = connection.total_changes
    try:  # fts5.html, 'merge': negative to merge everything there is now, positive to go on with that
        pages = -MERGE_PAGES if begin else MERGE_PAGES
        connection.execute("INSERT INTO words (words, rank) VALUES ('merge', ?)", (pages,))
    except sqlite3.DatabaseError as error:
        _mend(connection, error)
    is_more = connection.total_changes - before >= 2
    if not is_more:
        connection.execute("UPDATE search SET purged = ?", (goal,))
    connection.execute("PRAGMA secure_delete=FAST")
    return is_more


def _spaced(text: str) -> str:
    return text if text.isascii() else " ".join(words_of(text))


def _write(connection: sqlite3.Connection, docs: list[tuple[int, str, str]], since: int) -> None:
    again = [number for number, _, _ in docs if number <= since]
    if again:
        connection.execute("DELETE FROM words WHERE rowid IN (SELECT value FROM json_each(?))", (_json(again),))
    if docs:
        connection.execute(_WRITE, (_json(docs),))


def _mend(connection: sqlite3.Connection, error: sqlite3.DatabaseError) -> None:
    """The index is damaged: that is no reason to lose the log. It is made anew."""
    if getattr(error, "sqlite_errorcode", 0) != sqlite3.SQLITE_CORRUPT_VTAB:
        raise error
    _begin_anew(connection)


def _begin_anew(connection: sqlite3.Connection) -> None:
    _empty(connection)
    connection.execute("DROP TABLE words")
    _make(connection)


def _empty(connection: sqlite3.Connection) -> None:
    """Leave of the index what FTS5 makes at first: then it can be dropped, however damaged it was, and without FTS5."""
    connection.execute("PRAGMA secure_delete=ON")
    for part in ("data", "idx", "content"):
        connection.execute(f"DELETE FROM words_{part}")
    connection.execute("INSERT INTO words_data VALUES (1, x''), (10, x'00000000000000')")
    connection.execute("PRAGMA secure_delete=FAST")


def _make(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE VIRTUAL TABLE words USING fts5 (room, text, tokenize='ascii', columnsize=0)")
    connection.execute("UPDATE search SET indexed = 0, ms = 0, seq = 0")


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


_UNTIL = "SELECT max(id) FROM (SELECT id FROM entry WHERE id > ? AND id <= ? ORDER BY id LIMIT ?)"
# The messages of the slice, and those that its edits are about, each as it reads now.
_DOCS = """
    SELECT json_group_array(json_array(id, room, coalesce((
        SELECT json_extract(CAST(edit.body AS TEXT), '$.message') FROM entry AS edit INDEXED BY about
        WHERE edit.room = message.room AND edit.target_ms = message.ms AND edit.target_seq = message.seq
        AND edit.target_ms IS NOT NULL AND edit.kind = 'edit' AND edit.body IS NOT NULL
        AND json_valid(CAST(edit.body AS TEXT)) AND json_type(CAST(edit.body AS TEXT), '$.message') = 'text'
        ORDER BY edit.id DESC LIMIT 1),
        json_extract(CAST(body AS TEXT), '$.message'))))
    FROM entry AS message
    WHERE kind IS NULL AND body IS NOT NULL AND json_valid(CAST(body AS TEXT))
    AND json_type(CAST(body AS TEXT), '$.message') = 'text' AND id IN (
        SELECT id FROM entry WHERE id > :since AND id <= :until
        UNION
        SELECT place.entry FROM entry AS edit CROSS JOIN place
        ON (place.room, place.ms, place.seq) = (edit.room, edit.target_ms, edit.target_seq)
        WHERE edit.id > :since AND edit.id <= :until AND edit.kind = 'edit')"""
_WRITE = """
    INSERT INTO words (rowid, room, text)
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]') FROM json_each(?)"""
# The entry may be gone by retention; then the id before it says as well what lies beyond.
_INDEXED = """
    UPDATE search SET indexed = ?1,
    ms = coalesce((SELECT ms FROM entry WHERE id <= ?1 ORDER BY id DESC LIMIT 1), ms),
    seq = coalesce((SELECT seq FROM entry WHERE id <= ?1 ORDER BY id DESC LIMIT 1), seq)"""
