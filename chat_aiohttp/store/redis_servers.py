"""Who is asked: one server, a primary that Sentinels watch, or the nodes of a Cluster. Layer 2.

Whoever needs a connection asks for one at a moment when it is to be opened, and so always gets one to the server that
is right by then: after a failover the new primary, after a shard moved its new owner. Nothing is remembered that a
fault would have to correct.

redis-py connects, signs in, does TLS and asks Sentinels; a Cluster's map is asked for here, in one command. Rejected:
redis-py's RedisCluster, which needs COMMAND as well, keeps pools of its own, and repeats by itself what it sent.
"""

from __future__ import annotations

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Any, Final

from redis import asyncio as aioredis
from redis.asyncio.connection import SSLConnection
from redis.asyncio.sentinel import Sentinel
from redis.crc import key_slot
from redis.exceptions import ConnectionError as NotConnected
from redis.exceptions import RedisError

from chat_aiohttp.store.redis_faults import words_of
from chat_aiohttp.store.redis_keys import Layout

CONNECT_S: Final = 1.0  # to be connected, signed in and ready; then the attempt is given up
GUIDE_S: Final = (
    0.3  # for one Sentinel's or node's word on who is to be asked: within CONNECT_S there is time for three
)
WATCH_S: Final = 1.0  # between questions to a Sentinel whether the primary is another by now
MAP_FRESH_S: Final = 0.2  # so young a map of the cluster is good for whoever else connects now
PORT: Final = 6379

Address = tuple[str, int]


class Dialer:
    """Makes connections with *options*, redis-py's own. Raises TypeError for an option there is none of, SSLError."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._options = dict(options)
        self._kind = self._options.pop("connection_class", aioredis.Connection)
        self._ssl: Any = None
        self.words = str(options.get("path") or f"{options.get('host', 'localhost')}:{options.get('port', PORT)}")
        if isinstance(first := self.connection(), SSLConnection):
            first.ssl_context.get()  # a certificate that can't be read shows here

    def connection(self, address: Address | None = None) -> aioredis.Connection:
        """A connection to *address*, else to the one that the options name; not yet connected."""
        where = {} if address is None else {"host": address[0], "port": address[1]}
        connection: aioredis.Connection = self._kind(**(self._options | where))
        if isinstance(connection, SSLConnection):
            # One for all: to make one costs tens of milliseconds in which the event loop stands still.
            self._ssl = self._ssl or connection.ssl_context
            connection.ssl_context = self._ssl
        return connection


class Server(ABC):
    """Something that a connection can be made to. *words* name it, without its password."""

    words: str
    takeovers = 0  # how often it was found that somebody else is right: whoever connected before should connect anew

    async def watch(self) -> None:  # noqa: B027  # most servers are the right ones for ever
        """Count takeovers that nothing else would tell of, for ever. Returns at once where there can be none."""

    @abstractmethod
    async def connection(self) -> aioredis.Connection:
        """A connection to whoever is right now, not yet connected. Raises RedisError, OSError or TimeoutError."""


class Servers(ABC):
    """All that one URL leads to."""

    is_cluster = False
    fails_over = False

    @abstractmethod
    def sections(self, layout: Layout) -> list[tuple[Server, Sequence[int]]]:
        """The servers to write to and to follow, each with its shards. Between them they have every shard once."""

    @abstractmethod
    def of_key(self, key: bytes) -> Server:
        """The server that holds *key*, which belongs to no shard."""

    @abstractmethod
    async def each(self) -> list[Server]:
        """Every server that takes writes at present. Raises as Server.connection does."""

    async def close(self) -> None:  # noqa: B027  # most need nothing to find servers with
        """Let go of what was needed to find servers."""


# -- one server


class One(Server, Servers):
    """One server at a fixed address."""

    def __init__(self, dialer: Dialer) -> None:
        self._dialer = dialer
        self.words = dialer.words

    async def connection(self) -> aioredis.Connection:
        return self._dialer.connection()

    def sections(self, layout: Layout) -> list[tuple[Server, Sequence[int]]]:
        return [(self, range(layout.count))]

    def of_key(self, key: bytes) -> Server:
        return self

    async def each(self) -> list[Server]:
        return [self]


# -- Sentinel


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


# -- Cluster


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
