"""Opening and closing rooms. Layer 3.

A room exists here while somebody is in it or stands at its door. Opening one means following its log, which waits;
whoever comes meanwhile waits for the same opening. What the store tells in that time is kept and delivered when the
room is there, so that nothing lies between the position it opens at and the first event it hears.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from chat_aiohttp.attendance import Attendance
from chat_aiohttp.errors import Refused
from chat_aiohttp.events import Event
from chat_aiohttp.registry import RoomRegistry
from chat_aiohttp.rooms import Room
from chat_aiohttp.store import Store

EARLY_EVENTS: Final = 10_000  # kept while a room opens; beyond it the opening fails and the client comes back


class Doors:
    """The rooms that are being opened, and who waits for that."""

    def __init__(self, *, store: Store, registry: RoomRegistry, attendance: Attendance) -> None:
        self._store = store
        self._registry = registry
        self._attendance = attendance
        self._waiting: dict[str, int] = {}  # room key -> handshakes under way: an empty room is kept for them
        self._opening: dict[str, asyncio.Task[Room]] = {}
        self._early: dict[str, list[Event]] = {}
        self._torn: set[str] = set()  # rooms about to open whose log lost something meanwhile

    @asynccontextmanager
    async def stand_at(self, key: str, title: str) -> AsyncIterator[Room]:
        """The room, open and followed, for as long as the context lasts. Raises Refused while the log is away."""
        self._waiting[key] = self._waiting.get(key, 0) + 1
        try:
            room = self._registry.get(key)  # an empty one is falsy, and is still the room
            yield room if room is not None else await self._open(key, title)
        finally:
            self._waiting[key] -= 1
            if not self._waiting[key]:
                del self._waiting[key]
                self.close_if_empty(key)

    def close_if_empty(self, key: str) -> None:
        """Forget the room if nobody is in it and nobody stands at its door."""
        room = self._registry.get(key)
        if room is not None and not len(room) and key not in self._waiting:
            self._registry.drop(room)
            self._attendance.close(key)
            self._store.detach(key)

    def keep_early(self, events: Sequence[Event]) -> None:
        """Keep those of *events* that are for rooms about to open."""
        if self._early:
            for event in events:
                early = self._early.get(event.room)
                if early is not None:
                    early.append(event)

    def lost(self, key: str) -> None:
        """The log of room *key* lost something. If the room is about to open, where it begins may be wrong by now."""
        if key in self._early:
            self._torn.add(key)

    async def _open(self, key: str, title: str) -> Room:
        task = self._opening.get(key)
        if task is None:
            self._early[key] = []
            task = self._opening[key] = asyncio.create_task(self._attach(key, title))
            task.add_done_callback(_retrieve)
        # Shared by everyone at the door, so not any one handshake's to cancel; the store's own deadlines end it.
        return await asyncio.shield(task)

    async def _attach(self, key: str, title: str) -> Room:
        try:
            position = await self._store.attach(key)
            known_as = await self._store.title(key)
            rosters = await self._store.leases(key)
            if key in self._torn:
                raise Refused("busy", "This room's log has just lost something. Come back in a moment.")
            if len(self._early[key]) > EARLY_EVENTS:
                raise Refused("busy", "This room is too busy to be opened just now. Come back in a moment.")
        except BaseException:
            self._store.detach(key)
            raise
        else:
            room = self._registry.open(key, known_as or title, position)
            self._attendance.open(key, rosters)
            for event in self._early[key]:
                room.deliver(event)
            room.flush()
            self.close_if_empty(key)  # whoever waited for it may have given up
            return room
        finally:
            del self._opening[key], self._early[key]
            self._torn.discard(key)


def _retrieve(task: asyncio.Task[Room]) -> None:
    """Whoever waited has had the error; if all of them gave up, nobody wants it."""
    if not task.cancelled():
        task.exception()
