"""The command line of the benchmark: `python -m bench --help`."""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from bench import build, machine, measure
from bench.kits import Kit
from bench.measure import Failed, Lengths
from bench.peers import KITS, PEERS
from bench.report import Report
from bench.servers import CHECKOUT, OURS, Server
from bench.soak import soak
from bench.table import HEAD, faults_of, line
from bench.works import EVERY, GROWTH, SOAK, WORKS, Work

Row = dict[str, Any]
SERVERS = OURS | PEERS
RESTING_WORKS = ("A", "B", "C")  # where resting matters; elsewhere the two rows would be one
GROWING = ("floor-a", "floor-b", "chat-memory", "chat-sqlite", "chat-redis", "aiohttp", "ws", "uwebsockets", "nchan")
SHORT = (("floor-a", "floor-b", *(name for name in OURS if name.startswith("chat-")), "aiohttp"), "A,B,B1,C,CS,D")
FILES = 65_536  # descriptors the largest works need, on each side


def main() -> int:
    given = _parser().parse_args()
    _allow_many_files()
    match given.do:
        case "install":
            return _install()
        case "report":
            return _report(_read(given.json), given.docs)
        case "soak":
            return _soak(SERVERS[given.server], given.minutes)
    pairs = _pairs(given)
    left_out = {name: why for name in _names(pairs) if (why := SERVERS[name].missing()) is not None}
    pairs = [(work, server) for work, server in pairs if server.name not in left_out]
    about = _about(given, _names(pairs), left_out)
    for name, why in left_out.items():
        print(f"LEFT OUT: {name}: {why}", flush=True)
    _measure(pairs, given, about)
    return 0 if given.do == "quick" else _report(_read(given.json), given.docs)


def _pairs(given: argparse.Namespace) -> list[tuple[Work, Server]]:
    """Work by work, so that what is compared is measured within minutes: machines drift."""
    works = [EVERY[name] for name in given.works.split(",")]
    servers = [SERVERS[name] for name in given.servers.split(",")]
    every = given.do == "quick"
    return [(work, server) for work in works for server in servers if every or _is_wanted(work, server)]


def _is_wanted(work: Work, server: Server) -> bool:
    if work in GROWTH:
        return server.name in GROWING
    return not server.name.endswith("-rest") or work.name in RESTING_WORKS


def _measure(pairs: list[tuple[Work, Server]], given: argparse.Namespace, about: dict[str, Any]) -> None:
    given.json.parent.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    print(HEAD, flush=True)
    for row in _rows(pairs, given.runs, Lengths(window=given.seconds)):
        rows.append(row)
        print(line(row), flush=True)
        given.json.write_text(json.dumps({"about": about, "rows": rows}, indent=1))  # a run that is cut short is kept


def _rows(pairs: list[tuple[Work, Server]], runs: int, lengths: Lengths) -> Iterator[Row]:
    for turn in range(runs):
        for work, server in pairs:
            row: Row = {"server": server.name, "work": work.name, "run": turn}
            try:
                row |= measure.run(server, work, lengths)
            except Failed as error:
                row |= {"failed": str(error)}
            yield row


def _about(given: argparse.Namespace, names: list[str], left_out: dict[str, str]) -> dict[str, Any]:
    return {
        "command": machine.command(),
        "machine": machine.facts(),
        "load_average": machine.load_average(),
        "versions": {name: words for name in names if (words := SERVERS[name].version())},
        "left_out": left_out,
        "runs": given.runs,
        "seconds": given.seconds,
    }


def _names(pairs: list[tuple[Work, Server]]) -> list[str]:
    return list(dict.fromkeys(server.name for _, server in pairs))


def _read(files: list[Path] | Path) -> dict[str, Any]:
    """The rows of *files* as if they were one run; about is the first one's."""
    parts = [json.loads(file.read_text()) for file in (files if isinstance(files, list) else [files])]
    return {"about": parts[0]["about"], "rows": [row for part in parts for row in part["rows"]]}


