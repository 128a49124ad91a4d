"""What several of the Redis store's tests stand on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.servers import REDIS, VALKEY, Server, start_server
from tests.store.redis_sides import Open, stores


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
