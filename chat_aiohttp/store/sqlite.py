"""Rooms' logs in one SQLite file: the default store of one process. Layer 2.

Here it is opened, closed and read. Writing is sqlite_commits.py's: batches are formed in the loop's thread
(sqlite_batch.py) and committed in the writer's (sqlite_writer.py); readers are apart (sqlite_readers.py), and answer
while only writing fails. sqlite_health.py says whether the log is there, sqlite_upkeep.py keeps the file small.

What it promises is the contract's (store/__init__.py); how durably, `synchronous` says.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from chat_aiohttp.errors import CannotStart, Refused
from chat_aiohttp.events import EventId, Found, Page, RoomLine
from chat_aiohttp.store import APPEND_DEADLINE_S, Retention
from chat_aiohttp.store import sqlite_pages as pages
from chat_aiohttp.store.local import KEEP, REF_MEMORY_S
from chat_aiohttp.store.sqlite_commits import CommittingStore
from chat_aiohttp.store.sqlite_faults import Whereabouts, cannot_start
from chat_aiohttp.store.sqlite_file import SYNCHRONOUS, connect, lock
from chat_aiohttp.store.sqlite_filing import file
from chat_aiohttp.store.sqlite_health import Health
from chat_aiohttp.store.sqlite_index import prepare
from chat_aiohttp.store.sqlite_lobby import lobby
from chat_aiohttp.store.sqlite_readers import Question, Readers
from chat_aiohttp.store.sqlite_recall import Newest, newest, recall
from chat_aiohttp.store.sqlite_search import search
from chat_aiohttp.store.sqlite_upkeep import Upkeep
from chat_aiohttp.store.sqlite_writer import Writer, transact
from chat_aiohttp.words import Query

READ_DEADLINE_S = 5.0  # a question not answered by then is refused; what was read of it is in memory the next time
Answer = TypeVar("Answer")


class SqliteStore(CommittingStore):
    """The store of a single process."""

    def __init__(
        self,
        *,
        path: Path,
        synchronous: str = "FULL",
        retention: Retention = KEEP,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(path=path, retention=retention, clock=clock)
        self._synchronous = synchronous
        self._is_closed = False
        self._undo = contextlib.ExitStack()

    async def open(self) -> None:
        await super().open()
        if self._synchronous not in SYNCHRONOUS:
            raise CannotStart("store", f"synchronous is one of {', '.join(SYNCHRONOUS)}, not {self._synchronous}", 78)
        self._undo.enter_context(lock(self._path))
        try:
            connection, known = await asyncio.to_thread(self._open_file)
        except CannotStart:
            self._undo.close()
            raise
        self._ledger.start(known)
        whereabouts = Whereabouts(self._path)
        self._writer = Writer(connection=connection, loop=self._loop, verify=whereabouts.check)
        self._readers = Readers(self._path)
        self._health = Health(
            path=self._path,
            faults=self.faults,
            loop=self._loop,
            the_writer=self._writer,
            whereabouts=whereabouts,
            is_writing=lambda: self._batch is not None,
            lost=lambda: self._refuse(self._take(), self._sorry()),
            found=self._found,
        )
        self._upkeep = Upkeep(
            the_writer=self._writer,
            loop=self._loop,
            clock=self._clock,
            retention=self._retention,
            failed=self._health.failed,
        )

    async def close(self) -> None:
        if not hasattr(self, "_writer"):
            return
        await self.drain()
        self._is_closed = True
        self._health.close()
        self._refuse(self._take(), "The server is closing. Send again with the same ref.")
        self._upkeep.close()
        self._stop_timers()
        self._writer.put(file, lambda *_: None)
        await asyncio.to_thread(self._readers.close, APPEND_DEADLINE_S)
        await asyncio.to_thread(self._writer.close, APPEND_DEADLINE_S)
        self._undo.close()

    @property
    def durability(self) -> str:
        return SYNCHRONOUS[self._synchronous]

    # -- reading

    async def attach(self, room: str) -> EventId:
        await self._know(room)
        self._followed.add(room)
        return self._position(room)

    async def find_ref(self, room: str, session: bytes, ref: str) -> EventId | None:
        await self.drain()  # the refs of a batch under way are in memory before they are on the disk
        super()._check()
        await self._know(room)
        return self._refs.find(room, session, ref)

    async def _know(self, room: str) -> None:
        self._check()
        while self._ledger.missing([room]):
            forgets = self._ledger.forgets
            recalled = await self._ask(recall([room], self._ms_ago(REF_MEMORY_S)))
            if forgets == self._ledger.forgets:
                self._ledger.learn([room], recalled, self._clock())

    async def title(self, room: str) -> str | None:
        return await self._ask(pages.title(room, self._span()))

    async def after(self, room: str, cursor: EventId, limit: int) -> Page:
        return await self._ask(pages.after(room, self._span(), cursor, limit))

    async def before(self, room: str, cursor: EventId | None, limit: int) -> Page:
        return await self._ask(pages.before(room, self._span(), cursor or pages.LAST, limit))

    async def search(self, room: str, query: str, *, before: EventId | None = None, limit: int = 50) -> Found:
        found = await self._ask(search(room, self._span(), Query(query), before, limit))
        return found if found is not None else await super().search(room, query, before=before, limit=limit)

    async def rooms(self, limit: int) -> list[RoomLine]:
        return await self._ask(lobby(self._span(), self._leases.live(), limit))

    async def count_after(self, cursors: Mapping[str, EventId], limit: int) -> dict[str, int]:
        return await self._ask(pages.count_after(cursors, self._span(), limit))

    async def _ask(self, question: Question[Answer]) -> Answer:
        self._check()
        try:
            async with asyncio.timeout(READ_DEADLINE_S):
                return await self._readers.ask(question)
        except TimeoutError as error:
            self.faults["late"] += 1
            words = f"the disk with {self._path} has not answered for {READ_DEADLINE_S:g} s"
            raise Refused("log_away", f"The room's log does not answer: {words}. Try again soon.") from error
        except sqlite3.Error as error:
            words = f"The room's log does not answer: {self._health.misread(error)}. Try again soon."
            raise Refused("log_away", words) from error

    def _check(self) -> None:
        """Reading goes on while only writing fails."""
        if self._is_closed or not hasattr(self, "_readers"):
            super()._check()

    def _span(self) -> pages.Span:
        return pages.Span(self._ms_ago(self._retention.max_age_s), self._ms_ago(self._retention.idle_room_s))

    def _open_file(self) -> tuple[sqlite3.Connection, Newest]:
        connection = connect(self._path, synchronous=self._synchronous)
        try:
            transact(connection, file)
            transact(connection, prepare)
            return connection, newest(connection)
        except sqlite3.Error as error:
            connection.close()
            raise cannot_start(error, self._path) from error
