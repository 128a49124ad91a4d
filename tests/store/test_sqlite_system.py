"""What the system refuses a process of its own: room on a disk, writing, a lock. Nothing is lost, and it says why."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.store.sqlite_sides import ROOT, make, refusal

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
        [*wrap, sys.executable, "-c", START, str(folder)], capture_output=True, text=True, timeout=60, cwd=ROOT
    )

    assert ended.returncode == 74, ended.stderr
    assert str(target) in ended.stderr
    assert "can't be written" in ended.stderr
    assert ended.stderr.count("\n") == 1


async def test_a_locked_file_is_refused_at_the_start_as_passing(path: Path) -> None:
    await make(path)
    foreign = sqlite3.connect(path, isolation_level=None)
    foreign.execute("BEGIN EXCLUSIVE")
    error = await refusal(path)
    foreign.close()

    assert error.exit_code == 75
    assert f"another program holds {path} locked; close it" in error.words
