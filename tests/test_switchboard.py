"""The switchboard over real sockets: what comes in, what goes out, and how a connection ends."""

from __future__ import annotations

import asyncio
import os
import select
import time
from collections.abc import AsyncIterator

import pytest

from chat_aiohttp import frames, goodbyes, poller, switchboard
from chat_aiohttp.closing import NO_CLOSE, Close
from chat_aiohttp.outgoing import Socket
from tests.desk import QUEUE, Desk, opened_desk, text
from tests.frame_bytes import BINARY, CLOSE, PING, PONG, TEXT, client_frame
from tests.lateness import lateness
from tests.peers import DEADLINE_S


@pytest.fixture(params=["epoll", "selectors"])
async def desk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    if request.param == "selectors":
        monkeypatch.setattr(switchboard, "new_poller", poller._Selector)
    async with opened_desk() as desk:
        yield desk


# -- in and out


async def test_messages_come_in_as_they_were_said(desk: Desk) -> None:
    socket, peer = desk.call()

    await peer.send(client_frame(TEXT, b"one") + client_frame(BINARY, b"two") + client_frame(TEXT, b"x" * 60_000))

    await desk.told.until(lambda: len(desk.told.messages) == 3)
    assert desk.told.messages == [(socket, TEXT, b"one"), (socket, BINARY, b"two"), (socket, TEXT, b"x" * 60_000)]


async def test_a_fan_out_reaches_everybody_once(desk: Desk) -> None:
    calls = [desk.call() for _ in range(70)]
    members = [socket for socket, _ in calls]

    done = 0
    while done < len(members):
        done = desk.board.fan_out(members, done, text(b"hi") + text(b"there"))

    for _, peer in calls:
        assert await peer.frames(2) == [(TEXT, b"hi"), (TEXT, b"there")]


async def test_a_ping_is_answered_with_its_payload_also_amid_fragments(desk: Desk) -> None:
    _, peer = desk.call()

    await peer.send(client_frame(TEXT, b"a", final=False) + client_frame(PING, b"\x00\xff") + client_frame(0, b"b"))

    assert await peer.frames(1) == [(PONG, b"\x00\xff")]
    await desk.told.until(lambda: bool(desk.told.messages))
    assert desk.told.messages[0][1:] == (TEXT, b"ab")


async def test_a_pong_nobody_asked_for_is_ignored(desk: Desk) -> None:
    _, peer = desk.call()

    await peer.send(client_frame(PONG, b"?") + client_frame(PING, b"!"))

    assert await peer.frames(1) == [(PONG, b"!")]


# -- slices


async def test_a_fan_out_stops_after_its_slice_and_goes_on_where_it_stopped(desk: Desk) -> None:
    desk.board._out.slice_s = 0.0
    calls = [desk.call() for _ in range(80)]
    members = tuple(socket for socket, _ in calls)

    stops = [0]
    while stops[-1] < len(members):
        stops.append(desk.board.fan_out(members, stops[-1], text(b"hi")))

    assert stops == [0, 32, 64, 80]
    for _, peer in calls:
        assert await peer.frames(1) == [(TEXT, b"hi")]


async def test_members_may_go_between_two_slices(desk: Desk) -> None:
    desk.board._out.slice_s = 0.0
    calls = [desk.call() for _ in range(64)]
    members = tuple(socket for socket, _ in calls)

    stop = desk.board.fan_out(members, 0, text(b"hi"))
    calls[40][1].reset()
    await desk.told.until(lambda: desk.told.gone == [(members[40], NO_CLOSE)])
    desk.board.close(members[41], Close.NORMAL)
    assert desk.board.fan_out(members, stop, text(b"hi")) == 64

    assert [opcode for opcode, _ in await calls[41][1].rest()] == [CLOSE]
    assert await calls[42][1].frames(1) == [(TEXT, b"hi")]


async def test_a_member_whose_peer_is_gone_does_not_stop_a_fan_out(desk: Desk) -> None:
    calls = [desk.call() for _ in range(10)]
    members = [socket for socket, _ in calls]
    for _, peer in calls[:5]:
        peer.reset()

    desk.board.fan_out(members, 0, text(b"hi"))

    assert sorted(code for _, code in desk.told.gone) == [NO_CLOSE] * 5
    for _, peer in calls[5:]:
        assert await peer.frames(1) == [(TEXT, b"hi")]


