"""What the SQLite store keeps of its file: what goes is gone, what is read is found without scanning."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest

from chat_aiohttp.events import NOTHING
from chat_aiohttp.store import (
    Retention,
    sqlite_file,
    sqlite_filing,
    sqlite_index,
    sqlite_indexing,
    sqlite_lobby,
    sqlite_pages,
    sqlite_recall,
    sqlite_search,
    sqlite_upkeep,
)
from chat_aiohttp.store.local import REFS_KEPT
from chat_aiohttp.store.sqlite import SqliteStore
from tests.store.listener import BEN, Clock, Recorder, Side, delete, edit, eventually, message, text_of


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits for a quiet second waits for a quiet moment."""
    monkeypatch.setattr(sqlite_upkeep, "QUIET_S", 0.02)
    monkeypatch.setattr(sqlite_indexing, "PURGE_AFTER_S", 0.02)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "chat.db"


# -- what is gone is gone


async def test_a_deleted_text_is_nowhere_in_the_files(path: Path) -> None:
    long = "correct horse battery staple " * 500
    async with opened(path, Clock()) as side:
        given = await side.say("lobby", "before", long, "after")
        await side.one(edit("lobby", given[1], long + "!"))
        await side.one(delete("lobby", given[1]))
        await side.one(edit("lobby", given[1], long + "?"))
        await eventually(lambda: not any(b"battery" in file.read_bytes() for file in path.parent.iterdir()))

        assert await side.history("lobby") == ["before", "after"]
        assert b"after" in path.read_bytes()


async def test_a_deleted_text_leaves_the_write_ahead_log_once_a_long_reader_has_gone(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_file, "BUSY_MS", 10)
    monkeypatch.setattr(sqlite_upkeep, "SCRUB_AGAIN_S", 0.02)
    monkeypatch.setattr(sqlite_indexing, "PURGE_AFTER_S", 60)
    scrubs: list[object] = []
    scrub = sqlite_filing.scrub

    def watched(connection: sqlite3.Connection) -> object:
        scrubs.append(scrub(connection))
        return scrubs[-1]

    monkeypatch.setattr(sqlite_filing, "scrub", watched)
    async with opened(path, Clock()) as side:
        (given,) = await side.say("lobby", "correct horse")
        foreign = sqlite3.connect(path, isolation_level=None)
        foreign.execute("BEGIN")
        foreign.execute("SELECT * FROM log").fetchall()
        await side.one(delete("lobby", given))
        await eventually(lambda: bool(scrubs))
        wal = Path(f"{path}-wal")
        assert b"horse" in wal.read_bytes()

        foreign.close()
        await eventually(lambda: b"horse" not in wal.read_bytes())


async def test_what_is_too_old_is_removed_from_the_file(path: Path) -> None:
    clock = Clock()
    async with opened(path, clock, max_age_s=60) as side:
        await side.say("lobby", *map(str, range(1200)))
        clock.now += 100
        await side.say("lobby", "young")
    async with opened(path, clock, max_age_s=60) as side:
        await eventually(lambda: count(path, "entry") == count(path, "place") == 1)

        assert count(path, "ref") == 0
        assert await side.history("lobby") == ["young"]


async def test_an_idle_room_is_removed_from_the_file(path: Path) -> None:
    clock = Clock()
    async with opened(path, clock, idle_room_s=3600) as side:
        await side.say("lobby", *map(str, range(700)))
        clock.now += 4000
        await side.say("den", "young")
    async with opened(path, clock, idle_room_s=3600) as side:
        await eventually(lambda: count(path, "entry") == count(path, "place") == count(path, "room") == 1)

        assert await side.history("den") == ["young"]
        assert count(path, "vanished") == 0


async def test_a_room_that_comes_back_before_its_old_entries_are_removed_is_new(path: Path) -> None:
    clock = Clock()
    async with opened(path, clock, idle_room_s=3600) as side:
        (old,) = await side.say("lobby", "old")
        clock.now += 4000
        (new,) = await side.say("lobby", "new")

        assert new > old
        assert [event.prev for event in (await side.all("lobby")).events] == [NOTHING]
        assert await side.history("lobby") == ["new"]


