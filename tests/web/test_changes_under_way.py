"""Changes on their way to the log: in their order, behind nothing that was refused, and nothing kept of who left."""

from __future__ import annotations

import asyncio
import json

import pytest

from chat_aiohttp.changes import UNDER_WAY
from chat_aiohttp.errors import Refused
from chat_aiohttp.events import Draft, EventId, Page
from tests.frame_bytes import CLOSE, TEXT, client_frame
from tests.web.chat_client import DEADLINE_S, Server, change, said


async def test_changes_of_one_connection_keep_their_order(server: Server) -> None:
    ada = await server.v1()
    one = await said(ada)

    for number in range(10):
        await change(ada, "edit", one, f"c{number}", message=f"version {number}")

    assert [(await ada.next("edit"))["message"] for _ in range(10)] == [f"version {number}" for number in range(10)]


async def test_changes_count_against_the_same_limit_as_messages(server: Server) -> None:
    ada = await server.v1()
    one = await said(ada)
    for number in range(60):
        await change(ada, "react", one, f"c{number}", emoji="👍", on=number % 2 == 0)

    codes = set()
    for _ in range(60):
        fields = await ada.get()
        codes.add(fields.get("code"))

    assert "too_fast" in codes


async def test_while_the_log_does_not_answer_a_change_is_refused_and_holds_what_is_behind_it(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await server.v1()
    one = await said(ada)
    store = server.hub.store
    asked = asyncio.Event()

    async def never(room: str, cursor: EventId | None, limit: int) -> Page:
        asked.set()
        return await asyncio.Future()

    with monkeypatch.context() as stuck:
        stuck.setattr(store, "before", never)
        stuck.setattr("chat_aiohttp.changes.LOOK_S", 0.05)
        await change(ada, "edit", one, "c1", message="x")
        await asked.wait()
        await change(ada, "edit", one, "c2", message="y")
        errors = [await ada.error(), await ada.error()]
        assert [(error["code"], error["ref"], error["retryable"]) for error in errors] == [
            ("log_away", "c1", True),
            ("held", "c2", True),
        ]
        await ada.say("behind it", "r2")
        assert (await ada.error())["code"] == "held"

    await change(ada, "edit", one, "c1", message="x")
    await change(ada, "edit", one, "c2", message="y")
    assert [(await ada.next("edit"))["message"] for _ in range(2)] == ["x", "y"]


class SlowLog:
    """Answers about messages only when it is let."""

    def __init__(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        self._before = server.hub.store.before
        self.asked, self.answer = asyncio.Event(), asyncio.Event()
        monkeypatch.setattr(server.hub.store, "before", self._slowly)

    async def _slowly(self, room: str, cursor: EventId | None, limit: int) -> Page:
        self.asked.set()
        await self.answer.wait()
        return await self._before(room, cursor, limit)


async def test_a_change_does_not_overtake_a_message_that_was_refused_meanwhile(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await server.v1()
    one = await said(ada)
    log, waiting = SlowLog(server, monkeypatch), list[Draft]()
    with monkeypatch.context() as slow:
        slow.setattr(server.hub.store, "append", waiting.append)
        await ada.say("first", "r2")
        await change(ada, "edit", one, message="x")
        await asyncio.wait_for(log.asked.wait(), DEADLINE_S)
    waiting[0].error = Refused("log_away", "The room's log does not answer. Send again with the same ref.")
    server.hub.settled(waiting)
    assert (await ada.error())["ref"] == "r2"
    log.answer.set()

    error = await ada.error()
    assert (error["code"], error["ref"]) == ("held", "c1")
    await ada.say("first", "r2")
    await ada.next("message")
    await change(ada, "edit", one, message="x")
    assert (await ada.next("edit"))["message"] == "x"


async def test_more_changes_than_one_line_takes_get_through_by_being_sent_again(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is refused because the line is full was sent last: it doesn't hold what is in the line."""
    ada = await server.v1()
    one = await said(ada)
    log = SlowLog(server, monkeypatch)
    refs = [f"c{number}" for number in range(UNDER_WAY + 4)]

    for ref in refs:
        await change(ada, "edit", one, ref, message=ref)
    refused = [await ada.error() for _ in refs[UNDER_WAY:]]
    log.answer.set()

    assert [(error["code"], error["ref"]) for error in refused] == [
        ("too_fast", refs[UNDER_WAY]),
        *(("held", ref) for ref in refs[UNDER_WAY + 1 :]),
    ]
    assert [(await ada.next("edit"))["ref"] for _ in range(UNDER_WAY)] == refs[:UNDER_WAY]
    for ref in refs[UNDER_WAY:]:
        await change(ada, "edit", one, ref, message=ref)
    assert [(await ada.next("edit"))["ref"] for _ in refs[UNDER_WAY:]] == refs[UNDER_WAY:]


@pytest.mark.parametrize("count", [1, UNDER_WAY + 1])
async def test_nothing_is_kept_of_who_left_while_its_changes_were_refused(
    server: Server, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    ada = await server.v1()
    one = await said(ada)
    reactions = [{"type": "react", "id": one, "emoji": "👍", "on": True, "ref": f"x{n}"} for n in range(count)]
    frames = [client_frame(TEXT, json.dumps(reaction).encode()) for reaction in reactions]

    async def away(room: str, cursor: EventId | None, limit: int) -> Page:
        raise Refused("log_away", "The room's log does not answer.")

    monkeypatch.setattr(server.hub.store, "before", away)
    ada.transport.write(b"".join(frames) + client_frame(CLOSE, b"\x03\xe8"))
    await ada.ends()
    async with asyncio.timeout(DEADLINE_S):
        while server.hub.metrics.refusals.total() < count:
            await asyncio.sleep(0.001)

    assert not server.hub.speech._order._refused


async def test_a_refused_change_may_come_again(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = await server.v1()
    one = await said(ada)

    def refuse(draft: Draft) -> None:
        draft.error = Refused("log_away", "The room's log does not answer. Send again with the same ref.")
        server.hub.settled([draft])

    with monkeypatch.context() as away:
        away.setattr(server.hub.store, "append", refuse)
        await change(ada, "delete", one)
        assert (await ada.error())["code"] == "log_away"
    await change(ada, "delete", one)

    await ada.next("delete")
