"""What the SQLite store does when its file or its disk fails: it says so, loses nothing, and is back by itself."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from time import monotonic

import pytest

from chat_aiohttp.errors import CannotStart, Refused, Unknown
from chat_aiohttp.events import NOTHING
from chat_aiohttp.store import AWAY_WITHIN_S, sqlite, sqlite_faults, sqlite_file, sqlite_health, sqlite_reader
from chat_aiohttp.store.sqlite import SqliteStore
from tests.store.listener import ADA, Recorder, Side, eventually, ids, message

ROOT = Path(__file__).parent.parent.parent
NOTICED_S = AWAY_WITHIN_S + 1.0  # a second for a busy machine


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_health, "PROBE_S", 0.05)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "chat.db"


async def opened(path: Path, synchronous: str = "OFF") -> Side:
    store, recorder = SqliteStore(path=path, synchronous=synchronous), Recorder()
    store.bind(recorder)
    await store.open()
    return Side(store, recorder)


@pytest.fixture
async def side(path: Path) -> AsyncIterator[Side]:
    side = await opened(path)
    yield side
    await side.store.close()


async def refusal(path: Path) -> CannotStart:
    store = SqliteStore(path=path)
    store.bind(Recorder())
    with pytest.raises(CannotStart) as caught:
        await store.open()
    await store.close()
    assert "\n" not in caught.value.words
    return caught.value


async def noticed(side: Side) -> str:
    """Why the log is away, once that is known, which takes no message."""
    started = monotonic()
    await eventually(lambda: side.store.away is not None)
    assert monotonic() - started < NOTICED_S
    return str(side.store.away)


async def is_back(side: Side) -> None:
    await eventually(lambda: side.store.away is None)


def faults(side: Side) -> set[str]:
    return set(side.store.faults)


# -- noticed while nobody writes


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
    before = wal.read_bytes()
    await eventually(lambda: len(beats) >= 2)

    assert wal.read_bytes() == before


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
    monkeypatch.setattr(sqlite, "LATE_S", 60.0)  # the batch itself would say it later than the beat
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


# -- a disk that doesn't answer who reads


def freeze_readers(side: Side) -> threading.Event:
    """Keep every reading thread busy until the event is set."""
    assert isinstance(side.store, SqliteStore)
    frozen = threading.Event()
    for _ in range(sqlite_reader.READERS):
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

    monkeypatch.setattr(sqlite_reader, "title", lambda *_: broken)
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
from chat_aiohttp.store import sqlite, sqlite_reader
from tests.store.test_sqlite_faults import opened
sqlite.APPEND_DEADLINE_S = 0.1

async def main(path):
    side = await opened(path)
    for _ in range(sqlite_reader.READERS):
        side.store._readers.ask(lambda _: threading.Event().wait())
    await side.store.close()

asyncio.run(main(Path(sys.argv[1])))
"""


