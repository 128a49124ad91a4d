"""What an open index asks: the list with its tag, and whether a name can be a room's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from chat_aiohttp.config import Config, RoomsTable
from chat_aiohttp.errors import Refused
from chat_aiohttp.web import rooms
from tests.web.chat_client import Server


async def test_the_list_has_a_tag_and_is_not_sent_twice(server: Server) -> None:
    ada = await server.plain("会议室-7", name="Ada")
    await ada.say("the\nlast word")
    await ada.get()

    async with server.client.get("/chat/rooms") as answer:
        tag = answer.headers["ETag"]
        (line,) = (await answer.json())["rooms"]
    assert (line["title"], line["name"], line["said"]) == ("会议室-7", "Ada", "the last word")
    assert line["path"] == "/chat/%E4%BC%9A%E8%AE%AE%E5%AE%A4-7/"

    async with server.client.get("/chat/rooms", headers={"If-None-Match": tag}) as answer:
        assert (answer.status, await answer.read()) == (304, b"")


async def test_the_log_is_read_once_for_all_who_look(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = []

    async def count(limit: int) -> list[object]:
        reads.append(limit)
        return []

    monkeypatch.setattr(server.hub, "rooms", count)
    for _ in range(5):
        async with server.client.get("/chat/rooms") as answer:
            assert answer.status == 200

    assert len(reads) == 1


async def test_unlisted_rooms_stay_unlisted(serve: Callable[..., Awaitable[Server]]) -> None:
    server = await serve(Config(rooms=RoomsTable(listed=False)))

    async with server.client.get("/chat/rooms") as answer:
        assert answer.status == 404


async def test_a_list_that_can_not_be_had_says_so(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(limit: int) -> None:
        raise Refused("log_away", "gone")

    monkeypatch.setattr(server.hub, "rooms", refuse)
    async with server.client.get("/chat/rooms") as answer:
        assert await answer.json() == {"rooms": [], "away": True}


async def test_a_name_is_judged_in_the_servers_words_and_the_readers_language(server: Server) -> None:
    async def judge(room: str, language: str = "en") -> dict[str, str]:
        headers = {"Accept-Language": language}
        async with server.client.get("/chat/name", params={"room": room}, headers=headers) as answer:
            fields: dict[str, str] = await answer.json()
            return fields

    assert await judge(" design reviews ") == {"title": "design reviews", "path": "/chat/design%20reviews/"}
    assert "U+002F" in (await judge("a/b"))["refusal"]
    assert "房间名里不能有" in (await judge("a/b", "zh"))["refusal"]


def test_the_list_is_fresh_enough_for_who_looks_every_quarter_of_a_minute() -> None:
    assert rooms.FRESH_S < 15