# -- the end


@pytest.mark.parametrize("payload", [b"", b"\x03\xe8", b"\x03\xe9bye", b"\x0f\xa0" + b"x" * 123])
async def test_a_peers_close_is_answered_with_its_code_and_then_the_line_ends(desk: Desk, payload: bytes) -> None:
    socket, peer = desk.call()

    await peer.send(client_frame(CLOSE, payload) + client_frame(TEXT, b"too late"))

    assert await peer.rest() == [(CLOSE, payload[:2])]
    assert desk.told.gone == [(socket, frames.close_code(payload))]
    assert not desk.told.messages
    assert not socket.is_open


async def test_our_close_waits_for_the_peers_and_is_told_once(desk: Desk) -> None:
    socket, peer = desk.call()

    desk.board.close(socket, Close.RESTARTING, "come back in 1300 ms")
    desk.board.close(socket, Close.NORMAL)
    desk.board.send(socket, text(b"too late"))

    assert desk.told.gone == [(socket, Close.RESTARTING)]
    assert await peer.frames(1) == [(CLOSE, b"\x03\xf4come back in 1300 ms")]
    assert desk.board.count == 1
    await peer.send(client_frame(TEXT, b"unheard") + client_frame(PING, b"?") + client_frame(CLOSE, b"\x03\xf4"))
    async with asyncio.timeout(DEADLINE_S):
        while desk.board.count:
            await asyncio.sleep(0.001)
    assert not await peer.read()
    assert not desk.told.messages
    assert desk.told.gone == [(socket, Close.RESTARTING)]


