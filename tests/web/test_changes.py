"""Editing, deleting, reacting and replying: who may, what everybody hears, and what history then shows."""

from __future__ import annotations

import asyncio
import json
import secrets
from typing import Any

import pytest

from chat_aiohttp.changes import UNDER_WAY
from chat_aiohttp.errors import Refused
from chat_aiohttp.events import EMOJI_MOST, Draft, EventId, Page
from tests.frame_bytes import CLOSE, TEXT, client_frame
from tests.web.chat_client import DEADLINE_S, Fields, Member, Server


async def change(member: Member, kind: str, target: str, ref: str = "c1", **more: Any) -> None:
    await member.socket.send_json({"type": kind, "id": target, "ref": ref, **more})


async def said(member: Member, text: str = "hi", ref: str = "r1") -> str:
    """The id of a message that *member* just sent."""
    await member.say(text, ref)
    return str((await member.next("message"))["id"])


async def history(server: Server) -> list[Fields]:
    """What a newcomer is shown."""
    newcomer = Member(await server.client.ws_connect("/ws/chat/lobby/?history=50", protocols=("chat.v1",)))
    server.sockets.append(newcomer.socket)
    await newcomer.next("welcome")
    messages = []
    while (fields := await newcomer.get())["type"] != "live":
        messages += [fields] if fields["type"] == "message" else []
    return messages


async def test_an_edit_reaches_everybody_and_history_under_the_same_id(server: Server) -> None:
    ada, ben = await server.v1(name="Ada"), await server.v1(name="Ben")
    one = await said(ada, "see *this*")
    await ben.next("message")

    await change(ada, "edit", one, message="see **that**")

    heard = await ada.next("edit")
    assert await ben.next("edit") == heard
    assert (heard["target"], heard["message"], heard["ref"]) == (one, "see **that**", "c1")
    assert (heard["from"], heard["rich"]) == (ada.welcome["you"]["id"], ["see ", ["b", "that"]])
    (message,) = await history(server)
    assert (message["id"], message["message"], message["edited"]) == (one, "see **that**", heard["time"])
    assert message["rich"] == heard["rich"]


async def test_an_edit_to_plain_text_takes_the_formatting_away(server: Server) -> None:
    ada = await server.v1()
    one = await said(ada, "see *this*")

    await change(ada, "edit", one, message="see this")

    assert "rich" not in await ada.next("edit")
    (message,) = await history(server)
    assert (message["message"], "rich" in message) == ("see this", False)


async def test_a_delete_takes_the_text_away_for_good(server: Server) -> None:
    ada, ben = await server.v1(), await server.v1()
    one = await said(ada, "secret")
    await ben.next("message")
    await change(ada, "edit", one, message="secret too")
    await ada.next("edit")
    await ben.next("edit")

    await change(ada, "delete", one, "c2")

    heard = await ada.next("delete")
    assert await ben.next("delete") == heard
    assert (heard["target"], heard["ref"], heard["from"]) == (one, "c2", ada.welcome["you"]["id"])
    assert await history(server) == []
    again = await server.plain(after="0-0")
    await ada.say("next", "r2")
    assert (await again.get())["message"] == "next"


async def test_a_reaction_counts_each_person_once(server: Server) -> None:
    ada, ben = await server.v1(), await server.v1()
    one = await said(ada)
    await ben.next("message")

    await change(ben, "react", one, "c1", emoji="🎉")
    await change(ben, "react", one, "c2", emoji="🎉", on=True)
    await change(ada, "react", one, "c3", emoji="👩🏽‍🚀")
    await change(ben, "react", one, "c4", emoji="👀")
    await change(ben, "react", one, "c5", emoji="👀", on=False)
    heard = [await ada.next("reaction") for _ in range(5)]

    assert {event["target"] for event in heard} == {one}
    assert [(event["emoji"], event["on"]) for event in heard if event["ref"] == "c5"] == [("👀", False)]
    (message,) = await history(server)
    assert message["reactions"] == {"🎉": [ben.welcome["you"]["id"]], "👩🏽‍🚀": [ada.welcome["you"]["id"]]}


