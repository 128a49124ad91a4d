"""Instances restarted one after another under load, and nobody notices (G1, G3, G4, G6, G7, G8).

Clients talk and listen through a proxy that takes the instances in turn, as a load balancer does: whoever is sent away
by one comes back to another. `make rolling` runs the large form."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import signal
from contextlib import AsyncExitStack
from pathlib import Path
from time import monotonic

import pytest

from chat_aiohttp.client import Gap, Message, Room
from chat_aiohttp.events import EventId
from tests.instances import Instance, running
from tests.servers import Proxy, start_server

INSTANCES = int(os.environ.get("ROLLING_INSTANCES", "3"))
CLIENTS = int(os.environ.get("ROLLING_CLIENTS", "24"))
ROUNDS = int(os.environ.get("ROLLING_ROUNDS", "1"))
IN_A_ROOM = 12
AT_ONCE = 4  # messages that a client says without waiting for the first one's answer
PAUSE_S = 0.04 * CLIENTS / IN_A_ROOM  # between a client's turns: the load is the same, however many they are
BACK_WITHIN_S = 10.0
DEADLINE_S = 60.0 + 30.0 * ROUNDS * INSTANCES
DRAINED = re.compile(r"lost \(1012 come back in (\d+) ms\)")


class Voice:
    """One client that says numbered messages, a few when those before are acknowledged, and keeps what it hears."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.acked: dict[str, EventId] = {}
        self.heard: list[Message] = []
        self.gaps: list[Gap] = []
        self.longest_s = 0.0  # that a message took until it was acknowledged
        self.entered = asyncio.Event()

    @property
    def room(self) -> str:
        return f"room {self.number // IN_A_ROOM}"

    async def live(self, proxy: Proxy, stop: asyncio.Event) -> None:
        """Talk until *stop*; then return when everything said was heard."""
        async with Room(_page(proxy, self.room), name=f"client {self.number}", after="0-0") as room:
            listening = asyncio.create_task(self._listen(room))
            self.entered.set()
            while not stop.is_set():
                asked_at = monotonic()
                texts = [f"{self.number} {len(self.acked) + count}" for count in range(AT_ONCE)]
                self.acked.update(zip(texts, await asyncio.gather(*map(room.send, texts)), strict=True))
                self.longest_s = max(self.longest_s, monotonic() - asked_at)
                await asyncio.sleep(PAUSE_S)
            await _until(lambda: bool(self.heard) and self.heard[-1].id >= max(self.acked.values()))
            listening.cancel()
            await asyncio.wait([listening])

    async def _listen(self, room: Room) -> None:
        async for item in room:
            if isinstance(item, Gap):
                self.gaps.append(item)
            else:
                self.heard.append(item)


class Delays(logging.Handler):
    """The delays, in ms, that drains gave the clients, as their links log them."""

    def __init__(self) -> None:
        super().__init__()
        self.ms: list[int] = []

    def emit(self, record: logging.LogRecord) -> None:
        if told := DRAINED.search(record.getMessage()):
            self.ms.append(int(told[1]))


async def test_instances_restarted_one_after_another_lose_double_and_reorder_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    delays = Delays()
    caplog.set_level(logging.INFO, "chat_aiohttp.link")
    logging.getLogger("chat_aiohttp.link").addHandler(delays)
    voices = [Voice(number) for number in range(CLIENTS)]
    try:
        async with AsyncExitStack() as stack, asyncio.timeout(DEADLINE_S):
            server = stack.enter_context(start_server(tmp_path / "valkey"))
            instances = [
                await stack.enter_async_context(running(server.url, tmp_path / str(number)))
                for number in range(INSTANCES)
            ]
            proxy = await stack.enter_async_context(Proxy(*(instance.port for instance in instances)))
            await _restart_under_load(voices, instances, proxy)
            logs = {room: await _log(proxy, room, voices) for room in {voice.room for voice in voices}}
    finally:
        logging.getLogger("chat_aiohttp.link").removeHandler(delays)

    for room, log in logs.items():
        _check(log, [voice for voice in voices if voice.room == room])
    _check_spread(delays.ms)
    longest_s = max(voice.longest_s for voice in voices)
    assert longest_s < BACK_WITHIN_S
    messages, deliveries = sum(map(len, logs.values())), sum(len(voice.heard) for voice in voices)
    print(
        f"{INSTANCES} instances restarted {ROUNDS} times, {CLIENTS} clients: {messages:,} messages, {deliveries:,} "
        f"deliveries, {len(delays.ms)} sent away; the longest that a message took: {longest_s:.1f} s"
    )


async def _restart_under_load(voices: list[Voice], instances: list[Instance], proxy: Proxy) -> None:
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for voice in voices:
            group.create_task(voice.live(proxy, stop))
        for voice in voices:
            await voice.entered.wait()
        for instance in instances * ROUNDS:
            await _everyone_talks(voices)
            instance.signal(signal.SIGTERM)
            assert await instance.wait() == 0
            assert "drained" in instance.log
            await instance.start()
        await _everyone_talks(voices)
        stop.set()


async def _everyone_talks(voices: list[Voice]) -> None:
    """Wait until everybody had two more turns acknowledged: they are back from the last restart."""
    before = [len(voice.acked) for voice in voices]
    await _until(lambda: all(len(voice.acked) >= had + 2 * AT_ONCE for voice, had in zip(voices, before, strict=True)))


async def _log(proxy: Proxy, room: str, voices: list[Voice]) -> list[Message]:
    """The room's log, as somebody new reads it."""
    last = max(max(voice.acked.values()) for voice in voices if voice.room == room)
    log: list[Message] = []
    async with Room(_page(proxy, room), after="0-0") as reader:
        while not log or log[-1].id < last:
            item = await anext(reader)
            assert isinstance(item, Message)
            log.append(item)
    return log


def _check(log: list[Message], voices: list[Voice]) -> None:
    said = [message.text for message in log]
    assert sorted(said) == sorted(text for voice in voices for text in voice.acked)  # all, once, and none of another's
    for voice in voices:
        assert not voice.gaps
        assert voice.heard == log[: len(voice.heard)]  # from the beginning, in the log's order, without a hole
        assert [text for text in said if text.startswith(f"{voice.number} ")] == list(voice.acked)
        assert {message.text: message.id for message in log if message.text in voice.acked} == voice.acked


def _check_spread(delays_ms: list[int]) -> None:
    # A drain draws each delay from a second, or more where it has many members: they can't bunch up.
    assert len(delays_ms) >= CLIENTS
    assert min(delays_ms) >= 200
    assert max(delays_ms) - min(delays_ms) > 500
    fullest = max(sum(start <= delay < start + 100 for delay in delays_ms) for start in delays_ms)
    assert fullest <= 4 + len(delays_ms) // 3, sorted(delays_ms)


def _page(proxy: Proxy, room: str) -> str:
    return f"http://127.0.0.1:{proxy.port}/chat/{room.replace(' ', '%20')}/"


async def _until(condition: object) -> None:
    assert callable(condition)
    while not condition():
        await asyncio.sleep(0.01)
