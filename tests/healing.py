"""A client that heals, for tests: it comes back with its last id and sends again, with the same ref, what was not
acknowledged. What it heard and what was acknowledged is its history, for checkers to judge."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import aiohttp

Id = tuple[int, int]


def as_id(text: str) -> Id:
    """An id as two numbers, as which they compare."""
    ms, seq = text.split("-")
    return int(ms), int(seq)


class Healing:
    """One plain client of one room with a session of its own. *url* is asked anew at each connection."""

    def __init__(self, url: Callable[[], str]) -> None:
        self._url = url
        self._session = secrets.token_urlsafe(32)
        self.heard: list[tuple[Id, str]] = []
        self.acked: dict[str, Id] = {}
        self.gaps: list[str] = []
        self.me: str | None = None
        self.errors: list[dict[str, Any]] = []
        self.connections = 0

    @property
    def last(self) -> str:
        """The id to resume after."""
        return "{}-{}".format(*self.heard[-1][0]) if self.heard else "0-0"

    async def talk(self, texts: list[str]) -> None:
        """Say each of *texts*, the next when the last was acknowledged, over as many connections as it takes."""
        waiting = list(texts)
        refs: dict[str, str] = {text: secrets.token_urlsafe(9) for text in texts}
        while waiting:
            with suppress(aiohttp.ClientError, ConnectionError, asyncio.TimeoutError):
                async with aiohttp.ClientSession() as session, await self._connect(session) as socket:
                    await self._say_all(socket, waiting, refs)
            await asyncio.sleep(0.02)

    async def listen_until(self, done: Callable[[], bool]) -> None:
        """Only listen, until *done*, over as many connections as it takes."""
        while not done():
            with suppress(aiohttp.ClientError, ConnectionError, asyncio.TimeoutError):
                async with aiohttp.ClientSession() as session, await self._connect(session) as socket:
                    while not done():
                        await self._hear(socket, {})
            await asyncio.sleep(0.02)

    async def _connect(self, session: aiohttp.ClientSession) -> aiohttp.ClientWebSocketResponse:
        self.connections += 1
        query = f"?after={self.last}&session={self._session}"
        timeout = aiohttp.ClientWSTimeout(ws_close=1.0)
        return await session.ws_connect(self._url() + query, timeout=timeout, max_msg_size=0)

    async def _say_all(self, socket: aiohttp.ClientWebSocketResponse, waiting: list[str], refs: dict[str, str]) -> None:
        while waiting:
            text = waiting[0]
            await socket.send_str(json.dumps({"message": text, "ref": refs[text]}))
            while text not in self.acked:
                error = await self._hear(socket, {refs[text]: text})
                if error is not None:
                    await asyncio.sleep(0.05)  # the log is away: the server says so; ask again in a moment
                    break
            if text in self.acked:
                waiting.pop(0)

    async def _hear(self, socket: aiohttp.ClientWebSocketResponse, mine: dict[str, str]) -> dict[str, Any] | None:
        """Take one frame; the error, if it is one about a send."""
        message = await socket.receive(timeout=5)
        if message.type is not aiohttp.WSMsgType.TEXT:
            raise ConnectionResetError
        frame = json.loads(message.data)
        if frame.get("error") == "gap":
            self.gaps.append(frame["position"])
            return None
        if "error" in frame:
            self.errors.append(frame)
            return dict(frame)
        event_id = as_id(frame["id"])
        if frame.get("ref") in mine:
            self.acked[mine[frame["ref"]]] = event_id
        if not self.heard or event_id > self.heard[-1][0]:  # a repeat's answer is old news
            self.heard.append((event_id, frame["message"]))
        return None
