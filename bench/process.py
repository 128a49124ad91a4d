"""Starting processes on a core of their own, waiting until they answer, and ending them."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

Process = subprocess.Popen[bytes]

END_S = 5.0  # after SIGTERM; then SIGKILL
LOOK_S = 0.05


class DidNotStart(Exception):
    """A server ended, or did not answer in time. The words hold the end of what it said."""


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def cores() -> tuple[int | None, int | None]:
    """(the server's core, the core of everything else); None where there is just one or no way to pin."""
    if shutil.which("taskset") is None:
        return None, None
    allowed = sorted(os.sched_getaffinity(0))
    return (allowed[0], allowed[1]) if len(allowed) > 1 else (None, None)


def pinned(command: list[str], core: int | None) -> list[str]:
    """*command*, on *core* only."""
    return command if core is None else ["taskset", "-c", str(core), *command]


@contextmanager
def started(
    command: list[str], *, core: int | None, log: Path, environment: dict[str, str] | None = None
) -> Iterator[Process]:
    """A process in a session of its own, ended with its children when the block ends. What it says goes to *log*."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            pinned(command, core),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=log.parent,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            _end(process)


def _end(process: Process) -> None:
    # The session's group is ours alone: nothing but what this process started is in it.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        pass
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_for_port(process: Process, port: int, within_s: float) -> None:
    """Until something accepts connections there. Raises DidNotStart."""

    def accepts() -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
        return False

    _wait(process, accepts, within_s, f"nobody listens on port {port}")


def wait_for_answer(process: Process, port: int, path: str, within_s: float) -> None:
    """Until *path* is answered with anything below 500. Raises DidNotStart."""

    def answers() -> bool:
        with (
            suppress(OSError, http.client.HTTPException),
            closing(http.client.HTTPConnection("127.0.0.1", port, timeout=2)) as connection,
        ):
            connection.request("GET", path)
            return connection.getresponse().status < 500
        return False

    _wait(process, answers, within_s, f"{path} on port {port} is not answered")


def _wait(process: Process, holds: Callable[[], bool], within_s: float, what: str) -> None:
    deadline = time.monotonic() + within_s
    while not holds():
        if process.poll() is not None:
            raise DidNotStart(f"it ended with exit code {process.returncode} before it was ready")
        if time.monotonic() > deadline:
            raise DidNotStart(f"after {within_s:g} s {what}")
        time.sleep(LOOK_S)