async def test_a_repeat_of_what_retention_took_is_one_after_a_restart_too(path: Path) -> None:
    clock = Clock()
    async with opened(path, clock, max_events=5) as side:
        (first,) = await side.append(message("lobby", "hi", ref="k1", session=BEN))
        await side.say("lobby", *map(str, range(200)))
        await eventually(lambda: count(path, "entry") == 5)
    async with opened(path, clock, max_events=5) as side:
        (again,) = await side.append(message("lobby", "hi", ref="k1", session=BEN))

        assert (again.repeated, again.id) == (True, first.id)


async def test_after_a_restart_the_newest_refs_are_the_ones_remembered(path: Path) -> None:
    clock, refs = Clock(), [f"{n:03}" for n in range(400, 0, -1)]  # the newest comes first in the order of the texts
    async with opened(path, clock, max_events=5) as side:
        drafts = await side.append(*(message("lobby", "hi", ref=ref, session=BEN) for ref in refs))
        await eventually(lambda: count(path, "entry") == 5)
    async with opened(path, clock, max_events=5) as side:
        again = await side.append(*(message("lobby", "hi", ref=ref, session=BEN) for ref in refs[-REFS_KEPT:]))

    assert [(draft.repeated, draft.id) for draft in again] == [(True, draft.id) for draft in drafts[-REFS_KEPT:]]


async def test_the_lobby_knows_what_is_not_filed_yet(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    async with opened(path, clock) as side:
        await side.say("lobby", "a")
        await side.say("den", "b")
        await eventually(lambda: count(path, "place") == 2)
        monkeypatch.setattr(sqlite_upkeep, "QUIET_S", 60)
        clock.now += 10
        (last,) = await side.say("lobby", "c")
        lines = await side.store.rooms(10)

        assert count(path, "place") == 2
        assert (lines[0].key, lines[0].active_ms) == ("lobby", last.ms)
        assert [text_of(line.last or b"{}") for line in lines] == ["c", "b"]


def opened(path: Path, clock: Clock, **retention: int) -> Opened:
    return Opened(path, clock, Retention(**retention))


class Opened:
    """An open store for the length of a block."""

    def __init__(self, path: Path, clock: Clock, retention: Retention) -> None:
        self.store = SqliteStore(path=path, synchronous="OFF", retention=retention, clock=clock)

    async def __aenter__(self) -> Side:
        recorder = Recorder()
        self.store.bind(recorder)
        await self.store.open()
        return Side(self.store, recorder)

    async def __aexit__(self, *_: object) -> None:
        await self.store.close()


def count(path: Path, table: str) -> int:
    connection = sqlite3.connect(path)
    try:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
    finally:
        connection.close()


# -- how it reads

QUERIES = [
    (name, query)
    for module in (sqlite_pages, sqlite_lobby, sqlite_recall, sqlite_search)
    for name, query in vars(module).items()
    if isinstance(query, str) and query.lstrip().startswith("SELECT") and name not in ("SELECT_EVENT", "_ONE_ROW")
]
SORTS_A_FEW = {"_ABOUT", "_FRESH"}  # what is about one page's messages; the fresh rooms


@pytest.mark.parametrize(("name", "query"), QUERIES, ids=[name for name, _ in QUERIES])
def test_no_page_scans_a_table(path: Path, name: str, query: str) -> None:
    connection = sqlite_file.connect(path, synchronous="OFF")
    sqlite_index.prepare(connection)
    asked = dict.fromkeys(re.findall(r":(\w+)", query), "[]")
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}", asked)]
    connection.close()

    assert plan
    assert [step for step in plan if re.match(r"SCAN (entry|place|room)\b", step)] == []
    assert not any("TEMP B-TREE FOR ORDER BY" in step for step in plan) or name in SORTS_A_FEW


def test_every_query_is_looked_at() -> None:
    assert len(QUERIES) >= 15
