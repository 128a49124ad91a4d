"""What a rude client costs: its own connection. A flood that says nothing is not read, then closed; others hear on."""

from __future__ import annotations

import asyncio
import select
from collections.abc import AsyncIterator

import pytest

from chat_aiohttp import poller, restraint, switchboard
from chat_aiohttp.closing import NO_CLOSE, Close
from chat_aiohttp.limits import IntakeRules, Rate
from chat_aiohttp.outgoing import Socket
from tests.desk import QUEUE, Desk, opened_desk, text
from tests.frame_bytes import CLOSE, PING, PONG, TEXT, client_frame
from tests.peers import DEADLINE_S, Peer

# Slow to refill, so that no test depends on how fast it runs.
RULES = IntakeRules(empty_frames=Rate(0.001, 100), bytes=Rate(0.001, 200_000))
QUICK = IntakeRules(empty_frames=Rate(400, 100), bytes=Rate(400_000, 200_000))


@pytest.fixture(params=["epoll", "selectors"])
async def desk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    if request.param == "selectors":
        monkeypatch.setattr(switchboard, "new_poller", poller._Selector)
    async with opened_desk(RULES) as desk:
        yield desk


async def until_restrained(desk: Desk, socket: Socket) -> None:
    """Until its allowance is spent: a socket that only lets the others go first is read again in the next turn."""
    async with asyncio.timeout(DEADLINE_S):
        while socket not in desk.board.restraint or not desk.board.metrics.limits["frames"]:
            await asyncio.sleep(0.001)


async def flood(peer: Peer, frames: bytes) -> int:
    """Send *frames* again and again until the line takes no more; how many bytes went."""
    loop, sent = asyncio.get_running_loop(), 0
    try:
        while sent < 50_000_000:
            async with asyncio.timeout(0.5):
                await loop.sock_sendall(peer.line, frames)
            sent += len(frames)
    except TimeoutError:
        return sent
    raise AssertionError("everything was read")


@pytest.mark.parametrize("name", ["pings", "pongs", "empty fragments"])
async def test_a_flood_that_says_nothing_is_not_read_and_others_are(desk: Desk, name: str) -> None:
    rude, peer = desk.call(4096)
    _, good = desk.call()
    frame = {
        "pings": client_frame(PING, b"x"),
        "pongs": client_frame(PONG),
        "empty fragments": client_frame(0, final=False),
    }[name]
    if name == "empty fragments":
        await peer.send(client_frame(TEXT, final=False))

    await flood(peer, frame * 2000)

    assert rude in desk.board.restraint
    assert desk.board.metrics.limits == {"frames": 1}
    assert rude.queued <= QUEUE
    await good.say(TEXT, b"unmoved")
    await desk.told.until(lambda: bool(desk.told.messages))
    assert desk.told.messages[0][2] == b"unmoved"
    assert rude.is_open, "a burst is not abuse"


async def test_what_is_not_read_yet_is_read_when_the_allowance_refills_and_nothing_is_lost() -> None:
    async with opened_desk(QUICK) as desk:
        _, peer = desk.call()
        said = [b"%d" % number for number in range(300)]

        await peer.send(b"".join(client_frame(PING) + client_frame(TEXT, one) for one in said))

        await desk.told.until(lambda: len(desk.told.messages) == len(said))
        assert desk.board.metrics.limits["frames"] > 0
        assert [payload for _, _, payload in desk.told.messages] == said


async def test_many_rude_frames_at_once_are_read_in_turns_with_the_others() -> None:
    async with opened_desk(IntakeRules(empty_frames=Rate(0.001, 1e6))) as desk:
        _, peer = desk.call()
        _, other = desk.call()
        await peer.send(client_frame(PING) * 1000 + client_frame(TEXT, b"rude"))
        await other.say(TEXT, b"unmoved")

        await desk.told.until(lambda: len(desk.told.messages) == 2)

        assert [payload for _, _, payload in desk.told.messages] == [b"unmoved", b"rude"]
        assert not desk.board.restraint
        assert not desk.board.metrics.limits


async def test_bytes_are_held_back_and_none_is_lost() -> None:
    async with opened_desk(QUICK) as desk:
        _, peer = desk.call()

        sending = asyncio.ensure_future(peer.send(client_frame(TEXT, b"x" * 50_000) * 8))

        await desk.told.until(lambda: len(desk.told.messages) == 8)
        await sending
        assert desk.board.metrics.limits["bytes"] > 0
        assert not desk.told.gone


async def test_whoever_floods_for_long_is_closed_as_rude(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restraint, "RUDE_S", 0.0)
    socket, peer = desk.call()

    await peer.send(client_frame(PING) * 150)
    await until_restrained(desk, socket)
    await asyncio.sleep(0.001)
    desk.board.charge(socket)

    assert desk.told.gone == [(socket, Close.RUDE)]
    assert (await peer.rest())[-1][0] == CLOSE


@pytest.mark.skipif(not hasattr(select, "epoll"), reason="only epoll tells of the end of what is not read")
async def test_one_that_is_not_read_and_vanishes_is_gone() -> None:
    async with opened_desk(RULES) as desk:
        socket, peer = desk.call()
        await peer.send(client_frame(PING) * 150)
        await until_restrained(desk, socket)
        assert desk.board._timer is not None
        desk.board._timer.cancel()  # not by the wheel

        peer.reset()

        await desk.told.until(lambda: bool(desk.told.gone))
        assert desk.told.gone == [(socket, NO_CLOSE)]
        assert len(desk.board.restraint) == 0


async def test_one_that_is_not_read_is_still_written_to(desk: Desk) -> None:
    socket, peer = desk.call(4096)
    await peer.send(client_frame(PING) * 150)
    await until_restrained(desk, socket)

    desk.fill(socket, text(b"x" * 1000))
    desk.board.send(socket, text(b"the last"))

    while not peer.received.endswith(text(b"the last")):
        assert await peer.read()
    assert socket in desk.board.restraint


async def test_the_answers_to_our_pings_cost_nothing_and_an_idle_socket_has_no_account(desk: Desk) -> None:
    socket, peer = desk.call()
    for _ in range(3):
        socket.heard = True
        desk.board._ping(socket)
        await peer.frames(1)
        await peer.say(PONG)
        async with asyncio.timeout(DEADLINE_S):
            while not socket.heard:
                await asyncio.sleep(0.001)
    await peer.say(TEXT, b"hi")
    await desk.told.until(lambda: bool(desk.told.messages))

    assert socket.intake is None


async def test_an_account_that_has_refilled_is_dropped() -> None:
    async with opened_desk(IntakeRules(empty_frames=Rate(1e6, 10))) as desk:
        socket, peer = desk.call()
        await peer.say(PING)
        await peer.frames(1)
        assert socket.intake is not None

        socket.heard = True
        desk.board._ping(socket)

        assert socket.intake is None
