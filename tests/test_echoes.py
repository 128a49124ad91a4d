"""A send that was stored and is not heard: its sender is told in time that its outcome is unknown."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from chat_aiohttp import echoes
from chat_aiohttp.echoes import Echoes
from chat_aiohttp.errors import Unknown
from chat_aiohttp.events import MESSAGE, Draft, EventId
from chat_aiohttp.rooms import Member, Room

HEARD, STORED = EventId(1, 0), EventId(2, 0)


@pytest.fixture
def member(monkeypatch: pytest.MonkeyPatch) -> Member:
    monkeypatch.setattr(echoes, "LOOK_S", 0.01)
    monkeypatch.setattr(echoes, "PATIENCE_S", 0.05)
    nothing: Any = None
    room = Room(key="lobby", title="Lobby", position=HEARD, switchboard=nothing, rest=0)
    member = Member(room=room, session=b"s", public_id="p", name="Ada", v1=True)
    member.fd = 0  # open, as far as anybody here looks
    return member


def stored(member: Member, ref: str | None = "a") -> Draft:
    draft = Draft("lobby", "Lobby", MESSAGE, b"{}", session=b"s", ref=ref, owner=member)
    draft.id = STORED
    return draft


async def given_up(draft: Draft, *, meanwhile: Any = lambda: None) -> list[tuple[Draft, Unknown]]:
    """What is given up of *draft* and of one behind it whose echo never comes."""
    told: list[tuple[Draft, Unknown]] = []
    end = asyncio.Event()
    last = stored(draft.owner) if isinstance(draft.owner, Member) else None
    assert last is not None
    last.id = EventId(9, 0)

    def give_up(draft: Draft, error: Unknown) -> None:
        told.append((draft, error))
        if draft is last:
            end.set()

    one = Echoes(give_up)
    one.expect([draft])
    meanwhile()
    one.expect([last])
    async with asyncio.timeout(20):
        await end.wait()
    one.stop()
    return [(one, error) for one, error in told if one is not last]


async def test_a_send_whose_echo_does_not_come_is_unknown(member: Member) -> None:
    draft = stored(member)
    ((found, error),) = await given_up(draft)

    assert found is draft
    assert error.retryable
    assert error.code == "unknown"


async def test_what_the_room_has_delivered_is_answered(member: Member) -> None:
    def deliver() -> None:
        member.room.position = STORED

    assert await given_up(stored(member), meanwhile=deliver) == []


async def test_a_send_without_a_ref_has_no_answer_to_wait_for(member: Member) -> None:
    assert await given_up(stored(member, None)) == []


async def test_who_has_gone_is_not_waited_for(member: Member) -> None:
    told: list[Draft] = []
    one = Echoes(lambda draft, _: told.append(draft))
    one.expect([stored(member)])
    member.fd = -1
    await asyncio.sleep(0)
    async with asyncio.timeout(20):
        while one._timer is not None:
            await asyncio.sleep(0.01)

    assert told == []
