"""Who is asked, and the plainest answer: one server at a fixed address. Layer 2.

A primary that Sentinels watch is redis_sentinel.py's, the nodes of a Cluster are redis_cluster.py's.

Whoever needs a connection asks for one at a moment when it is to be opened, and so always gets one to the server that
is right by then: after a failover the new primary, after a shard moved its new owner. Nothing is remembered that a
fault would have to correct.

redis-py connects, signs in and does TLS. What is said over a connection is redis_link.py's business.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Final

from redis import asyncio as aioredis
from redis.asyncio.connection import SSLConnection

from chat_aiohttp.store.redis_keys import Layout

CONNECT_S: Final = 1.0  # to be connected, signed in and ready; then the attempt is given up
GUIDE_S: Final = (
    0.3  # for one Sentinel's or node's word on who is to be asked: within CONNECT_S there is time for three
)
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
