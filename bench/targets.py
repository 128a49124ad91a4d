"""What this project set itself to reach, and whether a run reached it: docs/benchmarks.md says so either way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bench.svg import number

Figures = Mapping[tuple[str, str], Mapping[str, Any]]
"""(server, work) -> the medians of its figures"""


@dataclass(frozen=True)
class Target:
    """*figure* of *server* in *work*: at most, or at least, *bound*; times floor-a's where *of_floor*."""

    work: str
    server: str
    figure: str
    bound: float
    at_least: bool = False
    of_floor: bool = False

    def words(self) -> str:
        """The target itself."""
        name, shown = _FIGURES[self.figure]
        bound = f"{self.bound:g} × floor" if self.of_floor else shown(self.bound)
        return f"{name} {'≥' if self.at_least else '≤'} {bound}"

    def reached(self, figures: Figures) -> tuple[str, bool] | None:
        """(what was measured, whether it reaches); None where it was not measured."""
        row = figures.get((self.server, self.work), {})
        if self.figure not in row:
            return None
        value, shown = float(row[self.figure]), _FIGURES[self.figure][1]
        if not self.of_floor:
            return shown(value), self._holds(value)
        floor = figures.get(("floor-a", self.work), {})
        if self.figure not in floor:
            return None
        ratio = value / float(floor[self.figure])
        return f"{shown(value)}, {ratio:.2f} × floor", self._holds(ratio)

    def _holds(self, value: float) -> bool:
        return value >= self.bound if self.at_least else value <= self.bound

    def missed_by(self, figures: Figures) -> float:
        """How far from the bound a missed target is, as a share of the bound."""
        row = figures[self.server, self.work]
        value = float(row[self.figure])
        if self.of_floor:
            value /= float(figures["floor-a", self.work][self.figure])
        return abs(value / self.bound - 1)


_FIGURES: dict[str, tuple[str, Callable[[float], str]]] = {
    "us": ("CPU per delivery", lambda value: f"{value:.3g} µs"),
    "redis_us": ("Redis' CPU per delivery", lambda value: f"{value:.3g} µs"),
    "p99_ms": ("p99", lambda value: f"{value:.3g} ms"),
    "per_s": ("deliveries a second", number),
    "member_bytes": ("bytes per idle member", lambda value: f"{value:,.0f}"),
    "connect_us": ("CPU per connection", lambda value: f"{value:.0f} µs"),
}

TARGETS = (
    *(
        target
        for store in ("memory", "redis")
        for target in (
            Target("A", f"chat-{store}", "us", 1.15, of_floor=True),
            Target("A", f"chat-{store}", "p99_ms", 15),
            Target("A", f"chat-{store}-rest", "us", 0.6, of_floor=True),
            Target("A", f"chat-{store}-rest", "p99_ms", 35),
        )
    ),
    Target("B", "chat-memory", "per_s", 8e6, at_least=True),
    Target("B", "chat-redis", "per_s", 6e6, at_least=True),
    Target("B", "chat-sqlite", "per_s", 5e6, at_least=True),
    Target("B1", "chat-memory", "per_s", 1.2e6, at_least=True),
    Target("B1", "chat-redis", "per_s", 0.7e6, at_least=True),
    Target("C", "chat-memory", "us", 1.6, of_floor=True),
    Target("C", "chat-sqlite", "us", 2, of_floor=True),
    Target("C", "chat-redis", "us", 2.6, of_floor=True),
    Target("C", "chat-redis", "redis_us", 30),
    Target("CS", "chat-memory", "per_s", 110e3, at_least=True),
    Target("CS", "chat-redis", "per_s", 85e3, at_least=True),
    Target("CS", "chat-sqlite", "per_s", 85e3, at_least=True),
    Target("D", "chat-memory", "member_bytes", 800),
    Target("D", "chat-memory", "connect_us", 100),
)
