"""/ws/chat/<room>/ over real sockets: what each dialect gets, and what a bad client can't do."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import socket
from collections.abc import Awaitable, Callable

import pytest

from chat_aiohttp import presence
from chat_aiohttp.closing import Close
from chat_aiohttp.commands import Send
from chat_aiohttp.config import Config, LimitsTable
from chat_aiohttp.events import EventId, Gap, Page, parse_id
from chat_aiohttp.sessions import public_id, query_session
from tests.frame_bytes import BINARY, CLOSE, TEXT, client_frame
from tests.peers import Peer, loopback
from tests.web.chat_client import DEADLINE_S, V1, Fields, Server

# -- plain: what the tutorial speaks


async def test_the_tutorials_protocol(server: Server) -> None:
    ada, ben = await server.plain(name="Ada"), await server.plain()

    await ada.say("hello")

    heard = await ada.get()
    assert await ben.get() == heard
    assert (heard["message"], heard["name"], "ref" in heard) == ("hello", "Ada", False)
    assert heard["time"] == int(heard["id"].split("-")[0])


async def test_rooms_are_apart_and_names_are_compared_folded(server: Server) -> None:
    here, shouted, elsewhere = await server.plain("Straße"), await server.plain("STRASSE"), await server.plain("street")

    await elsewhere.say("there")
    await here.say("here")

    assert (await here.get())["message"] == (await shouted.get())["message"] == "here"
    assert (await elsewhere.get())["message"] == "there"


async def test_a_plain_member_gets_nothing_but_messages(server: Server) -> None:
    plain = await server.plain()
    v1 = await server.v1(name="Ada")
    await v1.socket.send_json({"type": "typing"})
    await v1.socket.send_json({"type": "rename", "name": "Ada L."})
    await v1.next("typing")

    await v1.say("hi", "r1")

    heard = await plain.get()
    assert (heard["type"], heard["message"], heard["name"]) == ("message", "hi", "Ada L.")


async def test_one_connections_messages_keep_their_order(server: Server) -> None:
    ada, ben = await server.plain(), await server.plain()

    for number in range(30):
        await ada.say(str(number))

    for member in (ada, ben):
        heard = [await member.get() for _ in range(30)]
        assert [one["message"] for one in heard] == [str(number) for number in range(30)]
        ids = [tuple(map(int, one["id"].split("-"))) for one in heard]
        assert ids == sorted(set(ids))


async def test_what_was_said_before_is_given_on_request_and_then_live(server: Server) -> None:
    ada = await server.plain()
    for number in range(5):
        await ada.say(str(number))
    ids = [(await ada.get())["id"] for _ in range(5)]

    since = await server.plain(after=ids[1])
    last = await server.plain(history="2")
    everything = await server.plain(after="0-0", history="1")
    nothing = await server.plain()
    await ada.say("now")

    for member, expected in ((since, "234"), (last, "34"), (everything, "01234"), (nothing, "")):
        for message in [*expected, "now"]:
            assert (await member.get())["message"] == message


async def test_a_resume_from_an_id_never_given_is_a_gap(server: Server) -> None:
    ada = await server.plain()
    await ada.say("one")
    first = await ada.get()

    plain = await server.plain(after="9999999999999-0")
    error = await plain.error()

    assert (error["error"], error["retryable"], error["position"]) == ("gap", False, first["id"])
    await ada.say("two")
    assert (await plain.get())["message"] == "two"


# -- chat.v1


async def test_a_v1_member_is_told_who_and_where_it_is_and_who_is_there(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "LINGER_S", 0.0)
    secret = secrets.token_urlsafe(20)
    ada = await server.v1("Lobby", name="Ada", session=secret)

    assert ada.welcome["you"] == {"id": public_id(query_session(secret)), "name": "Ada"}
    assert ada.welcome["room"] == {"key": "lobby", "name": "Lobby"}
    assert ada.welcome["position"] == "0-0"
    assert ada.welcome["limits"] == {"message": 4000, "name": 32, "frame": 65_536}
    diff = await ada.next("presence-diff")
    assert diff["joins"] == [ada.welcome["you"]]
    ben = await server.v1(name="Ben")
    assert (await ada.next("presence-diff"))["joins"] == [ben.welcome["you"]]
    await ben.socket.close()
    assert (await ada.next("presence-diff"))["leaves"] == [ben.welcome["you"]]


async def test_the_order_is_welcome_then_what_was_missed_then_live(server: Server) -> None:
    ada = await server.v1()
    for number in range(3):
        await ada.say(str(number), f"r{number}")
        await ada.next("message")

    ben = await server._open("lobby", (V1,), {"history": "2"})
    kinds = [await ben.get() for _ in range(5)]

    assert [one["type"] for one in kinds] == ["welcome", "message", "message", "presence", "live"]
    assert [one["message"] for one in kinds[1:3]] == ["1", "2"]
    assert kinds[4]["more"] is True
    assert kinds[4]["position"] == kinds[2]["id"] == kinds[0]["position"]


async def test_an_echo_with_ones_own_from_and_ref_is_the_ack(server: Server) -> None:
    ada, ben = await server.v1(name="Ada"), await server.v1(name="Ben")

    await ada.say("hi", "r1")
    heard, same = await ada.next("message"), await ben.next("message")

    assert heard == same
    assert (heard["from"], heard["ref"], heard["name"]) == (ada.welcome["you"]["id"], "r1", "Ada")


async def test_typing_and_a_new_name_are_told(server: Server) -> None:
    ada, ben = await server.v1(name="Ada"), await server.v1(name="Ben")

    await ada.socket.send_json({"type": "typing"})
    assert await ben.next("typing") == {"type": "typing", "from": ada.welcome["you"]["id"], "name": "Ada"}
    await ada.socket.send_json({"type": "rename", "name": "Ada L."})
    while {"id": ada.welcome["you"]["id"], "name": "Ada L."} not in (await ben.next("presence-diff"))["joins"]:
        pass
    await ada.say("hi", "r1")
    assert (await ben.next("message"))["name"] == "Ada L."


async def test_older_messages_come_page_by_page(server: Server) -> None:
    ada = await server.v1()
    for number in range(7):
        await ada.say(str(number), f"r{number}")
    ids = [(await ada.next("message"))["id"] for _ in range(7)]

    before = ids[-1]
    read: list[str] = []
    while True:
        await ada.socket.send_json({"type": "history", "before": before, "limit": 4})
        page = await ada.next("history")
        assert page["before"] == before
        read = [one["message"] for one in page["messages"]] + read
        if not page["more"]:
            break
        before = page["messages"][0]["id"]

    assert read == ["0", "1", "2", "3", "4", "5"]


async def test_news_of_a_loss_reaches_both_dialects(server: Server) -> None:
    plain, v1 = await server.plain(), await server.v1()

    server.hub.gap("lobby", Gap(EventId(9, 0), EventId(5, 0), "lost"))

    assert await v1.next("gap") == {"type": "gap", "after": "9-0", "position": "5-0", "reason": "lost"}
    assert (await plain.error())["position"] == "5-0"


async def test_who_was_reading_when_the_log_lost_something_reads_again(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it had read is of a log that is gone: live from there, it would miss the ids that are given again."""
    ada = await server.plain()
    await ada.say("one")
    first = await ada.get()
    store, read, cursors = server.hub.store, server.hub.store.after, []

    async def after(room: str, cursor: EventId, limit: int) -> Page:
        page = await read(room, cursor, limit)
        cursors.append(cursor)
        if len(cursors) == 1:
            server.hub.gap("lobby", Gap(page.position, EventId(5, 0), "lost"))
        return page

    monkeypatch.setattr(store, "after", after)
    ben = await server._open("lobby", (V1,), {"after": "0-0"})
    await ben.next("welcome")
    await ben.next("message")
    await ben.next("live")

    assert cursors == [EventId(0, 0), parse_id(first["id"])]