async def test_a_message_bears_a_bounded_number_of_emoji(server: Server) -> None:
    ada = await server.v1()
    one = await said(ada)
    for number in range(EMOJI_MOST):
        await change(ada, "react", one, f"c{number}", emoji=chr(0x1F600 + number))
        await ada.next("reaction")

    await change(ada, "react", one, "more", emoji="🎉")

    error = await ada.error()
    assert (error["code"], error["ref"], error["retryable"]) == ("too_many_emoji", "more", False)
    await change(ada, "react", one, "again", emoji=chr(0x1F600))
    await ada.next("reaction")


async def test_a_reply_carries_the_id_of_what_it_answers_in_both_dialects(server: Server) -> None:
    ada, plain = await server.v1(), await server.plain()
    one = await said(ada)
    await plain.get()

    await ada.socket.send_json({"type": "send", "message": "yes", "reply": one, "ref": "r2"})
    heard = await plain.get()
    await plain.socket.send_json({"message": "no", "reply": one})

    assert (heard["reply"], (await ada.next("message"))["reply"]) == (one, one)
    assert (await plain.get())["reply"] == one
    assert [message.get("reply") for message in await history(server)] == [None, one, one]


@pytest.mark.parametrize(("kind", "more"), [("edit", {"message": "mine"}), ("delete", {})])
async def test_nobody_changes_what_another_said(server: Server, kind: str, more: Fields) -> None:
    ada, eve = await server.v1(name="Ada"), await server.v1(name="Ada")
    one = await said(ada)
    await eve.next("message")

    await change(eve, kind, one, **more)

    error = await eve.error()
    assert (error["code"], error["ref"], error["retryable"]) == ("not_yours", "c1", False)
    assert [message["message"] for message in await history(server)] == ["hi"]


async def test_a_session_from_the_address_may_react_but_change_nothing(server: Server) -> None:
    secret = secrets.token_urlsafe(20)
    bot, again = await server.v1(session=secret), await server.v1(session=secret)
    one = await said(bot)
    await again.next("message")

    for member, kind, more in ((bot, "edit", {"message": "other"}), (again, "delete", {})):
        await change(member, kind, one, **more)
        assert (await member.error())["code"] == "not_yours"
    await change(bot, "react", one, "c2", emoji="👍")

    assert (await again.next("reaction"))["emoji"] == "👍"


async def test_a_cookies_session_may_change_what_it_said_before(server: Server) -> None:
    server.client.session.cookie_jar.update_cookies({"chat": secrets.token_urlsafe(32)})
    before = await server.v1()
    one = await said(before)
    await before.socket.close()
    back = await server.v1()

    await change(back, "edit", one, message="better")

    assert (await back.next("edit"))["message"] == "better"


@pytest.mark.parametrize("kind", ["edit", "delete", "react"])
async def test_what_is_not_there_can_not_be_changed(server: Server, kind: str) -> None:
    ada = await server.v1()
    one = await said(ada)
    gone = await said(ada, ref="r2")
    await change(ada, "delete", gone, "d")
    deleted = await ada.next("delete")

    for number, target in enumerate(("1-1", gone, deleted["id"], str(EventId(int(one.split("-")[0]) + 60_000, 0)))):
        await change(ada, kind, target, f"c{number}", message="x", emoji="👍")
        error = await ada.error()
        assert (error["code"], error["ref"]) == ("not_found", f"c{number}")


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ({"type": "edit", "id": "1-1", "message": "x"}, "ref_missing"),
        ({"type": "delete", "id": "1-1", "ref": "x" * 65}, "bad_ref"),
        ({"type": "delete", "ref": "a"}, "bad_id"),
        ({"type": "edit", "id": "first", "message": "x", "ref": "a"}, "bad_id"),
        ({"type": "edit", "id": "1-1", "ref": "a"}, "message_not_text"),
        ({"type": "edit", "id": "1-1", "message": " ", "ref": "a"}, "message_empty"),
        ({"type": "edit", "id": "1-1", "message": "x" * 4001, "ref": "a"}, "message_too_long"),
        ({"type": "react", "id": "1-1", "ref": "a"}, "bad_emoji"),
        ({"type": "react", "id": "1-1", "emoji": "ok", "ref": "a"}, "bad_emoji"),
        ({"type": "react", "id": "1-1", "emoji": "👍👍", "ref": "a"}, "bad_emoji"),
        ({"type": "react", "id": "1-1", "emoji": "👍", "on": 1, "ref": "a"}, "bad_emoji"),
        ({"type": "send", "message": "x", "reply": "first", "ref": "a"}, "bad_id"),
        ({"type": "send", "message": "x", "reply": 1, "ref": "a"}, "bad_id"),
        ({"type": "get", "ids": []}, "bad_limit"),
        ({"type": "get", "ids": ["1-1"] * 21}, "bad_limit"),
        ({"type": "get", "ids": [1]}, "bad_id"),
    ],
)
async def test_what_can_not_be_meant_is_named(server: Server, frame: Fields, code: str) -> None:
    ada = await server.v1()

    await ada.socket.send_json(frame)

    error = await ada.error()
    assert (error["code"], error.get("ref"), error["retryable"]) == (code, frame.get("ref") and error.get("ref"), False)
    await said(ada)