def _report(results: dict[str, Any], docs: Path) -> int:
    known = [*SERVERS.values()]
    page = Report(rows=results["rows"], servers=known, about=results["about"], folder=docs).write()
    print(f"written: {page}")
    return 0


def _soak(server: Server, minutes: float) -> int:
    try:
        soaked = soak(server, minutes)
    except Failed as error:
        print(f"failed: {error}")
        return 1
    figures, first, last = soaked.figures, soaked.samples[0][1], soaked.samples[-1][1]
    print(f"{server.title}: {SOAK.title}, {minutes:g} minutes")
    print(
        f"{figures['per_s']:,.0f} deliveries a second, p99 {figures['p99_ms']:.1f} ms, core {figures['busy']:.0%} busy"
    )
    print(f"faults: {faults_of(figures) or 'none'}")
    print(f"memory: {first / 2**20:.1f} to {last / 2**20:.1f} MiB", end="; ")
    print(f"after two minutes it grows by {soaked.bytes_per_minute / 2**20:+.2f} MiB a minute")
    return 0


def _install() -> int:
    for kit in KITS:
        print(f"{kit.name}: {_installed(kit)}", flush=True)
    return 0


def _installed(kit: Kit) -> str:
    try:
        kit.install()
    except (OSError, subprocess.SubprocessError) as error:
        return f"LEFT OUT: {error}"
    return "here"


def _allow_many_files() -> None:
    # The hard limit needs a right that containers and users mostly lack; then the largest works fail, and say so.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(hard, FILES), max(hard, FILES)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="This server, the floor and its peers doing the same work; see bench/README.md.",
        epilog=f"servers: {', '.join(SERVERS)}; works: {', '.join(EVERY)}",
    )
    commands = parser.add_subparsers(required=True, dest="do", metavar="COMMAND")
    short_servers, short_works = ",".join(SHORT[0]), SHORT[1]
    full_works = ",".join(WORKS) + "," + ",".join(work.name for work in GROWTH)
    quick = commands.add_parser("quick", help="a table on the terminal, nothing written into docs/")
    _add_options(quick, "floor-a,floor-b,chat-memory", "A,B,C,CS,D", 3.0, "quick")
    short = commands.add_parser("short", help="the floor, this server on each store, textbook aiohttp: some minutes")
    _add_options(short, short_servers, short_works, 3.0, "short")
    full = commands.add_parser("full", help="all peers, all works, and growth: an hour or two")
    _add_options(full, ",".join(SERVERS), full_works, 6.0, "full")
    commands.add_parser("install", help="have the peers' software here, from PyPI, npm, Debian and Go")
    soaking = commands.add_parser("soak", help="half the load for minutes: does memory stay, is nothing lost?")
    soaking.add_argument("--server", default="chat-sqlite", choices=SERVERS, metavar="NAME", help="[chat-sqlite]")
    soaking.add_argument("--minutes", type=float, default=10.0, help="[10]")
    report = commands.add_parser("report", help="write docs/benchmarks.md anew from results")
    report.add_argument("json", nargs="+", type=Path)
    report.add_argument("--docs", type=Path, default=CHECKOUT / "docs")
    return parser


def _add_options(parser: argparse.ArgumentParser, servers: str, works: str, seconds: float, name: str) -> None:
    parser.add_argument("--servers", default=servers, help=f"[{servers}]")
    parser.add_argument("--works", default=works, help=f"[{works}]")
    parser.add_argument("--seconds", type=float, default=seconds, help=f"length of a measured window [{seconds:g}]")
    parser.add_argument("--runs", type=int, default=1, help="of each; medians are shown [1]")
    parser.add_argument("--json", type=Path, default=build.cache() / f"{name}.json", help="where the figures go")
    parser.add_argument("--docs", type=Path, default=CHECKOUT / "docs", help="where benchmarks.md goes [docs]")


if __name__ == "__main__":
    sys.exit(main())
