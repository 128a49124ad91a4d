"""Hostile clients against a real server, and well-behaved members beside them who must not notice."""

from __future__ import annotations

import asyncio
import json
import os
import struct
from base64 import b64encode
from contextlib import suppress
from random import Random
from socket import SO_LINGER, SOL_SOCKET
from typing import NamedTuple
from urllib.parse import urlsplit

import aiohttp

from tests.frame_bytes import PING, PONG, client_frame
from tests.fuzz.frames import burst

ATTACKERS = 8  # at once
ROOMS = 4
BURSTS = 40  # per connection, at most
ANSWER_S = 20.0  # for whatever must come: an echo, a pong, an end
CALM_S = 0.05  # between two messages of a well-behaved member


class Fuzzed(NamedTuple):
    """What was sent, and what was seen meanwhile."""

    frames: int
    connections: int
    echoes: int  # that well-behaved members had, each within ANSWER_S
    slowest_s: float  # of those


class Attack:
    """*frames* hostile frames from *seed* to the server at *url*."""

    def __init__(self, url: str, *, frames: int, seed: int) -> None:
        self._url = urlsplit(url)
        self._random = Random(seed)
        self._wanted = frames
        self._sent = self._connections = self._echoes = 0
        self._slowest_s = 0.0

    async def run(self) -> Fuzzed:
        """Send them all. Raises AssertionError when the server answers otherwise than it should."""
        async with aiohttp.ClientSession() as web:
            rooms = ["calm", *(f"fuzz-{number}" for number in range(ROOMS))]
            calm = [asyncio.ensure_future(self._talk(web, room)) for room in rooms]
            attackers = [asyncio.ensure_future(self._attack(Random(self._random.random()))) for _ in range(ATTACKERS)]
            try:
                await asyncio.gather(*attackers)
                done, _ = await asyncio.wait(calm, timeout=0)
                for task in done:
                    task.result()
                assert not done, "a well-behaved member was sent away"
            finally:
                for task in [*calm, *attackers]:
                    task.cancel()
                await asyncio.gather(*calm, *attackers, return_exceptions=True)
        return Fuzzed(self._sent, self._connections, self._echoes, self._slowest_s)

    async def _talk(self, web: aiohttp.ClientSession, room: str) -> None:
        """A member that says something, hears it, and says the next."""
        base = self._url.geturl()
        async with web.ws_connect(f"{base}/ws/chat/{room}/", protocols=["chat.v1"], max_msg_size=2**22) as socket:
            number, loop = 0, asyncio.get_running_loop()
            while True:
                number, began = number + 1, loop.time()
                ref = f"calm-{number}"
                await socket.send_json({"type": "send", "message": ref, "ref": ref})
                async with asyncio.timeout(ANSWER_S):
                    while (heard := await socket.receive_json()).get("ref") != ref:
                        pass
                assert heard["type"] == "message", heard
                self._slowest_s = max(self._slowest_s, loop.time() - began)
                self._echoes += 1
                await asyncio.sleep(CALM_S)

    async def _attack(self, random: Random) -> None:
        while self._sent < self._wanted:
            self._connections += 1
            reader, writer = await asyncio.open_connection(self._url.hostname, self._url.port)
            try:
                await self._shake_hands(random, reader, writer)
                with suppress(ConnectionError):
                    await self._assault(random, reader, writer)
            finally:
                if random.random() < 0.5:  # an RST instead of a FIN
                    writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()

    async def _shake_hands(self, random: Random, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        query = random.choice(("", "?history=50", "?after=0-0", "?name=Mallory", "?after=9999999999999-0"))
        protocol = random.choice(("", "Sec-WebSocket-Protocol: chat.v1\r\n"))
        writer.write(
            f"GET /ws/chat/fuzz-{random.randrange(ROOMS)}/{query} HTTP/1.1\r\nHost: {self._url.netloc}\r\n"
            f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n{protocol}"
            f"Sec-WebSocket-Key: {b64encode(random.randbytes(16)).decode()}\r\n\r\n".encode()
        )
        async with asyncio.timeout(ANSWER_S):
            head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head

    async def _assault(self, random: Random, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hearing = asyncio.ensure_future(self._hear(reader))
        try:
            over, frames = False, [b""]
            for _ in range(random.randrange(1, BURSTS)):
                frames, over = burst(random)
                self._sent += len(frames)
                data = b"".join(frames)
                cut = random.randrange(len(data) + 1) if random.random() < 0.2 else len(data)
                for part in (data[:cut], data[cut:]):
                    writer.write(part)
                    async with asyncio.timeout(ANSWER_S):
                        await writer.drain()
                    if part is not data:
                        await asyncio.sleep(0)
                if over:
                    break
            if not over:  # whatever it sent was only rude: it is still a member, and answered
                writer.write(client_frame(PING, _TOKEN))
                async with asyncio.timeout(ANSWER_S):
                    assert await hearing, (
                        f"the connection ended without a fault; the last frame was {frames[-1][:200]!r}"
                    )
            elif random.random() < 0.5:
                await asyncio.wait([hearing], timeout=0.02)
        finally:
            hearing.cancel()
            await asyncio.gather(hearing, return_exceptions=True)

    async def _hear(self, reader: asyncio.StreamReader) -> bool:
        """Read until the answer to our last ping (True) or the end."""
        tail = b""
        while data := await reader.read(65_536):
            tail = (tail + data)[-2 * len(_PONG) - 65_536 :]
            if _PONG in tail:
                return True
        return False


_TOKEN = b"are you still there? " + b64encode(os.urandom(12))
_PONG = bytes((0x80 | PONG, len(_TOKEN))) + _TOKEN


async def left_over(url: str) -> dict[str, float]:
    """What the server's counters say after it: {sample without labels: value}, and `closes` by code."""
    async with aiohttp.ClientSession() as web, web.get(f"{url}/metrics") as answer:
        assert answer.status == 200
        lines = [line for line in (await answer.text()).splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def shown(fuzzed: Fuzzed, samples: dict[str, float]) -> str:
    """One line for people."""
    memory = samples["process_resident_memory_bytes"] / 2**20
    codes = {name: int(value) for name, value in samples.items() if name.startswith("chat_closes_total")}
    return json.dumps({**fuzzed._asdict(), "server_mib": round(memory, 1), **codes})
