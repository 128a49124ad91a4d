"""Who is refused before the socket opens, with which status, and what the words say."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from chat_aiohttp.config import Config, ServerTable
from chat_aiohttp.errors import Refused
from chat_aiohttp.events import EventId
from tests.web.chat_client import DEADLINE_S, LOBBY, UPGRADE, V1, Server


@pytest.mark.parametrize("missing", ["Connection", "Upgrade"])
async def test_what_asks_for_no_upgrade_is_told_which_header_is_missing(server: Server, missing: str) -> None:
    status, words, headers = await server.refusal(drop=missing)

    assert status == 426
    assert f"“{missing}”" in words
    assert headers["Upgrade"] == "websocket"


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("after=yesterday", "not a message id"),
        ("after=", "not a message id"),
        ("history=all", "whole number"),
        ("history=-1", "whole number"),
        ("history=٣", "whole number"),
        ("session=short", "random characters"),
        ("name=%E2%80%AE", "U+202E"),
        ("name=" + "x" * 33, "32"),
    ],
)
async def test_a_query_that_makes_no_sense_is_refused_with_the_reason(server: Server, query: str, words: str) -> None:
    status, text, _ = await server.refusal(f"{LOBBY}?{query}")

    assert status == 400
    assert words in text


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec_WebSocket_Version": "8"},
        {"Sec_WebSocket_Key": "short"},
        {"Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ=="[:-4] + "===="},
        {"Sec_WebSocket_Protocol": "graphql-ws"},
        {"Sec_WebSocket_Protocol": "chat.v2, mqtt"},
    ],
)
async def test_no_handshake_of_ours_is_refused(server: Server, headers: dict[str, str]) -> None:
    status, text, _ = await server.refusal(**headers)

    assert status == 400
    assert text.strip()


async def test_a_head_request_opens_nothing(server: Server) -> None:
    async with server.client.head(LOBBY, headers=UPGRADE) as answer:
        assert answer.status == 405
    assert server.hub.switchboard.count == 0


async def test_several_sub_protocols_may_be_offered_if_ours_is_among_them(server: Server) -> None:
    socket = await server.client.ws_connect(LOBBY, protocols=("chat.v9", V1))
    assert socket.protocol == V1
    await socket.close()


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1"])
async def test_a_foreign_page_is_refused(server: Server, origin: str) -> None:
    status, words, _ = await server.refusal(Origin=origin)

    assert status == 403
    assert origin in words
    assert "server.origins" in words


async def test_our_own_page_and_one_the_operator_allowed_may_come(serve: Callable[..., Awaitable[Server]]) -> None:
    server = await serve(Config(server=ServerTable(origins=("https://docs.example.org",))))
    own = str(server.client.make_url("/")).rstrip("/")

    for origin in (own, "https://docs.example.org"):
        socket = await server.client.ws_connect(LOBBY, headers={"Origin": origin})
        await socket.close()
    assert (await server.refusal(Origin="https://other.example.org"))[0] == 403


@pytest.mark.parametrize(
    ("name", "words"),
    [("a%2Fb", "divides addresses"), ("%E2%80%8B", "U+200B"), ("x" * 65, "64"), ("%07", "control"), ("%20", "empty")],
)
async def test_a_name_that_can_be_no_rooms_is_refused_with_the_reason(server: Server, name: str, words: str) -> None:
    status, text, _ = await server.refusal(f"/ws/chat/{name}/")

    assert status == 404
    assert words in text


async def test_a_full_server_says_when_to_come_back(serve: Callable[..., Awaitable[Server]]) -> None:
    server = await serve(capacity=1)
    first = await server.plain()

    status, words, headers = await server.refusal()

    assert (status, "full" in words) == (503, True)
    assert int(headers["Retry-After"]) > 0
    await first.socket.close()
    async with asyncio.timeout(DEADLINE_S):
        while server.hub.switchboard.count:
            await asyncio.sleep(0.001)
    await server.plain()


async def test_a_draining_server_takes_nobody_in(server: Server) -> None:
    server.hub.draining = True

    status, _, headers = await server.refusal()

    assert status == 503
    assert "Retry-After" in headers


async def test_without_the_log_a_new_room_cannot_be_opened(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    async def attach(room: str) -> EventId:
        raise Refused("log_away", "The room's log does not answer.")

    monkeypatch.setattr(server.hub.store, "attach", attach)
    status, words, headers = await server.refusal()
    assert status == 503
    assert "log" in words
    assert "Retry-After" in headers

    monkeypatch.undo()
    member = await server.plain()
    await member.say("hi")
    assert (await member.get())["message"] == "hi"