@pytest.mark.parametrize("kind", ["edit", "delete", "react"])
async def test_a_repeat_changes_nothing_twice_and_is_answered_with_the_first_id(server: Server, kind: str) -> None:
    server.client.session.cookie_jar.update_cookies({"chat": secrets.token_urlsafe(32)})
    first, other = await server.v1(), await server.v1()
    one = await said(first)
    await other.next("message")
    kinds = {"react": "reaction"}
    await change(first, kind, one, message="x", emoji="👍")
    stored = await first.next(kinds.get(kind, kind))
    await other.next(kinds.get(kind, kind))

    await change(other, kind, one, message="x", emoji="👍")

    assert await other.next("ack") == {"type": "ack", "ref": "c1", "id": stored["id"]}


async def test_a_ref_used_for_another_change_is_refused(server: Server) -> None:
    ada = await server.v1()
    one = await said(ada)
    await change(ada, "edit", one, message="x")
    await ada.next("edit")

    await change(ada, "edit", one, message="y")

    error = await ada.error()
    assert (error["code"], error["ref"]) == ("ref_reused", "c1")


async def test_changes_of_one_connection_keep_their_order(server: Server) -> None:
    ada = await server.v1()
    one = await said(ada)

    for number in range(10):
        await change(ada, "edit", one, f"c{number}", message=f"version {number}")

    assert [(await ada.next("edit"))["message"] for _ in range(10)] == [f"version {number}" for number in range(10)]


async def test_changes_count_against_the_same_limit_as_messages(server: Server) -> None:
    ada = await server.v1()
    one = await said(ada)
    for number in range(60):
        await change(ada, "react", one, f"c{number}", emoji="👍", on=number % 2 == 0)

    codes = set()
    for _ in range(60):
        fields = await ada.get()
        codes.add(fields.get("code"))

    assert "too_fast" in codes