# -- bad input keeps the connection

PLAIN_MISTAKES = [
    ("hello", "not_json"), ("[]", "not_an_object"), ("{}", "message_missing"), ('{"message": 5}', "message_not_text"),
    ('{"message": " "}', "message_empty"), (json.dumps({"message": "x" * 4001}), "message_too_long"),
    ('{"message": "hi", "ref": ""}', "bad_ref"),
]  # fmt: skip
V1_MISTAKES = [
    ("hello", "not_json"), ("[]", "not_an_object"), ("{}", "unknown_type"), ('{"type": "shout"}', "unknown_type"),
    ('{"type": "send", "ref": "a"}', "message_missing"), ('{"type": "send", "message": "hi"}', "ref_missing"),
    ('{"type": "history", "before": "x"}', "bad_id"), ('{"type": "history", "before": "0-0", "limit": 0}', "bad_limit"),
    ('{"type": "rename", "name": ""}', "bad_name"), ('{"type": "rename", "name": "a\\u202eb"}', "bad_name"),
]  # fmt: skip


async def test_every_mistake_of_a_plain_client_is_answered_and_the_next_message_is_heard(server: Server) -> None:
    member = await server.plain()
    for text, code in PLAIN_MISTAKES:
        await member.socket.send_str(text)
        error = await member.error()
        assert (error["error"], error["retryable"]) == (code, False)
        assert error["message"]

    await member.say("still here")
    assert (await member.get())["message"] == "still here"


async def test_every_mistake_of_a_v1_client_is_answered_and_the_next_message_is_heard(server: Server) -> None:
    member = await server.v1()
    for text, code in V1_MISTAKES:
        await member.socket.send_str(text)
        error = await member.error()
        assert (error["code"], error["retryable"]) == (code, False)
        assert error["words"]

    await member.say("still here", "r1")
    assert (await member.next("message"))["message"] == "still here"


