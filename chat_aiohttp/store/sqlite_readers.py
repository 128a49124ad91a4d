"""The threads that read the database. Layer 2.

Each question is answered from one snapshot, apart from the writer, which never waits for a reader. What is asked is
sqlite_pages.py's, sqlite_lobby.py's, sqlite_search.py's and sqlite_recall.py's business; each answer there is one row:
fetching a page of fifty rows would take the interpreter's lock fifty times, and a busy loop may keep it for 5 ms each
time.

Promise: a question is asked once, and whoever asked gets what it found or what SQLite raised.

Rejected: aiosqlite (one thread, a hop for every call).
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from queue import SimpleQueue
from time import monotonic
from typing import Any, TypeVar

from chat_aiohttp.store.sqlite_file import connect_reader

READERS = 2  # more than one, so that a long question doesn't hold up the others

Answer = TypeVar("Answer")
Question = Callable[[sqlite3.Connection], Answer]


class Readers:
    """A few threads with a connection each."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._questions: SimpleQueue[tuple[Future[Any], Question[Any]] | None] = SimpleQueue()
        # Daemons, as the writer is: a disk that never answers must not keep the process from ending.
        self._threads = [
            threading.Thread(target=self._run, name=f"chat-sqlite-reader-{n}", daemon=True) for n in range(READERS)
        ]
        for thread in self._threads:
            thread.start()

    def ask(self, question: Question[Answer]) -> asyncio.Future[Answer]:
        """What *question* finds. Raises what SQLite raises. Cancelled before its turn it is not asked."""
        answer: Future[Answer] = Future()
        self._questions.put((answer, question))
        return asyncio.wrap_future(answer)

    def close(self, timeout_s: float) -> None:
        """End after what was asked before; blocks for at most *timeout_s*."""
        ends = monotonic() + timeout_s
        for _ in self._threads:
            self._questions.put(None)
        for thread in self._threads:
            thread.join(max(0.0, ends - monotonic()))

    def _run(self) -> None:
        connection = self._warm()
        while (item := self._questions.get()) is not None:
            answer, question = item
            if not answer.set_running_or_notify_cancel():
                continue
            try:
                connection = connection or connect_reader(self._path)
                answer.set_result(self._answer(connection, question))
            except BaseException as error:  # as a ThreadPoolExecutor does: whoever asked has it
                answer.set_exception(error)
            del item, answer, question
        if connection is not None:
            connection.close()

    def _warm(self) -> sqlite3.Connection | None:
        """A connection that knows the schema, so that whoever asks first need not wait for that. None: it can't be had
        now, and whoever asks will learn why."""
        with contextlib.suppress(sqlite3.Error), contextlib.ExitStack() as undo:
            connection = connect_reader(self._path)
            undo.callback(connection.close)
            filed(connection)
            undo.pop_all()
            return connection
        return None

    def _answer(self, connection: sqlite3.Connection, question: Question[Answer]) -> Answer:
        connection.execute("BEGIN")
        try:
            return question(connection)
        finally:
            if connection.in_transaction:  # an I/O error has ended it already
                connection.execute("ROLLBACK")


def filed(connection: sqlite3.Connection) -> int:
    """Up to which number entries are in place."""
    return int(connection.execute("SELECT filed FROM log").fetchone()[0])