def test_a_disk_that_never_answers_who_reads_does_not_keep_the_process_from_ending(path: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", UNREADABLE, str(path)], capture_output=True, timeout=30, cwd=ROOT)

    assert ended.returncode == 0, ended.stderr


# -- damage


def scribble(path: Path) -> None:
    """Write nonsense over the pages of old entries, as a broken disk does."""
    content = bytearray(path.read_bytes())
    for at in range(4096, len(content), 4096):
        if b"battery 10 " in content[at : at + 4096]:
            content[at : at + 100] = b"\xff" * 100
    path.write_bytes(content)


async def long_history(path: Path) -> None:
    side = await opened(path)
    await side.say("lobby", *(f"battery {n} " + "x" * 500 for n in range(100)))
    await side.store.close()


async def test_a_damaged_file_is_refused_at_the_start(path: Path) -> None:
    await long_history(path)
    scribble(path)
    before = path.read_bytes()
    error = await refusal(path)

    assert error.exit_code == 74
    assert (
        f'{path} is damaged; stop the server, keep a copy, restore a backup or run: sqlite3 {path} ".recover"'
        in str(error)
    )
    assert path.read_bytes() == before


async def test_the_remedy_for_a_damaged_file_works(path: Path) -> None:
    if shutil.which("sqlite3") is None:
        pytest.skip("no sqlite3 program here: apt install sqlite3")
    await long_history(path)
    scribble(path)
    command = str(await refusal(path)).partition("run: ")[2].rstrip(".")
    subprocess.run(command, shell=True, check=True, cwd=path.parent, capture_output=True)
    path.with_name("recovered.db").rename(path)
    side = await opened(path)
    await side.say("lobby", "again")

    assert (await side.history("lobby"))[-1] == "again"
    await side.store.close()


async def test_damage_met_while_reading_takes_the_log_away_for_good(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await long_history(path)
    monkeypatch.setattr(sqlite_file, "CHECKED_BYTES", 0)  # as with a file too large to be looked through
    scribble(path)
    side = await opened(path)
    with pytest.raises(Refused, match="is damaged"):
        await side.history("lobby")

    assert "is damaged" in str(side.store.away)
    (draft,) = await side.append(message("den", "hi"))
    assert isinstance(draft.error, Refused)
    await asyncio.sleep(3 * sqlite_health.PROBE_S)  # it is not tried again
    assert "is damaged" in str(side.store.away)
    assert faults(side) == {"corrupt"}
    await side.store.close()


@pytest.mark.parametrize("size", [100, 5000])
async def test_a_file_cut_short_is_refused(path: Path, size: int) -> None:
    await long_history(path)
    path.write_bytes(path.read_bytes()[:size])
    error = await refusal(path)

    assert error.exit_code in (74, 78)
    assert str(path) in error.words


# -- what the system refuses, in a process of its own

BOUNDED = """
import asyncio, sys
from pathlib import Path
from chat_aiohttp.store import sqlite_health
from chat_aiohttp.store.sqlite import SqliteStore
from tests.store.listener import Recorder, Side, eventually, message
{before}
sqlite_health.PROBE_S = 0.05

async def main(path):
    store, recorder = SqliteStore(path=path), Recorder()
    store.bind(recorder)
    await store.open()
    side = Side(store, recorder)
    said, error = [], None
    while error is None:
        (draft,) = await side.append(message("lobby", f"{{len(said)}} " + "x" * 3000, ref=f"k{{len(said)}}"))
        error = draft.error
        if error is None:
            said.append(draft.id)
    assert error.retryable, error
    assert store.away, "not away"
    assert [e.id for e in (await side.all("lobby")).events][:len(said)] == said
    print(type(error).__name__, store.away, flush=True)
    {remedy}
    await eventually(lambda: store.away is None)
    (again,) = await side.append(message("lobby", f"{{len(said)}} " + "x" * 3000, ref=f"k{{len(said)}}"))
    assert again.error is None
    kept = [e.id for e in (await side.all("lobby")).events]
    assert kept == [*said, again.id], (len(kept), len(said))
    await store.close()
    side = Side(SqliteStore(path=path), Recorder())
    side.store.bind(side.recorder)
    await side.store.open()
    assert [e.id for e in (await side.all("lobby")).events] == kept
    await side.store.close()
    print(sorted(store.faults), len(said), flush=True)

asyncio.run(main(Path(sys.argv[1])))
"""


def bounded(path: Path, *, before: str = "", remedy: str, wrap: tuple[str, ...] = ()) -> list[str]:
    """What a store says of itself that talks until it is refused, and then until it is not."""
    program = BOUNDED.format(before=before, remedy=remedy)
    ended = subprocess.run(
        [*wrap, sys.executable, "-c", program, str(path)], capture_output=True, text=True, timeout=60, cwd=ROOT
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()


def test_a_disk_that_is_really_full_refuses_sends_until_there_is_room(path: Path) -> None:
    small = path.parent / "small"
    small.mkdir()
    mount = ("unshare", "--mount", "sh", "-c", f'mount -t tmpfs -o size=1m none {small} && exec "$@"', "sh")
    if subprocess.run([*mount, "true"], capture_output=True).returncode:
        pytest.skip("no small disk can be mounted here: run as root, on Linux")
    first, last = bounded(
        small / "chat.db",
        before="ballast = Path(sys.argv[1]).with_name('ballast'); ballast.write_bytes(bytes(500_000))",
        remedy="ballast.unlink()",
        wrap=mount,
    )

    assert first == f"Refused the disk with {small} is full; make room"
    assert last.startswith("['full']")


def test_a_disk_that_gives_errors_leaves_the_outcome_open(path: Path) -> None:
    first, last = bounded(
        path,
        before="import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, -1))",
        remedy="resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))",
    )

    assert first == f"Unknown the disk with {path} gives errors; see the system's log"
    assert last.startswith("['io']")


START = """
import sys
from pathlib import Path
from chat_aiohttp.cli import main
sys.exit(main(["--data", sys.argv[1], "--port", "0"]))
"""


@pytest.mark.parametrize("what", ["file", "folder"])
def test_what_is_read_only_is_refused_at_the_start(tmp_path: Path, what: str) -> None:
    folder = tmp_path / "data"
    asyncio.run(make(folder / "chat.sqlite3"))
    target = folder if what == "folder" else folder / "chat.sqlite3"
    mount = f"mount --bind {target} {target} && mount -o remount,ro,bind {target}"
    wrap = ("unshare", "--mount", "sh", "-c", f'{mount} && exec "$@"', "sh")
    if subprocess.run([*wrap, "true"], capture_output=True).returncode:
        pytest.skip("nothing can be mounted read-only here: run as root, on Linux")
    ended = subprocess.run(
        [*wrap, sys.executable, "-c", START, str(folder)], capture_output=True, text=True, timeout=30, cwd=ROOT
    )

    assert ended.returncode == 74, ended.stderr
    assert str(target) in ended.stderr
    assert "can't be written" in ended.stderr
    assert ended.stderr.count("\n") == 1


async def make(path: Path) -> None:
    side = await opened(path)
    await side.say("lobby", "hi")
    await side.store.close()


async def test_a_locked_file_is_refused_at_the_start_as_passing(path: Path) -> None:
    await make(path)
    foreign = sqlite3.connect(path, isolation_level=None)
    foreign.execute("BEGIN EXCLUSIVE")
    error = await refusal(path)
    foreign.close()

    assert error.exit_code == 75
    assert f"another program holds {path} locked; close it" in error.words


# -- what an earlier end left behind


async def test_what_a_power_cut_leaves_of_the_wal_holds_every_commit_it_holds_whole(path: Path) -> None:
    """The write-ahead log is cut at many places, every one of them in and around the last bytes of a commit."""
    side = await opened(path, "FULL")
    wal = Path(f"{path}-wal")
    ends = []  # how long the log was when so many messages had been acknowledged
    for number in range(12):
        await side.say("lobby", str(number))
        ends.append(wal.stat().st_size)
    content, base = wal.read_bytes(), path.read_bytes()
    await side.store.close()
    cuts = {end + off for end in ends for off in (-4096, -25, -24, -1, 0, 1, 24, 25)} | set(range(0, len(content), 997))
    copy = path.with_name("copy.db")
    for cut in sorted(cuts):
        for suffix in ("-wal", "-shm"):
            Path(f"{copy}{suffix}").unlink(missing_ok=True)
        copy.write_bytes(base)
        Path(f"{copy}-wal").write_bytes(content[:cut])
        side = await opened(copy)
        kept = await side.history("lobby")
        await side.store.close()

        acknowledged = sum(end <= cut for end in ends)
        assert kept[:acknowledged] == [str(number) for number in range(acknowledged)], cut
        assert len(kept) <= acknowledged + 1


MIGRATION = """
import sys
from pathlib import Path
from chat_aiohttp.store import sqlite_file
from tests.store.test_sqlite_faults import SLOW
sqlite_file.MIGRATIONS.append(SLOW)
print("migrating", flush=True)
sqlite_file.connect(Path(sys.argv[1]), synchronous="OFF")
"""
SLOW = """
    CREATE TABLE half (x);
    INSERT INTO half WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 100000000) SELECT x FROM n;
"""


async def test_killed_in_a_migration_nothing_of_it_happened(path: Path) -> None:
    await make(path)
    version = len(sqlite_file.MIGRATIONS)
    with subprocess.Popen([sys.executable, "-c", MIGRATION, str(path)], stdout=subprocess.PIPE, cwd=ROOT) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            wal = Path(f"{path}-wal")
            await eventually(lambda: wal.exists() and wal.stat().st_size > 1_000_000)  # it is writing
        finally:
            process.kill()
    side = await opened(path)
    (again,) = await side.append(message("lobby", "hi again", ref="k1", session=ADA))
    await side.store.close()

    assert again.error is None
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA user_version").fetchone() == (version,)
    assert connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'half'").fetchone() == (0,)
    connection.close()
