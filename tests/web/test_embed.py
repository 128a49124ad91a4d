"""A room in another site's frame: who may, what it says about it, and that it gets no cookie."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from chat_aiohttp.config import Config, ServerTable
from tests.web.chat_client import Server

Serve = Callable[..., Awaitable[Server]]
PAGE = {"Accept": "text/html", "Accept-Language": "en"}


async def test_nobody_may_frame_a_room_unless_the_operator_says_so(server: Server) -> None:
    async with server.client.get("/embed/lobby/", headers=PAGE) as answer:
        assert answer.status == 403
        assert "server.embed_origins" in await answer.text()
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]


async def test_only_the_named_origins_may_and_only_here(serve: Serve) -> None:
    origins = ("https://docs.example.org", "https://example.org")
    server = await serve(Config(server=ServerTable(embed_origins=origins)))

    async with server.client.get("/embed/lobby/", headers=PAGE) as answer:
        assert answer.status == 200
        policy = answer.headers["Content-Security-Policy"]
        assert "frame-ancestors https://docs.example.org https://example.org;" in policy
        assert "X-Frame-Options" not in answer.headers
        assert "Set-Cookie" not in answer.headers
        assert '"embed": true' in await answer.text()
    async with server.client.get("/chat/lobby/", headers=PAGE) as answer:
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert "Set-Cookie" in answer.headers


async def test_a_name_that_can_be_no_room_is_not_found(serve: Serve) -> None:
    server = await serve(Config(server=ServerTable(embed_origins=("https://example.org",))))

    async with server.client.get("/embed/a%2Fb/", headers=PAGE) as answer:
        assert answer.status == 404
