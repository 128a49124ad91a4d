"""The SQLite store keeps the contract, and what it promises about its file and a disk that fails."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable
from itertools import pairwise
from pathlib import Path

import pytest

from chat_aiohttp.errors import CannotStart, Refused, Unknown
from chat_aiohttp.events import NOTHING
from chat_aiohttp.store import (
    APPEND_DEADLINE_S,
    AWAY_WITHIN_S,
    Retention,
    sqlite_commits,
    sqlite_file,
    sqlite_filing,
    sqlite_health,
    sqlite_indexing,
    sqlite_readers,
    sqlite_upkeep,
    sqlite_writer,
)
from chat_aiohttp.store.sqlite import SqliteStore
from chat_aiohttp.store.sqlite_file import MIGRATIONS
from tests.lateness import lateness
from tests.store.contract import StoreContract
from tests.store.listener import ADA, DEADLINE_S, Recorder, Side, eventually, ids, message


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits for a quiet second waits for a quiet moment."""
    monkeypatch.setattr(sqlite_upkeep, "QUIET_S", 0.02)
    monkeypatch.setattr(sqlite_health, "PROBE_S", 0.05)
    monkeypatch.setattr(sqlite_indexing, "PURGE_AFTER_S", 0.02)


def is_indexed(path: Path) -> bool:
    connection = sqlite3.connect(path)
    found = connection.execute("SELECT indexed >= (SELECT coalesce(max(id), 0) FROM entry) FROM search").fetchone()
    connection.close()
    return bool(found[0])


class TestSqlite(StoreContract):
    def build(self, place: Path, retention: Retention, clock: Callable[[], float]) -> SqliteStore:
        return SqliteStore(path=place / "chat.db", synchronous="OFF", retention=retention, clock=clock)

    async def indexed(self, side: Side) -> None:
        assert isinstance(side.store, SqliteStore)
        await eventually(lambda: is_indexed(side.store._path))


class TestSqliteFiled(TestSqlite):
    """The same with everything in its place at once: the contract test above reads mostly what is fresh."""

    @pytest.fixture(autouse=True)
    def _at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sqlite_filing, "FILE_AT", 1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "chat.db"


@pytest.fixture
async def side(path: Path) -> AsyncIterator[Side]:
    store, recorder = SqliteStore(path=path, synchronous="OFF"), Recorder()
    store.bind(recorder)
    await store.open()
    yield Side(store, recorder)
    await store.close()


async def refusal(path: Path, *, synchronous: str = "OFF") -> CannotStart:
    store = SqliteStore(path=path, synchronous=synchronous)
    store.bind(Recorder())
    with pytest.raises(CannotStart) as caught:
        await store.open()
    await store.close()
    return caught.value


# -- what it refuses to start on


async def test_a_second_store_on_a_file_is_refused_and_told_who_has_it(side: Side, path: Path) -> None:
    error = await refusal(path)

    assert error.exit_code == 75
    assert re.search(rf"{path} is in use by another server \(process \d+\)", error.words)
    assert (await side.say("lobby", "still here"))[0] > NOTHING


async def test_a_closed_store_lets_go_of_its_file(side: Side, path: Path) -> None:
    await side.store.close()
    store = SqliteStore(path=path)
    store.bind(Recorder())
    await store.open()
    await store.close()


async def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    error = await refusal(tmp_path / "file" / "chat.db")

    assert error.exit_code == 74
    assert "--data DIR" in error.words


async def test_a_folder_in_place_of_the_file_is_refused(path: Path) -> None:
    path.mkdir()
    error = await refusal(path)

    assert error.exit_code == 74
    assert str(path) in error.words


async def test_a_file_that_is_no_database_is_refused_and_left_alone(path: Path) -> None:
    path.write_text("my diary\n" * 500)
    error = await refusal(path)

    assert error.exit_code == 74
    assert f"{path} is not a database" in error.words
    assert path.read_text() == "my diary\n" * 500