async def test_while_the_log_does_not_answer_a_change_is_refused_and_holds_what_is_behind_it(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await server.v1()
    one = await said(ada)
    store = server.hub.store
    asked = asyncio.Event()

    async def never(room: str, cursor: EventId | None, limit: int) -> Page:
        asked.set()
        return await asyncio.Future()

    with monkeypatch.context() as stuck:
        stuck.setattr(store, "before", never)
        stuck.setattr("chat_aiohttp.changes.LOOK_S", 0.05)
        await change(ada, "edit", one, "c1", message="x")
        await asked.wait()
        await change(ada, "edit", one, "c2", message="y")
        errors = [await ada.error(), await ada.error()]
        assert [(error["code"], error["ref"], error["retryable"]) for error in errors] == [
            ("log_away", "c1", True),
            ("held", "c2", True),
        ]
        await ada.say("behind it", "r2")
        assert (await ada.error())["code"] == "held"

    await change(ada, "edit", one, "c1", message="x")
    await change(ada, "edit", one, "c2", message="y")
    assert [(await ada.next("edit"))["message"] for _ in range(2)] == ["x", "y"]


class SlowLog:
    """Answers about messages only when it is let."""

    def __init__(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        self._before = server.hub.store.before
        self.asked, self.answer = asyncio.Event(), asyncio.Event()
        monkeypatch.setattr(server.hub.store, "before", self._slowly)

    async def _slowly(self, room: str, cursor: EventId | None, limit: int) -> Page:
        self.asked.set()
        await self.answer.wait()
        return await self._before(room, cursor, limit)


async def test_a_change_does_not_overtake_a_message_that_was_refused_meanwhile(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await server.v1()
    one = await said(ada)
    log, waiting = SlowLog(server, monkeypatch), list[Draft]()
    with monkeypatch.context() as slow:
        slow.setattr(server.hub.store, "append", waiting.append)
        await ada.say("first", "r2")
        await change(ada, "edit", one, message="x")
        await asyncio.wait_for(log.asked.wait(), DEADLINE_S)
    waiting[0].error = Refused("log_away", "The room's log does not answer. Send again with the same ref.")
    server.hub.settled(waiting)
    assert (await ada.error())["ref"] == "r2"
    log.answer.set()

    error = await ada.error()
    assert (error["code"], error["ref"]) == ("held", "c1")
    await ada.say("first", "r2")
    await ada.next("message")
    await change(ada, "edit", one, message="x")
    assert (await ada.next("edit"))["message"] == "x"


async def test_more_changes_than_one_line_takes_get_through_by_being_sent_again(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is refused because the line is full was sent last: it doesn't hold what is in the line."""
    ada = await server.v1()
    one = await said(ada)
    log = SlowLog(server, monkeypatch)
    refs = [f"c{number}" for number in range(UNDER_WAY + 4)]

    for ref in refs:
        await change(ada, "edit", one, ref, message=ref)
    refused = [await ada.error() for _ in refs[UNDER_WAY:]]
    log.answer.set()

    assert [(error["code"], error["ref"]) for error in refused] == [
        ("too_fast", refs[UNDER_WAY]),
        *(("held", ref) for ref in refs[UNDER_WAY + 1 :]),
    ]
    assert [(await ada.next("edit"))["ref"] for _ in range(UNDER_WAY)] == refs[:UNDER_WAY]
    for ref in refs[UNDER_WAY:]:
        await change(ada, "edit", one, ref, message=ref)
    assert [(await ada.next("edit"))["ref"] for _ in refs[UNDER_WAY:]] == refs[UNDER_WAY:]


@pytest.mark.parametrize("count", [1, UNDER_WAY + 1])
async def test_nothing_is_kept_of_who_left_while_its_changes_were_refused(
    server: Server, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    ada = await server.v1()
    one = await said(ada)
    reactions = [{"type": "react", "id": one, "emoji": "👍", "on": True, "ref": f"x{n}"} for n in range(count)]
    frames = [client_frame(TEXT, json.dumps(reaction).encode()) for reaction in reactions]

    async def away(room: str, cursor: EventId | None, limit: int) -> Page:
        raise Refused("log_away", "The room's log does not answer.")

    monkeypatch.setattr(server.hub.store, "before", away)
    ada.transport.write(b"".join(frames) + client_frame(CLOSE, b"\x03\xe8"))
    await ada.ends()
    async with asyncio.timeout(DEADLINE_S):
        while server.hub.metrics.refusals.total() < count:
            await asyncio.sleep(0.001)

    assert not server.hub.speech._order._refused


async def test_a_refused_change_may_come_again(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = await server.v1()
    one = await said(ada)

    def refuse(draft: Draft) -> None:
        draft.error = Refused("log_away", "The room's log does not answer. Send again with the same ref.")
        server.hub.settled([draft])

    with monkeypatch.context() as away:
        away.setattr(server.hub.store, "append", refuse)
        await change(ada, "delete", one)
        assert (await ada.error())["code"] == "log_away"
    await change(ada, "delete", one)

    await ada.next("delete")


async def test_messages_can_be_had_by_their_ids(server: Server) -> None:
    ada = await server.v1()
    one = await said(ada, "first")
    two = await said(ada, "second", "r2")
    await change(ada, "react", one, "c1", emoji="👍")
    await ada.next("reaction")
    await change(ada, "delete", two, "c2")
    await ada.next("delete")

    await ada.socket.send_json({"type": "get", "ids": [one, two, one, "1-1"]})

    got = await ada.next("got")
    assert [(message["id"], message["message"]) for message in got["messages"]] == [(one, "first")]
    assert got["messages"][0]["reactions"] == {"👍": [ada.welcome["you"]["id"]]}
    assert got["missing"] == [two, "1-1"]


async def test_plain_clients_hear_nothing_of_changes(server: Server) -> None:
    ada, plain = await server.v1(), await server.plain()
    one = await said(ada, "**hi**")
    assert (await plain.get())["message"] == "**hi**"
    await change(ada, "edit", one, message="x")
    await change(ada, "react", one, "c2", emoji="👍")
    await change(ada, "delete", one, "c3")
    await ada.next("edit")
    await ada.next("reaction")
    await ada.next("delete")

    await ada.say("next", "r2")

    assert (await plain.get())["message"] == "next"
