"""What the SQLite store does when its file or its disk fails while nobody writes: it says so, and is back by itself."""

from __future__ import annotations

import os
import sqlite3
import threading
from pathlib import Path

import pytest

from chat_aiohttp.errors import Refused, Unknown
from chat_aiohttp.events import NOTHING
from chat_aiohttp.store import sqlite_commits, sqlite_faults
from chat_aiohttp.store.sqlite import SqliteStore
from tests.store.listener import Side, eventually, ids, message
from tests.store.sqlite_sides import faults, is_back, noticed, opened


async def test_a_foreign_lock_is_noticed_while_nobody_writes(side: Side, path: Path) -> None:
    await side.say("lobby", "before")
    foreign = sqlite3.connect(path, isolation_level=None)
    foreign.execute("BEGIN EXCLUSIVE")

    assert f"another program holds {path} locked" in await noticed(side)
    assert await side.history("lobby") == ["before"]

    foreign.execute("ROLLBACK")
    foreign.close()
    await is_back(side)
    assert faults(side) == {"locked"}


async def test_an_idle_store_writes_nothing(side: Side, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await side.say("lobby", "hi")
    beats: list[str] = []
    check = sqlite_faults.Whereabouts.check_disk

    def counted(self: sqlite_faults.Whereabouts) -> None:
        beats.append("beat")
        check(self)

    monkeypatch.setattr(sqlite_faults.Whereabouts, "check_disk", counted)
    wal = Path(f"{path}-wal")
    await eventually(lambda: filed(path) == 1)

    async def wrote() -> bool:
        """Whether something was written between three beats."""
        before, seen = wal.read_bytes(), len(beats)
        await eventually(lambda: len(beats) >= seen + 3)
        return wal.read_bytes() != before

    # What was said is filed and indexed; after that there is nothing to do.
    assert not (await wrote() and await wrote() and await wrote())


def filed(path: Path) -> int:
    connection = sqlite3.connect(path)
    found = connection.execute("SELECT filed FROM log").fetchone()[0]
    connection.close()
    return int(found)


async def test_a_frozen_disk_is_noticed_while_nobody_writes(side: Side) -> None:
    await side.say("lobby", "before")
    frozen = threading.Event()
    assert isinstance(side.store, SqliteStore)
    side.store._writer.put(lambda _: frozen.wait(10.0), lambda *_: None, bare=True)

    assert "has not answered" in await noticed(side)

    frozen.set()
    await is_back(side)
    assert await side.say("lobby", "after")
    assert faults(side) == {"late"}


async def test_a_frozen_disk_is_noticed_by_the_beat_though_a_batch_came_behind_it(
    side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_commits, "LATE_S", 60.0)  # the batch itself would say it later than the beat
    await side.say("lobby", "before")
    frozen = threading.Event()
    assert isinstance(side.store, SqliteStore)
    health = side.store._health
    side.store._writer.put(lambda _: frozen.wait(10.0), lambda *_: None, bare=True)
    await eventually(lambda: health._touching is not None)
    under_way = message("lobby", "behind the beat")
    side.store.append(under_way)

    assert "has not answered" in await noticed(side)

    frozen.set()
    await side.settled(under_way)
    await is_back(side)
    assert under_way.error is None
    assert await side.history("lobby") == ["before", "behind the beat"]


@pytest.mark.parametrize("suffix", ["", "-wal"])
async def test_a_file_that_was_moved_is_noticed_and_found_again(side: Side, path: Path, suffix: str) -> None:
    await side.say("lobby", "before")
    there, elsewhere = Path(f"{path}{suffix}"), path.with_name("elsewhere")
    there.rename(elsewhere)

    assert f"{there} was moved, deleted or replaced" in await noticed(side)
    (refused,) = await side.append(message("lobby", "a", ref="k1"))
    assert isinstance(refused.error, Refused)
    assert not there.exists()

    elsewhere.rename(there)
    await is_back(side)
    (again,) = await side.append(message("lobby", "a", ref="k1"))
    assert (again.error, again.repeated) == (None, False)
    assert await side.history("lobby") == ["before", "a"]
    assert faults(side) == {"moved"}


async def test_a_folder_that_was_moved_is_noticed_and_found_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    there, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    side = await opened(there / "chat.db")
    await side.say("lobby", "before")
    there.rename(elsewhere)

    assert f"{there}/chat.db was moved, deleted or replaced" in await noticed(side)
    assert faults(side) == {"moved"}
    assert "Traceback" not in caplog.text

    elsewhere.rename(there)
    await is_back(side)
    await side.say("lobby", "after")
    assert await side.history("lobby") == ["before", "after"]
    await side.store.close()


async def test_what_goes_into_a_deleted_file_is_not_acknowledged(side: Side, path: Path) -> None:
    await side.store.attach("lobby")
    await side.say("lobby", "before")
    path.rename(path.with_name("elsewhere"))
    (first,) = await side.append(message("lobby", "a", ref="k1"))

    assert isinstance(first.error, Unknown)
    assert len(side.told_of("lobby")) == 1

    path.with_name("elsewhere").rename(path)
    await is_back(side)
    told = await side.told("lobby", 2)
    (again,) = await side.append(message("lobby", "a", ref="k1"))
    assert (again.repeated, again.id) == (True, told[1].id)
    await side.say("lobby", "b")
    told = await side.told("lobby", 3)
    assert [event.prev for event in told] == [NOTHING, *ids(told)[:-1]]


async def test_a_file_that_was_replaced_is_not_written_to(side: Side, path: Path) -> None:
    await side.say("lobby", "before")
    replacement = path.with_name("backup")
    replacement.write_bytes(b"")
    os.replace(replacement, path)

    assert "restart the server" in await noticed(side)
    assert path.read_bytes() == b""
