"""The index for search: in step with the log, free of what was deleted, made where there was none."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from chat_aiohttp.store import (
    Retention,
    sqlite_file,
    sqlite_health,
    sqlite_index,
    sqlite_indexing,
    sqlite_search,
    sqlite_upkeep,
)
from chat_aiohttp.store.sqlite import SqliteStore
from tests.store.contract_search import find
from tests.store.listener import Clock, Recorder, Side, delete, edit, eventually


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_upkeep, "QUIET_S", 0.02)
    monkeypatch.setattr(sqlite_indexing, "PURGE_AFTER_S", 0.02)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "chat.db"


@asynccontextmanager
async def opened(path: Path, clock: Callable[[], float] | None = None, **retention: int) -> AsyncIterator[Side]:
    store = SqliteStore(path=path, synchronous="OFF", retention=Retention(**retention), clock=clock or Clock())
    recorder = Recorder()
    store.bind(recorder)
    await store.open()
    try:
        yield Side(store, recorder)
    finally:
        await store.close()


def ask(path: Path, query: str) -> int:
    connection = sqlite3.connect(path)
    try:
        return int(connection.execute(query).fetchone()[0])
    finally:
        connection.close()


async def indexed(path: Path, count: int) -> None:
    """Wait until *count* messages are in the index."""
    await eventually(lambda: ask(path, "SELECT count(*) FROM words") == count)


def is_in_files(path: Path, word: bytes) -> bool:
    return any(word in file.read_bytes() for file in path.parent.iterdir())


async def test_a_deleted_text_leaves_no_word_in_the_files(path: Path) -> None:
    async with opened(path) as side:
        given = await side.say("lobby", "before", "correct horse battery staple", "after")
        await indexed(path, 3)
        await side.one(edit("lobby", given[1], "correct zebra battery staple"))
        await eventually(lambda: ask(path, "SELECT count(*) FROM words WHERE words MATCH 'zebra'") == 1)
        assert is_in_files(path, b"zebra")
        await side.one(delete("lobby", given[1]))
        for word in (b"horse", b"battery", b"zebra", b"staple"):
            await eventually(lambda word=word: not is_in_files(path, word))

        assert await find(side, "after") == ["after"]
        assert ask(path, "SELECT soiled - purged FROM search") == 0
    assert ask(path, "SELECT count(*) FROM words") == 2


async def test_a_purge_that_was_cut_off_is_done_after_the_next_start(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_indexing, "PURGE_AFTER_S", 60)
    async with opened(path) as side:
        given = await side.say("lobby", "before", "correct horse", "after")
        await indexed(path, 3)
        await side.one(delete("lobby", given[1]))
    assert is_in_files(path, b"correct")

    monkeypatch.setattr(sqlite_indexing, "PURGE_AFTER_S", 0.02)
    async with opened(path) as side:
        await eventually(lambda: not is_in_files(path, b"correct"))


@pytest.mark.parametrize("failing", [1, 2], ids=["asking whether there is one", "its first slice"])
async def test_a_purge_that_failed_is_done_again_though_nobody_writes(
    path: Path, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    monkeypatch.setattr(sqlite_indexing, "PURGE_AGAIN_S", 0.02)
    monkeypatch.setattr(sqlite_health, "PROBE_S", 0.02)
    steps: list[str] = []

    def failing_once(name: str) -> None:
        real = getattr(sqlite_index, name)

        def tried(connection: sqlite3.Connection, *asked: int, **how: bool) -> object:
            found: object = real(connection, *asked, **how)
            if found is not None:  # else there is nothing to purge yet
                steps.append(name)
                if len(steps) == failing:
                    raise sqlite3.OperationalError("database or disk is full")
            return found

        monkeypatch.setattr(sqlite_index, name, tried)

    async with opened(path) as side:
        given = await side.say("lobby", "before", "correct horse", "after")
        await indexed(path, 3)
        failing_once("soiled")
        failing_once("purge")
        await side.one(delete("lobby", given[1]))
        await eventually(lambda: len(steps) > failing)

        await eventually(lambda: not is_in_files(path, b"horse"))
        assert ask(path, "SELECT soiled - purged FROM search") == 0


async def test_a_large_index_is_purged_in_slices(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_index, "MERGE_PAGES", 1)
    monkeypatch.setattr(sqlite_index, "SLICE", 50)
    slices: list[bool] = []
    purge = sqlite_index.purge

    def counted(connection: sqlite3.Connection, goal: int, *, begin: bool) -> bool:
        slices.append(begin)
        return purge(connection, goal, begin=begin)

    monkeypatch.setattr(sqlite_index, "purge", counted)
    async with opened(path) as side:
        given = await side.say("lobby", "hexagonal", *(f"word{n} thing{n * 7}" for n in range(1500)))
        await indexed(path, 1501)
        await side.one(delete("lobby", given[0]))
        await eventually(lambda: ask(path, "SELECT soiled - purged FROM search") == 0)
        await eventually(lambda: not is_in_files(path, b"hexagonal"))

        assert slices[0] is True
        assert slices.count(False) > 3
        assert await find(side, "word1499") == ["word1499 thing10493"]


async def test_retention_keeps_the_index_in_step(path: Path) -> None:
    clock = Clock()
    async with opened(path, clock, max_events=50, idle_room_s=3600) as side:
        await side.say("den", "apple")
        await side.say("lobby", *(f"apple {n}" for n in range(400)))
        await eventually(lambda: ask(path, "SELECT count(*) FROM entry") == 51)
        await indexed(path, 51)

        assert len(await find(side, "apple")) == 50
    clock.now += 4000
    async with opened(path, clock, max_events=50, idle_room_s=3600) as side:
        await indexed(path, 0)


async def test_a_file_from_before_there_was_an_index_gets_one(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(path) as side:
        await side.say("lobby", *(f"apple {n}" for n in range(300)))
    make_old(path)
    monkeypatch.setattr(sqlite_index, "SLICE", 50)
    monkeypatch.setattr(sqlite_indexing, "WORTH_TELLING", 100)
    caplog.set_level(logging.INFO, "chat_aiohttp.store.sqlite_indexing")
    async with opened(path) as side:
        assert len(await find(side, "apple")) == 300
        await indexed(path, 300)
        await eventually(lambda: "complete" in caplog.text)

        assert len(await find(side, "apple")) == 300
    assert "making the index for search, beside the chat: 250 messages to go" in caplog.text
    assert ask(path, "PRAGMA user_version") == len(sqlite_file.MIGRATIONS)


def make_old(path: Path) -> None:
    """What the first version of the schema was."""
    connection = sqlite3.connect(path)
    connection.executescript("DROP TABLE words; DROP TABLE search; PRAGMA user_version=1;")
    connection.close()


async def test_without_fts5_a_search_scans_and_deleted_words_are_gone(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(path) as side:
        given = await side.say("lobby", "apple pie", "quincunx pie", "pear")
        await indexed(path, 3)
    with monkeypatch.context() as patched:
        patched.setattr(sqlite_index, "has_fts5", lambda connection: False)
        async with opened(path) as side:
            assert await find(side, "pie") == ["quincunx pie", "apple pie"]
            await side.one(delete("lobby", given[1]))
            await side.say("lobby", "more pie")
            assert await find(side, "pie") == ["more pie", "apple pie"]
            await eventually(lambda: not is_in_files(path, b"quincunx"))
    async with opened(path) as side:
        await indexed(path, 3)
        assert await find(side, "pie") == ["more pie", "apple pie"]


async def test_a_damaged_index_is_made_anew_and_the_log_stays(path: Path) -> None:
    async with opened(path) as side:
        given = await side.say("lobby", "apple one", "apple two")
        await indexed(path, 2)
        connection = sqlite3.connect(path)
        connection.execute("UPDATE words_data SET block = x'00112233' WHERE id > 10")
        connection.commit()
        connection.close()

        assert await find(side, "apple") == ["apple two", "apple one"]
        await side.one(delete("lobby", given[0]))
        await side.say("lobby", "apple three")
        await indexed(path, 2)
        assert await find(side, "apple") == ["apple three", "apple two"]
        assert side.store.away is None


async def test_more_than_fits_one_look_is_found_in_several(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_search, "CANDIDATES", 4)
    monkeypatch.setattr(sqlite_search, "CANDIDATES_MOST", 8)
    async with opened(path) as side:
        given = await side.say("lobby", *("apple" for _ in range(30)))
        await indexed(path, 30)
        monkeypatch.setattr(sqlite_upkeep, "QUIET_S", 60)
        for at in given[5:25]:  # known to the index as apples, and none any more
            await side.one(edit("lobby", at, "pear"))
        first = await side.store.search("lobby", "apple", limit=10)

        assert len(first.lines) == 5
        assert not first.complete
        assert len(await find(side, "apple")) == 10
        assert len(await find(side, "pear")) == 20


async def test_far_behind_the_index_a_search_scans(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_search, "BEYOND_MOST", 10)
    monkeypatch.setattr(sqlite_upkeep, "QUIET_S", 60)
    async with opened(path) as side:
        await side.say("lobby", *(f"apple {n}" for n in range(50)))
        await asyncio.sleep(0)

        assert ask(path, "SELECT count(*) FROM words") == 0
        assert len(await find(side, "apple")) == 50
