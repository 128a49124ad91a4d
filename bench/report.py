"""docs/benchmarks.md and its plots, from the rows of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench import svg
from bench.servers import Server
from bench.table import faults_of
from bench.targets import TARGETS
from bench.works import GROWTH, SLOW, WORKS, Work

Row = dict[str, Any]
Figures = dict[tuple[str, str], Row]

FLOOR = "floor-a"
_NOT_FIGURES = ("server", "work", "run", "failed", "faults")


@dataclass(frozen=True)
class Column:
    """One figure of a table."""

    head: str
    key: str
    shown: Callable[[float], str]


def _cpu(value: float) -> str:
    return f"{value:.3g}"


def _ms(value: float) -> str:
    return f"{value:.1f}" if value < 1000 else f"{value / 1000:.1f} s"


def _share(value: float) -> str:
    return f"{value * 100:.0f} %"


def _whole(value: float) -> str:
    return f"{value:,.0f}"


_CPU = Column("µs per delivery", "us", _cpu)
_RATE = Column("deliveries a second", "per_s", svg.number)
_LATENCY = (Column("p50 ms", "p50_ms", _ms), Column("p99 ms", "p99_ms", _ms))
_BUSY = Column("server's core", "busy", _share)
_OPEN = (_CPU, *_LATENCY, Column("p99.9 ms", "p999_ms", _ms), _BUSY)
_CLOSED = (_RATE, _CPU, *_LATENCY, _BUSY, Column("load's core", "load_busy", _share))
_MEMORY = Column("MiB in the end", "pss_after", lambda value: f"{value / 2**20:,.0f}")
_IDLE = (
    Column("bytes a member", "member_bytes", _whole),
    Column("µs per connection", "connect_us", _whole),
    Column("kernel's bytes, both ends", "kernel_member_bytes", _whole),
)


class Report:
    """One page, from *rows* of *servers*."""

    def __init__(
        self, *, rows: Sequence[Row], servers: Sequence[Server], about: Mapping[str, Any], folder: Path
    ) -> None:
        self._figures = medians(rows)
        self._titles = {server.name: server.title for server in servers}
        self._about = about
        self._folder = folder  # of the page; plots lie in benchmarks/ beside it

    def write(self) -> Path:
        """Write the page and its plots; the page's path."""
        plots = self._folder / "benchmarks"
        plots.mkdir(parents=True, exist_ok=True)
        parts = [self._head(), self._targets(), *map(self._work, self._measured((*WORKS.values(), *SLOW)))]
        parts += [self._ratios(server) for server in ("chat-memory", "chat-sqlite", "chat-redis")]
        parts += [self._growth()]
        page = self._folder / "benchmarks.md"
        page.write_text("\n\n".join(part for part in parts if part) + "\n")
        return page

    # -- parts of the page

    def _head(self) -> str:
        about = self._about
        runs = f"{about['runs']} of each (medians), windows of {about['seconds']:g} s"
        facts = "\n".join(f"| {name} | {words} |" for name, words in about["machine"].items())
        versions = "\n".join(
            f"| {self._titles.get(name, name)} | {words} |" for name, words in about["versions"].items()
        )
        left_out = "".join(f"\n- **Left out: {name}**: {why}" for name, why in about["left_out"].items())
        return f"""# Benchmarks

What it costs to tell everybody: this server, the least that is possible (the floor), and its peers, doing the same
work on one core of one machine in one run. How to read it, and what it doesn't say, is in
[bench/README.md](../bench/README.md). Absolute figures belong to this machine: only ratios travel.

| | |
|---|---|
| command | `{about["command"]}` |
| runs | {runs}; load average before them {about["load_average"]:.1f} |
{facts}
{versions}
{left_out}"""

    def _targets(self) -> str:
        lines = []
        for target in TARGETS:
            outcome = target.reached(self._figures)
            if outcome is None:
                continue
            measured, reached = outcome
            verdict = "reached" if reached else f"**missed by {target.missed_by(self._figures) * 100:.0f} %**"
            lines.append(
                f"| {target.work} | {self._titles[target.server]} | {target.words()} | {measured} | {verdict} |"
            )
        if not lines:
            return ""
        head = "| work | server | target | measured | |\n|---|---|---|---|---|"
        return "\n".join(["## What was to be reached", "", head, *lines])

    def _work(self, work: Work) -> str:
        columns = _columns(work)
        rows = self._rows(work)
        head = f"| server | {' | '.join(column.head for column in columns)} | × floor | faults |"
        lines = [head, "|" + "---|" * (len(columns) + 3)]
        lines += [self._line(name, row, columns) for name, row in rows]
        plot = self._bars(work, columns[0], rows)
        return f"## {work.name}: {work.title}\n\n{_said(work)}\n\n{plot}\n\n" + "\n".join(lines)

    def _line(self, name: str, row: Row, columns: Sequence[Column]) -> str:
        bold = "**" if _is_ours(name) else ""
        title = f"{bold}{self._titles.get(name, name)}{bold}"
        if "failed" in row:
            return f"| {title} |" + " – |" * (len(columns) + 1) + f" {row['failed'].splitlines()[0][:120]} |"
        cells = [column.shown(row[column.key]) for column in columns]
        if row.get("redis_us"):
            at = next(i for i, column in enumerate(columns) if column.key == "us")
            cells[at] += f" + {row['redis_us']:.2g} Redis"
        return f"| {title} | {' | '.join(cells)} | {self._to_floor(row, columns[0])} | {faults_of(row) or 'none'} |"

    def _to_floor(self, row: Row, column: Column) -> str:
        floor = self._figures.get((FLOOR, row["work"]), {})
        return f"{row[column.key] / floor[column.key]:.2f}" if floor.get(column.key) else "–"

    def _ratios(self, ours: str) -> str:
        works = [work for work in self._measured(WORKS.values()) if (ours, work.name) in self._figures]
        peers = [name for name in self._servers() if not _is_ours(name)]
        if not works or not peers:
            return ""
        lines = ["| server | " + " | ".join(work.name for work in works) + " |", "|---|" + "---|" * len(works)]
        for peer in peers:
            cells = [self._ratio(peer, ours, work) for work in works]
            lines.append(f"| {self._titles.get(peer, peer)} | {' | '.join(cells)} |")
        head = (
            f"## {self._titles[ours]}, beside each\n\n"
            "How many times its figure theirs is: CPU per delivery, in D bytes a member. Above 1 they need more. In\n"
            "brackets: they lost deliveries, so they did less."
        )
        return head + "\n\n" + "\n".join(lines)

    def _ratio(self, peer: str, ours: str, work: Work) -> str:
        key = "member_bytes" if work.is_idle else "us"
        theirs, mine = self._figures.get((peer, work.name), {}), self._figures[ours, work.name]
        if key not in theirs or not mine.get(key):
            return "–"
        ratio = theirs[key] / mine[key]
        shown = f"{ratio:.2f}" if ratio < 10 else f"{ratio:,.0f}"
        return f"({shown})" if theirs.get("faults", {}).get("lost") else shown

    def _growth(self) -> str:
        parts = [
            self._curve("M", "members of the room", "us", "One room grows, deliveries a second stay: µs per delivery"),
            self._curve("M", "members of the room", "p99_ms", "One room grows, deliveries a second stay: p99, ms"),
            self._curve("R", "rooms of 2", "us", "Rooms grow, messages a second stay: µs per delivery"),
            self._curve("R", "rooms of 2", "p99_ms", "Rooms grow, messages a second stay: p99, ms"),
            self._curve("I", "idle members", "member_bytes", "Idle members: bytes of process memory each"),
            self._curve("I", "idle members", "kernel_member_bytes", "Idle members: the kernel's bytes each, both ends"),
        ]
        shown = [part for part in parts if part]
        return "\n\n".join(["## How cost grows", *shown]) if shown else ""

    def _curve(self, family: str, x_label: str, key: str, title: str) -> str:
        works = [work for work in GROWTH if work.name[0] == family]
        size = {work.name: int(work.name[1:]) for work in works}
        series = {
            self._titles.get(server, server): [
                (size[work.name], self._figures[server, work.name][key])
                for work in works
                if key in self._figures.get((server, work.name), {})
            ]
            for server in self._servers()
        }
        series = {label: points for label, points in series.items() if points}
        if not series:
            return ""
        name = f"growth-{family}-{key}.svg".lower()
        (self._folder / "benchmarks" / name).write_text(svg.lines(title, x_label, title.rpartition(": ")[2], series))
        sizes = [
            size[work.name] for work in works if any(x == size[work.name] for line in series.values() for x, _ in line)
        ]
        lines = [f"| {x_label} | {' | '.join(f'{x:,}' for x in sizes)} |", "|---|" + "---|" * len(sizes)]
        for label, points in series.items():
            known = dict(points)
            lines.append(f"| {label} | {' | '.join(svg.number(known[x]) if x in known else '–' for x in sizes)} |")
        return f"### {title}\n\n![{title}](benchmarks/{name})\n\n" + "\n".join(lines)

    def _bars(self, work: Work, column: Column, rows: Sequence[tuple[str, Row]]) -> str:
        shown = [
            (self._titles.get(name, name), row[column.key], _is_ours(name)) for name, row in rows if column.key in row
        ]
        shown = [row for row in shown if row[1] > 0]
        if not shown:
            return ""
        name = f"work-{work.name}.svg".lower()
        (self._folder / "benchmarks" / name).write_text(svg.bars(f"{work.name}: {work.title}", column.head, shown))
        return f"![{work.name}](benchmarks/{name})"

    # -- rows

    def _servers(self) -> list[str]:
        return list(dict.fromkeys(server for server, _ in self._figures))

    def _measured(self, works: Iterable[Work]) -> list[Work]:
        return [work for work in works if any(name == work.name for _, name in self._figures)]

    def _rows(self, work: Work) -> list[tuple[str, Row]]:
        """The best first; whoever failed last."""
        column = _columns(work)[0]
        rows = [(server, row) for (server, name), row in self._figures.items() if name == work.name]
        sign = -1 if column is _RATE else 1
        return sorted(rows, key=lambda item: (column.key not in item[1], sign * item[1].get(column.key, 0)))


