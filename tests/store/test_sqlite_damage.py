"""Files that a broken disk, a power cut or a kill in the middle left behind: refused with the remedy, or whole."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from chat_aiohttp.errors import Refused
from chat_aiohttp.store import sqlite_file, sqlite_health
from tests.store.listener import ADA, eventually, message
from tests.store.sqlite_sides import ROOT, faults, make, opened, refusal


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
from tests.store.test_sqlite_damage import SLOW
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
