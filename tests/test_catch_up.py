"""Coming back: the answer to a repeat never overtakes what its receiver has still to read."""

from __future__ import annotations

import asyncio
from typing import Any

from chat_aiohttp.catch_up import CatchUp
from chat_aiohttp.events import MESSAGE, Event, EventId, Page
from chat_aiohttp.rooms import Member
from chat_aiohttp.store.memory import MemoryStore
from chat_aiohttp.wire import event_frame
from tests.boards import START, Board, event, new_room, shown

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
    async with asyncio.timeout(5):
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
