"""Who is measured: the floor and this server. The peers are in peers.py.

A Server is a command line, a dialect (how its clients talk) and what it needs. All servers get the same works.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench import build

CHECKOUT = Path(__file__).parent.parent


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where one server runs for one work."""

    port: int
    folder: Path  # its own, empty, removed afterwards
    redis_port: int = 0  # 0: it asked for none


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """What a client of a server says around a message. %r is the room's name."""

    path: str = "/ws/chat/%r/"
    before: str = '{"message": "'
    after: str = '"}'
    greeting: tuple[tuple[str, str], ...] = ()  # (wait for a message with this in it, answer that)
    ping: tuple[str, str] | None = None  # a message of the server that is a ping, and its answer
    binary: bool = False
    header: str = ""

    def arguments(self) -> list[str]:
        """For the load generator."""
        given = ["--path", self.path, "--before", self.before, "--after", self.after]
        for expected, answer in self.greeting:
            given += ["--expect", expected, *(["--answer", answer] if answer else [])]
        if self.ping:
            given += ["--ping", self.ping[0], "--pong", self.ping[1]]
        if self.header:
            given += ["--header", self.header]
        return [*given, *(["--binary"] if self.binary else [])]


@dataclass(frozen=True, kw_only=True)
class Server:
    """One way to be a chat server."""

    name: str
    title: str
    command: Callable[[Place], list[str]]
    dialect: Dialect = Dialect()
    environment: dict[str, str] = field(default_factory=dict)
    needs_redis: bool = False
    ready_path: str = "/"
    missing: Callable[[], str | None] = lambda: None  # why it cannot run here, and the remedy
    version: Callable[[], str] = lambda: ""
    works: frozenset[str] | None = None  # None: all; else the others are beyond it


def _floor(name: str, title: str, *options: str) -> Server:
    return Server(
        name=name,
        title=title,
        command=lambda place: [str(build.compiled("floor")), "--port", str(place.port), *options],
    )


_STORES: dict[str, Callable[[Place], str]] = {
    "memory": lambda place: "memory:",
    "sqlite": lambda place: f"sqlite://{place.folder}/chat.sqlite3",
    "redis": lambda place: f"redis://127.0.0.1:{place.redis_port}/0",
}


def _chat(store: str, *, rests: bool) -> Server:
    url = _STORES[store]

    def command(place: Place) -> list[str]:
        config = str(CHECKOUT / "bench/config.toml")
        return [
            *(sys.executable, "-m", "chat_aiohttp"),
            *("--config", config, "--port", str(place.port), "--store", url(place)),
        ]

    return Server(
        name=f"chat-{store}-rest" if rests else f"chat-{store}",
        title=f"chat_aiohttp, {store}, {'with rest (default)' if rests else 'at once'}",
        command=command,
        environment={"PYTHONPATH": str(CHECKOUT)} | ({} if rests else {"CHAT_FANOUT_REST": "0"}),
        needs_redis=store == "redis",
        ready_path="/readyz",
    )


OURS = {
    server.name: server
    for server in (
        _floor("floor-a", "floor: C, one write per message and member"),
        _floor("floor-b", "floor: C, gathered, one write per member", "--gather"),
        *(_chat(store, rests=rests) for store in _STORES for rests in (False, True)),
    )
}


def environment_of(server: Server) -> dict[str, str]:
    """The environment a server runs in: this one's, without what would configure this project's server otherwise."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("CHAT_")}
    return kept | server.environment
