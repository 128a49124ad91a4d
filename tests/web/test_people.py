"""What people are called, and who may write."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from chat_aiohttp.errors import BadInput, ChatError
from chat_aiohttp.events import MESSAGE
from chat_aiohttp.rooms import Member as Seat
from tests.web.chat_client import Server

ADA, BEN = "ada-" + "a" * 24, "ben-" + "b" * 24


async def test_a_new_name_is_in_the_logs_later_messages_only(server: Server) -> None:
    ada = await server.v1(name="Ada", session=ADA)
    await ada.say("before", "r1")
    before = await ada.next("message")
    await ada.socket.send_json({"type": "rename", "name": "Ada L."})
    await ada.say("after", "r2")
    after = await ada.next("message")
    reader = await server.plain(after="0-0")

    assert (before["name"], after["name"]) == ("Ada", "Ada L.")
    assert before["from"] == after["from"]
    assert [(await reader.get())["name"] for _ in range(2)] == ["Ada", "Ada L."]


async def test_a_new_name_is_that_of_all_tabs(server: Server) -> None:
    one, two = await server.v1(name="Ada", session=ADA), await server.v1(name="Ada", session=ADA)
    ben = await server.v1(name="Ben", session=BEN)
    await one.socket.send_json({"type": "rename", "name": "Ada L."})
    await one.say("one", "r1")
    await ben.next("message")
    await two.say("two", "r2")

    assert (await ben.next("message"))["name"] == "Ada L."


async def test_a_name_that_looks_like_anothers_is_taken_and_told_apart(server: Server) -> None:
    await server.v1(name="Ada", session=ADA)
    impostor = await server.v1(name="Аdа", session=BEN)
    await impostor.say("it's me", "r1")

    assert impostor.welcome["you"]["looks"] == ["аdа", "ada"]
    assert (await impostor.next("message"))["looks"] == ["аdа", "ada"]


async def test_whoever_may_not_write_is_told_why_and_others_are_not_disturbed(
    serve: Callable[..., Awaitable[Server]],
) -> None:
    def may(member: Seat, kind: str, author: str | None) -> ChatError | None:
        allowed = member.name == "Ada" or (kind, author) != (MESSAGE, None)
        return None if allowed else BadInput("not_allowed", "Only Ada speaks here.")

    server = await serve(may=may)
    ada, ben = await server.v1(name="Ada", session=ADA), await server.v1(name="Ben", session=BEN)
    await ben.say("hi", "r1")
    refusal = await ben.error()
    await ada.say("hi", "r1")

    assert (refusal["code"], refusal["words"], refusal["ref"]) == ("not_allowed", "Only Ada speaks here.", "r1")
    assert (await ben.next("message"))["name"] == "Ada"
