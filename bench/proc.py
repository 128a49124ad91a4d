"""What the kernel says about processes: their CPU time, their memory, and what their sockets cost the kernel itself."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")


def tree(pid: int) -> list[int]:
    """*pid* and all its descendants."""
    children: dict[int, list[int]] = defaultdict(list)
    for stat in PROC.glob("[0-9]*/stat"):
        with suppress(OSError):  # ended meanwhile
            text = stat.read_text()
            children[int(text.rpartition(")")[2].split()[1])].append(int(text.split(maxsplit=1)[0]))
    found = [pid]
    for parent in found:
        found += children[parent]
    return found


def cpu_s(pids: list[int]) -> float:
    """User and system time of *pids*, all threads, in seconds: utime + stime of /proc/PID/stat, but not rounded."""
    return sum(_clock(pid) for pid in pids)


def _clock(pid: int) -> float:
    try:
        # The clock that clock_getcpuclockid(3) gives for another process; /proc counts in steps of 10 ms.
        return time.clock_gettime(~pid << 3 | 2)
    except OSError:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def pss_bytes(pids: list[int]) -> int:
    """Memory of *pids*: pages shared by several processes count by their share."""
    total = 0
    for pid in pids:
        for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) * 1024
    return total


def kernel_bytes() -> int:
    """What the kernel holds in objects (slab) and in TCP buffers, for everybody on this machine."""
    slab = next(line for line in (PROC / "meminfo").read_text().splitlines() if line.startswith("Slab:"))
    tcp = next(line for line in (PROC / "net/sockstat").read_text().splitlines() if line.startswith("TCP:"))
    pages = int(tcp.split()[tcp.split().index("mem") + 1])
    return int(slab.split()[1]) * 1024 + pages * os.sysconf("SC_PAGE_SIZE")
