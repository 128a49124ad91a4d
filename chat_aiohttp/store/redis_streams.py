"""Rooms' logs in Redis streams: any number of instances share them. Layer 2.

This file ties the parts together and talks to nobody itself. Finding servers: redis_urls.py, redis_servers.py,
redis_sentinel.py, redis_cluster.py; what there is for each of them: redis_section.py. Talking to one: redis_keys.py
names the keys, redis_link.py is a connection, redis_scripts.py and redis_turn.py are what runs inside Redis. Writing:
redis_gather.py, redis_append.py, redis_marshal.py. Telling what happens: redis_followed.py, redis_follow.py. Reading
back: redis_readers.py, redis_pages.py, redis_lobby.py. redis_checks.py looks at the servers at the start,
redis_faults.py says what is done about what goes wrong.

What it promises is the contract's (store/__init__.py), as durably as Redis is configured: see `durability`.

Rejected: redis-py's own pipelines and replies on the hot paths (20 µs a command), retries (they double), pub/sub (it
loses silently).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from chat_aiohttp.events import Draft, EventId, Page, RoomLine
from chat_aiohttp.store import APPEND_DEADLINE_S, Listener, Retention, Store
from chat_aiohttp.store.redis_checks import check
from chat_aiohttp.store.redis_faults import Faults
from chat_aiohttp.store.redis_gather import Aside
from chat_aiohttp.store.redis_keys import Layout
from chat_aiohttp.store.redis_link import Call, Reply
from chat_aiohttp.store.redis_lobby import Lobby
from chat_aiohttp.store.redis_pages import Pages
from chat_aiohttp.store.redis_section import Section
from chat_aiohttp.store.redis_urls import servers_at

log = logging.getLogger(__name__)

KEEP: Final = Retention()  # the contract's own retention
READERS: Final = 4  # connections that read back from one server
READERS_OF_A_SHARD: Final = 2  # the same in a cluster, where each shard has its own


class RedisStore(Store):
    """The store on Redis or Valkey. *instance* names this process among those that share it."""

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
        self._servers = servers_at(url, client_name=f"{prefix}-{instance}")
        self._faults = Faults()
        self.faults = self._faults.counts  # by the names in redis_faults.py
        self._pages = Pages(layout=self._layout, retention=retention, clock=clock, ask=self._ask)
        self._lobby = Lobby(layout=self._layout, retention=retention, clock=clock, ask=self._ask, pages=self._pages)
        self._sections: list[Section] = []
        self._of_shard: dict[int, Section] = {}
        for server, its_shards in self._servers.sections(self._layout):
            section = Section(
                server=server,
                shards=its_shards,
                layout=self._layout,
                retention=retention,
                instance=instance,
                pages=self._pages,
                faults=self._faults,
                settle=self._settled,
                readers=READERS_OF_A_SHARD if self._servers.is_cluster else READERS,
            )
            self._sections.append(section)
            self._of_shard |= dict.fromkeys(its_shards, section)
        self._durability = "not known yet"

    def bind(self, listener: Listener) -> None:
        super().bind(listener)
        for section in self._sections:
            section.bind(listener)

    async def open(self) -> None:
        try:
            self._durability = await check(self._servers, self._layout, self._faults)
        except BaseException:
            await self._servers.close()
            raise
        for section in self._sections:
            section.start()

    async def close(self) -> None:
        await self.drain()
        await asyncio.gather(*(section.stop() for section in self._sections))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(APPEND_DEADLINE_S):
                await self._servers.close()
        await asyncio.sleep(0)  # what was refused while closing is told

    @property
    def away(self) -> str | None:
        """Why no shard can be used. In a cluster some may be away: their rooms refuse, and the others go on."""
        why = None
        for section in self._sections:
            if (why := section.health.away) is None:
                return None
        return why

    @property
    def durability(self) -> str:
        return self._durability

    # -- events

    def append(self, draft: Draft) -> None:
        self._section(draft.room).lane.append(draft)

    async def drain(self) -> None:
        try:
            async with asyncio.timeout(APPEND_DEADLINE_S):
                for section in self._sections:
                    await section.lane.quiet.wait()
        except TimeoutError:
            log.warning("not everything was settled within %s s", APPEND_DEADLINE_S)

    async def attach(self, room: str) -> EventId:
        return await self._section(room).attach(room)

    def detach(self, room: str) -> None:
        self._section(room).following.leave(room)

    async def title(self, room: str) -> str | None:
        return await self._pages.title(room)

    async def find_ref(self, room: str, session: bytes, ref: str) -> EventId | None:
        return await self._pages.find_ref(room, session, ref)

    async def after(self, room: str, cursor: EventId, limit: int) -> Page:
        return await self._pages.after(room, cursor, limit)

    async def before(self, room: str, cursor: EventId | None, limit: int) -> Page:
        return await self._pages.before(room, cursor, limit)

    async def rooms(self, limit: int) -> list[RoomLine]:
        return await self._lobby.rooms(limit)

    async def count_after(self, cursors: Mapping[str, EventId], limit: int) -> dict[str, int]:
        return await self._pages.count_after(cursors, limit)

    # -- signals

    def signal(self, room: str, body: bytes) -> None:
        place = self._layout.place(room)
        self._of_shard[place.shard].lane.ride(place.shard, Aside((b"s", place.name, body)))

    def lease(self, room: str, title: str, people: int, body: bytes | None) -> None:
        place = self._layout.place(room)
        given = (b"x", place.name) if body is None else (b"l", place.name, title, people, body)
        self._of_shard[place.shard].lane.ride(place.shard, Aside(given))

    async def leases(self, room: str) -> list[bytes]:
        return await self._lobby.leases(room)

    # -- parts

    def _section(self, room: str) -> Section:
        return self._of_shard[self._layout.place(room).shard]

    def _settled(self, drafts: Sequence[Draft]) -> None:
        self.listener.settled(drafts)

    async def _ask(self, calls: Sequence[Call]) -> list[Reply]:
        """The replies to *calls*, each from the section that has its shard. Raises Refused if one of these is away."""
        if len(self._sections) == 1:
            return await self._sections[0].readers.ask(calls)
        of_section: dict[Section, list[int]] = {}
        for index, call in enumerate(calls):
            of_section.setdefault(self._section_of(call, calls), []).append(index)
        answers = await asyncio.gather(
            *(section.readers.ask([calls[index] for index in indexes]) for section, indexes in of_section.items()),
            return_exceptions=True,
        )
        replies: list[Reply] = [None] * len(calls)
        for indexes, answer in zip(of_section.values(), answers, strict=True):
            if isinstance(answer, BaseException):
                raise answer
            for index, reply in zip(indexes, answer, strict=True):
                replies[index] = reply
        return replies

    def _section_of(self, call: Call, calls: Sequence[Call]) -> Section:
        """Where *call* is to be asked; one without a key (TIME) together with the first of *calls* that has one."""
        keyed = call if len(call) > 1 else next(other for other in calls if len(other) > 1)
        key = keyed[3] if keyed[0] == b"EVALSHA" else keyed[1]
        assert isinstance(key, bytes)
        return self._of_shard[self._layout.shard_of_key(key)]
