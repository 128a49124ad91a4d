"""Rows of figures as a table on the terminal."""

from __future__ import annotations

from typing import Any

_FAULTS = ("lost", "doubled", "misrouted", "reordered", "garbled", "split_rooms", "closed", "unsent", "stalls")


def faults_of(row: dict[str, Any]) -> str:
    """What went wrong in a run, in words; empty where every delivery came once, in order and to the right room."""
    found = row.get("faults", {})
    return ", ".join(f"{name} {found[name]:,}" for name in _FAULTS if found.get(name))


HEAD = (
    f"{'work':8}{'server':22}{'µs/dlv':>8}{'M dlv/s':>9}{'p50 ms':>9}{'p99 ms':>9}{'busy':>6}{'load':>6}"
    f"{'redis µs':>9}{'B/member':>10}{'conn µs':>8}  faults"
)


def line(row: dict[str, Any]) -> str:
    """The figures of one run, under HEAD."""
    start = f"{row['work']:8}{row['server']:22}"
    if "failed" in row:
        return f"{start}  failed: {row['failed'].splitlines()[0]}"
    if "us" in row:
        start += (
            f"{row['us']:8.3f}{row['per_s'] / 1e6:9.4f}{row['p50_ms']:9.2f}{row['p99_ms']:9.2f}"
            f"{row['busy']:6.2f}{row['load_busy']:6.2f}{row['redis_us']:9.3f}"
        )
    else:
        start += " " * 56
    return f"{start}{row['member_bytes']:10.0f}{row['connect_us']:8.1f}  {faults_of(row)}"
