"""Whether the log takes messages, and what went wrong with it since the start. Layer 2.

A fault shows when something is written, or, while nobody writes, at the next beat: it takes the writer's lock and gives
it back, looks whether the files are where they were and whether the disk takes writing, and itself writes nothing. So
the cause is known within AWAY_WITHIN_S either way (G10).

While the log is away a small write is tried every second. It is back when that is committed; a damaged file stays away
until somebody has seen to it. Rejected: a beat that writes, which would keep an idle machine's disk awake.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chat_aiohttp.store.sqlite_faults import ROOM_TO_WRITE, Whereabouts, cause, is_damage, kind_of
from chat_aiohttp.store.sqlite_writer import Writer

PROBE_S = 1.0  # while the log is away it is tried again so often
BEAT_S = 0.6  # with the second that a foreign lock is waited for, still within AWAY_WITHIN_S
LATE_S = 1.1  # a beat not answered by then is late: longer than a foreign lock is waited for
LITTLE_ROOM = 64 * 1024  # bytes free, below which a beat does write: it may be too little


class Health:
    """Says `away`, counts `faults`, calls *lost* whenever what has gathered must be refused, and *found* when
    the log is back, before anything else is written. A batch that *is_writing* is watched by its store."""

    def __init__(
        self,
        *,
        path: Path,
        faults: Counter[str],
        loop: asyncio.AbstractEventLoop,
        the_writer: Writer,
        whereabouts: Whereabouts,
        is_writing: Callable[[], bool],
        lost: Callable[[], None],
        found: Callable[[], None],
    ) -> None:
        self.away: str | None = None
        self._path = path
        self._faults = faults
        self._loop = loop
        self._writer = the_writer
        self._whereabouts = whereabouts
        self._is_writing = is_writing
        self._lost = lost
        self._found = found
        self._is_closed = self._is_damaged = False
        self._is_full = False
        self._probing: asyncio.TimerHandle | None = None
        self._answered = loop.time()  # when the disk last did
        self._touching: float | None = None  # since when a beat is under way
        self._beating = loop.call_later(BEAT_S, self._beat)

    def committed(self) -> None:
        """A batch was: the log is there."""
        self._answered = self._loop.time()
        self._back()

    def late(self, seconds: float) -> None:
        """A batch is not committed after *seconds*."""
        self._faults["late"] += 1
        self._leave(f"the disk with {self._path} has not answered for {seconds} s")

    def failed(self, error: Exception) -> None:
        """The log is away because of *error*, until a probe finds it back."""
        self._faults[kind_of(error)] += 1
        self._lose(error)

    def misread(self, error: Exception) -> str:
        """Reading ended with *error*: only a damaged file is away because of it. The words for it."""
        self._faults[kind_of(error)] += 1
        if is_damage(error):
            self._lose(error)
        return cause(error, self._path)

    def close(self) -> None:
        """Away for good."""
        self._is_closed, self.away = True, "the store is closed"
        self._beating.cancel()
        if self._probing is not None:
            self._probing.cancel()

    def _lose(self, error: Exception) -> None:
        if self._is_closed:
            return
        self._is_damaged |= is_damage(error)
        self._is_full = kind_of(error) == "full"
        self._leave(cause(error, self._path))
        if self._probing is None and not self._is_damaged:
            self._probing = self._loop.call_later(PROBE_S, self._probe)

    def _leave(self, words: str) -> None:
        if words != self.away and not self._is_closed:
            self.away = words
            _log.error("the log is away: %s", words)
        self._lost()

    def _back(self) -> None:
        if self.away is not None and not self._is_closed and not self._is_damaged:
            self._found()
            self.away = None
            _log.warning("the log is back")

    def _probe(self) -> None:
        wanted = ROOM_TO_WRITE if self._is_full else 0

        def work(connection: sqlite3.Connection) -> None:
            self._whereabouts.check_disk(wanted)
            probe(connection)

        self._writer.put(work, self._probed)

    def _probed(self, _: Any, error: Exception | None) -> None:
        self._probing = None
        if error is not None:
            self._lose(error)
        else:
            self._back()

    def _beat(self) -> None:
        now = self._loop.time()
        self._beating = self._loop.call_at(now + BEAT_S, self._beat)
        if self.away is not None:
            return
        if self._touching is not None:
            if now - self._touching > LATE_S:
                self.late(round(now - self._touching, 1))
        elif not self._is_writing() and now - self._answered >= BEAT_S / 2:
            self._touching = now
            self._writer.put(self._touch, self._touched)

    def _touch(self, connection: sqlite3.Connection) -> None:
        self._whereabouts.check_disk()
        if self._whereabouts.free() < LITTLE_ROOM:
            probe(connection)

    def _touched(self, _: Any, error: Exception | None) -> None:
        self._touching = None
        if self._probing is not None:
            return  # it is known to be away, and looked after
        self._back() if error is None else self.failed(error)


_log = logging.getLogger(__name__)


def probe(connection: sqlite3.Connection) -> None:
    """Write something, to see whether the disk takes it again."""
    connection.execute("UPDATE log SET probes = probes + 1")
