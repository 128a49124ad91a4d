"""The nodes of a Redis Cluster: who has which slot. Layer 2.

The map is asked for in one command, of whichever node gives it. Promise: who connects gets the owner by a map no older
than MAP_FRESH_S. What a node answers that is not the owner any more is redis_faults.py's to judge.

Rejected: redis-py's RedisCluster, which needs COMMAND as well, keeps pools of its own, and repeats by itself what it
sent.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from time import monotonic
from typing import Final

from redis import asyncio as aioredis
from redis.crc import key_slot
from redis.exceptions import ConnectionError as NotConnected
from redis.exceptions import RedisError

from chat_aiohttp.store.redis_faults import words_of
from chat_aiohttp.store.redis_keys import Layout
from chat_aiohttp.store.redis_servers import GUIDE_S, Address, Dialer, Server, Servers

MAP_FRESH_S: Final = 0.2  # so young a map of the cluster is good for whoever else connects now


class Cluster(Servers):
    """The primaries of a Redis Cluster: who has which slot."""

    is_cluster = True
    fails_over = True

    def __init__(self, addresses: list[Address], dialer: Dialer) -> None:
        self._given = addresses
        self.dialer = dialer
        self._owners: list[tuple[int, int, Address]] = []  # the first and the last of some slots, and who has them
        self._asked_at = float("-inf")
        self._asking = asyncio.Lock()

    def sections(self, layout: Layout) -> list[tuple[Server, Sequence[int]]]:
        # Two shards may have the same owner now and others later; one XREAD or batch can't be about both anyway.
        return [(self.of_key(keys.bus), (shard,)) for shard, keys in enumerate(layout.shards)]

    def of_key(self, key: bytes) -> Server:
        return SlotOwner(self, key_slot(key))

    async def each(self) -> list[Server]:
        await self._look()
        return [Node(self, address) for address in sorted({owner for _, _, owner in self._owners})]

    async def owner(self, slot: int) -> Address:
        """Who has *slot*."""
        await self._look()
        for first, last, address in self._owners:
            if first <= slot <= last:
                return address
        raise NotConnected(f"no node has slot {slot}: the cluster is incomplete")

    async def _look(self) -> None:
        """Have a map that is fresh, from the first node that gives one. One question for all who connect now."""
        async with self._asking:
            if monotonic() - self._asked_at < MAP_FRESH_S:
                return
            nodes = [*{address: None for _, _, address in self._owners} | dict.fromkeys(self._given)]
            random.shuffle(nodes)
            failed: list[str] = []
            for address in nodes:
                try:
                    self._owners = await self._ask(address)
                except (TimeoutError, OSError, RedisError, ValueError) as error:
                    failed.append(f"{address[0]}:{address[1]}: {words_of(error)}")
                else:
                    self._asked_at = monotonic()
                    return
            raise NotConnected(f"no node of the cluster answers ({'; '.join(failed)})")

    async def _ask(self, address: Address) -> list[tuple[int, int, Address]]:
        """CLUSTER SLOTS: https://redis.io/docs/latest/commands/cluster-slots/"""
        connection = self.dialer.connection(address)
        try:
            async with asyncio.timeout(GUIDE_S):
                await connection.connect()  # type: ignore[no-untyped-call]
                await connection.send_command("CLUSTER", "SLOTS")
                slots = await connection.read_response(disconnect_on_error=False)
        finally:
            await connection.disconnect(nowait=True)
        if not slots:
            raise ValueError("it knows no slots")
        # An empty or missing host is that of the node that was asked.
        return [
            (first, last, (primary[0].decode() if primary[0] and primary[0] != b"?" else address[0], int(primary[1])))
            for first, last, primary, *_ in slots
        ]


class Node(Server):
    """One node of a cluster, whatever it has."""

    def __init__(self, cluster: Cluster, address: Address) -> None:
        self._cluster = cluster
        self._address = address
        self.words = f"{address[0]}:{address[1]}"

    async def connection(self) -> aioredis.Connection:
        return self._cluster.dialer.connection(self._address)


class SlotOwner(Server):
    """The node that has a slot, whichever that is."""

    def __init__(self, cluster: Cluster, slot: int) -> None:
        self._cluster = cluster
        self._slot = slot
        self.words = f"the node of slot {slot}"

    async def connection(self) -> aioredis.Connection:
        address = await self._cluster.owner(self._slot)
        self.words = f"{address[0]}:{address[1]}"
        return self._cluster.dialer.connection(address)
