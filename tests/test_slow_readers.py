"""Who reads slowly or not at all costs bounded memory, delays nobody, and is told why it was closed."""

from __future__ import annotations

import asyncio
import socket as sockets
from collections.abc import AsyncIterator, Callable

import pytest

from chat_aiohttp import frames, poller, switchboard
from chat_aiohttp.closing import Close
from chat_aiohttp.outgoing import Socket
from tests.desk import QUEUE, Desk, opened_desk, text
from tests.frame_bytes import CLOSE, TEXT
from tests.peers import DEADLINE_S, Peer


@pytest.fixture(params=["epoll", "selectors"])
async def desk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    if request.param == "selectors":
        monkeypatch.setattr(switchboard, "new_poller", poller._Selector)
    async with opened_desk() as desk:
        yield desk


# -- slow readers


async def test_a_slow_reader_is_closed_at_its_bound_and_others_hear_everything(desk: Desk) -> None:
    slow, lazy = desk.call(4096)
    quick, keen = desk.call()
    count, most = 0, 0

    while slow.is_open:
        count += 1
        desk.board.fan_out((slow, quick), 0, text(b"%04d" % count + b"x" * 900))
        most = max(most, slow.queued)
        await keen.frames(1)
        assert count < 1000, "never closed"

    assert desk.told.gone == [(slow, Close.SLOW)]
    assert QUEUE - 1000 < most <= QUEUE
    assert slow.queued < 2000, "what it will never be sent is let go at once"
    assert quick.is_open
    heard = await lazy.rest()
    assert [int(payload[:4]) for _, payload in heard[:-1]] == list(range(1, len(heard)))
    assert heard[-1][0] == CLOSE
    assert frames.close_code(heard[-1][1]) == Close.SLOW


@pytest.mark.parametrize("size", [1, 100, 1000, 3000, 20_000])
async def test_the_goodbye_to_a_full_socket_comes_after_whole_frames(desk: Desk, size: int) -> None:
    """Whatever the kernel cut: the frame that was half written is finished, the close frame is whole."""
    for extra in range(8):
        socket, peer = desk.call(4096)
        frame = text(b"x" * (size + extra))
        desk.fill(socket, frame)

        desk.board.close(socket, Close.RESTARTING, "come back in 1300 ms")

        heard = await peer.rest()
        assert {payload for _, payload in heard[:-1]} == {b"x" * (size + extra)}
        assert heard[-1] == (CLOSE, frames.close_payload(Close.RESTARTING, "come back in 1300 ms"))


async def test_the_goodbye_reaches_a_socket_that_is_full_to_the_last_byte(desk: Desk) -> None:
    """Nothing is half written and the kernel takes nothing: the close frame waits instead of being lost."""
    socket, peer = desk.call(4096)
    server = sockets.socket(fileno=socket.fd)
    raw = b""
    try:
        while True:
            raw += b"\x82\x00" * server.send(b"\x82\x00")
    except BlockingIOError:
        pass
    finally:
        server.detach()

    desk.board.close(socket, Close.RESTARTING)

    assert socket.queue, "the kernel was not full"
    assert await peer.farewell() == Close.RESTARTING


async def test_a_frame_that_was_not_begun_is_dropped_for_the_goodbye(desk: Desk) -> None:
    socket, peer = desk.call(4096)
    sent = desk.fill(socket, text(b"x" * 500))
    for _ in range(20):
        desk.board.send(socket, text(b"never begun"))

    desk.board.close(socket, Close.RESTARTING)

    heard = await peer.rest()
    assert len(heard) <= sent + 1
    assert (TEXT, b"never begun") not in heard


async def test_what_a_full_socket_did_not_take_comes_later_in_order(desk: Desk) -> None:
    socket, peer = desk.call(4096)
    said = [text(b"%05d" % count + b"x" * 100) for count in range(500)]

    for frame in said:
        desk.board.send(socket, frame)
    assert socket.queue

    while len(peer.received) < sum(map(len, said)):
        await peer.read()
    assert peer.received == b"".join(said)
    assert socket.queued == 0
    assert socket.is_open


# -- paced


async def test_a_paced_send_waits_for_its_reader_and_does_not_count_against_the_queue(desk: Desk) -> None:
    socket, peer = desk.call(4096)
    page = text(b"x" * 40_000) * 10

    sending = asyncio.ensure_future(desk.board.send_paced(socket, page))
    await asyncio.sleep(0)
    desk.board.send(socket, text(b"and this"))
    assert not sending.done()
    assert socket.is_open

    while not sending.done():
        await peer.read()
    assert await sending
    while len(peer.received) < len(page) + 10:
        await peer.read()
    assert peer.received == page + text(b"and this")
    desk.fill(socket, text(b"x" * 1000))
    for _ in range(70):
        desk.board.send(socket, text(b"x" * 1000))
    assert desk.told.gone == [(socket, Close.SLOW)], "afterwards the queue has its own bound again"


async def test_two_paced_sends_to_one_socket_both_end(desk: Desk) -> None:
    socket, peer = desk.call(4096)
    first = asyncio.ensure_future(desk.board.send_paced(socket, text(b"1" * 60_000)))
    await asyncio.sleep(0)
    second = asyncio.ensure_future(desk.board.send_paced(socket, text(b"2" * 60_000)))
    await asyncio.sleep(0)

    while len(peer.received) < 2 * 60_004:
        await peer.read()

    async with asyncio.timeout(DEADLINE_S):
        assert [await first, await second] == [True, True]
    assert peer.received == text(b"1" * 60_000) + text(b"2" * 60_000)


async def test_a_paced_send_ends_with_its_socket(desk: Desk) -> None:
    endings: list[Callable[[Socket, Peer], object]] = [
        lambda _, peer: peer.reset(),
        lambda socket, _: desk.board.close(socket, Close.RESTARTING),
    ]
    for end in endings:
        socket, peer = desk.call(4096)
        sends = [asyncio.ensure_future(desk.board.send_paced(socket, text(b"x" * 60_000))) for _ in range(2)]
        await asyncio.sleep(0)

        end(socket, peer)

        async with asyncio.timeout(DEADLINE_S):
            assert await asyncio.gather(*sends) == [False, False]
        assert not await desk.board.send_paced(socket, text(b"late"))


async def test_a_cancelled_paced_send_leaves_the_socket_whole(desk: Desk) -> None:
    socket, peer = desk.call(4096)
    sending = asyncio.ensure_future(desk.board.send_paced(socket, text(b"x" * 60_000)))
    await asyncio.sleep(0)

    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    desk.board.send(socket, text(b"next"))

    assert [payload[:4] for _, payload in await peer.frames(2)] == [b"xxxx", b"next"]
