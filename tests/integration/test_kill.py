"""Killed with -9 under load and started again: nothing acknowledged is missing, nothing is twice (G3, G4, G6, G7)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from tests.healing import Healing
from tests.instances import Instance, running
from tests.servers import start_server

SENDERS = 20
KILLS = int(os.environ.get("FAULTS_KILLS", "2"))
EACH = max(30, 3 * KILLS)


async def test_sqlite_a_server_killed_under_load_loses_and_doubles_nothing(tmp_path: Path) -> None:
    async with running(f"sqlite://{tmp_path}/chat.sqlite3", tmp_path / "a") as instance:

        async def kill() -> None:
            await instance.kill()
            await instance.start()

        await _talk_through(kill, lambda number: instance)


async def test_redis_an_instance_killed_under_load_loses_and_doubles_nothing(tmp_path: Path) -> None:
    with start_server(tmp_path / "valkey") as server:
        async with running(server.url, tmp_path / "a") as one, running(server.url, tmp_path / "b") as two:

            async def kill() -> None:
                await one.kill()
                await one.start()

            await _talk_through(kill, lambda number: (one, two)[number % 2])


async def test_redis_killed_with_aof_under_load_loses_and_doubles_nothing(tmp_path: Path) -> None:
    with start_server(tmp_path / "valkey", aof=True) as server:
        async with running(server.url, tmp_path / "a") as one, running(server.url, tmp_path / "b") as two:

            async def kill() -> None:
                server.kill()
                await asyncio.to_thread(server.start)

            await _talk_through(kill, lambda number: (one, two)[number % 2])


async def _talk_through(kill: Callable[[], object], instance_of: Callable[[int], Instance]) -> None:
    clients = [Healing(lambda n=n: instance_of(n).socket_url("lobby")) for n in range(SENDERS)]  # type: ignore[misc]
    texts = {n: [f"{n} {count}" for count in range(EACH)] for n in range(SENDERS)}
    witness = Healing(lambda: instance_of(1).socket_url("lobby"))
    done = asyncio.Event()
    async with asyncio.timeout(90 + 5 * KILLS), asyncio.TaskGroup() as group:
        talkers = [group.create_task(clients[n].talk(texts[n])) for n in range(SENDERS)]
        group.create_task(witness.listen_until(done.is_set))
        for number in range(1, KILLS + 1):
            await _until(lambda share=number: _acked(clients) >= SENDERS * EACH * share // (KILLS + 1))  # type: ignore[misc]
            await kill()  # type: ignore[misc]
        await asyncio.gather(*talkers)
        last = max(at for client in clients for at in client.acked.values())
        await _until(lambda: bool(witness.heard) and witness.heard[-1][0] >= last)
        reader = Healing(lambda: instance_of(0).socket_url("lobby"))
        await reader.listen_until(lambda: bool(reader.heard) and reader.heard[-1][0] >= last)
        done.set()
    _check(reader, [*clients, witness], texts)
    print(f"{KILLS} kills -9, {_acked(clients):,} acknowledged: 0 lost, 0 doubled, 0 out of order")
    assert any(client.connections > 1 or client.errors for client in [*clients, witness]), "the kills were not felt"


def _acked(clients: list[Healing]) -> int:
    return sum(len(client.acked) for client in clients)


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.01)


def _check(reader: Healing, clients: list[Healing], texts: dict[int, list[str]]) -> None:
    log = reader.heard
    ids = {event_id: place for place, (event_id, _) in enumerate(log)}
    said = [text for _, text in log]

    assert sorted(said) == sorted(text for each in texts.values() for text in each)  # all of it, none of it twice
    for number, mine in texts.items():
        assert [text for text in said if text.startswith(f"{number} ")] == mine
    for client in clients:
        for text, event_id in client.acked.items():
            assert log[ids[event_id]] == (event_id, text)
        places = [ids[event_id] for event_id, _ in client.heard]
        assert places == list(range(len(places)))  # everything from the beginning, in the log's order, without a hole
        assert not client.gaps
