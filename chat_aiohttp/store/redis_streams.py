"""Rooms' logs in Redis streams: any number of instances share them. Layer 2.

This file ties the parts together and talks to nobody itself: redis_keys.py names the keys, redis_link.py is a
connection, redis_scripts.py what runs inside Redis, redis_gather.py and redis_append.py write, redis_followed.py and
redis_follow.py tell what happens, redis_pages.py reads back, redis_checks.py looks at the server at the start.

On a single server there is one lane and one follower for all shards. Cluster needs one of each per node's shards,
Sentinel another way to make a connection: both fit behind these seams.

What it promises is the contract's (store/__init__.py), as durably as Redis is configured: see `durability`.

Rejected: redis-py's own pipelines and replies on the hot paths (20 µs a command), retries (they double), pub/sub (it
loses silently).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Final

from chat_aiohttp.events import Draft, EventId, Page, RoomLine
from chat_aiohttp.store import APPEND_DEADLINE_S, Listener, Retention, Store
from chat_aiohttp.store.redis_append import Lane
from chat_aiohttp.store.redis_checks import check, unreachable
from chat_aiohttp.store.redis_follow import Follower
from chat_aiohttp.store.redis_followed import Following
from chat_aiohttp.store.redis_gather import Aside
from chat_aiohttp.store.redis_keys import Layout, Server
from chat_aiohttp.store.redis_link import Health, Link, LinkLost, Readers
from chat_aiohttp.store.redis_pages import Pages, event_id
from chat_aiohttp.store.redis_scripts import AFTER, FORGET, STAND, TURN

log = logging.getLogger(__name__)

KEEP: Final = Retention()  # the contract's own retention


class RedisStore(Store):
    """The store on one Redis or Valkey server. *instance* names this process among those that share it."""

    def __init__(
        self,
        *,
        url: str,
        shards: int = 16,
        prefix: str = "chat",
        instance: str,
        retention: Retention = KEEP,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._layout = Layout(prefix=prefix, shards=shards)
        self._server = Server(url=url, client_name=f"{prefix}-{instance}")
        self._health = Health()
        self._readers = Readers(server=self._server, scripts=(STAND, AFTER, FORGET), health=self._health)
        self._pages = Pages(layout=self._layout, retention=retention, clock=clock, ask=self._readers.ask)
        self._lane = Lane(
            layout=self._layout,
            retention=retention,
            instance=instance,
            connect=lambda: Link(server=self._server, scripts=(TURN,)),
            health=self._health,
            settle=self._settled,
        )
        self._following = Following(self._layout)
        self._follower = Follower(
            following=self._following,
            wake_key=self._layout.wake(instance),
            connect=lambda: Link(server=self._server, scripts=(AFTER,)),
            pages=self._pages,
            health=self._health,
        )
        self._wake = Aside((b"w", self._layout.wake(instance)))
        self._tasks: list[asyncio.Task[None]] = []
        self._durability = "not known yet"

    def bind(self, listener: Listener) -> None:
        super().bind(listener)
        self._following.listener = listener

    async def open(self) -> None:
        link = Link(server=self._server)
        try:
            await link.open()
            self._durability = await check(link, self._layout)
        except LinkLost as lost:
            raise unreachable(lost.words) from lost
        finally:
            await link.close()
        for part in (self._lane.run(), self._follower.run()):
            self._tasks.append(asyncio.create_task(part))

    async def close(self) -> None:
        if self._tasks:
            await self.drain()
        for task in self._tasks:
            task.cancel()
        for outcome in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                log.error("a part of the store ended badly", exc_info=outcome)
        self._tasks.clear()
        self._health.causes["store"] = "the store is closed"
        await self._readers.close()
        await asyncio.sleep(0)  # what was refused while closing is told

    @property
    def away(self) -> str | None:
        return self._health.away

    @property
    def durability(self) -> str:
        return self._durability

    @property
    def skipped(self) -> int:
        """Entries met on the buses that are not ours, or broken."""
        return self._follower.skipped

    # -- events

    def append(self, draft: Draft) -> None:
        self._lane.append(draft)

    async def drain(self) -> None:
        try:
            async with asyncio.timeout(APPEND_DEADLINE_S):
                await self._lane.quiet.wait()
        except TimeoutError:
            log.warning("not everything was settled within %s s", APPEND_DEADLINE_S)

    async def attach(self, room: str) -> EventId:
        followed = self._following.enter(room)
        if followed.position is not None:
            return followed.position
        place = self._layout.place(room)
        keys = self._layout.shards[place.shard]
        try:
            (stand,) = await self._readers.ask([STAND.call([keys.head, keys.of(b"r", place.name)])])
        except BaseException:
            self._following.give_up(followed)
            raise
        if self._following.settle(followed, stand):
            self._lane.ride(0, self._wake)
        return event_id(stand[2])

    def detach(self, room: str) -> None:
        self._following.leave(room)

    async def title(self, room: str) -> str | None:
        return await self._pages.title(room)

    async def find_ref(self, room: str, session: bytes, ref: str) -> EventId | None:
        return await self._pages.find_ref(room, session, ref)

    async def after(self, room: str, cursor: EventId, limit: int) -> Page:
        return await self._pages.after(room, cursor, limit)

    async def before(self, room: str, cursor: EventId | None, limit: int) -> Page:
        return await self._pages.before(room, cursor, limit)

    async def rooms(self, limit: int) -> list[RoomLine]:
        return await self._pages.rooms(limit)

    # -- signals

    def signal(self, room: str, body: bytes) -> None:
        place = self._layout.place(room)
        self._lane.ride(place.shard, Aside((b"s", place.name, body)))

    def lease(self, room: str, title: str, people: int, body: bytes | None) -> None:
        place = self._layout.place(room)
        given = (b"x", place.name) if body is None else (b"l", place.name, title, people, body)
        self._lane.ride(place.shard, Aside(given))

    async def leases(self, room: str) -> list[bytes]:
        return await self._pages.leases(room)

    # -- parts

    def _settled(self, drafts: Sequence[Draft]) -> None:
        self.listener.settled(drafts)