async def test_a_peer_that_does_not_answer_a_close_is_cut_at_its_deadline(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(goodbyes, "CLOSE_S", 0.3)
    socket, _ = desk.call()
    began = time.monotonic()

    async with lateness() as late, asyncio.timeout(DEADLINE_S):
        desk.board.close(socket, Close.RESTARTING)
        while desk.board.count:
            await asyncio.sleep(0.005)
        took = time.monotonic() - began
    assert 0.3 <= took < 0.3 + 2 * switchboard.PING_S / switchboard._TICKS + late.s
    assert socket.fd == -1
    assert desk.told.gone == [(socket, Close.RESTARTING)]


@pytest.mark.parametrize("end", ["fin", "rst"])
async def test_a_peer_that_just_vanishes_is_gone_without_a_code(desk: Desk, end: str) -> None:
    socket, peer = desk.call()

    peer.line.close() if end == "fin" else peer.reset()

    await desk.told.until(lambda: bool(desk.told.gone))
    assert desk.told.gone == [(socket, NO_CLOSE)]
    assert desk.board.count == 0


@pytest.mark.parametrize(
    ("rude", "code"),
    [
        (client_frame(3, b"x"), Close.PROTOCOL_ERROR),
        (client_frame(TEXT, b"x", mask=False), Close.PROTOCOL_ERROR),
        (client_frame(TEXT, b"\xff" * 200), Close.INVALID_DATA),
        (client_frame(TEXT, b"x" * (QUEUE + 1))[:14], Close.TOO_BIG),
    ],
)
async def test_a_broken_frame_is_told_why_and_what_follows_is_not_read(desk: Desk, rude: bytes, code: int) -> None:
    socket, peer = desk.call()

    await peer.send(client_frame(TEXT, b"good") + rude + client_frame(CLOSE) + client_frame(TEXT, b"bad"))

    assert await peer.farewell() == code
    assert desk.told.messages == [(socket, TEXT, b"good")]
    assert desk.told.gone == [(socket, code)]
    assert desk.board.count == 1, "a close with unread input would be a reset, which can destroy the goodbye"
    await peer.send(b"\xff" * 50_000)
    peer.line.close()
    async with asyncio.timeout(DEADLINE_S):
        while desk.board.count:
            await asyncio.sleep(0.001)
    assert desk.told.gone == [(socket, code)]


async def test_a_message_too_large_is_told_so_while_it_still_arrives(desk: Desk) -> None:
    """The peer goes on sending what was refused by its header; the goodbye reaches it all the same."""
    _, peer = desk.call()
    sending = asyncio.ensure_future(peer.send(client_frame(TEXT, b"x" * 3_000_000)))

    assert await peer.farewell() == Close.TOO_BIG
    await sending


async def test_stopping_ends_everybody(desk: Desk) -> None:
    calls = [desk.call() for _ in range(3)]
    desk.board.close(calls[0][0], Close.NORMAL)

    desk.board.stop()
    desk.board.stop()

    assert sorted(code for _, code in desk.told.gone) == [Close.NORMAL, Close.GOING_AWAY, Close.GOING_AWAY]
    assert desk.board.count == 0
    assert not desk.board.sockets()
    for _, peer in calls[1:]:
        assert not await peer.read()


async def test_a_descriptor_used_again_is_a_new_connection(desk: Desk) -> None:
    for _ in range(3):
        socket, peer = desk.call()
        fd = socket.fd
        await peer.say(TEXT, b"hi")
        await desk.told.until(lambda: bool(desk.told.messages))
        assert desk.told.messages.pop() == (socket, TEXT, b"hi")
        peer.reset()
        await desk.told.until(lambda: bool(desk.told.gone))
        assert desk.told.gone.pop() == (socket, NO_CLOSE)
        assert socket.fd == -1
        assert desk.board._by_fd[fd] is None


@pytest.mark.skipif(not hasattr(select, "epoll"), reason="only epoll refuses plain files")
async def test_a_descriptor_that_cannot_be_watched_is_closed(desk: Desk) -> None:
    socket = Socket()
    fd = os.open(__file__, os.O_RDONLY)  # epoll refuses plain files

    with pytest.raises(PermissionError):
        desk.board.adopt(socket, fd)

    assert socket.fd == -1
    assert desk.board.count == 0
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


async def test_many_ready_at_once_where_one_ends_another(desk: Desk) -> None:
    """An event of a socket that an earlier event of the same round has closed is passed over."""
    calls = [desk.call() for _ in range(6)]

    def end_all(socket: Socket, opcode: int, payload: bytes) -> None:
        desk.told.on_message(socket, opcode, payload)
        for other, _ in calls:
            if other is not socket:
                desk.board._cut(other, NO_CLOSE)

    desk.board._on_message = end_all
    for _, peer in calls:
        peer.line.send(client_frame(TEXT, b"me first"))

    await desk.told.until(lambda: len(desk.told.gone) == 5)
    await asyncio.sleep(0)
    assert len(desk.told.messages) == 1
    assert desk.board.count == 1


# -- time


@pytest.fixture
def quick_pings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(switchboard, "PING_S", 0.4)


@pytest.mark.usefixtures("quick_pings")
class TestPings:
    async def test_who_answers_stays_and_who_is_silent_is_gone_within_two_pings(self, desk: Desk) -> None:
        alive, peer = desk.call()
        dead, _ = desk.call()
        began = time.monotonic()
        desk.board._turn_wheel()

        async with lateness() as late:
            while not desk.told.gone:
                for opcode, payload in await peer.frames(1):
                    assert (opcode, payload) == (PING, b"")
                    await peer.say(PONG)
            took = time.monotonic() - began

        assert desk.told.gone == [(dead, NO_CLOSE)]
        assert took < 2 * 0.4 + 0.2 + late.s
        assert alive.is_open

    async def test_whoever_says_anything_is_alive(self, desk: Desk) -> None:
        talker, peer = desk.call()
        desk.board._turn_wheel()

        for _ in range(12):
            await peer.say(TEXT, b"still here")
            await asyncio.sleep(0.1)

        assert talker.is_open

    async def test_who_neither_reads_nor_speaks_is_gone_with_its_queue(self, desk: Desk) -> None:
        stuck, _ = desk.call(4096)
        desk.fill(stuck, text(b"x" * 1000))
        desk.board._turn_wheel()

        await desk.told.until(lambda: bool(desk.told.gone))

        assert desk.told.gone == [(stuck, NO_CLOSE)]
        assert stuck.queue is None

    async def test_who_reads_slowly_but_reads_is_alive(self, desk: Desk) -> None:
        slow, peer = desk.call(4096)
        sending = asyncio.ensure_future(desk.board.send_paced(slow, text(b"x" * 60_000) * 5))
        desk.board._turn_wheel()

        began = time.monotonic()
        while not sending.done():
            await peer.read(16_384)
            await asyncio.sleep(0.02)

        assert time.monotonic() - began > 3 * 0.4, "too quick to prove anything"
        assert await sending
