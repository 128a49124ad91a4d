"""What a search finds in the database. Layer 2.

The index chooses candidates, newest first, and words.py judges each as it reads now; so an index that lags behind, or
knows a word that an edit took away, does no harm. What lies beyond the index is looked at one by one. Where that is too
much, or there is no index, there is no answer here, and the store scans (search.py).
"""

from __future__ import annotations

import sqlite3
from typing import Any

import msgspec

from chat_aiohttp.events import EDIT, MESSAGE, NOTHING, Event, EventId, Found
from chat_aiohttp.store.search import text_of
from chat_aiohttp.store.sqlite_index import NOT_THERE
from chat_aiohttp.store.sqlite_pages import (
    LAST,
    SELECT_EVENT,
    Shelf,
    Span,
    as_json,
    find,
    fold_all,
    read_events,
)
from chat_aiohttp.store.sqlite_readers import Question
from chat_aiohttp.words import Query

BEYOND_MOST = 2_000  # entries beyond the index that one search looks at
CANDIDATES_MOST = 2_000  # candidates that one search looks at
CANDIDATES = 100  # of them at a time


def search(key: str, span: Span, query: Query, before: EventId | None, limit: int) -> Question[Found | None]:
    """See Store.search. None: only scanning can tell."""

    def question(connection: sqlite3.Connection) -> Found | None:
        indexed, ms, seq = connection.execute("SELECT indexed, ms, seq FROM search").fetchone()
        room = find(connection, key, span)
        if room is None:
            return Found([], NOTHING, True)
        fresh = room.after(EventId(ms, seq), BEYOND_MOST + 1)
        if indexed == NOT_THERE or len(fresh) > BEYOND_MOST:
            return None
        try:
            return _Search(connection, room, key, span, query, before or LAST, limit).answer(fresh)
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_CORRUPT_VTAB:
                return None  # the writer makes the index anew when it comes upon that
            raise

    return question


class _Search:
    """One search in one snapshot."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        room: Shelf,
        key: str,
        span: Span,
        query: Query,
        before: EventId,
        limit: int,
    ) -> None:
        self._connection = connection
        self._keys = {room.number: key}
        self._room = room
        self._query = query
        self._before = before
        self._limit = limit
        self._asked: dict[str, Any] = {"room": room.number, "oldest": span.oldest_ms, "match": _match(room, query)}

    def answer(self, fresh: list[Event]) -> Found:
        touched = self._touched(fresh)
        hits = self._hits(touched.values())
        more_below = self._add_indexed(hits, set(touched))
        lines = sorted(hits, key=lambda hit: hit.id, reverse=True)
        if more_below is not None:
            lines = [line for line in lines if line.id >= more_below]
        if len(lines) > self._limit:
            return Found(lines[: self._limit], lines[self._limit - 1].id, False)
        return Found(lines, more_below or NOTHING, more_below is None)

    def _touched(self, fresh: list[Event]) -> dict[EventId, Event]:
        """The messages that entries beyond the index write or edit, by id."""
        touched = {event.id: event for event in fresh if event.kind == MESSAGE}
        edited = {event.target for event in fresh if event.kind == EDIT and event.target is not None} - touched.keys()
        if edited:
            asked = self._asked | {"ids": as_json(sorted(edited))}
            touched |= {event.id: event for event in read_events(self._connection, _BY_ID, asked, self._keys)}
        return touched

    def _add_indexed(self, hits: list[Event], touched: set[EventId]) -> EventId | None:
        """Add what the index knows. The id below which there may be more, None if there is not."""
        found = 0
        bound = self._first_bound()
        for _ in range(0, CANDIDATES_MOST, CANDIDATES):
            numbers, lowest = self._candidates(bound)
            if not numbers:
                return None
            asked = self._asked | {"numbers": as_json(numbers)}
            messages = read_events(self._connection, _BY_NUMBER, asked, self._keys)
            new = self._hits(message for message in messages if message.id not in touched)
            hits += new
            found += len(new)
            bound = lowest
            if found > self._limit:
                return min(hit.id for hit in new)
        return messages[-1].id if messages else self._id_of(bound)

    def _candidates(self, bound: int) -> tuple[list[int], int]:
        """The numbers of some messages below *bound* that may be hits, and the lowest of them."""
        asked = self._asked | {"bound": bound, "count": CANDIDATES}
        numbers = msgspec.json.decode(self._connection.execute(_MATCHING, asked).fetchone()[0], type=list[int])
        return numbers, min(numbers, default=0)

    def _hits(self, messages: Any) -> list[Event]:
        judged = [message for message in messages if message.id < self._before]
        folded = fold_all(self._connection, judged, self._keys)
        return [message for message in folded if self._query.matches(text_of(message.body))]

    def _first_bound(self) -> int:
        """A number above those of all messages to be searched, and not far above."""
        asked = self._asked | {"ms": self._before.ms, "seq": self._before.seq}
        row = self._connection.execute(_FIRST_FROM, asked).fetchone()
        return int(row[0]) if row else 2**62

    def _id_of(self, number: int) -> EventId:
        row = self._connection.execute("SELECT ms, seq FROM entry WHERE id >= ? ORDER BY id LIMIT 1", (number,))
        return EventId(*(row.fetchone() or NOTHING))


def _match(room: Shelf, query: Query) -> str:
    """*query* in FTS5's language. Words hold nothing that means something there."""
    phrases = [f'"{" ".join(words)}"' for words in query.phrases]
    if query.is_prefix:
        phrases[-1] += " *"
    return f'room : "{room.number}" AND text : ({" AND ".join(phrases)})'


_MATCHING = """
    SELECT json_group_array(id) FROM (
        SELECT rowid AS id FROM words WHERE words MATCH :match AND rowid < :bound ORDER BY rowid DESC LIMIT :count)"""
_BY_NUMBER = f"""{SELECT_EVENT} FROM json_each(:numbers) AS asked CROSS JOIN entry ON entry.id = asked.value
    WHERE kind IS NULL AND body IS NOT NULL AND ms >= :oldest"""
_BY_ID = f"""{SELECT_EVENT} FROM json_each(:ids) AS asked CROSS JOIN place ON place.room = :room
    AND place.ms = json_extract(asked.value, '$[0]') AND place.seq = json_extract(asked.value, '$[1]')
    CROSS JOIN entry ON entry.id = place.entry
    WHERE kind IS NULL AND body IS NOT NULL AND place.ms >= :oldest"""
_FIRST_FROM = """
    SELECT entry FROM place WHERE room = :room AND (ms, seq) >= (:ms, :seq) ORDER BY ms, seq LIMIT 1"""
