"""The one thread that writes the database. Layer 2.

Works go through one queue, each in a transaction of its own; how it ended is told in the event loop's thread. While a
work runs SQLite the interpreter is free, but every step of a statement takes the interpreter's lock again, which a busy
loop may give back only 5 ms later. So no work steps row by row: many rows go in one VALUES, lists travel as JSON.

What there is to write is sqlite_rows.py's (a batch) and sqlite_filing.py's (everything else).

Promise: a work either happened wholly or not at all. It is not this module's business what a batch means to a sender.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from asyncio import AbstractEventLoop
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from chat_aiohttp.store.sqlite_faults import Fault

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