async def test_whoever_is_too_fast_is_told_to_wait_and_nothing_overtakes(
    serve: Callable[..., Awaitable[Server]],
) -> None:
    server = await serve(Config(limits=LimitsTable(messages_per_second=1.0, message_burst=2)))
    now = 1000.0
    server.hub._clock = server.hub.speech._clock = lambda: now
    member = await server.v1()

    for number in range(4):
        await member.say(str(number), f"r{number}")
    answers = [fields for fields in [await member.get() for _ in range(5)] if not fields["type"].startswith("presence")]
    now += 5.0
    for number in (3, 2, 3):
        await member.say(str(number), f"r{number}")

    told = {(fields.get("code"), fields["ref"]) for fields in answers}
    assert told == {(None, "r0"), (None, "r1"), ("too_fast", "r2"), ("held", "r3")}
    assert (await member.error())["code"] == "held"
    assert [(await member.next("message"))["message"] for _ in range(2)] == ["2", "3"]


# -- what ends a connection


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (client_frame(BINARY, b"bytes"), Close.UNSUPPORTED_DATA),
        (client_frame(TEXT, b"\xff"), Close.INVALID_DATA),
        (client_frame(TEXT, b"x" * 65_537), Close.TOO_BIG),
        (client_frame(TEXT, b"x" * 40_000, final=False) + client_frame(0, b"x" * 40_000), Close.TOO_BIG),
        (client_frame(TEXT, b"x", mask=False), Close.PROTOCOL_ERROR),
        (client_frame(CLOSE, b"\x03\xe8"), Close.NORMAL),
    ],
)
async def test_a_frame_that_breaks_the_protocol_ends_with_its_code(server: Server, sent: bytes, code: int) -> None:
    member = await server.plain()
    other = await server.plain()

    member.transport.write(sent)

    assert (await member.ends())[0] == code
    await other.say("unharmed")
    assert (await other.get())["message"] == "unharmed"


async def test_a_drain_sends_everybody_away_to_come_back_later(server: Server) -> None:
    plain, v1 = await server.plain(), await server.v1()
    room = server.hub.registry.get("lobby")
    assert room is not None
    server.hub.speech.publish(next(iter(room.plain)), Send("last words"))

    draining = asyncio.ensure_future(server.hub.drain(DEADLINE_S))
    assert (await plain.get())["message"] == "last words"
    code, reason = await plain.ends()
    going: Fields = {}
    while going.get("type") != "going-away":
        going = await v1.get()

    assert code == Close.RESTARTING
    assert reason.startswith("come back in ")
    assert going["delay"] >= 200
    assert await v1.ends() == (Close.RESTARTING, f"come back in {going['delay']} ms")
    await plain.socket.close()
    await v1.socket.close()
    async with asyncio.timeout(DEADLINE_S):
        await draining


async def test_a_room_that_everybody_left_is_forgotten(server: Server) -> None:
    members = [await server.plain() for _ in range(3)]
    assert server.hub.registry.rooms()

    for member in members:
        await member.socket.close()

    async with asyncio.timeout(DEADLINE_S):
        while server.hub.registry.rooms() or server.hub.switchboard.count:
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("v1", [False, True])
@pytest.mark.parametrize("history", [0, 10])
async def test_who_vanishes_during_the_handshake_leaves_no_ghost(server: Server, v1: bool, history: int) -> None:
    stays = await server.plain()
    await stays.say("something to read")
    await stays.get()
    room = server.hub.registry.get("lobby")
    assert room is not None
    with loopback() as (ours, theirs):
        member = server.hub.member(room, session=b"s" * 16, who="ghost", name="Ghost", v1=v1)
        Peer(theirs).reset()

        server.hub.enter(
            member, ours.detach(), early=client_frame(TEXT, b'{"message": "boo"}'), after=None, history=history
        )
        async with asyncio.timeout(DEADLINE_S):
            while server.hub.switchboard.count > 1 or len(room) > 1:
                await asyncio.sleep(0.001)

    assert member.fd == -1
    assert member not in room.members()


async def test_a_room_that_ends_while_it_is_told_of_changes_keeps_no_other_from_being_told(server: Server) -> None:
    await server.v1("one")
    await server.v1("two")
    attendance = server.hub.attendance
    for key, told in attendance._rooms.items():
        told.tell_at = float("inf")  # so that the next change waits for the beat
        (member,) = server.hub.registry.shard(key).rooms[key].members()
        server.hub._reception.rename(member, "Renamed")
        with socket.socket(fileno=os.dup(member.fd)) as line:
            line.shutdown(socket.SHUT_WR)  # the write will find it gone, and the room ends with its only member
    assert attendance._timer is not None
    attendance._timer.cancel()

    attendance._beat()

    assert not server.hub.registry.rooms()
