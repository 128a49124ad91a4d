"""Some shards and the server that has them: who writes to them, who follows them, who reads back. Layer 2.

On one server, and behind Sentinels, one section has all shards. In a Cluster each shard is a section of its own, since
its slot may move to another node at any time, and since one command can't be about two slots.

What goes wrong in a section is of this section: the others go on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

from chat_aiohttp.events import Draft, EventId
from chat_aiohttp.store import Listener, Retention
from chat_aiohttp.store.redis_append import Lane
from chat_aiohttp.store.redis_faults import Faults, Health
from chat_aiohttp.store.redis_follow import Follower
from chat_aiohttp.store.redis_followed import Following
from chat_aiohttp.store.redis_gather import Aside
from chat_aiohttp.store.redis_keys import Layout
from chat_aiohttp.store.redis_link import Link
from chat_aiohttp.store.redis_pages import Pages, event_id
from chat_aiohttp.store.redis_readers import Readers
from chat_aiohttp.store.redis_scripts import AFTER, COUNT, FORGET, STAND
from chat_aiohttp.store.redis_servers import Server
from chat_aiohttp.store.redis_turn import TURN

log = logging.getLogger(__name__)

# A client library may take a cancellation that comes at an unlucky moment for its own: then it is asked again.
CANCELS: Final = 5
CANCEL_S: Final = 1.0


class Section:
    """*shards* of one *server*: a lane, a follower, and at most *readers* links that read back."""

    def __init__(
        self,
        *,
        server: Server,
        shards: Sequence[int],
        layout: Layout,
        retention: Retention,
        instance: str,
        pages: Pages,
        faults: Faults,
        settle: Callable[[Sequence[Draft]], None],
        readers: int,
    ) -> None:
        self._layout = layout
        self._server = server
        self._first = shards[0]
        self._wake = Aside((b"w", layout.shards[self._first].wake(instance)))
        self._tasks: list[asyncio.Task[None]] = []
        self.health = Health(faults)
        self.readers = Readers(server=server, scripts=(STAND, AFTER, COUNT, FORGET), health=self.health, count=readers)
        self.following = Following(layout)
        self.lane = Lane(
            layout=layout,
            first=self._first,
            retention=retention,
            instance=instance,
            connect=lambda: Link(server=server, faults=faults, scripts=(TURN,)),
            health=self.health,
            settle=settle,
        )
        self.follower = Follower(
            following=self.following,
            wake_key=layout.shards[self._first].wake(instance),
            connect=lambda: Link(server=server, faults=faults, scripts=(AFTER,)),
            pages=pages,
            health=self.health,
        )

    def bind(self, listener: Listener) -> None:
        """Tell what happens to *listener*."""
        self.following.listener = listener

    def start(self) -> None:
        """Begin to write and to follow, in the running loop."""
        parts = (self.lane.run(), self.follower.run(), self._server.watch())
        self._tasks = [asyncio.create_task(part) for part in parts]

    async def stop(self) -> None:
        """End that; what the lane holds is refused, and whatever comes from now on."""
        self.health.causes["store"] = "the store is closed"
        ending = set(self._tasks)
        for _ in range(CANCELS):
            if not ending:
                break
            for task in ending:
                task.cancel()
            done, ending = await asyncio.wait(ending, timeout=CANCEL_S)
            for task in done:
                if not task.cancelled() and (error := task.exception()) is not None:
                    log.error("a part of the store ended badly", exc_info=error)
        self._tasks.clear()
        await self.readers.close()

    async def attach(self, room: str) -> EventId:
        """See Store.attach."""
        followed = self.following.enter(room)
        if followed.position is not None:
            return followed.position
        place = self._layout.place(room)
        keys = self._layout.shards[place.shard]
        try:
            (stand,) = await self.readers.ask([STAND.call([keys.head, keys.of(b"r", place.name)])])
        except BaseException:
            self.following.give_up(followed)
            raise
        position = event_id(stand[2])
        if self.following.settle(followed, stand, position):
            self.lane.ride(self._first, self._wake)
        return position
