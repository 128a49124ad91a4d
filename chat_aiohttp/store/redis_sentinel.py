"""The primary that Sentinels watch. Layer 2.

redis-py asks a Sentinel; whom to ask and whom to believe is decided here. Promise: a connection is to whoever the first
Sentinel that answers calls the primary, and a takeover that nothing else would tell of is noticed within WATCH_S and
the time to ask. Electing a primary is the Sentinels' business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from redis import asyncio as aioredis
from redis.asyncio.sentinel import Sentinel
from redis.exceptions import ConnectionError as NotConnected
from redis.exceptions import RedisError

from chat_aiohttp.store.redis_faults import words_of
from chat_aiohttp.store.redis_servers import CONNECT_S, GUIDE_S, Address, Dialer, One

WATCH_S: Final = 1.0  # between questions to a Sentinel whether the primary is another by now


class Watched(One):
    """The primary that Sentinels call *name*, whoever that is. *sentinels* are redis-py's objects, each with one
    address: with several it loses some when two tasks ask at once."""

    fails_over = True

    def __init__(self, dialer: Dialer, name: str, sentinels: Mapping[Address, Sentinel]) -> None:
        super().__init__(dialer)
        self.words = f"{name} (by Sentinel)"
        self._name = name
        self._sentinels = sentinels
        self._order = list(sentinels)  # who answered last is asked first
        self._primary: Address | None = None

    async def connection(self) -> aioredis.Connection:
        return self._dialer.connection(await self._find())

    async def watch(self) -> None:
        # A primary that was replaced by hand goes on taking writes, for some eight seconds, that nobody will ever see.
        while True:
            await asyncio.sleep(WATCH_S)
            try:
                async with asyncio.timeout(CONNECT_S):
                    await self._find()
            except (TimeoutError, OSError, RedisError):
                pass  # as long as the primary itself answers, Sentinels may be away

    async def _find(self) -> Address:
        primary = await self._told()
        if self._primary not in (None, primary):
            self.takeovers += 1
        self._primary = primary
        self.words = f"{primary[0]}:{primary[1]} ({self._name})"
        return primary

    async def _told(self) -> Address:
        """The primary, by the first Sentinel that knows it."""
        failed: list[str] = []
        for address in tuple(self._order):
            try:
                async with asyncio.timeout(GUIDE_S):
                    primary: Address = await self._sentinels[address].discover_master(self._name)
            except (TimeoutError, OSError, RedisError) as error:
                failed.append(f"{address[0]}:{address[1]}: {words_of(error)}")
            else:
                self._order.remove(address)
                self._order.insert(0, address)
                return primary
        raise NotConnected(f"no Sentinel says who is {self._name} ({'; '.join(failed)})")

    async def close(self) -> None:
        # Their socket_connect_timeout ends it. Who can't be told goodbye (frozen, over TLS) is let go of all the same.
        await asyncio.gather(*(one.aclose() for one in self._sentinels.values()), return_exceptions=True)
