"""Real instances of the server for tests: started as processes, killed as processes.

Each listens on a free port of its own, is ready when `start` returns, and is ended with the block that started it.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

STARTED = re.compile(rb"chat_aiohttp [^ ]+ on (http://[^ ]+:([0-9]+))/chat/")
DEADLINE_S = 60.0
# A test sends as fast as it can; the limits have tests of their own.
UNLIMITED = {
    "CHAT_LIMITS_MESSAGES_PER_SECOND": "1000000",
    "CHAT_LIMITS_MESSAGE_BURST": "1000000",
    "CHAT_LIMITS_ROOM_MESSAGES_PER_SECOND": "1000000",
    "CHAT_LIMITS_ROOM_MESSAGE_BURST": "1000000",
    "CHAT_LIMITS_BYTES_PER_SECOND": "1e9",
    "CHAT_LIMITS_BYTE_BURST": "1000000000",
}


class Instance:
    """One server process. *folder* is where it runs, with no config.toml in it but the test's own; *module* is what
    runs."""

    def __init__(
        self, store: str, folder: Path, *args: str, env: dict[str, str] | None = None, module: str = "chat_aiohttp"
    ) -> None:
        self._args = ("--store", store, *args)
        self._module = module
        self._folder = folder
        self._env = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent), **UNLIMITED, **(env or {})}
        self._port = 0
        self._said: list[bytes] = []
        self._reader: asyncio.Task[None] | None = None
        self._started = asyncio.Event()
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> Instance:
        """Start it, the second time on the port it had before; returns when it listens."""
        self._started.clear()
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", self._module, "--port", str(self._port), *self._args),
            cwd=self._folder,
            env=self._env,
            stderr=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
        )
        self._reader = asyncio.create_task(self._read())
        async with asyncio.timeout(DEADLINE_S):
            await self._started.wait()
        if not self._port:
            raise AssertionError(f"the server did not start:\n{self.log}")
        return self

    async def _read(self) -> None:
        assert self.process is not None
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self._said.append(line)
            if found := STARTED.search(line):
                self._port = int(found[2])
                self._started.set()
        self._started.set()  # ended: whoever waits for the start must not wait for ever

    @property
    def log(self) -> str:
        """What it said so far."""
        return b"".join(self._said).decode()

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._port

    @property
    def url(self) -> str:
        """http://host:port"""
        return f"http://127.0.0.1:{self._port}"

    def socket_url(self, room: str) -> str:
        """The socket of *room*."""
        return f"{self.url}/ws/chat/{room}/"

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    async def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        self.signal(signal.SIGKILL)
        await self.wait()

    async def wait(self, timeout_s: float = DEADLINE_S) -> int:
        """Wait for its end; the exit code."""
        assert self.process is not None
        assert self._reader is not None
        async with asyncio.timeout(timeout_s):
            code = await self.process.wait()
            await self._reader
        return code

    async def end(self) -> None:
        """End it, however it is."""
        if self.process is not None and self.process.returncode is None:
            await self.kill()


@asynccontextmanager
async def running(store: str, folder: Path, *args: str, env: dict[str, str] | None = None) -> AsyncIterator[Instance]:
    """An instance that listens, ended with the block."""
    folder.mkdir(parents=True, exist_ok=True)
    instance = Instance(store, folder, *args, env=env)
    try:
        yield await instance.start()
    finally:
        await instance.end()
