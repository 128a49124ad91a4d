"""What the database needs besides batches: filing, retention, scrubbing. Layer 2.

One chore is with the writer at a time, each short, and batches go in between. Nothing here is needed for a promise to
hold, only for reading to be cheap and for the file to stay small: a chore that fails is done the next time.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from chat_aiohttp.store import Retention
from chat_aiohttp.store import sqlite_filing as filing
from chat_aiohttp.store.sqlite_indexing import Indexing
from chat_aiohttp.store.sqlite_writer import Writer

QUIET_S = 1.0  # after so long without a batch everything is filed, which makes reading cheapest
SCRUB_AGAIN_S = 60.0  # so long after a scrub that failed: each try may keep the writer waiting for BUSY_MS
SWEEP_S = 3600.0  # so often what is too old is removed; reading doesn't show it in any case


class Upkeep:
    """Gives chores to *the_writer* when they are due, and tells *failed* when one failed."""

    def __init__(
        self,
        *,
        the_writer: Writer,
        loop: asyncio.AbstractEventLoop,
        clock: Callable[[], float],
        retention: Retention,
        failed: Callable[[Exception], None],
    ) -> None:
        self._writer = the_writer
        self._loop = loop
        self._clock = clock
        self._retention = retention
        self._failed = failed
        self._chores: deque[Callable[[], None]] = deque()
        self._is_busy = self._is_closed = False
        self._unfiled = 0
        self._is_soiled = False  # the write-ahead log may hold deleted texts
        self._quiet_at = 0.0
        self._quiet: asyncio.TimerHandle | None = None
        self._scrub_later: asyncio.TimerHandle | None = None
        self._sweep = loop.call_soon(self._sweep_now)
        self._indexing = Indexing(
            the_writer=the_writer,
            loop=loop,
            is_quiet=lambda: loop.time() >= self._quiet_at,
            failed=failed,
            scrub=self._scrub,
        )

    def committed(self, entries: int, *, has_deletes: bool) -> None:
        """A batch was: what has to be done about it later?"""
        self._unfiled += entries
        self._is_soiled |= has_deletes
        if has_deletes:
            self._indexing.deleted()
        self._quiet_at = self._loop.time() + QUIET_S
        if self._quiet is None:
            self._quiet = self._loop.call_at(self._quiet_at, self._look_if_quiet)
        if self._unfiled >= filing.FILE_AT:
            self._file()

    def close(self) -> None:
        """Nothing more is started."""
        self._is_closed = True
        self._sweep.cancel()
        self._indexing.close()
        for timer in (self._quiet, self._scrub_later):
            if timer is not None:
                timer.cancel()
        self._chores.clear()

    def _look_if_quiet(self) -> None:
        self._quiet = None
        if self._loop.time() < self._quiet_at:
            self._quiet = self._loop.call_at(self._quiet_at, self._look_if_quiet)
            return
        self._file()
        if self._is_soiled:
            self._scrub()

    def _scrub(self) -> None:
        if self._scrub_later is not None:
            self._scrub_later.cancel()
        self._is_soiled, self._scrub_later = False, None
        self._add(lambda: self._writer.put(filing.scrub, self._scrubbed, bare=True))

    def _scrubbed(self, is_empty: bool | None, error: Exception | None) -> None:
        if not is_empty and self._scrub_later is None and not self._is_closed:
            self._scrub_later = self._loop.call_later(SCRUB_AGAIN_S, self._scrub)
        self._done(None, error)

    def _file(self) -> None:
        self._unfiled = 0
        self._add(lambda: self._writer.put(filing.file_and_list_full(self._retention), self._filed))

    def _filed(self, full: list[int] | None, error: Exception | None) -> None:
        for room in full or ():
            self._add(partial(self._trim, room))
        self._indexing.filed()
        self._done(None, error)

    def _trim(self, room: int) -> None:
        def trimmed(more: bool | None, error: Exception | None) -> None:
            if more:
                self._add(partial(self._trim, room))
            self._done(None, error)

        self._writer.put(filing.trim(room, self._retention, self._now_ms()), trimmed)

    def _sweep_now(self) -> None:
        self._sweep = self._loop.call_later(SWEEP_S, self._sweep_now)
        self._add(self._sweep_slice)

    def _sweep_slice(self) -> None:
        def swept(more: bool | None, error: Exception | None) -> None:
            if more:
                self._add(self._sweep_slice)
            self._done(None, error)

        self._writer.put(filing.sweep(self._retention, self._now_ms()), swept)

    def _add(self, chore: Callable[[], None]) -> None:
        self._chores.append(chore)
        self._next()

    def _done(self, _: Any, error: Exception | None) -> None:
        self._is_busy = False
        if error is not None:
            self._failed(error)
        self._next()

    def _next(self) -> None:
        if self._chores and not self._is_busy:
            self._is_busy = True
            self._chores.popleft()()

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)
