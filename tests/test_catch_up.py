"""Coming back: the answer to a repeat never overtakes what its receiver has still to read, and everybody gets live."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from chat_aiohttp.catch_up import CatchUp
from chat_aiohttp.events import MESSAGE, NOTHING, Event, EventId, Page
from chat_aiohttp.rooms import Member, Room
from chat_aiohttp.store.memory import MemoryStore
from chat_aiohttp.wire import event_frame
from tests.boards import START, Board, event, new_room, shown
from tests.peers import DEADLINE_S

READ, BETWEEN, ANSWERED = event(1), event(2), event(3)


class Lagging(MemoryStore):
    """Knows of READ alone, as does the room: the rest is told later."""

    def __init__(self) -> None:
        super().__init__()
        self.let = asyncio.Event()

    async def after(self, room: str, cursor: EventId, limit: int) -> Page:
        await self.let.wait()
        events = [READ] if cursor < READ.id else []
        return Page(events, READ.id, False)


class PacedBoard(Board):
    async def send_paced(self, socket: Any, data: bytes) -> bool:
        self.send(socket, data)
        return True


async def caught_up(*answers: Event) -> tuple[Board, Member]:
    """A plain member who resumes, and is to be answered with *answers* meanwhile."""
    store, board, live = Lagging(), PacedBoard(), asyncio.Event()

    def on_live(member: Member, *, more: bool) -> None:
        live.set()

    reader = CatchUp(store=store, switchboard=board, on_live=on_live)
    room = new_room(board)
    room.deliver(READ)
    room.flush()
    member = Member(room=room, session=b"s", public_id="me", name="Me", v1=False)
    member.fd = 0  # open, as far as anybody here looks
    room.arriving.add(member)
    reader.begin(member, START, 0)
    for answer in answers:
        reader.answer_after(member, answer.id, event_frame(answer))
    store.let.set()
    async with asyncio.timeout(20):
        await live.wait()
    await asyncio.sleep(0)
    await reader.stop()
    return board, member


async def test_an_answer_that_was_read_comes_after_what_was_read() -> None:
    old = Event("lobby", EventId(900, 0), EventId(899, 0), MESSAGE, b'{"message":"mine"}')

    board, member = await caught_up(old)

    assert board.heard(member) == shown(READ, old)


async def test_an_answer_that_is_still_to_come_waits_for_its_turn() -> None:
    board, member = await caught_up(ANSWERED)
    member.room.deliver(BETWEEN)
    member.room.deliver(ANSWERED)
    member.room.flush()

    assert board.heard(member) == shown(READ, BETWEEN, ANSWERED)


class Vanished(MemoryStore):
    """Keeps nothing of what the room has heard. *meanwhile* is what happens during each read, one after the other."""

    def __init__(self, *meanwhile: Callable[[Room], None]) -> None:
        super().__init__()
        self.meanwhile = list(meanwhile)
        self.board = PacedBoard()
        self.room = new_room(self.board)
        self.room.deliver(READ)

    async def after(self, room: str, cursor: EventId, limit: int) -> Page:
        page = await super().after(room, cursor, limit)
        if self.meanwhile:
            self.meanwhile.pop(0)(self.room)
        return page

    async def live(self, after: EventId | None, history: int) -> Member:
        """A member who came with *after* or *history* and is live."""
        live = asyncio.Event()
        reader = CatchUp(store=self, switchboard=self.board, on_live=lambda member, more: live.set())
        member = Member(room=self.room, session=b"s", public_id="me", name="Me", v1=True)
        member.fd = 0  # open, as far as anybody here looks
        self.room.arriving.add(member)
        reader.begin(member, after, history)
        async with asyncio.timeout(DEADLINE_S):
            await live.wait()
        await reader.stop()
        return member


@pytest.mark.parametrize(("after", "history"), [(None, 50), (NOTHING, 0), (READ.id, 0)])
async def test_who_comes_to_a_room_whose_log_vanished_is_live_all_the_same(
    after: EventId | None, history: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was said for so long that the log is gone, but somebody stayed: the room is ahead of its log for good."""
    monkeypatch.setattr("chat_aiohttp.catch_up.AHEAD_LOOKS", 2)
    store = Vanished()

    member = await store.live(after, history)
    store.room.deliver(BETWEEN)
    store.room.flush()

    assert store.board.heard(member)[-1:] == shown(BETWEEN)


async def test_a_loss_told_during_the_last_look_at_the_log_is_where_a_newcomer_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("chat_aiohttp.catch_up.AHEAD_LOOKS", 0)
    store = Vanished(lambda room: room.restart(NOTHING, b"", b""))

    member = await store.live(NOTHING, 0)
    store.room.deliver(READ)  # its id is given again
    store.room.flush()

    assert store.board.heard(member) == shown(READ)
