"""One work, one server, one run: start it, load it, read the kernel's clocks around the window, end it."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import build, proc, redis
from bench.process import DidNotStart, Process, cores, pinned, started, wait_for_answer
from bench.process import free_port as _free_port
from bench.servers import Place, Server, environment_of
from bench.works import Work

READY_S = 30.0
SETTLE_S = 1.5  # after the last member came in: what servers put off until later is done by then

Figures = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Lengths:
    """How long the parts of a run take, in seconds."""

    warm: float = 1.0
    window: float = 4.0
    drain: float = 3.0
    limit: float = 60.0  # for everybody to come in; a run ends for sure at the sum of all of these

    @property
    def ends(self) -> float:
        return self.limit + SETTLE_S + self.warm + self.window + self.drain + 5


class Failed(Exception):
    """A run gave no figures. The words say why."""


@dataclass(frozen=True)
class _Sample:
    """What the clocks say at one moment."""

    at: float
    server_cpu: float
    redis_cpu: float


class Observed:
    """The processes whose cost is read: the server's, and Redis' apart. Made while no member is there yet."""

    def __init__(self, server: Process, redis_server: Process | None) -> None:
        self.pids = proc.tree(server.pid)
        self._redis = [redis_server.pid] if redis_server else []
        self.before, self.empty_pss, self.kernel_before = self.sample(), self.pss(), proc.kernel_bytes()

    def sample(self) -> _Sample:
        """The clocks, now."""
        return _Sample(time.monotonic(), proc.cpu_s(self.pids), proc.cpu_s(self._redis))

    def pss(self) -> int:
        """The server's memory, now."""
        return proc.pss_bytes(self.pids)


def run(
    server: Server,
    work: Work,
    lengths: Lengths,
    *,
    on_begin: Callable[[Observed], None] = lambda observed: None,
    on_end: Callable[[], None] = lambda: None,
) -> Figures:
    """The figures of one run. Raises Failed. *on_begin* and *on_end* are called at the window's edges."""
    server_core, other_core = cores()
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix=f"{server.name}-", dir=build.cache()))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        redis_server, redis_port = None, 0
        if server.needs_redis:
            (folder / "redis").mkdir()
            redis_server, redis_port = stack.enter_context(redis.running(folder / "redis", core=other_core))
        place = Place(port=_free_port(), folder=folder, redis_port=redis_port)
        log = folder / "server.log"
        try:
            process = stack.enter_context(
                started(server.command(place), core=server_core, log=log, environment=environment_of(server))
            )
            wait_for_answer(process, place.port, server.ready_path, READY_S)
            observed = Observed(process, redis_server)
            command = _command(server, work, lengths, place.port)
            with _loading(command, other_core, lengths.ends) as (load, phases):
                return _observe(work, observed, load, phases, on_begin, on_end)
        except (DidNotStart, Failed) as error:
            raise Failed(f"{error}{_last_words(log)}") from None


def _last_words(log: Path) -> str:
    words = log.read_text(errors="replace")[-1500:].strip()
    return f"; it said:\n{words}" if words else ""


def _observe(
    work: Work,
    observed: Observed,
    load: subprocess.Popen[str],
    phases: Iterator[Figures],
    on_begin: Callable[[Observed], None],
    on_end: Callable[[], None],
) -> Figures:
    connected = _expect(phases, "connected")
    time.sleep(SETTLE_S * 0.9)  # it waits SETTLE_S before it talks
    figures = _cost_of_members(work, observed) | {"connect_s": connected["seconds"]}
    if work.is_idle:
        assert load.stdin is not None
        load.stdin.close()
        return figures
    _expect(phases, "begin")
    begin = observed.sample()
    on_begin(observed)
    _expect(phases, "end")
    end = observed.sample()
    on_end()
    figures["pss_after"] = observed.pss()
    return figures | _cost_of_deliveries(begin, end, _expect(phases, "done"))


def _command(server: Server, work: Work, lengths: Lengths, port: int) -> list[str]:
    times = {
        "settle": SETTLE_S,
        "warm": lengths.warm,
        "seconds": lengths.window,
        "drain": lengths.drain,
        "limit": lengths.limit,
    }
    given = [part for name, value in times.items() for part in (f"--{name}", str(value))]
    program = str(build.compiled("load"))
    return [program, "--port", str(port), *server.dialect.arguments(), *work.arguments(), *given]


@contextmanager
def _loading(
    command: list[str], core: int | None, ends_s: float
) -> Iterator[tuple[subprocess.Popen[str], Iterator[dict[str, Any]]]]:
    with subprocess.Popen(
        pinned(command, core), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as load:
        watchdog = threading.Timer(ends_s, load.kill)
        watchdog.start()
        try:
            yield load, _phases(load)
        finally:
            watchdog.cancel()
            load.kill()


def _phases(load: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
    assert load.stdout is not None
    assert load.stderr is not None
    for line in load.stdout:
        yield json.loads(line)
    load.wait()
    raise Failed(load.stderr.read().strip() or f"the load generator ended with {load.returncode}")


def _expect(phases: Iterator[dict[str, Any]], name: str) -> dict[str, Any]:
    phase = next(phases)
    if phase["phase"] != name:
        raise Failed(f"the load generator said {phase} instead of {name}")
    return phase


def _cost_of_members(work: Work, observed: Observed) -> Figures:
    members = work.connections
    return {
        "members": members,
        "connect_us": (observed.sample().server_cpu - observed.before.server_cpu) / members * 1e6,
        "member_bytes": (observed.pss() - observed.empty_pss) / members,
        # Both ends of each connection are on this machine.
        "kernel_member_bytes": (proc.kernel_bytes() - observed.kernel_before) / members,
        "empty_pss": observed.empty_pss,
    }


def _cost_of_deliveries(begin: _Sample, end: _Sample, done: dict[str, Any]) -> Figures:
    window: Figures = done.pop("window")
    done.pop("phase")
    deliveries = max(window["delivered"], 1)
    seconds = end.at - begin.at
    figures: Figures = {
        "per_s": window["delivered"] / window["seconds"],
        "us": (end.server_cpu - begin.server_cpu) / deliveries * 1e6,
        "redis_us": (end.redis_cpu - begin.redis_cpu) / deliveries * 1e6,
        "busy": (end.server_cpu - begin.server_cpu) / seconds,
    }
    return window | figures | {"faults": done}
