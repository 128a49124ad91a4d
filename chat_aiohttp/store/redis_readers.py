"""Reading back over a few connections. Layer 2.

Bounded: a storm of readers queues here, not in Redis. A question that only reads may be asked twice, and is, when the
server it was put to hangs up, or turns out not to be the right one any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from chat_aiohttp.errors import Refused
from chat_aiohttp.store.redis_faults import Health, Remedy, code_in, remedy_of, words_of
from chat_aiohttp.store.redis_link import Call, Link, LinkLost, Reply, Script
from chat_aiohttp.store.redis_servers import Server

READ_S: Final = 2.0  # for one question to the log, waiting for a connection included; then it is Refused


class Readers:
    """At most *count* links to *server* for whoever reads back; who comes then waits."""

    def __init__(self, *, server: Server, scripts: Sequence[Script], health: Health, count: int) -> None:
        self._server = server
        self._scripts = scripts
        self._health = health
        self._turn = asyncio.Semaphore(count)
        self._idle: list[Link] = []
        self._closed = False

    async def ask(self, calls: Sequence[Call]) -> list[Reply]:
        """The replies to *calls*. Raises Refused while the log is away, also when one of them is an error."""
        if self._closed or self._health.causes:
            raise refused(self._health.away or "the store is closed")
        try:
            async with asyncio.timeout(READ_S), self._turn:
                replies = await self._asked_once(calls) or await self._asked(calls)
        except TimeoutError as error:
            raise refused("no answer") from error
        except LinkLost as error:
            raise refused(error.words) from error
        for reply in replies:
            if isinstance(reply, Exception):
                raise refused(words_of(reply)) from reply
        return replies

    async def close(self) -> None:
        self._closed = True
        await self._drop_idle()

    async def _asked_once(self, calls: Sequence[Call]) -> list[Reply] | None:
        """The replies to *calls*; None if it is worth to ask anew: hung up, or not the right server any more."""
        try:
            replies = await self._asked(calls)
        except LinkLost as lost:
            if lost.code not in ("lost", "failed_over"):
                raise
            return None
        return None if _has_moved(replies) else replies

    async def _asked(self, calls: Sequence[Call]) -> list[Reply]:
        async with self._borrowed() as link:
            replies = await link.ask(calls, READ_S)
            if _has_moved(replies):
                await link.close()
        if _has_moved(replies):
            await self._drop_idle()
        return replies

    async def _drop_idle(self) -> None:
        while self._idle:
            await self._idle.pop().close()

    @asynccontextmanager
    async def _borrowed(self) -> AsyncIterator[Link]:
        link = await self._fresh()
        yield link  # on an error the link has closed itself and is not kept
        if self._closed:
            await link.close()
        elif link.is_open:
            self._idle.append(link)

    async def _fresh(self) -> Link:
        while self._idle:
            link = self._idle.pop()
            if not await link.is_stale():
                return link
            await link.close()
        link = Link(server=self._server, faults=self._health.faults, scripts=self._scripts)
        await link.open()
        return link


def _has_moved(replies: Sequence[Reply]) -> bool:
    return any(isinstance(reply, Exception) and remedy_of(code_in(words_of(reply))) is Remedy.MOVE for reply in replies)


def refused(cause: str) -> Refused:
    """What a reader or writer is told while the log is away."""
    return Refused("log_away", f"The room's log does not answer ({cause}). Send again with the same ref.")
