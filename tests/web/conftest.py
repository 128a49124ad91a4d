"""Servers for the tests of sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from chat_aiohttp.app import create_app
from chat_aiohttp.config import Config
from tests.web.chat_client import MakeClient, Server


@pytest.fixture
async def serve(aiohttp_client: MakeClient) -> AsyncIterator[Callable[..., Awaitable[Server]]]:
    """Start a server: with a Config, and what create_app takes."""
    servers: list[Server] = []

    async def serve(config: Config | None = None, **settings: Any) -> Server:
        server = Server(await aiohttp_client(create_app(config or Config(), store_url="memory:", **settings)))
        servers.append(server)
        return server

    yield serve
    for server in servers:
        for socket in server.sockets:
            await socket.close()


@pytest.fixture
async def server(serve: Callable[..., Awaitable[Server]]) -> Server:
    return await serve()
