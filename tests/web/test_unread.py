"""How much is unread in the rooms a browser names."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import urlencode

import pytest

from chat_aiohttp.config import Config, LimitsTable
from chat_aiohttp.errors import Refused
from chat_aiohttp.events import NOTHING
from tests.web.chat_client import Server


async def asked(server: Server, rooms: dict[str, str]) -> tuple[int, object]:
    async with server.client.get(f"/chat/unread?{urlencode(rooms)}") as answer:
        return answer.status, await answer.json() if answer.status == 200 else await answer.text()


async def test_rooms_are_counted_under_the_names_that_were_asked_for(server: Server) -> None:
    ada = await server.v1("会议室-7")
    ids = []
    for number in range(3):
        await ada.say(str(number), f"r{number}")
        ids.append((await ada.next("message"))["id"])

    assert await asked(server, {"会议室-7": ids[0], "Quiet": "0-0"}) == (200, {"rooms": {"会议室-7": 2, "Quiet": 0}})
    assert await asked(server, {}) == (200, {"rooms": {}})


async def test_an_answer_is_about_nothing_but_what_was_asked(server: Server) -> None:
    await (await server.v1("secret-room")).say("hush", "r")

    assert await asked(server, {"lobby": str(NOTHING)}) == (200, {"rooms": {"lobby": 0}})


@pytest.mark.parametrize(
    ("rooms", "words"),
    [
        ({"lobby": "yesterday"}, "“yesterday” is not a message id"),
        ({"a/b": "1-0"}, "divides addresses"),
        ({f"room{number}": "1-0" for number in range(51)}, "at most 50 rooms"),
    ],
    ids=["no id", "no room", "too many"],
)
async def test_what_cannot_be_answered_is_refused_with_the_reason(
    server: Server, rooms: dict[str, str], words: str
) -> None:
    status, said = await asked(server, rooms)

    assert status == 400
    assert words in str(said)


async def test_an_address_has_an_allowance_of_questions(serve: Callable[..., Awaitable[Server]]) -> None:
    server = await serve(Config(limits=LimitsTable(address_counts_per_second=0.001, address_count_burst=2)))
    far, farther = ({"X-Forwarded-For": f"192.0.2.{number}"} for number in (7, 8))
    for status in (200, 200, 429):
        async with server.client.get("/chat/unread?lobby=0-0", headers=far) as answer:
            assert answer.status == status

    assert int(answer.headers["Retry-After"]) > 1
    assert answer.headers["X-Error-Code"] == "counting_too_fast"
    assert server.hub.metrics.limits == {"counting_too_fast": 1}
    async with server.client.get("/chat/unread?lobby=0-0", headers=farther) as answer:
        assert answer.status == 200


async def test_without_a_log_nothing_is_said_to_be_read(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: object) -> dict[str, int]:
        raise Refused("log_away", "The room's log does not answer.")

    monkeypatch.setattr(server.hub.store, "count_after", refuse)

    assert await asked(server, {"lobby": "1-0"}) == (503, "The room's log does not answer.\n")
