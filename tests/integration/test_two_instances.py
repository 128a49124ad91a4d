"""Two processes on one Redis are one chat (G1, G4, G6), with real servers and many members."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from tests.crowd import Listener, listen, say
from tests.instances import running
from tests.servers import start_server

MEMBERS = int(os.environ.get("TWO_INSTANCES_MEMBERS", "50"))  # on each instance
MESSAGES = int(os.environ.get("TWO_INSTANCES_MESSAGES", "1000"))
SENDERS = 20
ROUND = 50  # messages of each sender
DEADLINE_S = 60 + MEMBERS * MESSAGES / 10_000


async def test_everyone_on_both_instances_hears_everything_once_in_one_order(tmp_path: Path) -> None:
    with start_server(tmp_path / "valkey") as server:
        async with running(server.url, tmp_path / "a") as one, running(server.url, tmp_path / "b") as two:
            joined = [
                await listen(instance.socket_url("lobby"), keep=number == 0)
                for instance in (one, two)
                for number in range(MEMBERS)
            ]
            senders = [transport for transport, _ in joined[: SENDERS // 2] + joined[MEMBERS : MEMBERS + SENDERS // 2]]
            began = asyncio.get_running_loop().time()
            listeners = [listener for _, listener in joined]
            for start in range(0, MESSAGES // SENDERS, ROUND):
                _send(senders, start)
                expected = await _until_heard(listeners[0], min(MESSAGES, (start + ROUND) * SENDERS))
                for listener in listeners:
                    await listener.until(expected, DEADLINE_S)
            took = asyncio.get_running_loop().time() - began
            _check(listeners)
            print(f"{2 * MEMBERS} members, {MESSAGES} messages: {2 * MEMBERS * MESSAGES:,} deliveries in {took:.1f} s")
            for transport, _ in joined:
                transport.close()


def _send(senders: list[asyncio.Transport], start: int) -> None:
    """Every sender says its next ROUND messages at once. In rounds, because these members share one Python process: a
    burst of everything would make them slow readers, who are sent away to resume."""
    for number, transport in enumerate(senders):
        for count in range(start, min(start + ROUND, MESSAGES // SENDERS)):
            say(transport, f"{number} {count}")


async def _until_heard(listener: Listener, messages: int) -> int:
    """The bytes a member got when it had so many messages."""
    async with asyncio.timeout(DEADLINE_S):
        while (missing := messages - len(listener.messages())) > 0:
            await listener.until(listener.received + missing * 100, DEADLINE_S)
    return listener.received


def _check(listeners: list[Listener]) -> None:
    messages = listeners[0].messages()
    ids = [tuple(int(part) for part in str(message["id"]).split("-")) for message in messages]
    said = [str(message["message"]) for message in messages]
    by_sender = {number: [text for text in said if text.startswith(f"{number} ")] for number in range(SENDERS)}
    everything = [f"{number} {count}" for number in range(SENDERS) for count in range(MESSAGES // SENDERS)]

    assert sorted(said) == sorted(everything)
    assert ids == sorted(set(ids))
    for number, texts in by_sender.items():
        assert texts == [f"{number} {count}" for count in range(MESSAGES // SENDERS)]
    assert {listener.digest.hexdigest() for listener in listeners} == {listeners[0].digest.hexdigest()}
    assert {listener.received for listener in listeners} == {listeners[0].received}


@pytest.mark.parametrize("room", ["会议室-7", "design reviews", "🎉"])
async def test_a_room_of_any_name_is_the_same_room_on_both(tmp_path: Path, room: str) -> None:
    with start_server(tmp_path / "valkey") as server:
        async with running(server.url, tmp_path / "a") as one, running(server.url, tmp_path / "b") as two:
            here, _ = await listen(one.socket_url(_quoted(room)))
            there, listener = await listen(two.socket_url(_quoted(room)), keep=True)

            say(here, "hello")
            await listener.until(100, 20)

            assert [message["message"] for message in listener.messages()] == ["hello"]
            here.close()
            there.close()


def _quoted(room: str) -> str:
    from urllib.parse import quote

    return quote(room, safe="")
