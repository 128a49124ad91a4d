"""Search over HTTP: what is found, how far it looked, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from chat_aiohttp.config import Config, LimitsTable
from chat_aiohttp.errors import Refused
from tests.test_docs_protocol import literal_frames
from tests.web.chat_client import Server

FAR = {"X-Forwarded-For": "192.0.2.7"}


async def ask(server: Server, headers: dict[str, str] | None = None, **query: str) -> tuple[int, dict[str, Any]]:
    async with server.client.get("/chat/lobby/search", params=query, headers=headers) as answer:
        assert answer.headers["Cache-Control"] == "no-store"
        fields: dict[str, Any] = await answer.json()
        return answer.status, fields


async def test_the_newest_message_comes_first_and_pages_go_on(server: Server) -> None:
    ada = await server.v1()
    for number in range(35):
        await ada.say(f"apple {number}", f"ref{number}")
        await ada.next("message")

    status, first = await ask(server, q="APPLE")
    assert status == 200
    assert [message["message"] for message in first["found"]] == [f"apple {n}" for n in range(34, 4, -1)]
    assert first["complete"] is False

    _, rest = await ask(server, q="apple", before=first["looked_to"])
    assert [message["message"] for message in rest["found"]] == [f"apple {n}" for n in range(4, -1, -1)]
    assert rest["complete"] is True


async def test_nothing_is_found_in_a_room_where_nothing_was_said(server: Server) -> None:
    assert await ask(server, q="x") == (200, {"found": [], "looked_to": "0-0", "complete": True})


@pytest.mark.parametrize(
    ("query", "code"), [({}, "bad_query"), ({"q": "!"}, "bad_query"), ({"q": "x", "before": "1"}, "bad_id")]
)
async def test_a_bad_question_is_named(server: Server, query: dict[str, str], code: str) -> None:
    status, fields = await ask(server, None, **query)

    assert (status, fields["error"]) == (400, code)
    assert fields["message"]


async def test_a_name_that_can_be_no_room_is_not_found(server: Server) -> None:
    async with server.client.get("/chat/%2F/search?q=x") as answer:
        assert (answer.status, (await answer.json())["error"]) == (404, "bad_name")


async def test_an_address_has_an_allowance_of_searches(serve: Callable[..., Awaitable[Server]]) -> None:
    limits = LimitsTable(address_searches_per_second=0.001, address_search_burst=2)
    server = await serve(Config(limits=limits))
    for _ in range(2):
        assert (await ask(server, FAR, q="x"))[0] == 200

    async with server.client.get("/chat/lobby/search?q=x", headers=FAR) as answer:
        assert answer.status == 429
        assert int(answer.headers["Retry-After"]) > 1
        assert (await answer.json())["error"] == "searching_too_fast"
    assert (await ask(server, {"X-Forwarded-For": "192.0.2.8"}, q="x"))[0] == 200


async def test_without_its_log_a_search_is_refused_for_now(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*asked: object) -> None:
        raise Refused("log_away", "gone")

    monkeypatch.setattr(server.hub, "search", refuse)
    status, fields = await ask(server, q="x")

    assert (status, fields["error"], fields["retryable"]) == (503, "log_away", True)


async def test_a_search_is_answered_as_the_page_says(server: Server) -> None:
    (literal,) = map(json.loads, literal_frames("server v1 search"))
    ada = await server.v1(name="Ada")
    await ada.say("hi", "k3v9x2")
    await ada.next("message")

    async with server.client.get("/chat/lobby/search?q=hi") as answer:
        told = await answer.json()

    assert told.keys() == literal.keys()
    assert told["found"][0].keys() - {"ref"} == literal["found"][0].keys()
