"""How fast someone may go. Layer 0: pure; the clock is passed in.

A token bucket holds up to `burst` tokens and gains `rate` a second. Whoever takes more than it holds is refused and
pays nothing. Every connection has one, so it is two floats and a pair shared by all buckets of a kind; the tokens are
not counted by a timer but worked out when someone asks. Rejected: a window per second, which lets twice the rate
through at its border.
"""

from __future__ import annotations

from typing import Final, NamedTuple

KEPT: Final = 16_384  # buckets in a table; the oldest go first, and whoever comes again starts with a full one


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
        # `_refill`, spelt out: every message comes by here twice or more.
        tokens = self._tokens
        if now > self._seen:
            rate = self._rate
            tokens += (now - self._seen) * rate.per_second
            if tokens > rate.burst:
                tokens = rate.burst
            self._seen = now
        self._tokens = tokens - cost if cost <= tokens else tokens
        return cost <= tokens

    def wait(self, cost: float, now: float) -> float:
        """Seconds from *now* until *cost* can be paid; infinite when it never can."""
        self._refill(now)
        if cost <= self._tokens:
            return 0.0
        if cost > self._rate.burst or self._rate.per_second <= 0:
            return float("inf")
        return (cost - self._tokens) / self._rate.per_second

    def spend(self, cost: float, now: float) -> float:
        """Pay *cost* whatever there is, into debt if need be; seconds from *now* until it is out of debt (0.0: it is).

        For what has happened already and can't be refused any more, such as bytes that were read.
        """
        self._refill(now)
        self._tokens -= cost
        return max(0.0, -self._tokens / self._rate.per_second)

    def give_back(self, cost: float) -> None:
        """Undo a `take` whose purpose was refused by somebody else."""
        self._tokens = min(self._rate.burst, self._tokens + cost)

    def empty(self, now: float) -> None:
        """Take what it holds, if anything; a debt stays."""
        self._refill(now)
        self._tokens = min(self._tokens, 0.0)

    def is_full(self, now: float) -> bool:
        """Whether it is as good as a new one."""
        self._refill(now)
        return self._tokens >= self._rate.burst

    def _refill(self, now: float) -> None:
        if now > self._seen:
            self._tokens = min(self._rate.burst, self._tokens + (now - self._seen) * self._rate.per_second)
            self._seen = now


class Buckets:
    """A bucket for each of many keys, of one rate: a full one is as good as none, so only those in use are kept.

    At most KEPT of them. Whoever has more keys than that (a spoofed network) gets fresh buckets, and no memory.
    """

    __slots__ = ("_buckets", "_rate", "_tidy_at")

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._buckets: dict[bytes, TokenBucket] = {}
        self._tidy_at = 256

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, key: bytes, now: float) -> float:
        """Pay one token of *key*'s and return 0.0; or pay nothing and return the seconds until it can be paid."""
        bucket = self._buckets.get(key)
        if bucket is None:
            if len(self._buckets) >= self._tidy_at:
                self._tidy(now)
            bucket = self._buckets[key] = TokenBucket(self._rate, now)
        return 0.0 if bucket.take(1, now) else bucket.wait(1, now)

    def give_back(self, key: bytes) -> None:
        """Undo a `take`."""
        if (bucket := self._buckets.get(key)) is not None:
            bucket.give_back(1)

    def _tidy(self, now: float) -> None:
        buckets = self._buckets = {key: one for key, one in self._buckets.items() if not one.is_full(now)}
        if len(buckets) >= KEPT:
            for key in [*buckets][: KEPT // 4]:
                del buckets[key]
        self._tidy_at = min(KEPT, max(256, 2 * len(buckets)))  # each pass is paid for by as many newcomers


class IntakeRules(NamedTuple):
    """What a connection may send: *empty_frames*, which say nothing (pings, fragments, refused sends), and *bytes*."""

    empty_frames: Rate = Rate(50.0, 200.0)
    bytes: Rate = Rate(262_144.0, 1_048_576.0)


class Intake:
    """One connection's account of both. Made when it first sends something that counts: an idle one has none."""

    __slots__ = ("_bytes", "_frames", "_overdrawn_since")

    def __init__(self, rules: IntakeRules, now: float) -> None:
        self._frames = TokenBucket(rules.empty_frames, now)
        self._bytes = TokenBucket(rules.bytes, now)
        self._overdrawn_since: float | None = None

    def charge_frames(self, count: float, now: float) -> float:
        """*count* frames said nothing. Seconds for which nothing should be read now."""
        if self._frames.is_full(now):
            self._overdrawn_since = None
        wait = self._frames.spend(count, now)
        if wait and self._overdrawn_since is None:
            self._overdrawn_since = now
        return wait

    def charge_bytes(self, count: int, now: float) -> float:
        """*count* bytes were read. Seconds for which nothing should be read now."""
        return self._bytes.spend(count, now)

    def read_again(self, now: float) -> None:
        """Its sender was not read until *now*. That is no quiet moment: it may go on at its rate, not with a burst."""
        if self._overdrawn_since is not None:
            self._frames.empty(now)

    def is_busy(self, now: float) -> bool:
        """Whether it has lately sent frames that say nothing."""
        return not self._frames.is_full(now)

    def overdrawn_s(self, now: float) -> float:
        """For how long it has sent frames that say nothing faster than it may, without one quiet moment."""
        return 0.0 if self._overdrawn_since is None else now - self._overdrawn_since

    def is_fresh(self, now: float) -> bool:
        """Whether it is as good as a new one."""
        return self._frames.is_full(now) and self._bytes.is_full(now)
