"""What has happened since the start, as plain counters. Layer 0: pure.

Counting costs an addition per flush, batch or refusal, never one per delivery. Who shows them to the world is
web/exposition.py; nothing here knows of Prometheus. Label values are ours: no client can make a new one (a close code
that we don't send is counted as "other"), so there is a bounded number of them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from typing import Final

from chat_aiohttp.closing import NO_CLOSE, Close

LAG_BOUNDS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
NO_STATUS: Final = 1005  # the peer's close frame was empty (RFC 6455 section 7.4.1)
_OURS: Final = frozenset((*Close, NO_CLOSE, NO_STATUS))


class Histogram:
    """How many observations fell below each of *bounds* (and above the last), and their sum. Bounds in seconds."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count *value*."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class Metrics:
    """One process' counters."""

    __slots__ = (
        "bytes_out", "closes", "connections", "deliveries", "flushes", "gaps", "lag", "limits", "log_reads",
        "messages_in", "refusals",
    )  # fmt: skip

    def __init__(self) -> None:
        self.connections = 0  # sockets ever opened
        self.messages_in = 0  # given to the log
        self.deliveries = 0  # events handed to members' sockets, gathered or not
        self.flushes = 0  # of rooms: one write per member each
        self.bytes_out = 0  # handed to sockets, frames with their headers
        self.gaps = 0  # announced
        self.log_reads = 0  # pages read for those who come back or page back
        self.refusals: Counter[str] = Counter()  # by error code, on sockets and before they open
        self.closes: Counter[str] = Counter()  # by close code
        self.limits: Counter[str] = Counter()  # by the limit's name
        self.lag = Histogram(LAG_BOUNDS_S)  # of the event loop's timers

    def closed(self, code: int) -> None:
        """A socket ended with *code*."""
        self.closes[str(int(code)) if code in _OURS else "other"] += 1
