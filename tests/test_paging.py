"""Pages both ways: folded messages, ends that meet, edits in between, bytes that are bounded."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from chat_aiohttp import paging
from chat_aiohttp.commands import History
from chat_aiohttp.events import NOTHING, EventId
from chat_aiohttp.store import Retention
from chat_aiohttp.store.memory import MemoryStore
from tests.store.listener import Clock, Recorder, Side, delete, edit, reaction


@pytest.fixture
async def side() -> AsyncIterator[Side]:
    recorder = Recorder()
    store = MemoryStore(retention=Retention(), clock=Clock())
    store.bind(recorder)
    await store.open()
    yield Side(store, recorder)
    await store.close()


async def page(side: Side, cursor: EventId, limit: int, *, forward: bool) -> dict[str, Any]:
    read = paging.later if forward else paging.earlier
    frame = await read(side.store, "lobby", History(cursor, limit, forward))
    fields: dict[str, Any] = json.loads(frame[frame.index(b"{") :])
    return fields


def said(fields: dict[str, Any]) -> list[str]:
    return [message["message"] for message in fields["messages"]]


def place(text: str) -> EventId:
    ms, seq = text.split("-")
    return EventId(int(ms), int(seq))


async def test_pages_meet_in_both_directions(side: Side) -> None:
    given = await side.say("lobby", *map(str, range(25)))
    seen: list[str] = []
    cursor, more = NOTHING, True
    while more:
        fields = await page(side, cursor, 10, forward=True)
        cursor, more, seen = place(fields["position"]), fields["more"], seen + said(fields)
    assert seen == [str(number) for number in range(25)]
    assert cursor == given[-1]

    back = await page(side, given[20], 10, forward=False)
    assert (said(back), back["more"]) == ([str(number) for number in range(10, 20)], True)


async def test_later_messages_read_as_they_are_now(side: Side) -> None:
    first, second, third = await side.say("lobby", "one", "two", "three")
    await side.append(edit("lobby", second, "zwei"), reaction("lobby", second, "🎉", "ben"), delete("lobby", third))

    fields = await page(side, first, 10, forward=True)

    assert said(fields) == ["zwei"]
    assert fields["messages"][0]["reactions"] == {"🎉": ["ben"]}
    assert fields["more"] is False


async def test_a_stretch_of_reactions_is_looked_past(side: Side) -> None:
    (first,) = await side.say("lobby", "one")
    await side.append(*(reaction("lobby", first, "🎉", f"fan{number}") for number in range(450)))
    await side.say("lobby", "two", "three")

    fields = await page(side, first, 1, forward=True)
    assert (said(fields), fields["more"]) == (["two"], True)

    fields = await page(side, place(fields["position"]), 10, forward=True)
    assert (said(fields), fields["more"]) == (["three"], False)


async def test_what_is_no_longer_kept_before_a_later_page_is_said(side: Side) -> None:
    clock = Clock()
    short = MemoryStore(retention=Retention(max_age_s=100), clock=clock)
    short.bind(side.recorder)
    await short.open()
    kept = Side(short, side.recorder)
    given = await kept.say("lobby", "a", "b")
    clock.now += 200
    await kept.say("lobby", "c")

    fields = await page(kept, given[0], 10, forward=True)

    assert (said(fields), fields["gap"]) == (["c"], "trimmed")


@pytest.mark.parametrize("forward", [True, False])
async def test_a_page_is_cut_to_its_bytes_at_its_far_end(side: Side, forward: bool) -> None:
    given = await side.say("lobby", *(f"{number} {'x' * 30_000}" for number in range(20)))
    fields = await page(side, NOTHING if forward else given[-1].next(), 20, forward=forward)

    numbers = [int(text.split()[0]) for text in said(fields)]
    assert fields["more"] is True
    assert numbers == (list(range(len(numbers))) if forward else list(range(20 - len(numbers), 20)))
    assert 1 <= len(numbers) < 10
    if forward:
        assert place(fields["position"]) == given[numbers[-1]]
