"""/ws/chat/<room>/ over real sockets: who is refused and why, what each dialect gets, what a bad client can't do."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp import ClientWebSocketResponse, WSMsgType, web
from aiohttp.test_utils import TestClient

from chat_aiohttp import keys
from chat_aiohttp.app import create_app
from chat_aiohttp.closing import NO_CLOSE, Close
from chat_aiohttp.config import Config, LimitsTable, ServerTable
from chat_aiohttp.errors import Refused
from chat_aiohttp.events import Draft, EventId, Gap, Page, parse_id
from chat_aiohttp.hub import Hub
from chat_aiohttp.sessions import public_id, query_session
from chat_aiohttp.switchboard import Socket
from chat_aiohttp.wire import Send
from tests.frame_bytes import BINARY, CLOSE, TEXT, client_frame
from tests.peers import Peer, loopback

Client = TestClient[web.Request, web.Application]
MakeClient = Callable[[web.Application], Awaitable[Client]]
Fields = dict[str, Any]

UPGRADE = {
    "Connection": "Upgrade", "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}  # fmt: skip
LOBBY = "/ws/chat/lobby/"
V1 = "chat.v1"
DEADLINE_S = 5.0


class Server:
    """The whole application, served; and the sockets that were opened to it."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.sockets: list[ClientWebSocketResponse] = []

    @property
    def hub(self) -> Hub:
        return self.client.app[keys.HUB]

    async def plain(self, room: str = "lobby", **query: str) -> Member:
        return await self._open(room, (), query)

    async def v1(self, room: str = "lobby", **query: str) -> Member:
        """A chat.v1 member who has been welcomed and is live."""
        member = await self._open(room, (V1,), query)
        member.welcome = await member.next("welcome")
        await member.next("live")
        return member

    async def _open(self, room: str, protocols: tuple[str, ...], query: dict[str, str]) -> Member:
        path = f"/ws/chat/{quote(room, safe='')}/"
        socket = await self.client.ws_connect(path, protocols=protocols, params=query, autoping=True)
        self.sockets.append(socket)
        return Member(socket)

    async def refusal(self, path: str = LOBBY, drop: str = "", **headers: str) -> tuple[int, str, Any]:
        """(status, words, headers) of a handshake with *headers* changed and *drop* left out."""
        sent = {**UPGRADE, **{name.replace("_", "-"): value for name, value in headers.items()}}
        sent.pop(drop, None)
        async with self.client.get(path, headers=sent) as answer:
            return answer.status, await answer.text(), answer.headers


class Member:
    """A client in a room."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self.socket = socket
        self.welcome: Fields = {}

    @property
    def transport(self) -> asyncio.Transport:
        """What lies below aiohttp's client, which writes no broken frames."""
        connection = self.socket._response.connection
        assert connection is not None
        assert isinstance(connection.transport, asyncio.Transport)
        return connection.transport

    async def say(self, message: object, ref: str | None = None) -> None:
        fields: Fields = {"message": message} if self.socket.protocol is None else {"type": "send", "message": message}
        await self.socket.send_json(fields if ref is None else {**fields, "ref": ref})

    async def get(self) -> Fields:
        """The next frame."""
        fields = await self.socket.receive_json(timeout=DEADLINE_S)
        assert isinstance(fields, dict)
        return fields

    async def next(self, kind: str) -> Fields:
        """The next event of this type; presence in between is passed over."""
        while (fields := await self.get()).get("type") != kind:
            assert fields.get("type", "").startswith("presence"), fields
        return fields

    async def error(self) -> Fields:
        """The next frame, which must be an error."""
        fields = await self.get()
        while fields.get("type", "").startswith("presence"):
            fields = await self.get()
        assert "error" in fields or fields.get("type") == "error", fields
        return fields

    async def ends(self) -> tuple[int | None, str]:
        """The close frame that must come; and after it the end."""
        message = await self.socket.receive(timeout=DEADLINE_S)
        while message.type == WSMsgType.TEXT:
            message = await self.socket.receive(timeout=DEADLINE_S)
        assert message.type == WSMsgType.CLOSE, message
        return message.data, str(message.extra)


@pytest.fixture
async def serve(aiohttp_client: MakeClient) -> AsyncIterator[Callable[..., Awaitable[Server]]]:
    """Start a server: with a Config, and what create_app takes."""
    servers: list[Server] = []

    async def serve(config: Config | None = None, **settings: Any) -> Server:
        server = Server(await aiohttp_client(create_app(config or Config(), store_url="memory:", **settings)))
        servers.append(server)
        return server

    yield serve
    for server in servers:
        for socket in server.sockets:
            await socket.close()


@pytest.fixture
async def server(serve: Callable[..., Awaitable[Server]]) -> Server:
    return await serve()


# -- refused before the socket opens


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


async def test_a_v1_member_is_told_who_and_where_it_is_and_who_is_there(server: Server) -> None:
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
    server.hub._clock = lambda: now
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
    server.hub.publish(next(iter(room.plain)), Send("last words"))

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


# -- refs and sessions


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


async def test_while_the_log_is_away_sends_are_refused_at_once_and_the_socket_stays(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    member, quiet = await server.v1(), await server.v1()
    with monkeypatch.context() as away:
        away.setattr(type(server.hub.store), "away", property(lambda _: "it does not answer"))
        await member.say("one", "r1")
        error = await member.error()
        assert (error["code"], error["ref"], error["retryable"]) == ("log_away", "r1", True)

    await member.say("one", "r1")

    assert (await quiet.next("message"))["message"] == (await member.next("message"))["message"] == "one"


async def test_a_cut_connection_is_just_gone(server: Server) -> None:
    gone: list[int] = []
    on_gone = server.hub.switchboard._on_gone

    def watch(socket: Socket, code: int) -> None:
        gone.append(code)
        on_gone(socket, code)

    server.hub.switchboard._on_gone = watch
    member, other = await server.plain(), await server.v1()

    member.transport.abort()
    leaves: list[Fields] = []
    while not leaves:
        leaves = (await other.next("presence-diff"))["leaves"]

    assert gone == [NO_CLOSE]
