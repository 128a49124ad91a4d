"""Reads that the disk doesn't answer, or answers with an error: refused, with the cause, and nothing waits for ever."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from chat_aiohttp.errors import Refused
from chat_aiohttp.store import sqlite, sqlite_pages, sqlite_readers
from chat_aiohttp.store.sqlite import SqliteStore
from tests.store.listener import Side
from tests.store.sqlite_sides import NOTICED_S, ROOT, faults


def freeze_readers(side: Side) -> threading.Event:
    """Keep every reading thread busy until the event is set."""
    assert isinstance(side.store, SqliteStore)
    frozen = threading.Event()
    for _ in range(sqlite_readers.READERS):
        side.store._readers.ask(lambda _: frozen.wait(10.0))
    return frozen


async def test_a_read_that_is_not_answered_is_refused_and_the_next_is_answered(
    side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "READ_DEADLINE_S", 0.05)
    await side.say("lobby", "before")
    frozen = freeze_readers(side)
    async with asyncio.timeout(NOTICED_S):
        with pytest.raises(Refused, match="has not answered for"):
            await side.all("lobby")
        with pytest.raises(Refused, match="has not answered for"):
            await side.store.attach("den")

    frozen.set()
    monkeypatch.undo()
    assert await side.history("lobby") == ["before"]
    assert faults(side) == {"late"}


async def test_a_read_error_that_ends_the_transaction_is_named(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(connection: sqlite3.Connection) -> None:
        connection.execute("ROLLBACK")  # SQLite does it by itself after an I/O error
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR_READ
        raise error

    monkeypatch.setattr(sqlite_pages, "title", lambda *_: broken)
    with pytest.raises(Refused, match="gives errors; see the system's log"):
        await side.store.title("lobby")

    assert faults(side) == {"io"}


async def test_what_nobody_waits_for_any_more_is_not_read(side: Side) -> None:
    assert isinstance(side.store, SqliteStore)
    frozen, begun = freeze_readers(side), list[str]()
    answer = side.store._readers.ask(lambda _: begun.append("in vain"))
    answer.cancel()
    await asyncio.sleep(0)  # the loop passes it on in its next turn
    frozen.set()
    await side.store._readers.ask(lambda _: begun.append("wanted"))
    await side.store.close()

    assert begun == ["wanted"]


UNREADABLE = """
import asyncio, sys, threading
from pathlib import Path
from chat_aiohttp.store import sqlite, sqlite_readers
from tests.store.sqlite_sides import opened
sqlite.APPEND_DEADLINE_S = 0.1

async def main(path):
    side = await opened(path)
    for _ in range(sqlite_readers.READERS):
        side.store._readers.ask(lambda _: threading.Event().wait())
    await side.store.close()

asyncio.run(main(Path(sys.argv[1])))
"""


def test_a_disk_that_never_answers_who_reads_does_not_keep_the_process_from_ending(path: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", UNREADABLE, str(path)], capture_output=True, timeout=60, cwd=ROOT)

    assert ended.returncode == 0, ended.stderr
