"""What is tortured: the instances and their store, with a line that can be made bad before each of them.

    clients ── link ── instance ── bus ── Redis          (most clients go straight to an instance)
    clients ── link ── instance ── a file

Each is a process of its own; the lines are proxies in this one.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from tests.instances import Instance
from tests.servers import Server, binary
from tests.torture.evidence import Logs, redis_key, redis_logs, sqlite_logs
from tests.torture.proxy import Proxy

SERVER = {
    "CHAT_ROOMS_KEEP_MESSAGES": "0",  # the log in the end must still have everything
    "CHAT_FANOUT_QUEUE_BYTES": "65536",  # the least: who doesn't read for some seconds is thrown out
    "CHAT_FANOUT_SEND_BUFFER_BYTES": "16384",
    "CHAT_SERVER_DRAIN_S": "3",
    "CHAT_LOG_FORMAT": "text",
}
REDIS_INSTANCES = 2


class Scene:
    """One store with its instances. `start` it, do to it what you like, `stop` it."""

    def __init__(self, *, store: str, folder: Path, broken: str | None = None) -> None:
        self.store = store
        self._folder = folder
        self._env = dict(SERVER)
        self._module = "chat_aiohttp"
        if broken is not None:
            self._env |= {"TORTURE_BROKEN": broken}
            self._module = "tests.torture.broken"
        self.file = folder / "chat.sqlite3"
        self.redis: Server | None = None
        self.instances: list[Instance] = []
        self.links: list[Proxy] = []  # from clients to the instances
        self.buses: list[Proxy] = []  # from the instances to Redis

    @property
    def is_sqlite(self) -> bool:
        """Whether there is one instance with a file."""
        return self.store == "sqlite"

    async def start(self) -> None:
        """Start everything; returns when it serves."""
        self._folder.mkdir(parents=True, exist_ok=True)
        if self.is_sqlite:
            urls = [f"sqlite://{self.file.absolute()}"]
        else:
            self.redis = await asyncio.to_thread(self._start_redis)
            self.buses = [await Proxy(self.redis.port).start() for _ in range(REDIS_INSTANCES)]
            urls = [f"redis://127.0.0.1:{bus.port}/0" for bus in self.buses]
        for number, url in enumerate(urls):
            folder = self._folder / f"instance{number}"
            folder.mkdir(exist_ok=True)
            instance = Instance(url, folder, env=self._env, module=self._module)
            self.instances.append(instance)
            await instance.start()
            self.links.append(await Proxy(instance.port).start())

    def _start_redis(self) -> Server:
        program = binary(self.store)
        if program is None:
            raise FileNotFoundError(
                f"there is no {self.store}-server here: apt install redis-server, or --store valkey"
            )
        rewrite = ("--auto-aof-rewrite-min-size", "32mb", "--stream-node-max-bytes", "1024")
        return Server(program, self._folder / "redis", *rewrite, aof=True).start()

    async def stop(self) -> None:
        """End everything, however it is, and keep what the instances said."""
        for instance in self.instances:
            await instance.end()
        for number, instance in enumerate(self.instances):
            (self._folder / f"instance{number}" / "log.txt").write_text(instance.log)
        for proxy in (*self.links, *self.buses):
            await proxy.stop()
        if self.redis is not None:
            self.redis.end()

    def pid(self, number: int) -> int:
        """The process of an instance."""
        process = self.instances[number].process
        assert process is not None
        return process.pid

    def wal_size(self) -> int:
        """Bytes of SQLite's write-ahead log."""
        try:
            return os.stat(f"{self.file}-wal").st_size
        except FileNotFoundError:
            return 0

    # -- the log

    def logs(self, rooms: list[str]) -> Logs:
        """What the store holds. Blocks."""
        return redis_logs(self.redis, rooms) if self.redis is not None else sqlite_logs(self.file)

    def last_ids(self, rooms: list[str]) -> dict[str, str]:
        """The last id of each of *rooms* that has one. Blocks."""
        if self.redis is None:
            logs = sqlite_logs(self.file)
            return {room: "{}-{}".format(*entries[-1].id) for room, entries in logs.items()}
        last = {}
        for room in rooms:
            if newest := self.redis.ask("XREVRANGE", redis_key(room), "+", "-", "COUNT", 1):
                last[room] = newest[0][0].decode()
        return last
