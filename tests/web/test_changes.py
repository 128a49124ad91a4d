"""Editing, deleting, reacting and replying: who may, what everybody hears, and what history then shows."""

from __future__ import annotations

import secrets

import pytest

from chat_aiohttp.events import EMOJI_MOST, EventId
from tests.web.chat_client import Fields, Member, Server, change, said


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
