"""Half the load for minutes: does memory stay, is nothing lost?"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from bench.measure import Figures, Lengths, Observed, run
from bench.servers import Server
from bench.works import SOAK

EVERY_S = 10.0
YOUNG_S = 120.0  # until caches, windows and allocators have their size


@dataclass(frozen=True)
class Soaked:
    """What came of it."""

    figures: Figures
    samples: list[tuple[float, int]]  # (seconds since the first, bytes)

    @property
    def bytes_per_minute(self) -> float:
        """The slope of memory after the young age: least squares, so that one sample can't make or hide it."""
        points = [point for point in self.samples if point[0] >= YOUNG_S] or self.samples
        count = len(points)
        middle_x, middle_y = sum(x for x, _ in points) / count, sum(y for _, y in points) / count
        spread = sum((x - middle_x) ** 2 for x, _ in points)
        return 60 * sum((x - middle_x) * (y - middle_y) for x, y in points) / spread if spread else 0.0


def soak(server: Server, minutes: float) -> Soaked:
    """*server* under the soak's load. Raises Failed."""
    samples: list[tuple[float, int]] = []
    ended = threading.Event()

    def watch(observed: Observed) -> None:
        began = time.monotonic()
        while not ended.wait(EVERY_S):
            samples.append((time.monotonic() - began, observed.pss()))

    watchers: list[threading.Thread] = []

    def begin(observed: Observed) -> None:
        watchers.append(threading.Thread(target=watch, args=(observed,)))
        watchers[0].start()

    try:
        figures = run(server, SOAK, Lengths(window=minutes * 60), on_begin=begin, on_end=ended.set)
    finally:
        ended.set()
        for watcher in watchers:
            watcher.join()
    return Soaked(figures, samples)
