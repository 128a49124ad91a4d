"""When the index for search is written: after the messages, in slices, with rests between them. Layer 2.

One slice is with the writer at a time, and after each it rests several times as long as the slice took, so that batches
of messages hardly notice: what isn't indexed yet is found too (sqlite_search.py). A file from before there was an index
gets it in the same way, beside the chat, with its progress in the log.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from time import perf_counter
from typing import Any

from chat_aiohttp.store import sqlite_index
from chat_aiohttp.store.sqlite_writer import Work, Writer

REST = 9.0  # times as long as a slice took is rested: a tenth of the writer's time goes into the index at most,
QUIET_REST = 1.0  # half of it while nobody writes
PURGE_AFTER_S = 2.0  # so long after a delete its words are purged from the index, with all that came meanwhile
PURGE_AGAIN_S = 60.0  # so long after a slice that failed it is looked whether there is something to purge
WORTH_TELLING = 50_000  # entries to be indexed that are worth a line in the log


class Indexing:
    """Gives slices to *the_writer* when there is something to index or to purge, and tells *failed* of errors.
    *scrub* takes what was purged out of the write-ahead log."""

    def __init__(
        self,
        *,
        the_writer: Writer,
        loop: asyncio.AbstractEventLoop,
        is_quiet: Callable[[], bool],
        failed: Callable[[Exception], None],
        scrub: Callable[[], None],
    ) -> None:
        self._writer = the_writer
        self._loop = loop
        self._is_quiet = is_quiet
        self._failed = failed
        self._scrub = scrub
        self._is_busy = self._is_closed = self._is_due = False
        self._rest: asyncio.TimerHandle | None = None
        self._purge_at: asyncio.TimerHandle | None = None
        self._goal: int | None = None  # what the purge under way will have purged
        self._begins = False  # that purge has not merged anything yet
        self._much = 0  # entries to be indexed when that was told last
        self.filed()
        self.deleted()  # before an earlier end, perhaps

    def filed(self) -> None:
        """There is something new to index."""
        self._is_due = True
        self._next()

    def deleted(self) -> None:
        """Words of deleted texts are in the index, or may be."""
        self._purge_in(PURGE_AFTER_S)

    def close(self) -> None:
        """Nothing more is started."""
        self._is_closed = True
        for timer in (self._rest, self._purge_at):
            if timer is not None:
                timer.cancel()

    def _next(self) -> None:
        if self._is_busy or self._rest is not None or self._is_closed:
            return
        if self._is_due:
            self._is_due = False
            self._put(sqlite_index.index, self._indexed)

    def _put(self, work: Work, then: Callable[[Any], None]) -> None:
        """Do *work*, hand its result to *then*, rest, and look for more."""
        self._is_busy = True

        def timed(connection: sqlite3.Connection) -> tuple[Any, float]:
            started = perf_counter()
            return work(connection), perf_counter() - started

        def done(result: tuple[Any, float] | None, error: Exception | None) -> None:
            self._is_busy = False
            if error is not None or result is None:
                self._goal = None  # a merge that failed may have merged nothing: the purge begins anew
                self._purge_in(PURGE_AGAIN_S)
                self._failed(error or RuntimeError("no result"))
                return
            if not self._is_closed:
                rest = result[1] * (QUIET_REST if self._is_quiet() else REST)
                self._rest = self._loop.call_later(rest, self._rested)
                then(result[0])

        self._writer.put(timed, done)

    def _rested(self) -> None:
        self._rest = None
        if self._goal is not None and not self._is_busy:
            self._purge()
        else:
            self._next()

    def _indexed(self, left: int) -> None:
        self._is_due |= left > 0
        if left == 0 and self._much:
            _log.info("the index for search is complete")
            self._much = 0
        elif (left > WORTH_TELLING and not self._much) or left < self._much * 0.9:
            _log.info("making the index for search, beside the chat: %d messages to go", left)
            self._much = left

    def _purge_in(self, seconds: float) -> None:
        if self._purge_at is None and not self._is_closed:
            self._purge_at = self._loop.call_later(seconds, self._begin_purge)

    def _begin_purge(self) -> None:
        self._purge_at = None
        if self._is_busy or self._rest is not None or self._goal is not None:
            self.deleted()
        else:
            self._put(sqlite_index.soiled, self._asked)

    def _asked(self, goal: int | None) -> None:
        self._goal, self._begins = goal, True

    def _purge(self) -> None:
        goal, begin = self._goal or 0, self._begins
        self._begins = False
        self._put(lambda connection: sqlite_index.purge(connection, goal, begin=begin), self._purged)

    def _purged(self, is_more: bool) -> None:
        if not is_more:
            self._goal = None
            self._scrub()
            self._next()


_log = logging.getLogger(__name__)