async def test_another_programs_database_is_refused(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE bookmarks (url)")
    connection.close()
    error = await refusal(path)

    assert error.exit_code == 78
    assert "another program's database" in error.words


async def test_a_schema_from_the_future_is_refused(side: Side, path: Path) -> None:
    await side.store.close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version=99")
    connection.close()
    error = await refusal(path)

    assert error.exit_code == 78
    assert "newer version (schema 99" in error.words


async def test_the_file_is_for_nobody_else_to_read(side: Side, path: Path) -> None:
    await side.say("lobby", "hi")

    assert [file.name for file in path.parent.glob("chat.db*") if file.stat().st_mode & 0o077] == ["chat.db-lock"]


async def test_an_unknown_synchronous_is_refused(path: Path) -> None:
    error = await refusal(path, synchronous="SOMETIMES")

    assert error.exit_code == 78
    assert "OFF, NORMAL, FULL, EXTRA" in error.words


async def test_a_migration_that_fails_changes_nothing(side: Side, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await side.say("lobby", "hi")
    await side.store.close()
    broken = "CREATE TABLE half (x); CREATE TABLE half (x);"
    monkeypatch.setattr(sqlite_file, "MIGRATIONS", [*MIGRATIONS, broken])
    await refusal(path)

    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
        assert connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'half'").fetchone() == (0,)
    connection.close()


@pytest.mark.parametrize("synchronous", ["OFF", "NORMAL", "FULL", "EXTRA"])
async def test_durability_says_what_a_power_loss_takes(path: Path, synchronous: str) -> None:
    words = SqliteStore(path=path, synchronous=synchronous).durability

    assert f"synchronous={synchronous}" in words


# -- a disk that fails


async def test_a_locked_file_refuses_sends_and_comes_back_by_itself(side: Side, path: Path) -> None:
    await side.store.attach("lobby")
    await side.say("lobby", "before")
    foreign = sqlite3.connect(path, isolation_level=None)
    foreign.execute("BEGIN IMMEDIATE")
    first = message("lobby", "a", ref="k1")
    side.store.append(first)
    await asyncio.sleep(0)
    behind = message("lobby", "b", ref="k2")
    await side.append(behind)

    assert [type(draft.error) for draft in (first, behind)] == [Refused, Refused]
    assert first.error is not None
    assert (first.error.code, first.id) == ("log_away", NOTHING)
    assert str(path) in str(side.store.away)
    (at_once,) = await side.append(message("lobby", "c", ref="k3"))
    assert isinstance(at_once.error, Refused)
    assert await side.history("lobby") == ["before"]

    foreign.execute("ROLLBACK")
    foreign.close()
    await is_back(side)
    assert await side.store.find_ref("lobby", ADA, "k1") is None
    again = await side.append(*(message("lobby", text, ref=ref) for text, ref in (("a", "k1"), ("b", "k2"))))

    assert [(draft.error, draft.repeated) for draft in again] == [(None, False)] * 2
    assert await side.history("lobby") == ["before", "a", "b"]
    told = await side.told("lobby", 3)
    assert all(b.prev == a.id for a, b in pairwise(told))


async def test_a_full_disk_refuses_sends_and_lets_people_read(side: Side) -> None:
    given = await side.say("lobby", *map(str, range(10)))
    await pragma(side, "max_page_count=1")
    drafts = await side.append(*(message("lobby", "x" * 4000) for _ in range(10)))

    assert {type(draft.error) for draft in drafts} == {Refused}
    assert "full; make room" in str(side.store.away)
    assert ids((await side.all("lobby")).events) == given

    await pragma(side, "max_page_count=1000000")
    await is_back(side)
    given += await side.say("lobby", "there is room again")

    page = await side.all("lobby")
    assert ids(page.events) == given
    assert page.events[-1].prev == given[-2]


async def test_what_was_read_before_a_fault_takes_no_message_away(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that is on its way while the room is made, and while a later batch fails, says: no such room."""
    released, is_read = asyncio.Event(), asyncio.Event()
    ask = sqlite_readers.Readers.ask

    async def held(answer: asyncio.Future[object]) -> object:
        await answer
        is_read.set()
        await released.wait()
        return await answer

    def first_held(self: sqlite_readers.Readers, question: sqlite_readers.Question[object]) -> asyncio.Future[object]:
        monkeypatch.setattr(sqlite_readers.Readers, "ask", ask)
        return asyncio.ensure_future(held(ask(self, question)))

    monkeypatch.setattr(sqlite_readers.Readers, "ask", first_held)
    attaching = asyncio.create_task(side.store.attach("lobby"))
    await asyncio.wait_for(is_read.wait(), DEADLINE_S)
    (kept,) = await side.say("lobby", "acknowledged")
    await pragma(side, "max_page_count=1")
    await side.append(*(message("den", "x" * 4000) for _ in range(10)))
    await pragma(side, "max_page_count=1000000")
    await is_back(side)
    released.set()

    assert await attaching == kept
    await side.say("lobby", "later")
    assert await side.history("lobby") == ["acknowledged", "later"]


async def test_a_disk_that_does_not_answer_makes_the_outcome_unknown(side: Side) -> None:
    await side.store.attach("lobby")
    await side.say("lobby", "before")
    frozen = threading.Event()
    writer_of(side).put(lambda _: frozen.wait(DEADLINE_S), lambda *_: None, bare=True)
    started = time.monotonic()
    first = message("lobby", "a", ref="k1")
    async with lateness() as late:
        side.store.append(first)
        await eventually(lambda: batch_of(side) is not None)  # what comes now is behind it
        behind = message("lobby", "b", ref="k2")
        await side.append(behind)
        waited = time.monotonic() - started

    assert isinstance(first.error, Unknown)
    assert type(behind.error) is Refused
    assert waited < min(APPEND_DEADLINE_S, AWAY_WITHIN_S) + late.s
    assert "not answered" in str(side.store.away)
    with pytest.raises(Refused):
        await side.store.find_ref("lobby", ADA, "k1")

    frozen.set()
    told = await side.told("lobby", 2)
    assert side.store.away is None
    assert await side.store.find_ref("lobby", ADA, "k1") == told[1].id
    assert await side.store.find_ref("lobby", ADA, "k2") is None
    (again,) = await side.append(message("lobby", "a", ref="k1"))
    assert (again.repeated, again.id) == (True, told[1].id)
    assert await side.history("lobby") == ["before", "a"]
    assert [side.recorder.drafts.count(draft) for draft in (first, behind, again)] == [1, 1, 1]


async def test_more_than_the_disk_can_take_is_refused_in_order(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_commits, "GATHER_LIMIT", 10)
    drafts = [message("lobby", str(n)) for n in range(25)]
    await side.append(*drafts)
    (later,) = await side.append(message("lobby", "later"))

    assert [draft.error is None for draft in drafts] == [True] * 10 + [False] * 15
    assert all(draft.error is None or draft.error.code == "log_away" for draft in drafts)
    assert later.error is None


async def test_after_close_sends_are_refused(side: Side) -> None:
    await side.store.close()
    (draft,) = await side.append(message("lobby", "too late"))

    assert isinstance(draft.error, Refused)
    with pytest.raises(Refused):
        await side.all("lobby")


async def is_back(side: Side) -> None:
    await eventually(lambda: side.store.away is None)


def batch_of(side: Side) -> object:
    """What is being written."""
    assert isinstance(side.store, SqliteStore)
    return side.store._batch


def writer_of(side: Side) -> sqlite_writer.Writer:
    """The thread that stands for the disk in these tests."""
    assert isinstance(side.store, SqliteStore)
    return side.store._writer


async def pragma(side: Side, text: str) -> None:
    """Set something on the writing connection."""
    done = asyncio.Event()
    writer_of(side).put(lambda it: it.execute(f"PRAGMA {text}").fetchall(), lambda *_: done.set(), bare=True)
    await asyncio.wait_for(done.wait(), DEADLINE_S)
