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
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import hiredis
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    NoScriptError,
    RedisError,
    ResponseError,
)

from chat_aiohttp.errors import Refused
from chat_aiohttp.store.redis_keys import CONNECT_S, Server

log = logging.getLogger(__name__)


Call = tuple[bytes | str | int, ...]
Reply = Any  # bytes, int, None, a list of these, or an exception: an error reply

READERS: Final = 4  # connections that read history, at most; whoever comes then waits
READ_S: Final = 2.0  # for one question to the log, waiting for a connection included; then it is Refused

# Error replies that redis-py raises as if the connection had failed: the server answered, and did nothing.
ANSWERED = (ResponseError, BusyLoadingError, AuthenticationError, AuthorizationError)


class LinkLost(Exception):
    """The connection failed. *is_sent* says whether what was asked may have been carried out."""

    def __init__(self, words: str, *, is_sent: bool) -> None:
        super().__init__(words)
        self.words = words
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
    """One connection that knows *scripts*."""

    def __init__(self, *, server: Server, scripts: Sequence[Script] = ()) -> None:
        self._server = server
        self._scripts = scripts
        self._connection = server.connection()

    async def open(self) -> None:
        """Connect and be ready. Raises LinkLost."""
        try:
            # connect() succeeds on a frozen server: only an answer proves anything.
            async with asyncio.timeout(CONNECT_S):
                await self._connection.connect()  # type: ignore[no-untyped-call]
                replies = await self._exchange([(b"PING",), *self._loads()])
        except (TimeoutError, OSError, RedisError) as error:
            await self.close()
            raise LinkLost(self._why(error), is_sent=False) from error
        except BaseException:
            await self.close()
            raise
        if refusal := next((reply for reply in replies if isinstance(reply, Exception)), None):
            await self.close()
            raise LinkLost(self._why(refusal), is_sent=False)

    async def close(self) -> None:
        """Let go of the connection, at once: replies under way are lost."""
        await self._connection.disconnect(nowait=True)

    async def is_stale(self) -> bool:
        """Whether the server has hung up meanwhile, so that nothing can be asked here any more."""
        try:
            return await self._connection.can_read()
        except (OSError, RedisError):
            return True

    async def ask(self, calls: Sequence[Call], deadline_s: float) -> list[Reply]:
        """The replies to *calls*, an error reply as its exception. After LinkLost the link is closed."""
        try:
            async with asyncio.timeout(deadline_s):
                replies = await self._exchange(calls)
                if any(isinstance(reply, NoScriptError) for reply in replies):
                    replies = await self._again(calls, replies)
                return replies
        except (TimeoutError, OSError, RedisError) as error:
            await self.close()
            raise LinkLost(self._why(error), is_sent=True) from error
        except BaseException:
            await self.close()  # cancelled between question and answer: the next asker would get this one's reply
            raise

    async def _again(self, calls: Sequence[Call], replies: list[Reply]) -> list[Reply]:
        """The server has forgotten our scripts (restarted, flushed): teach it, and ask what it has not begun."""
        missed = [index for index, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
        loads = self._loads()
        answers = (await self._exchange([*loads, *(calls[index] for index in missed)]))[len(loads) :]
        for index, answer in zip(missed, answers, strict=True):
            replies[index] = answer
        return replies

    async def _exchange(self, calls: Sequence[Call]) -> list[Reply]:
        packed = [hiredis.pack_command(call) for call in calls]  # type: ignore[arg-type]  # its stub says: one item
        await self._connection.send_packed_command(packed, check_health=False)
        return [await self._reply() for _ in calls]

    async def _reply(self) -> Reply:
        try:
            return await self._connection.read_response(disconnect_on_error=False)
        except ANSWERED as error:
            return error

    def _loads(self) -> list[Call]:
        return [(b"SCRIPT", b"LOAD", script.source) for script in self._scripts]

    def _why(self, error: Exception) -> str:
        return f"Redis at {self._server.words}: {words_of(error)}"


def words_of(error: Exception) -> str:
    """What *error* says, with the server's own code in front."""
    if isinstance(error, TimeoutError):
        return "no answer"
    code = getattr(error, "status_code", None)
    return f"{code} {error}" if code else str(error) or type(error).__name__


class Health:
    """What is wrong between this instance and its log, part by part. Nothing: the log answers."""

    def __init__(self) -> None:
        self.causes: dict[str, str] = {}

    @property
    def away(self) -> str | None:
        return next(iter(self.causes.values()), None)

    def ail(self, part: str, words: str) -> None:
        if part not in self.causes:
            log.warning("%s: the log is away: %s", part, words)
        self.causes[part] = words

    def heal(self, part: str) -> None:
        if self.causes.pop(part, None) is not None:
            log.warning("%s: the log is back", part)


class Readers:
    """A few links for whoever reads back. Bounded: a storm of readers queues here, not in Redis."""

    def __init__(self, *, server: Server, scripts: Sequence[Script], health: Health) -> None:
        self._server = server
        self._scripts = scripts
        self._health = health
        self._turn = asyncio.Semaphore(READERS)
        self._idle: list[Link] = []
        self._closed = False

    async def ask(self, calls: Sequence[Call]) -> list[Reply]:
        """The replies to *calls*. Raises Refused while the log is away, also when one of them is an error."""
        if self._closed or self._health.causes:
            raise refused(self._health.away or "the store is closed")
        try:
            async with asyncio.timeout(READ_S), self._turn, self._borrowed() as link:
                replies = await link.ask(calls, READ_S)
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
        while self._idle:
            await self._idle.pop().close()

    @asynccontextmanager
    async def _borrowed(self) -> AsyncIterator[Link]:
        link = await self._fresh()
        yield link  # on an error the link has closed itself and is not kept
        if self._closed:
            await link.close()
        else:
            self._idle.append(link)

    async def _fresh(self) -> Link:
        while self._idle:
            link = self._idle.pop()
            if not await link.is_stale():
                return link
            await link.close()
        link = Link(server=self._server, scripts=self._scripts)
        await link.open()
        return link


def refused(cause: str) -> Refused:
    """What a reader or writer is told while the log is away."""
    return Refused("log_away", f"The room's log does not answer ({cause}). Send again with the same ref.")
