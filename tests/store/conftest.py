"""What several of the stores' tests stand on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from chat_aiohttp.store import sqlite_health
from tests.servers import REDIS, VALKEY, Server, start_server
from tests.store.listener import Side
from tests.store.redis_sides import Open, stores
from tests.store.sqlite_sides import opened


@pytest.fixture(params=[VALKEY, REDIS])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """A server of each kind, which keeps what it is told."""
    with start_server(tmp_path, kind=request.param, aof=True) as server:
        yield server


@pytest.fixture
async def start() -> AsyncIterator[Open]:
    """Opens stores, and closes them at the end."""
    async with stores() as start:
        yield start


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of a SQLite file; a store that is away looks often whether it is back."""
    monkeypatch.setattr(sqlite_health, "PROBE_S", 0.05)
    return tmp_path / "chat.db"


@pytest.fixture
async def side(path: Path) -> AsyncIterator[Side]:
    """A SQLite store on *path*, closed at the end."""
    side = await opened(path)
    yield side
    await side.store.close()
