"""One connection to Redis, spoken raw: packed calls out, lists of bytes back. Layer 2.

redis-py connects, signs in and does TLS; packing is hiredis' own, because redis-py's costs 20 µs a command where a
batch must cost one. Replies come as they are: no callbacks, no dicts. A link belongs to one task at a time.

Promise: a question is asked once. It is answered within its deadline, or the link is dead and says whether the
question may have been carried out. Nothing is ever sent a second time but what a server that lost its scripts has not
begun.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Any

import hiredis
from redis import asyncio as aioredis
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    NoScriptError,
    RedisError,
    ResponseError,
)

from chat_aiohttp.store.redis_faults import Faults, code_in, code_of_failure, words_of
from chat_aiohttp.store.redis_servers import CONNECT_S, Server

Call = tuple[bytes | str | int, ...]
Reply = Any  # bytes, int, None, a list of these, or an exception: an error reply

# Error replies that redis-py raises as if the connection had failed: the server answered, and did nothing.
ANSWERED = (ResponseError, BusyLoadingError, AuthenticationError, AuthorizationError)


class LinkLost(Exception):
    """The connection failed. *code* names the fault; *is_sent*: what was asked may have been carried out."""

    def __init__(self, words: str, *, code: str, is_sent: bool) -> None:
        super().__init__(words)
        self.words = words
        self.code = code
        self.is_sent = is_sent


class Script:
    """A Lua script and the name the server gives it."""

    def __init__(self, source: str) -> None:
        self.source = source.encode()
        self.sha = hashlib.sha1(self.source, usedforsecurity=False).hexdigest().encode()

    def call(self, keys: Sequence[bytes], *arguments: bytes | str | int) -> Call:
        """The command that runs it."""
        return (b"EVALSHA", self.sha, len(keys), *keys, *arguments)


class Link:
    """One connection that knows *scripts*. What goes wrong on it is counted in *faults*."""

    def __init__(self, *, server: Server, faults: Faults, scripts: Sequence[Script] = ()) -> None:
        self._server = server
        self._faults = faults
        self._scripts = scripts
        self._connection: aioredis.Connection | None = None
        self._takeovers = 0

    async def open(self) -> None:
        """Connect and be ready. Raises LinkLost."""
        try:
            # connect() succeeds on a frozen server: only an answer proves anything.
            async with asyncio.timeout(CONNECT_S):
                self._connection = await self._server.connection()
                self._takeovers = self._server.takeovers
                await self._connection.connect()  # type: ignore[no-untyped-call]
                replies = await self._exchange(self._connection, [(b"PING",), *self._loads()])
        except (TimeoutError, OSError, RedisError) as error:
            await self.close()
            raise self._lost(error, is_sent=False) from error
        except BaseException:
            await self.close()
            raise
        if refusal := next((reply for reply in replies if isinstance(reply, Exception)), None):
            await self.close()
            raise self._lost(refusal, is_sent=False)

    async def close(self) -> None:
        """Let go of the connection, at once: replies under way are lost."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect(nowait=True)

    @property
    def is_open(self) -> bool:
        return self._connection is not None

    @property
    def is_left(self) -> bool:
        """Whether another server has taken over since this was opened."""
        return self._takeovers != self._server.takeovers

    async def is_stale(self) -> bool:
        """Whether nothing can be asked here any more: the server has hung up meanwhile, or is the wrong one by now."""
        try:
            return self.is_left or self._connection is None or await self._connection.can_read()
        except (OSError, RedisError):
            return True

    async def ask(self, calls: Sequence[Call], deadline_s: float) -> list[Reply]:
        """The replies to *calls*, an error reply as its exception. After LinkLost the link is closed."""
        if self._connection is None:
            raise LinkLost("the connection is closed", code="lost", is_sent=False)
        if self.is_left:
            await self.close()
            self._faults.note("failed_over")
            raise LinkLost("another Redis has taken over", code="failed_over", is_sent=False)
        try:
            async with asyncio.timeout(deadline_s):
                replies = await self._exchange(self._connection, calls)
                if any(isinstance(reply, NoScriptError) for reply in replies):
                    replies = await self._again(self._connection, calls, replies)
        except (TimeoutError, OSError, RedisError) as error:
            await self.close()
            raise self._lost(error, is_sent=True) from error
        except BaseException:
            await self.close()  # cancelled between question and answer: the next asker would get this one's reply
            raise
        for reply in replies:
            if isinstance(reply, Exception):
                self._faults.note(code_in(words_of(reply)))
        return replies

    async def _again(self, connection: aioredis.Connection, calls: Sequence[Call], replies: list[Reply]) -> list[Reply]:
        """The server has forgotten our scripts (restarted, flushed): teach it, and ask what it has not begun."""
        self._faults.note("NOSCRIPT")
        missed = [index for index, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
        loads = self._loads()
        answers = (await self._exchange(connection, [*loads, *(calls[index] for index in missed)]))[len(loads) :]
        for index, answer in zip(missed, answers, strict=True):
            replies[index] = answer
        return replies

    async def _exchange(self, connection: aioredis.Connection, calls: Sequence[Call]) -> list[Reply]:
        packed = [hiredis.pack_command(call) for call in calls]  # type: ignore[arg-type]  # its stub says: one item
        await connection.send_packed_command(packed, check_health=False)
        return [await _reply(connection) for _ in calls]

    def _loads(self) -> list[Call]:
        return [(b"SCRIPT", b"LOAD", script.source) for script in self._scripts]

    def _lost(self, error: Exception, *, is_sent: bool) -> LinkLost:
        code = code_of_failure(error, is_connected=is_sent)
        self._faults.note(code)
        return LinkLost(f"Redis at {self._server.words}: {words_of(error)}", code=code, is_sent=is_sent)


async def _reply(connection: aioredis.Connection) -> Reply:
    try:
        return await connection.read_response(disconnect_on_error=False)
    except ANSWERED as error:
        return error
