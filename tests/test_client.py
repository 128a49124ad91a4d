"""The Python client against real servers: it heals, keeps order, doubles nothing and says what is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web

from chat_aiohttp import inbox, link
from chat_aiohttp.client import Ended, Gap, Message, NotSent, Room
from chat_aiohttp.closing import Close, invitation
from chat_aiohttp.errors import BadInput, ChatError, NotAName
from chat_aiohttp.events import EventId
from tests.instances import Instance, running
from tests.servers import Proxy
from tests.web.chat_client import MakeClient, Server
from tests.web.conftest import serve, server

__all__ = ["serve", "server"]
DEADLINE_S = 20.0
Serve = Callable[..., Awaitable[Server]]


def page(at: Instance | Proxy, room: str = "lobby") -> str:
    return f"http://127.0.0.1:{at.port}/chat/{room}/"


async def next_messages(room: Room, count: int) -> list[Message]:
    """The next *count*, which must come without a gap."""
    messages: list[Message] = []
    async with asyncio.timeout(DEADLINE_S):
        while len(messages) < count:
            item = await anext(room)
            assert isinstance(item, Message), item
            messages.append(item)
    return messages


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not is_so():
            await asyncio.sleep(0.01)


def hang_up(server: Server, code: int, reason: str = "") -> None:
    for member in server.hub.switchboard.sockets():
        server.hub.switchboard.close(member, code, reason)


async def said(room: Room, texts: list[str]) -> list[EventId]:
    """The ids of *texts*, all given at once."""
    async with asyncio.timeout(DEADLINE_S):
        return await asyncio.gather(*(room.send(text) for text in texts))


async def test_what_is_sent_comes_back_with_its_id_to_everybody(server: Server) -> None:
    url = str(server.client.make_url("/"))
    async with Room(f"{url}chat/Lobby/", name="Ada") as ada, Room(f"{url.replace('http', 'ws')}ws/chat/lobby") as bob:
        async with asyncio.timeout(DEADLINE_S):
            stored, again = await ada.send("hi", ref="r1"), await ada.send("hi", ref="r1")

        (heard,) = await next_messages(bob, 1)
        assert heard == Message(stored, "hi", "Ada", ada.me, stored.ms, "r1")
        assert await next_messages(ada, 1) == [heard]
        assert again == stored
        assert bob.me not in ("", ada.me)


async def test_history_and_a_session_go_on_where_another_client_was(server: Server) -> None:
    url, secret = str(server.client.make_url("/chat/lobby/")), "s" * 22
    async with Room(url, session=secret) as room:
        first, *_ = await said(room, ["1", "2", "3"])
        me = room.me

    async with Room(url, session=secret, after=first) as room:
        assert [message.text for message in await next_messages(room, 2)] == ["2", "3"]
        assert room.me == me
    async with Room(f"{url}?session={secret}") as room:
        assert room.me == me
    async with Room(f"{url}?session={secret}", session="t" * 22) as room:
        assert room.me != me
    async with Room(url + "?name=Bea&history=1") as room:
        assert [message.text for message in await next_messages(room, 1)] == ["3"]
        await room.send("4")
        assert [message.name for message in await next_messages(room, 1)] == ["Bea"]


@pytest.mark.parametrize(
    ("url", "settings", "error"),
    [
        ("ftp://host/chat/lobby/", {}, ValueError),
        ("http://host/lobby/", {}, ValueError),
        ("/chat/lobby/", {}, ValueError),
        ("http://host/chat/%2e%2e/", {}, NotAName),
        ("http://host/chat/lobby/", {"name": "x" * 33}, NotAName),
        ("http://host/chat/lobby/", {"session": "short"}, BadInput),
        ("http://host/chat/lobby/?session=short", {}, BadInput),
        ("http://host/chat/lobby/", {"after": "yesterday"}, BadInput),
    ],
)
async def test_what_can_be_no_room_is_said_before_anything_is_tried(
    url: str, settings: dict[str, str], error: type[Exception]
) -> None:
    with pytest.raises(error):
        Room(url, **settings)  # type: ignore[arg-type]


async def test_it_resumes_and_what_was_said_offline_follows_in_order_after_a_kill(tmp_path: Path) -> None:
    async with (
        running(f"sqlite://{tmp_path}/chat.sqlite3", tmp_path / "a") as instance,
        Room(page(instance)) as room,
        Room(page(instance)) as witness,
    ):
        ids = await said(room, ["0", "1", "2"])
        await instance.kill()
        offline = asyncio.create_task(said(room, ["3", "4", "5", "6"]))
        await asyncio.sleep(0)
        await instance.start()
        ids += await offline

        heard = await next_messages(witness, 7)
        assert [(message.id, message.text) for message in heard] == [(ids[n], str(n)) for n in range(7)]
        assert await next_messages(room, 7) == heard


async def test_what_others_said_meanwhile_is_heard_and_a_lost_answer_doubles_nothing(tmp_path: Path) -> None:
    async with (
        running("memory:", tmp_path) as instance,
        Proxy(instance.port) as proxy,
        Room(page(instance), name="near") as near,
        Room(page(proxy), name="far") as far,
    ):
        proxy.is_mute = True
        lost = asyncio.create_task(said(far, ["a", "b"]))
        ids = [message.id for message in await next_messages(near, 2)]
        await near.send("c")
        proxy.cut()
        proxy.is_mute = False
        await near.send("d")

        assert await lost == ids
        assert [message.text for message in await next_messages(far, 4)] == ["a", "b", "c", "d"]
        assert [message.text for message in await next_messages(near, 2)] == ["c", "d"]


async def test_a_send_that_never_arrived_goes_again_and_nobody_elses_ref_answers_it(tmp_path: Path) -> None:
    async with (
        running("memory:", tmp_path) as instance,
        Proxy(instance.port) as proxy,
        Room(page(instance)) as near,
        Room(page(proxy)) as far,
    ):
        proxy.is_deaf = True
        lost = asyncio.create_task(far.send("far's", ref="r1"))
        await until(lambda: proxy.swallowed > 0)
        nears = await near.send("near's", ref="r1")
        await next_messages(far, 1)
        proxy.cut()
        proxy.is_deaf = False

        async with asyncio.timeout(DEADLINE_S):
            assert await lost > nears
        assert [message.text for message in await next_messages(near, 2)] == ["near's", "far's"]


async def test_a_log_that_was_lost_shows_as_a_gap_to_go_on_from(tmp_path: Path) -> None:
    async with running("memory:", tmp_path) as instance, Room(page(instance)) as room:
        last = await room.send("before")
        await next_messages(room, 1)

        await instance.kill()
        await instance.start()

        async with asyncio.timeout(DEADLINE_S):
            gap = await anext(room)
            assert isinstance(gap, Gap)
            assert gap.after == last
            assert gap.position < last
            stored = await room.send("after")
        assert [message.id for message in await next_messages(room, 1)] == [stored]


async def test_a_server_that_falls_silent_is_left_and_returned_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "SILENT_S", 0.3)
    async with (
        running("memory:", tmp_path) as instance,
        Proxy(instance.port) as proxy,
        Room(page(proxy)) as far,
        Room(page(instance)) as near,
    ):
        proxy.is_mute = True  # what is asked stays without an answer, and no close ever comes
        waiting = asyncio.create_task(far.send("anybody?"))
        (heard,) = await next_messages(near, 1)
        proxy.is_mute = False  # for the next connection; this one's answer is gone

        async with asyncio.timeout(DEADLINE_S):
            assert await waiting == heard.id


async def test_refusals_that_pass_are_sent_again_in_order(tmp_path: Path) -> None:
    env = {"CHAT_LIMITS_MESSAGES_PER_SECOND": "50", "CHAT_LIMITS_MESSAGE_BURST": "6"}
    async with running("memory:", tmp_path, env=env) as instance, Room(page(instance)) as room:
        ids = await said(room, [str(number) for number in range(14)])

        heard = await next_messages(room, 14)
        assert [message.id for message in heard] == ids == sorted(ids)
        assert [message.text for message in heard] == [str(number) for number in range(14)]


async def test_a_final_refusal_is_raised_by_its_send_alone(server: Server) -> None:
    async with Room(str(server.client.make_url("/chat/lobby/"))) as room:
        sends = [("a", "r1"), ("x" * 4001, "r2"), (" ", "r3"), ("b", "r4")]
        sends += [("y" * 70_000, "r5"), ("z", "r" * 65), ("again", "r4")]
        async with asyncio.timeout(DEADLINE_S):
            outcomes = await asyncio.gather(*(room.send(text, ref=ref) for text, ref in sends), return_exceptions=True)
        codes = [outcome.code if isinstance(outcome, ChatError) else type(outcome) for outcome in outcomes]

        assert codes == [
            *(EventId, "message_too_long", "message_empty", EventId),
            *("message_too_long", ValueError, "ref_in_use"),
        ]
        with pytest.raises(NotSent) as reused:
            await room.send("not b", ref="r4")
        assert reused.value.code == "ref_reused"
        assert [message.text for message in await next_messages(room, 2)] == ["a", "b"]


async def test_a_close_for_good_ends_the_iteration_with_its_code_and_reason(server: Server) -> None:
    async with Room(str(server.client.make_url("/chat/lobby/"))) as room:
        await room.send("last words")
        hang_up(server, Close.REMOVED, "that was rude")

        assert [message.text for message in await next_messages(room, 1)] == ["last words"]
        with pytest.raises(Ended, match="4500 that was rude") as ended:
            await asyncio.wait_for(anext(room), DEADLINE_S)
        assert (ended.value.close_code, ended.value.reason) == (4500, "that was rude")
        with pytest.raises(NotSent):
            await room.send("let me in")


async def test_an_address_without_a_room_is_said_on_entering(server: Server) -> None:
    with pytest.raises(Ended) as ended:
        async with asyncio.timeout(DEADLINE_S), Room(str(server.client.make_url("/elsewhere/chat/lobby/"))):
            raise AssertionError("there is nothing to be in")
    assert ended.value.close_code == 404


async def test_leaving_ends_the_iteration_and_fails_what_waits(tmp_path: Path) -> None:
    async with running("memory:", tmp_path) as instance:
        async with Room(page(instance)) as room:
            await room.send("one")
            await instance.kill()
            waiting = asyncio.create_task(room.send("two"))
            await asyncio.sleep(0)

        with pytest.raises(NotSent) as left:
            await waiting
        assert left.value.code == "left"
        assert [item.text async for item in room if isinstance(item, Message)] == ["one"]


async def test_what_a_full_inbox_dropped_is_fetched_when_there_is_room(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "MOST", 10)
    async with Room(str(server.client.make_url("/chat/lobby/"))) as room:
        ids = [await room.send(str(number)) for number in range(35)]  # nobody reads; acknowledged all the same

        assert [message.id for message in await next_messages(room, 35)] == ids


async def test_a_full_server_is_asked_again_when_it_said(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    server = await serve(capacity=1)
    url = str(server.client.make_url("/chat/lobby/"))
    caplog.set_level("INFO", "chat_aiohttp.link")
    async with Room(url):
        entering = asyncio.create_task(Room(url).__aenter__())
        await until(lambda: "HTTP 503" in caplog.text)
        entering.cancel()
        await asyncio.wait([entering])

    delays = [
        record.args[-1] for record in caplog.records if isinstance(record.args, tuple) and "back in" in record.msg
    ]
    assert [5.5 <= float(str(delay)) <= 6 for delay in delays] == [True]


async def test_it_comes_back_when_it_was_told_to_and_no_server_keeps_it_away_for_ever(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "chat_aiohttp.link")
    async with Room(str(server.client.make_url("/chat/lobby/"))) as room:
        hang_up(server, Close.RESTARTING, invitation(50))
        await until(lambda: "back after" in caplog.text)
        await room.send("here again")

        hang_up(server, Close.RESTARTING, invitation(999_999_999))
        await until(lambda: "back in 300.000 s" in caplog.text)

    assert "back in 0.050 s" in caplog.text


@pytest.mark.parametrize(("stable_s", "in_a_row"), [(0.0, [1, 1, 1]), (60.0, [1, 2, 3])])
async def test_delays_grow_until_it_was_in_the_room_for_a_while(
    server: Server, monkeypatch: pytest.MonkeyPatch, stable_s: float, in_a_row: list[int]
) -> None:
    counted: list[int] = []

    def at_once(failures: int, lot: float) -> float:
        counted.append(failures)
        return 0.0

    monkeypatch.setattr(link, "STABLE_S", stable_s)
    monkeypatch.setattr(link, "return_delay_s", at_once)
    async with Room(str(server.client.make_url("/chat/lobby/"))) as room:
        for number in range(3):
            async with asyncio.timeout(DEADLINE_S):
                await room.send(str(number))
            hang_up(server, Close.INTERNAL_ERROR)
            await until(lambda had=number: len(counted) > had)  # type: ignore[misc]

    assert counted == in_a_row


async def test_a_server_that_does_not_speak_it_is_said_on_entering(aiohttp_client: MakeClient) -> None:
    async def echo(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for frame in socket:
            await socket.send_str(frame.data)
        return socket

    app = web.Application()
    app.add_routes([web.get("/ws/chat/lobby/", echo)])
    client = await aiohttp_client(app)

    with pytest.raises(Ended, match=r"chat\.v1"):
        async with asyncio.timeout(DEADLINE_S), Room(str(client.make_url("/chat/lobby/"))):
            raise AssertionError("there is nothing to be in")
