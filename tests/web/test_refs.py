"""Refs and sessions: a retry never doubles, nobody acknowledges for another, and nothing overtakes what was refused."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable

import pytest

from chat_aiohttp.closing import NO_CLOSE
from chat_aiohttp.errors import BadInput, ChatError, Refused
from chat_aiohttp.events import Draft
from chat_aiohttp.outgoing import Socket
from chat_aiohttp.rooms import Member
from chat_aiohttp.sessions import query_session
from tests.web import chat_client
from tests.web.chat_client import Fields, Server

DEADLINE_S = 20.0


async def refused_for_now(
    server: Server, monkeypatch: pytest.MonkeyPatch, member: chat_client.Member, text: str, ref: str
) -> Fields:
    """What *member* is told who says *text* while the log is away."""
    with monkeypatch.context() as away:
        away.setattr(type(server.hub.store), "away", property(lambda _: "it does not answer"))
        await member.say(text, ref)
        error = await member.error()
    assert (error["code"], error["ref"]) == ("log_away", ref)
    return error


async def test_a_repeat_is_answered_to_its_sender_alone_and_stored_once(server: Server) -> None:
    secret = secrets.token_urlsafe(20)
    first, second = await server.v1(session=secret), await server.v1(session=secret)
    other = await server.v1()
    await first.say("hi", "r1")
    said = await first.next("message")
    assert await second.next("message") == await other.next("message") == said

    await second.say("hi", "r1")

    assert await second.next("ack") == {"type": "ack", "ref": "r1", "id": said["id"]}
    await other.say("next", "r2")
    for member in (first, second, other):
        assert (await member.next("message"))["message"] == "next", "nobody else heard of the repeat"


async def test_a_plain_repeat_brings_the_original_frame_back_to_its_sender_alone(server: Server) -> None:
    secret = secrets.token_urlsafe(20)
    first, second = await server.plain(session=secret), await server.plain(session=secret)
    await first.say("hi", "r1")
    said = await first.get()
    assert await second.get() == said

    await second.say("hi", "r1")

    assert await second.get() == said
    await second.say("next")
    assert (await first.get())["message"] == "next"


async def test_a_repeat_after_coming_back_is_still_one_message(server: Server) -> None:
    secret = secrets.token_urlsafe(20)
    first = await server.v1(session=secret)
    await first.say("hi", "r1")
    said = await first.next("message")
    await first.socket.close()

    back = await server.v1(session=secret, after=said["id"])
    await back.say("hi", "r1")

    assert (await back.next("ack"))["id"] == said["id"]


async def test_a_ref_used_for_another_text_is_refused(server: Server) -> None:
    member = await server.v1()
    await member.say("hi", "r1")
    await member.next("message")

    await member.say("ho", "r1")

    error = await member.error()
    assert (error["code"], error["ref"], error["retryable"]) == ("ref_reused", "r1", False)


async def test_anothers_ref_acknowledges_nothing_of_ours(server: Server) -> None:
    """Refs are public once they are echoed: whoever copies one can neither repeat nor acknowledge for its owner."""
    ada, eve = await server.v1(name="Ada"), await server.v1(name="Ada")
    await ada.say("hi", "r1")
    original = await eve.next("message")

    await eve.say("hi", original["ref"])
    await ada.next("message")
    forged = await ada.next("message")

    assert (forged["ref"], forged["message"], forged["name"]) == (
        original["ref"],
        original["message"],
        original["name"],
    )
    assert forged["from"] != original["from"] == ada.welcome["you"]["id"]
    assert forged["id"] != original["id"]


async def test_what_claims_to_be_someone_else_does_not_become_it(server: Server) -> None:
    ada, eve = await server.v1(name="Ada"), await server.v1(name="Eve")
    me = ada.welcome["you"]["id"]

    await eve.socket.send_json({"type": "send", "message": "hi", "ref": "r1", "from": me, "name": "Ada", "id": "1-1"})

    heard = await ada.next("message")
    assert heard["from"] == eve.welcome["you"]["id"] != me
    assert heard["name"] == "Eve"
    assert heard["id"] != "1-1"


async def test_the_same_session_is_the_same_person_on_every_connection(server: Server) -> None:
    secret = secrets.token_urlsafe(20)
    first, second = await server.v1(session=secret), await server.v1(session=secret)
    stranger = await server.v1()

    assert first.welcome["you"]["id"] == second.welcome["you"]["id"] != stranger.welcome["you"]["id"]


async def test_after_a_retryable_refusal_everything_is_held_until_the_refused_one_comes_again(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = await server.v1()
    store = server.hub.store

    def refuse(draft: Draft) -> None:
        draft.error = Refused("log_away", "The room's log does not answer. Send again with the same ref.")
        server.hub.settled([draft])

    monkeypatch.setattr(store, "append", refuse)
    await member.say("one", "r1")
    error = await member.error()
    assert (error["code"], error["ref"], error["retryable"]) == ("log_away", "r1", True)
    monkeypatch.undo()

    for _ in range(2):
        await member.say("two", "r2")
        error = await member.error()
        assert (error["code"], error["ref"], error["retryable"]) == ("held", "r2", True)
    await member.say("one", "r1")
    await member.say("two", "r2")

    heard = [await member.next("message") for _ in range(2)]
    assert [one["message"] for one in heard] == ["one", "two"]


async def test_a_refused_send_that_is_then_refused_for_good_holds_nobody(
    serve: Callable[..., Awaitable[Server]], monkeypatch: pytest.MonkeyPatch
) -> None:
    muted = BadInput("muted", "You may not speak here now.")
    answers: list[ChatError | None] = [None, muted, None]
    server = await serve(may=lambda *_: answers.pop(0))
    member = await server.v1()
    await refused_for_now(server, monkeypatch, member, "one", "r1")
    await member.say("one", "r1")
    error = await member.error()
    assert (error["code"], error["retryable"]) == ("muted", False)

    await member.say("two", "r2")

    assert (await member.next("message"))["message"] == "two"


async def test_a_held_send_that_comes_again_as_what_can_be_no_send_holds_nobody(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = await server.v1()
    await refused_for_now(server, monkeypatch, member, "one", "r1")
    await member.say(" ", "r1")
    assert (await member.error())["code"] == "message_empty"

    await member.say("two", "r2")

    assert (await member.next("message"))["message"] == "two"


async def test_a_send_refused_at_the_door_does_not_overtake_one_that_waited_for_the_log_in_vain(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = await server.v1()
    waiting: list[Draft] = []
    with monkeypatch.context() as slow:
        slow.setattr(server.hub.store, "append", waiting.append)
        await member.say("one", "r1")
        async with asyncio.timeout(DEADLINE_S):
            while not waiting:
                await asyncio.sleep(0.001)
    await refused_for_now(server, monkeypatch, member, "two", "r2")
    waiting[0].error = Refused("log_away", "The room's log does not answer. Send again with the same ref.")
    server.hub.settled(waiting)
    assert (await member.error())["ref"] == "r1"

    await member.say("two", "r2")
    assert (await member.error())["code"] == "held"
    await member.say("one", "r1")
    await member.say("two", "r2")

    assert [(await member.next("message"))["message"] for _ in range(2)] == ["one", "two"]


async def test_a_refused_send_that_came_through_by_another_connection_does_not_hold_for_ever(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = secrets.token_urlsafe(20)
    member, other = await server.v1(session=secret), await server.v1(session=secret)
    await refused_for_now(server, monkeypatch, member, "one", "r1")
    await other.say("one", "r1")
    assert (await member.next("message"))["ref"] == "r1"  # its echo: it will not come again

    await member.say("two", "r2")
    assert (await member.error())["code"] == "held"
    async with asyncio.timeout(DEADLINE_S):
        while server_side(server, secret).held != "r2":
            await asyncio.sleep(0.001)
    await member.say("two", "r2")

    assert (await member.next("message"))["message"] == "two"


def server_side(server: Server, secret: str) -> Member:
    """The server's end of a session's connection: the one that is held, if one is."""
    members = [member for room in server.hub.registry.rooms() for member in room.members()]
    mine = [member for member in members if member.session == query_session(secret)]
    return next((member for member in mine if member.held), mine[0])


async def test_while_the_log_is_away_sends_are_refused_at_once_and_the_socket_stays(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    member, quiet = await server.v1(), await server.v1()
    error = await refused_for_now(server, monkeypatch, member, "one", "r1")
    assert (error["code"], error["ref"], error["retryable"]) == ("log_away", "r1", True)

    await member.say("one", "r1")

    assert (await quiet.next("message"))["message"] == (await member.next("message"))["message"] == "one"


async def test_a_cut_connection_is_just_gone(server: Server) -> None:
    gone: asyncio.Queue[int] = asyncio.Queue()
    on_gone = server.hub.switchboard._on_gone

    def watch(socket: Socket, code: int) -> None:
        gone.put_nowait(code)
        on_gone(socket, code)

    server.hub.switchboard._on_gone = watch
    member = await server.plain()

    member.transport.abort()

    async with asyncio.timeout(DEADLINE_S):
        assert await gone.get() == NO_CLOSE
    assert gone.empty()
