"""`--workers N`: several processes behind one port are one chat, and one that dies is started again."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest
from aiohttp import ClientSession

from tests.crowd import listen, say
from tests.instances import Instance, running
from tests.servers import start_server


async def test_workers_are_one_chat_and_a_dead_one_is_replaced(tmp_path: Path) -> None:
    with start_server(tmp_path / "valkey") as server:
        async with running(server.url, tmp_path / "a", "--workers", "3") as instance:
            workers = await _workers(instance, 3)
            joined = [await listen(instance.socket_url("lobby"), keep=True) for _ in range(24)]
            say(joined[0][0], "hello")
            for _, listener in joined:
                await listener.until(1, 60)
            assert all(listener.messages()[0]["message"] == "hello" for _, listener in joined)

            os.kill(workers[0], signal.SIGKILL)
            replaced = await _workers(instance, 3, without=workers[0])

            assert set(workers[1:]) < set(replaced)
            transport, listener = await listen(instance.socket_url("lobby"), keep=True)
            say(transport, "still here")
            await listener.until(1, 60)
            instance.signal(signal.SIGTERM)
            assert await instance.wait() == 0
            assert not any(Path(f"/proc/{worker}").exists() for worker in replaced)


async def test_a_scrape_of_one_worker_shows_all_and_says_who_is_stuck(tmp_path: Path) -> None:
    with start_server(tmp_path / "valkey") as server:
        async with running(server.url, tmp_path / "a", "--workers", "3") as instance:
            workers = await _workers(instance, 3)
            joined = [await listen(instance.socket_url("lobby"), keep=True) for _ in range(24)]

            samples = await _scraped(instance)

            members = [samples[f'chat_members{{worker="{number}"}}'] for number in range(3)]
            assert sum(members) == len(joined)
            assert [samples[f'chat_worker_up{{worker="{number}"}}'] for number in range(3)] == [1, 1, 1]
            assert all(samples[f'process_resident_memory_bytes{{worker="{number}"}}'] for number in range(3))
            os.kill(workers[0], signal.SIGSTOP)
            try:
                up = await _up(instance, 2)  # a connection that the stuck one has taken is never answered
            finally:
                os.kill(workers[0], signal.SIGCONT)
            assert up == [0.0, 1.0, 1.0]
            assert await _up(instance, 3) == [1.0, 1.0, 1.0]


async def _up(instance: Instance, count: int) -> list[float]:
    """Which workers are up, sorted, once *count* of them are."""
    async with asyncio.timeout(20):
        while True:
            try:
                samples = await asyncio.wait_for(_scraped(instance), 3)
            except TimeoutError:
                continue
            up = sorted(value for name, value in samples.items() if name.startswith("chat_worker_up"))
            if sum(up) == count:
                return up


async def _scraped(instance: Instance) -> dict[str, float]:
    async with ClientSession() as http, http.get(f"{instance.url}/metrics") as answer:
        assert answer.status == 200
        text = await answer.text()
    names = [line for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(names) == len(set(names))  # a family stands in one place
    lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_to_all_processes_is_one_goodbye(tmp_path: Path, number: signal.Signals) -> None:
    """A terminal sends Ctrl-C to the workers, too, who are told by their supervisor as well."""
    with start_server(tmp_path / "valkey") as server:
        env = {"CHAT_SERVER_DRAIN_S": "2"}
        async with running(server.url, tmp_path / "a", "--workers", "2", env=env) as instance:
            workers = await _workers(instance, 2)
            reader, writer = await _deaf_member(instance)

            for worker in workers:
                os.kill(worker, number)
            if number == signal.SIGTERM:  # else the supervisor's word comes first
                await asyncio.wait_for(reader.read(100), 10)  # the goodbye, which this peer never answers
            instance.signal(number)

            assert await instance.wait(15) == 0
            assert instance.log.count("drained; goodbye") == 2
            writer.close()


async def test_workers_end_with_their_supervisor(tmp_path: Path) -> None:
    with start_server(tmp_path / "valkey") as server:
        async with running(server.url, tmp_path / "a", "--workers", "2") as instance:
            workers = await _workers(instance, 2)

            await instance.kill()

            async with asyncio.timeout(60):
                while any(Path(f"/proc/{worker}").exists() for worker in workers):
                    await asyncio.sleep(0.05)


async def test_workers_without_a_shared_log_are_refused_with_the_remedy(tmp_path: Path) -> None:
    instance = Instance(f"sqlite://{tmp_path}/chat.sqlite3", tmp_path, "--workers", "2")
    try:
        await instance.start()
    except AssertionError:
        pass

    assert await instance.wait() == 78
    assert "one owner" in instance.log
    assert "--store redis://" in instance.log
    assert len(instance.log.splitlines()) == 1


async def _deaf_member(instance: Instance) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A member who answers nothing."""
    reader, writer = await asyncio.open_connection("127.0.0.1", instance.port)
    writer.write(
        b"GET /ws/chat/lobby/ HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + b"A" * 22 + b"==\r\n\r\n"
    )
    await reader.readuntil(b"\r\n\r\n")
    return reader, writer


async def _workers(instance: Instance, count: int, without: int = 0) -> list[int]:
    """The pids of the workers, once there are *count*, all of them serving."""
    assert instance.process is not None
    children = Path(f"/proc/{instance.process.pid}/task/{instance.process.pid}/children")
    async with asyncio.timeout(60):
        while True:
            pids = [int(pid) for pid in children.read_text().split()]
            served = instance.log.count("rooms in ")
            if len(pids) == count and without not in pids and served >= count + bool(without):
                return pids
            await asyncio.sleep(0.02)
