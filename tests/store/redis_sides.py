"""What tests of the Redis store have in common: stores on one server, keys by name, and a client's patience."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count

from chat_aiohttp.events import Draft
from chat_aiohttp.names import shard_of
from chat_aiohttp.store import Retention
from chat_aiohttp.store.redis_streams import RedisStore
from tests.store.listener import ADA, Recorder, Side, message

DEADLINE_S = 20.0
SHARDS = 16
Open = Callable[..., Awaitable[Side]]


@asynccontextmanager
async def stores() -> AsyncIterator[Open]:
    """Opens stores by their server's URL; all are closed in the end."""
    opened: list[RedisStore] = []
    instances = count()

    async def start(url: str, shards: int = SHARDS, **retention: int) -> Side:
        name, keep = f"i{next(instances)}", Retention(**retention)
        store, recorder = RedisStore(url=url, shards=shards, instance=name, retention=keep), Recorder()
        store.bind(recorder)
        await store.open()
        opened.append(store)
        return Side(store, recorder)

    yield start
    await asyncio.gather(*(store.close() for store in opened))


def key(room: str, family: str) -> str:
    """A key of the shard that *room* lives in."""
    return f"chat:{{s{shard_of(room, SHARDS):02}}}:{family}"


def neighbour(room: str) -> str:
    """Another room in the same shard."""
    return next(f"n{n}" for n in count() if shard_of(f"n{n}", SHARDS) == shard_of(room, SHARDS))


def stranger(room: str) -> str:
    """A room in another shard."""
    return next(f"n{n}" for n in count() if shard_of(f"n{n}", SHARDS) != shard_of(room, SHARDS))


async def when(is_so: Callable[[], object], deadline_s: float = DEADLINE_S) -> None:
    """Wait until *is_so*, looking often."""
    async with asyncio.timeout(deadline_s):
        while not is_so():  # a store's health has no event to wait for
            await asyncio.sleep(0.005)


async def said(side: Side, room: str, text: str, ref: str, session: bytes = ADA) -> Draft:
    """*text* in the log, sent again with the same ref until it is known to be there: what a client does."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            (draft,) = await side.append(message(room, text, ref=ref, session=session))
            if draft.error is None:
                return draft
            assert draft.error.retryable
            await asyncio.sleep(0.02)


def faults(side: Side) -> Counter[str]:
    """How often what went wrong on *side*."""
    return side.store.faults
