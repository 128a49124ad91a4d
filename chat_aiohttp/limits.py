"""How fast someone may go. Layer 0: pure; the clock is passed in.

A token bucket holds up to `burst` tokens and gains `rate` a second. Whoever takes more than it holds is refused and
pays nothing. Every connection has one, so it is two floats and a pair shared by all buckets of a kind; the tokens are
not counted by a timer but worked out when someone asks. Rejected: a window per second, which lets twice the rate
through at its border.
"""

from __future__ import annotations


class Rate:
    """What a kind of bucket allows: *per_second* in the long run, *burst* at once. Shared by all buckets of a kind."""

    __slots__ = ("burst", "per_second")

    def __init__(self, per_second: float, burst: float) -> None:
        self.per_second = per_second
        self.burst = burst


class TokenBucket:
    """One sender's allowance, full at first."""

    __slots__ = ("_rate", "_seen", "_tokens")

    def __init__(self, rate: Rate, now: float) -> None:
        self._rate = rate
        self._tokens = rate.burst
        self._seen = now

    def take(self, cost: float, now: float) -> bool:
        """Pay *cost* tokens at *now* (seconds, any origin) and return True; or pay nothing and return False.

        A clock that goes back adds nothing, and takes nothing away.
        """
        self._refill(now)
        if cost > self._tokens:
            return False
        self._tokens -= cost
        return True

    def wait(self, cost: float, now: float) -> float:
        """Seconds from *now* until *cost* can be paid; infinite when it never can."""
        self._refill(now)
        if cost <= self._tokens:
            return 0.0
        if cost > self._rate.burst or self._rate.per_second <= 0:
            return float("inf")
        return (cost - self._tokens) / self._rate.per_second

    def _refill(self, now: float) -> None:
        if now > self._seen:
            self._tokens = min(self._rate.burst, self._tokens + (now - self._seen) * self._rate.per_second)
            self._seen = now
