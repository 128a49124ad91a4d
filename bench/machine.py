"""What a reader must know about the machine and the software to read the figures. No names, no paths."""

from __future__ import annotations

import os
import platform
import re
import sqlite3
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from bench import build, redis
from bench.process import cores

Facts = dict[str, str]


def facts() -> Facts:
    """In words, for the head of the page."""
    server_core, other_core = cores()
    pinning = "nothing is pinned" if server_core is None else f"server on core {server_core}, all else on {other_core}"
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "processor": f"{_processor()}, {os.cpu_count()} cores{_guest()}; {pinning}",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "system": f"{_distribution()}, Linux {platform.release().split('-')[0]}, loopback",
        "disk": f"SQLite writes to {_file_system(build.cache())}",
        "compiler": f"{_first_line(build.compiler_path(), '--version')}, -O2",
        "Python": f"{platform.python_version()}, SQLite {sqlite3.sqlite_version}",
        "Redis": f"{_redis()}; AOF, fsync every second",
    }


def load_average() -> float:
    """Of the last minute: what else the machine was doing, when asked before a run."""
    return os.getloadavg()[0]


def _processor() -> str:
    with suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return platform.machine()


def _guest() -> str:
    with suppress(OSError):
        if " hypervisor" in Path("/proc/cpuinfo").read_text():
            return " of a virtual machine"
    return ""


def _distribution() -> str:
    with suppress(OSError):
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    return platform.system()


def _file_system(folder: Path) -> str:
    with suppress(OSError, IndexError, subprocess.SubprocessError):
        done = subprocess.run(["stat", "-f", "-c", "%T", str(folder)], capture_output=True, text=True, check=True)
        return done.stdout.strip()
    return "an unknown file system"


def _redis() -> str:
    binary = redis.binary()
    if binary is None:
        return "none"
    words = _first_line(binary, "--version").split()
    return f"{Path(binary).name.removesuffix('-server')} {next(w[2:] for w in words if w.startswith('v='))}"


def _first_line(*command: str) -> str:
    with suppress(OSError, subprocess.SubprocessError, IndexError):
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0]
    return "unknown"


def command() -> str:
    """What was typed, less where the results were to go: that is nobody's business but this machine's."""
    typed = " ".join(["python -m bench", *sys.argv[1:]])
    return re.sub(r" --(?:json|docs)[ =]\S+", "", typed)
