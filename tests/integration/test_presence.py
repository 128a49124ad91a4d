"""Who is here, over two instances on one Valkey: a reload shows nothing, a crash leaves nobody behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import aiohttp
import pytest

from chat_aiohttp.app import create_app
from chat_aiohttp.config import Config
from tests.instances import Instance, running
from tests.servers import start_server
from tests.web.chat_client import MakeClient, Server

ADA, BEN, CARL, DORA = (f"{name}-" + "x" * 24 for name in ("ada", "ben", "carl", "dora"))
DEADLINE_S = 20.0


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[str]:
    with start_server(tmp_path / "valkey") as server:
        yield server.url


class Ahead:
    """The clock, *by* seconds ahead."""

    by = 0.0

    def __call__(self) -> float:
        return monotonic() + self.by


@asynccontextmanager
async def present(instance: Instance, session: str, name: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """A person in the lobby of *instance*."""
    async with aiohttp.ClientSession() as http:
        address = f"{instance.socket_url('lobby')}?name={name}&session={session}"
        async with http.ws_connect(address, protocols=("chat.v1",)) as socket:
            yield socket


class Watcher:
    """What one member is told about who is here."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self.people: dict[str, str] = {}
        self.left: list[str] = []

    async def until(self, name: str, *, is_here: bool) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while (name in self.people.values()) != is_here:
                self.learn(await self._socket.receive_json())

    def learn(self, frame: dict[str, Any]) -> None:
        for person in frame.get("leaves", ()):
            self.left.append(person["name"])
            self.people.pop(person["id"], None)
        for person in [*frame.get("people", ()), *frame.get("joins", ())]:
            self.people[person["id"]] = person["name"]


async def test_a_reload_that_ends_on_another_instance_shows_nothing(tmp_path: Path, valkey: str) -> None:
    async with (
        running(valkey, tmp_path / "a") as one,
        running(valkey, tmp_path / "b") as two,
        present(one, BEN, "Ben") as socket,
    ):
        ben = Watcher(socket)
        async with present(one, ADA, "Ada"):
            await ben.until("Ada", is_here=True)
        async with present(one, CARL, "Carl"):
            await ben.until("Carl", is_here=True)  # and by then of everything that was before
        async with present(two, ADA, "Ada"), present(two, DORA, "Dora"):
            await ben.until("Dora", is_here=True)

    assert ben.left == []


async def test_whoever_was_on_a_crashed_instance_is_gone_within_a_minute(
    tmp_path: Path, valkey: str, aiohttp_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Ahead()

    async def another() -> Server:
        server = Server(await aiohttp_client(create_app(Config(), store_url=valkey)))
        monkeypatch.setattr(server.hub.attendance, "_clock", clock)
        return server

    async with running(valkey, tmp_path / "a") as crashing, present(crashing, ADA, "Ada"):
        ben = Watcher((await (await another()).v1(name="Ben", session=BEN)).socket)
        await ben.until("Ada", is_here=True)
        await crashing.kill()
        carl = Watcher((await (await another()).v1(name="Carl", session=CARL)).socket)
        await carl.until("Ada", is_here=True)

        waiting = [asyncio.create_task(watcher.until("Ada", is_here=False)) for watcher in (ben, carl)]
        while not all(task.done() for task in waiting):
            clock.by = min(clock.by + 9, 54)  # never a minute, however late the beats are: `waiting` has an end
            await asyncio.wait(waiting, timeout=1.1)  # a beat is a second
        await asyncio.gather(*waiting)

    assert "Ada" not in [*ben.people.values(), *carl.people.values()]
