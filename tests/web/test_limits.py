"""Every limit over real sockets: its named answer, its count, and whom it leaves alone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import ClientWebSocketResponse, WSServerHandshakeError

from chat_aiohttp import shared_reads
from chat_aiohttp.config import Config, LimitsTable
from tests.web.chat_client import DEADLINE_S, LOBBY, Member, Server

Serve = Callable[..., Awaitable[Server]]
ADA, BEN = "203.0.113.7", "2001:db8::7"


async def come(server: Server, address: str, room: str = "lobby") -> Member:
    """A plain member as if from *address*."""
    socket = await server.client.ws_connect(f"/ws/chat/{room}/", headers={"X-Forwarded-For": address})
    server.sockets.append(socket)
    return Member(socket)


async def refused(server: Server, address: str, room: str = "lobby") -> tuple[int, str]:
    """The status and the code with which someone from *address* is refused."""
    status, words, headers = await server.refusal(f"/ws/chat/{room}/", X_Forwarded_For=address)
    assert words.strip()
    assert int(headers["Retry-After"]) > 0
    return status, headers["X-Error-Code"]


async def gone(server: Server, *members: Member) -> None:
    before = server.hub.switchboard.count
    for member in members:
        await member.socket.close()
    async with asyncio.timeout(DEADLINE_S):
        while server.hub.switchboard.count > before - len(members):
            await asyncio.sleep(0.001)


async def test_an_address_has_so_many_sockets_and_one_less_makes_room_for_one(serve: Serve) -> None:
    server = await serve(Config(limits=LimitsTable(address_sockets=2)))
    first, _ = await come(server, BEN), await come(server, "2001:db8::8", "elsewhere")

    assert await refused(server, "2001:db8::9") == (429, "too_many_sockets")
    await come(server, "2001:db8:0:1::7")
    await gone(server, first)
    await come(server, "2001:db8::9")
    assert server.hub.metrics.limits == {"too_many_sockets": 1}
    assert server.hub.metrics.refusals == {"too_many_sockets": 1}


async def test_an_address_is_in_so_many_rooms(serve: Serve) -> None:
    server = await serve(Config(limits=LimitsTable(address_rooms=2)))
    await come(server, ADA, "a")
    await come(server, ADA, "b")

    assert await refused(server, ADA, "c") == (429, "too_many_rooms")
    await come(server, ADA, "a")
    await come(server, BEN, "c")


async def test_an_address_connects_at_a_pace(serve: Serve) -> None:
    server = await serve(Config(limits=LimitsTable(address_connections_per_second=0.001, address_connection_burst=2)))
    await gone(server, await come(server, ADA), await come(server, ADA))

    assert await refused(server, ADA) == (429, "connecting_too_fast")
    await come(server, BEN)


async def test_thousands_of_new_rooms_are_refused_and_cost_nothing_afterwards(serve: Serve) -> None:
    server = await serve(Config(limits=LimitsTable(address_new_rooms_per_second=0.001, address_new_room_burst=3)))
    kept = await come(server, BEN, "kept")
    await kept.say("this room is no new one")
    await kept.get()
    await gone(server, kept)
    for room in "abc":
        await gone(server, await come(server, ADA, room))

    for number in range(20):
        assert await refused(server, ADA, f"more{number}") == (429, "too_many_new_rooms")
    await come(server, ADA, "kept")
    assert [room.key for room in server.hub.registry.rooms()] == ["kept"]


async def test_a_room_takes_so_many(serve: Serve) -> None:
    server = await serve(Config(limits=LimitsTable(room_members=2)))
    await server.plain()
    second = await server.plain()

    status, words, headers = await server.refusal(LOBBY)

    assert (status, headers["X-Error-Code"], "full" in words) == (503, "room_full", True)
    await server.plain("elsewhere")
    await gone(server, second)
    await server.plain()


async def test_all_connections_of_an_address_speak_at_one_pace(serve: Serve) -> None:
    server = await serve(Config(limits=LimitsTable(address_messages_per_second=0.001, address_message_burst=2)))
    ada, eve, ben = await come(server, ADA, "a"), await come(server, ADA, "b"), await come(server, BEN, "a")
    await ada.say("one")
    await ada.get()
    await eve.say("two")
    await eve.get()

    await ada.say("three", "r3")

    error = await ada.error()
    assert (error["error"], error["retryable"], error["ref"]) == ("address_too_fast", True, "r3")
    await ben.get()
    await ben.say("mine")
    assert (await ben.get())["message"] == "mine"


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        (LimitsTable(messages_per_second=0.001, message_burst=1), "too_fast"),
        (LimitsTable(address_messages_per_second=0.001, address_message_burst=1), "address_too_fast"),
        (LimitsTable(room_messages_per_second=0.001, room_message_burst=1), "room_too_fast"),
    ],
)
async def test_being_called_differently_costs_as_much_as_a_message(
    serve: Serve, limits: LimitsTable, code: str
) -> None:
    server = await serve(Config(limits=limits))
    socket = await server.client.ws_connect(LOBBY, headers={"X-Forwarded-For": ADA}, protocols=("chat.v1",))
    server.sockets.append(socket)
    member = Member(socket)
    await member.next("welcome")
    await member.next("live")

    for name in ("Ada", "Ada L."):
        await socket.send_json({"type": "rename", "name": name})

    error = await member.error()
    assert (error["code"], error["retryable"], "ref" in error) == (code, True, False)
    (room,) = server.hub.registry.rooms()
    assert [one.name for one in room.members()] == ["Ada"]


async def test_a_room_hears_at_one_pace_whoever_speaks(serve: Serve) -> None:
    server = await serve(Config(limits=LimitsTable(room_messages_per_second=0.001, room_message_burst=2)))
    ada, ben, elsewhere = await server.plain(), await server.plain(), await server.plain("b")
    await ada.say("one")
    await ben.say("two")
    for member in (ada, ben):
        assert {(await member.get())["message"], (await member.get())["message"]} == {"one", "two"}

    await ben.say("three", "r3")

    assert (await ben.error())["error"] == "room_too_fast"
    await elsewhere.say("unmoved")
    assert (await elsewhere.get())["message"] == "unmoved"


async def test_who_is_refused_by_one_limit_has_paid_for_no_other(serve: Serve) -> None:
    server = await serve(
        Config(
            limits=LimitsTable(
                message_burst=1000, address_message_burst=1000, room_messages_per_second=0.001, room_message_burst=1,
                messages_per_second=0.001, address_messages_per_second=0.001,
            )
        )
    )  # fmt: skip
    ada = await come(server, ADA)
    for _ in range(5):
        await ada.say("x")
    answers = [(await ada.get()).get("error") for _ in range(5)]
    assert sorted(map(str, answers)) == ["None", *["room_too_fast"] * 4]

    (room,) = server.hub.registry.rooms()
    (member,) = room.members()
    assert member.bucket is not None
    assert member.bucket.wait(999, server.hub._clock()) == 0.0
    assert server.hub.gate.addresses._messages._buckets[b"\xcb\x00\x71\x07"].wait(999, server.hub._clock()) == 0.0


async def test_who_has_no_address_of_its_own_is_not_limited_by_it(serve: Serve) -> None:
    server = await serve(Config(limits=LimitsTable(address_sockets=1, address_connection_burst=1)))

    for _ in range(5):
        await server.plain()  # a trusted machine that names nobody
    for _ in range(2):
        await come(server, "unix:")
    assert len(server.hub.gate.addresses) == 0


async def test_a_handshake_that_fails_later_gives_its_place_back(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    server = await serve(Config(limits=LimitsTable(address_sockets=1)))
    monkeypatch.setattr(server.hub, "draining", False)

    def fail(*_: object, **__: object) -> Any:
        raise RuntimeError("no member")

    with monkeypatch.context() as broken:
        broken.setattr(server.hub, "member", fail)
        with pytest.raises(WSServerHandshakeError):
            await come(server, ADA)

    assert len(server.hub.gate.addresses) == 0
    await come(server, ADA)


async def test_bad_frames_without_end_cost_the_sender_its_own_connection(serve: Serve) -> None:
    server = await serve(Config(limits=LimitsTable(empty_frames_per_second=0.001, empty_frame_burst=50)))
    rude, ada, ben = await server.plain(), await server.plain(), await server.plain()

    await _flood(rude.socket, 20_000)
    await ada.say("unmoved")

    assert (await ben.get())["message"] == "unmoved"
    assert server.hub.metrics.limits["frames"] == 1
    assert server.hub.metrics.refusals["not_an_object"] <= 50 + 32, "one step beyond the allowance"
    rude.transport.abort()


async def _flood(socket: ClientWebSocketResponse, count: int) -> None:
    """Send *count* bad frames, or as many as the line takes."""
    try:
        async with asyncio.timeout(0.5):
            for _ in range(count):
                await socket.send_str("[]")
    except TimeoutError:
        pass


async def test_a_room_that_comes_back_whole_reads_its_log_a_few_times(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_reads, "SHARE_S", DEADLINE_S)  # they come at once, however long the machine takes for it
    server = await serve()
    ada = await server.plain()
    ids = []
    for number in range(30):
        await ada.say(str(number))
        ids.append((await ada.get())["id"])

    back = await asyncio.gather(*(server.plain(after=ids[20 + number % 9]) for number in range(80)))
    await ada.say("live")

    for number, member in enumerate(back):
        heard = [(await member.get())["message"] for _ in range(10 - number % 9)]
        assert heard == [*map(str, range(21 + number % 9, 30)), "live"]
    assert server.hub.metrics.log_reads <= 12
