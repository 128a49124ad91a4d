"""One work with one server, and the page that is made of it."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from bench import measure, proc
from bench.measure import Failed, Lengths
from bench.process import cores, free_port, started, wait_for_answer
from bench.report import Report, medians
from bench.servers import OURS, Dialect, Place, Server
from bench.svg import bars, lines, number
from bench.table import faults_of
from bench.targets import Target
from bench.works import WORKS, Work
from chat_aiohttp.config import Config
from chat_aiohttp.settings import load

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler here: apt install gcc libc6-dev")

LENGTHS = Lengths(warm=0.2, window=1.0, drain=5.0, limit=30.0)
SMALL = Work(name="A", title="small", rooms=2, members=5, senders=2, rate=200.0)
ABOUT: dict[str, Any] = {
    "command": "python -m bench quick", "machine": {"processor": "one"}, "load_average": 0.1,
    "versions": {"floor-a": "C"}, "left_out": {"nchan": "not here"}, "runs": 1, "seconds": 1.0,
}  # fmt: skip


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def cache(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of the tests' own, in which the C programs are compiled once."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(programs))


@pytest.mark.parametrize("name", ["floor-a", "floor-b", "chat-memory"])
def test_a_work_gives_its_figures_and_no_faults(name: str) -> None:
    figures = measure.run(OURS[name], SMALL, LENGTHS)

    assert faults_of(figures) == ""
    assert figures["faults"]["delivered"] == figures["faults"]["expected"] > 0
    assert 0.02 < figures["per_s"] / (200 * 5) < 5  # a second of somebody else's cores is no measure
    assert 0 < figures["us"] < 1000
    assert 0 < figures["p50_ms"] <= figures["p99_ms"] <= figures["max_ms"]
    assert figures["connect_us"] > 0


def test_idle_members_are_weighed_without_anybody_talking() -> None:
    work = Work(name="D", title="idle", rooms=10, members=20, senders=0)

    figures = measure.run(OURS["floor-a"], work, LENGTHS)

    assert figures["members"] == 200
    assert 0 < figures["member_bytes"] < 5000
    assert "us" not in figures


def test_a_server_that_does_not_start_fails_with_what_it_said() -> None:
    broken = Server(name="broken", title="broken", command=lambda place: ["sh", "-c", "echo no licence; exit 3"])

    with pytest.raises(Failed, match=r"(?s)exit code 3.*no licence"):
        measure.run(broken, SMALL, LENGTHS)


def test_the_clock_of_another_process_is_its_cpu_time(tmp_path: Path) -> None:
    with started(["sh", "-c", "while :; do :; done"], core=cores()[1], log=tmp_path / "log") as busy:
        pids = proc.tree(busy.pid)
        while proc.cpu_s(pids) < 0.05:  # it ends: the process does nothing but burn
            pass

        before, took, after = _ticks_s(busy.pid), proc.cpu_s(pids), _ticks_s(busy.pid)

        assert before - 0.05 < took < after + 0.05  # /proc counts in steps of 10 ms, and may be a few behind
        assert proc.pss_bytes(pids) > 0


def _ticks_s(pid: int) -> float:
    """The CPU time of a process as /proc has it."""
    fields = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_process_is_ended_with_its_children(tmp_path: Path) -> None:
    with started(["sh", "-c", "sleep 60 & sleep 60"], core=None, log=tmp_path / "log") as parent:
        pids = proc.tree(parent.pid)
        while len(pids) < 3:  # it ends: the shell starts two
            pids = proc.tree(parent.pid)

    deadline = time.monotonic() + 20  # killed, but their ends are the kernel's to write down
    while time.monotonic() < deadline and any(map(_runs, pids)):
        pass
    assert not [pid for pid in pids if _runs(pid)]


def _runs(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_the_floor_answers_before_it_is_asked_for_a_socket(tmp_path: Path) -> None:
    port = free_port()
    command = OURS["floor-a"].command(Place(port=port, folder=tmp_path))

    with started(command, core=None, log=tmp_path / "log") as floor:
        wait_for_answer(floor, port, "/", 20)


def test_the_servers_configuration_lifts_the_limits_and_bends_nothing_else() -> None:
    config = load(file=Path("bench/config.toml"), environ={}, flags={}).config

    assert config.limits.messages_per_second >= 100_000
    assert (config.store, config.rooms, config.fanout) == (Config().store, Config().rooms, Config().fanout)


def test_a_dialect_becomes_arguments() -> None:
    dialect = Dialect(path="/x", greeting=(("0{", "40"), ("40", "")), ping=("2", "3"), binary=True)

    arguments = dialect.arguments()

    assert arguments[arguments.index("--expect") :] == [
        "--expect", "0{", "--answer", "40", "--expect", "40", "--ping", "2", "--pong", "3", "--binary",
    ]  # fmt: skip


# -- the page


def _row(server: str, work: str = "A", run: int = 0, **figures: float) -> dict[str, Any]:
    usual = {"us": 7.0, "per_s": 1e5, "p50_ms": 4.0, "p99_ms": 9.0, "p999_ms": 10.0, "busy": 0.7, "redis_us": 0.0}
    return {"server": server, "work": work, "run": run, "faults": {"lost": 0}} | usual | figures


def test_medians_hide_no_fault() -> None:
    rows = [_row("x", us=1.0), _row("x", us=3.0, run=1) | {"faults": {"lost": 7}}, _row("x", us=2.0, run=2)]

    (row,) = medians(rows).values()

    assert row["us"] == 2.0
    assert row["faults"]["lost"] == 7


def test_the_page_says_what_was_left_out_what_failed_and_what_was_lost(tmp_path: Path) -> None:
    rows = [_row("floor-a"), _row("chat-memory", us=14.0), _row("aiohttp", us=21.0) | {"faults": {"lost": 5}}]
    rows.append({"server": "ws", "work": "A", "run": 0, "failed": "it ended with exit code 1"})

    page = Report(rows=rows, servers=[*OURS.values()], about=ABOUT, folder=tmp_path).write().read_text()

    assert "**Left out: nchan**: not here" in page
    assert "| **chat_aiohttp, memory, at once** | 14 | 4.0 | 9.0 | 10.0 | 70 % | 2.00 | none |" in page
    assert "lost 5" in page
    assert "it ended with exit code 1" in page
    assert "| aiohttp | (1.50) |" in page
    assert (tmp_path / "benchmarks/work-a.svg").exists()


def test_a_missed_target_is_told_with_how_much() -> None:
    figures = medians([_row("floor-a", us=10.0), _row("chat-memory", us=12.0)])
    target = Target("A", "chat-memory", "us", 1.0, of_floor=True)

    assert target.reached(figures) == ("12 µs, 1.20 × floor", False)
    assert target.missed_by(figures) == pytest.approx(0.2)
    assert Target("B", "chat-memory", "per_s", 1.0).reached(figures) is None


def test_every_work_that_is_measured_by_default_has_words_for_it() -> None:
    assert all(work.title and work.connections for work in WORKS.values())


def test_plots_are_svg_with_a_mark_for_each_value() -> None:
    drawn = bars("t", "µs", [("a", 1.0, False), ("b", 100.0, True)])
    lined = lines("t", "x", "y", {"a": [(1, 5.0), (10, 50.0)], "b & c": [(1, 1.0)]})

    assert drawn.count("<rect") == 2
    assert lined.count("<polyline") == 2
    assert "b &amp; c" in lined


@pytest.mark.parametrize(
    ("value", "words"), [(0.0712, "0.0712"), (7.0, "7"), (353.2, "353"), (12_345.0, "12.3 k"), (9.35e6, "9.35 M")]
)
def test_numbers_are_short(value: float, words: str) -> None:
    assert number(value) == words