def medians(rows: Sequence[Row]) -> Figures:
    """Of the runs of each server and work; the faults of the worst of them."""
    grouped: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        grouped.setdefault((row["server"], row["work"]), []).append(row)
    return {key: _median(runs) for key, runs in grouped.items()}


def _median(runs: Sequence[Row]) -> Row:
    good = [run for run in runs if "failed" not in run]
    if not good:
        return runs[-1]
    result: Row = {"server": good[0]["server"], "work": good[0]["work"]}
    result |= {key: median(run[key] for run in good) for key in good[0] if key not in _NOT_FIGURES}
    if "faults" in good[0]:
        result["faults"] = {key: max(run["faults"][key] for run in good) for key in good[0]["faults"]}
    return result


def _is_ours(name: str) -> bool:
    return name.startswith("chat-")


def _columns(work: Work) -> Sequence[Column]:
    if work.is_idle:
        return _IDLE
    if work.window:
        return _CLOSED
    return (*_OPEN, _MEMORY) if work.padding else _OPEN


def _said(work: Work) -> str:
    if work.is_idle:
        return (
            "Nobody talks. Memory is the server's processes', less what they held before the first member came; the\n"
            "kernel's is for both ends of each connection, since both are on this machine. 32 handshakes at a time."
        )
    crowd = f"{work.rooms:,} × {work.members:,} members, {work.senders} of each room send"
    if work.window:
        return (
            f"Closed loop: {crowd}, each with {work.window} under way, the next sent when its own comes\n"
            "back. Where the server's core isn't full, something else was the limit: the load's core, the disk, Redis."
        )
    return (
        f"Open loop: {crowd}, {work.rate:,g} messages and {work.deliveries_per_s:,.0f} deliveries a\n"
        "second. Latency is from the moment a message was due until a member has read it."
    )
