"""The Redis store keeps the contract, on Valkey and on Redis 7.0, each a real server."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from chat_aiohttp.store import Retention
from chat_aiohttp.store.redis_streams import RedisStore
from tests.servers import REDIS, VALKEY, Server, start_server
from tests.store.contract import StoreContract


@pytest.fixture(params=[VALKEY, REDIS])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    with start_server(tmp_path, kind=request.param) as server:
        yield server


class TestRedisStreams(StoreContract):
    takes_clock = False
    is_shared = True
    instances = count()

    @pytest.fixture
    def place(self, server: Server) -> str:
        return server.url

    def build(self, place: str, retention: Retention, clock: Callable[[], float]) -> RedisStore:
        return RedisStore(url=place, instance=f"i{next(self.instances)}", retention=retention, clock=time.time)
