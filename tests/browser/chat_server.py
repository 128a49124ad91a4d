"""A real server for browser tests: its own process, its own port, ended whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import URLError
from urllib.parse import quote
from urllib.request import urlopen

from tests.ports import free_port

ROOT = Path(__file__).parent.parent.parent
STARTS_WITHIN_S = 60.0
ENDS_WITHIN_S = 12.0


class ChatServer:
    """`python -m chat_aiohttp` on a free port of the loopback. *folder* holds its log and, with SQLite, its file."""

    def __init__(self, folder: Path, store: str = "memory:", *flags: str) -> None:
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self._folder = folder
        self._arguments = ["--port", str(self.port), "--store", store, *flags]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> ChatServer:
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "chat_aiohttp", *self._arguments]
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(command, cwd=self._folder, env=env, stdout=log, stderr=log)
        self._wait_until_ready()
        return self

    def kill(self) -> None:
        """As a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def room(self, name: str) -> str:
        return f"{self.address}/chat/{quote(name, safe='')}/"

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _wait_until_ready(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + STARTS_WITHIN_S
        while not self._is_ready():
            if (code := self._process.poll()) is not None or time.monotonic() > deadline:
                self.kill()
                log = (self._folder / "server.log").read_text()
                raise RuntimeError(f"the server did not start (exit code {code}):\n{log}")
            time.sleep(0.02)

    def _is_ready(self) -> bool:
        try:
            with urlopen(f"{self.address}/readyz", timeout=1) as answer:
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False
