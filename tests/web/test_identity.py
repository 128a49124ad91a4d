"""Who a browser is: its cookie, and what becomes of it."""

from __future__ import annotations

import re
from http.cookies import Morsel
from pathlib import Path

import pytest
from aiohttp import web

from chat_aiohttp.app import create_app
from chat_aiohttp.config import Config, ServerTable
from chat_aiohttp.sessions import cookie_session, public_id
from tests.web.chat_client import Client, MakeClient, Server

PAGE = {"Accept": "text/html"}
BEHIND_TLS = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "chat.example"}
SECRET = "s" * 43


async def given(client: Client, **headers: str) -> dict[str, Morsel[str]]:
    """The cookies that opening a room gives."""
    async with client.get("/chat/lobby/", headers=PAGE | headers) as answer:
        assert answer.status == 200
        return dict(answer.cookies.items())


@pytest.fixture
async def client(aiohttp_client: MakeClient) -> Client:
    config = Config(server=ServerTable(trusted_proxies=("127.0.0.1",)))
    return await aiohttp_client(create_app(config, store_url="memory:"))


async def test_a_page_gives_a_cookie_that_scripts_and_other_sites_do_not_get(client: Client) -> None:
    cookie = (await given(client))["chat"]

    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", cookie.value), "256 random bits"
    assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["domain"]) == (True, "Lax", "/", "")
    assert not cookie["secure"], "a browser would not send it back over http"


async def test_over_https_the_cookie_belongs_to_this_host_alone(client: Client) -> None:
    (name, cookie), *others = (await given(client, **BEHIND_TLS)).items()

    assert (name, others) == ("__Host-chat", [])
    assert (cookie["secure"], cookie["path"], cookie["domain"]) == (True, "/", "")


async def test_who_has_a_cookie_keeps_it(client: Client) -> None:
    assert await given(client, Cookie=f"chat={SECRET}") == {}
    assert await given(client, Cookie=f"__Host-chat={SECRET}", **BEHIND_TLS) == {}


async def test_a_cookie_planted_by_a_sibling_domain_is_not_looked_at(client: Client) -> None:
    assert "__Host-chat" in await given(client, Cookie="chat=planted", **BEHIND_TLS)


async def test_the_same_cookie_is_the_same_person_in_every_room_and_after_coming_back(server: Server) -> None:
    server.client.session.cookie_jar.update_cookies({"chat": SECRET}, server.client.make_url("/"))
    ids = [(await server.v1(room)).welcome["you"]["id"] for room in ("lobby", "den", "lobby")]

    assert set(ids) == {public_id(cookie_session(SECRET))}


async def test_the_secret_itself_is_not_in_the_log(aiohttp_client: MakeClient, tmp_path: Path) -> None:
    app: web.Application = create_app(Config(), store_url=f"sqlite://{tmp_path}/chat.db")
    client = await aiohttp_client(app)
    async with client.ws_connect("/ws/chat/lobby/", headers={"Cookie": f"chat={SECRET}"}) as socket:
        await socket.send_json({"message": "hello", "ref": "k1"})
        await socket.receive_json(timeout=20)
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())

    assert b"hello" in kept
    assert cookie_session(SECRET) in kept
    assert SECRET.encode() not in kept
