"""`--workers N`: several processes behind one port are one chat, and one that dies is started again."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

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
