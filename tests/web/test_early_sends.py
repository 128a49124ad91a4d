"""Who speaks before it has read what it came for hears of its own words all the same, without sending them again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from chat_aiohttp.events import Draft, EventId, Page
from tests.web.chat_client import V1, Fields, Member, Server


class Reading:
    """What holds the reads of a server's log until it is told otherwise."""

    def __init__(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        self.may_go = asyncio.Event()
        self._store = server.hub.store
        self._read_after, self._read_before = self._store.after, self._store.before
        monkeypatch.setattr(self._store, "after", self._after)
        monkeypatch.setattr(self._store, "before", self._before)

    async def _after(self, room: str, cursor: EventId, limit: int) -> Page:
        await self.may_go.wait()
        return await self._read_after(room, cursor, limit)

    async def _before(self, room: str, cursor: EventId | None, limit: int) -> Page:
        if cursor is None:  # a page of history, and no look at one message
            await self.may_go.wait()
        return await self._read_before(room, cursor, limit)


@pytest.fixture
def reading(server: Server, monkeypatch: pytest.MonkeyPatch) -> Reading:
    return Reading(server, monkeypatch)


async def arriving(server: Server, *protocols: str, **query: str) -> Member:
    """A member who has not read what it came for."""
    member = await server._open("lobby", protocols, query)
    if protocols:
        await member.next("welcome")
    return member


async def told(witness: Member, count: int = 1) -> list[Fields]:
    return [await witness.get() for _ in range(count)]


@pytest.mark.parametrize("ref", ["r1", None])
async def test_a_plain_member_whose_words_are_older_than_its_history_hears_them_first(
    server: Server, reading: Reading, ref: str | None
) -> None:
    ben = await server.plain()
    ada = await arriving(server, history="1")

    await ada.say("mine", ref)
    (mine,) = await told(ben)
    await ben.say("later")
    (later,) = await told(ben)
    reading.may_go.set()

    assert [await ada.get(), await ada.get()] == [mine, later]


async def test_words_that_history_brings_are_heard_once(server: Server, reading: Reading) -> None:
    ben = await server.plain()
    ada = await arriving(server, history="2")

    await ada.say("mine", "r1")
    (mine,) = await told(ben)
    reading.may_go.set()
    assert await ada.get() == mine
    await ben.say("later")

    assert (await ada.get())["message"] == "later"


async def test_words_behind_a_gap_are_heard(server: Server, reading: Reading) -> None:
    ben = await server.plain()
    ada = await arriving(server, after="9999999999999-0")  # no such id was ever given

    await ada.say("mine", "r1")
    (mine,) = await told(ben)
    reading.may_go.set()

    assert await ada.get() == mine
    assert (await ada.error())["error"] == "gap"


async def test_a_v1_member_gets_an_ack_for_what_is_older_than_its_history(server: Server, reading: Reading) -> None:
    ben = await server.plain()
    ada = await arriving(server, V1, history="1")

    await ada.say("mine", "r1")
    (mine,) = await told(ben)
    await ben.say("later")
    await told(ben)
    reading.may_go.set()

    assert await ada.next("ack") == {"type": "ack", "ref": "r1", "id": mine["id"]}
    assert (await ada.next("message"))["message"] == "later"
    await ada.next("live")


async def test_a_change_that_history_has_folded_is_acknowledged(server: Server, reading: Reading) -> None:
    ben = await server.v1()
    await ben.say("hi", "r1")
    target = (await ben.next("message"))["id"]
    ada = await arriving(server, V1, history="5")

    await ada.socket.send_json({"type": "react", "id": target, "emoji": "🎉", "on": True, "ref": "c1"})
    reaction = await ben.next("reaction")
    reading.may_go.set()

    assert await ada.next("ack") == {"type": "ack", "ref": "c1", "id": reaction["id"]}
    assert list((await ada.next("message"))["reactions"]) == ["🎉"]


async def test_a_log_that_answers_after_its_reader_has_seen_more_still_answers(
    server: Server, reading: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Redis the answer to an append and the pages of a log come by connections of their own."""
    listener, late = server.hub.store.listener, list[Any]()

    class Late:
        def settled(self, drafts: list[Draft]) -> None:
            late.extend(drafts)

        def __getattr__(self, name: str) -> Any:
            return getattr(listener, name)

    ben = await server.plain()
    ada = await arriving(server, history="1")
    monkeypatch.setattr(server.hub.store, "listener", Late())
    await ada.say("mine", "r1")
    (mine,) = await told(ben)
    await ben.say("later")
    await told(ben)
    reading.may_go.set()
    assert (await ada.get())["message"] == "later"

    listener.settled(late)

    assert await ada.get() == mine


async def test_nothing_is_kept_of_who_was_answered_or_has_gone(server: Server, reading: Reading) -> None:
    ben = await server.plain()
    ada, gone = await arriving(server, history="1"), await arriving(server, history="1")
    await ada.say("mine", "r1")
    await gone.say("bye", "r1")
    await told(ben, 2)
    await gone.socket.close()
    reading.may_go.set()
    await ada.get()
    await ada.say("live", "r2")
    while (await ada.get())["message"] != "live":
        pass

    early = server.hub._catch_up._early
    async with asyncio.timeout(5):
        while early._readings or early._given:
            await asyncio.sleep(0)
