"""The rooms as the lobby shows them, and who is there. Layer 2.

Each shard has an index of its rooms by when something last happened (no SCAN); titles, people and last messages are
asked for a hundred rooms at a time. Nothing here writes, but that rooms that have vanished are taken off the index.

Promise: no room that is gone is shown, and none is forgotten that someone has just entered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from chat_aiohttp.events import RoomLine
from chat_aiohttp.store import Retention
from chat_aiohttp.store.redis_keys import Layout, Place, room_of
from chat_aiohttp.store.redis_link import Call, Reply
from chat_aiohttp.store.redis_pages import Ask, Pages, event_of
from chat_aiohttp.store.redis_scripts import FORGET

TAIL_LOOKED_AT = 16  # entries at a room's end in which the lobby looks for its last message
LINES_AT_ONCE = 100  # rooms that one question about the lobby is about
VANISHED_SPARE = 50  # rooms more than asked for: some may turn out to have vanished


class Lobby:
    """Looks over all rooms. *ask* puts questions to their servers, whichever these are."""

    def __init__(
        self, *, layout: Layout, retention: Retention, clock: Callable[[], float], ask: Ask, pages: Pages
    ) -> None:
        self._layout = layout
        self._retention = retention
        self._clock = clock
        self._ask = ask
        self._pages = pages

    async def leases(self, room: str) -> list[bytes]:
        """See Store.leases."""
        place = self._layout.place(room)
        keys = self._layout.shards[place.shard]
        clock, leases = await self._ask([(b"TIME",), (b"HVALS", keys.of(b"l", place.name))])
        return [body for _, body in _live(leases, _ms(clock))]

    async def rooms(self, limit: int) -> list[RoomLine]:
        """See Store.rooms."""
        newest = await self._newest(limit + VANISHED_SPARE)
        lines: list[RoomLine] = []
        while newest and len(lines) < limit:
            lines += await self._lines(newest[:LINES_AT_ONCE])
            newest = newest[LINES_AT_ONCE:]
        lines.sort(key=lambda line: (-line.active_ms, line.key))
        return lines[:limit]

    async def _newest(self, limit: int) -> list[tuple[int, Place]]:
        """The most recently active rooms, newest first; the index forgets rooms that were idle for too long."""
        idle_ms = self._retention.idle_room_s * 1000
        gone = f"({int(self._clock() * 1000) - idle_ms - idle_ms // 16}" if idle_ms else "-inf"
        calls: list[Call] = []
        for keys in self._layout.shards:
            calls.append((b"ZRANGEBYSCORE", keys.rooms, b"-inf", gone, b"LIMIT", 0, LINES_AT_ONCE))
            calls.append((b"ZREVRANGE", keys.rooms, 0, limit - 1, b"WITHSCORES"))
        replies = await self._ask(calls)
        if idle_ms:
            await self._forget((shard, name) for shard, names in enumerate(replies[::2]) for name in names)
        found = [
            (int(float(at)), Place(shard, name))
            for shard, flat in enumerate(replies[1::2])
            for name, at in zip(flat[::2], flat[1::2], strict=True)
        ]
        found.sort(key=lambda one: (-one[0], one[1].name))
        return found[:limit]

    async def _lines(self, rooms: list[tuple[int, Place]]) -> list[RoomLine]:
        """How the lobby shows *rooms*, less those that have vanished."""
        calls: list[Call] = [(b"TIME",)]
        for _, (shard, name) in rooms:
            keys = self._layout.shards[shard]
            calls.append((b"HGET", keys.titles, name))
            calls.append((b"HVALS", keys.of(b"l", name)))
            calls.append((b"XREVRANGE", keys.of(b"r", name), b"+", self._pages.oldest(), b"COUNT", TAIL_LOOKED_AT))
        clock, *replies = await self._ask(calls)
        lines, vanished = [], []
        for (active_ms, place), title, leases, tail in zip(
            rooms, replies[::3], replies[1::3], replies[2::3], strict=True
        ):
            room, people = room_of(place.name), sum(count for count, _ in _live(leases, _ms(clock)))
            if tail or people:
                last = await self._last(room, tail)
                lines.append(RoomLine(room, title.decode() if title else room, active_ms, people, last))
            else:
                vanished.append(place)
        await self._forget(vanished)
        return lines

    async def _last(self, room: str, tail: list[Reply]) -> bytes | None:
        """The room's last message as it is now."""
        if tail and len(tail[0][1]) == 4 and (event := event_of(room, *tail[0])) is not None:
            return event.body  # nothing is younger, so nothing is about it
        events = (await self._pages.before(room, None, 1)).events
        return events[0].body if events else None

    async def _forget(self, places: Iterable[tuple[int, bytes]]) -> None:
        """Take rooms off the lobby's index that are gone. The script looks again: someone may have just come."""
        gone: dict[int, list[bytes]] = {}
        for shard, name in places:
            gone.setdefault(shard, []).append(name)
        shards = self._layout.shards
        if gone:
            await self._ask(
                [FORGET.call([shards[n].rooms, shards[n].titles], shards[n].base, *names) for n, names in gone.items()]
            )


def _live(leases: list[bytes], now_ms: int) -> list[tuple[int, bytes]]:
    """How many and who, for each lease that has not run out. What is no lease is nobody."""
    found = []
    for lease in leases:
        until, _, rest = lease.partition(b" ")
        people, _, body = rest.partition(b" ")
        if until.isdigit() and people.isdigit() and int(until) > now_ms:
            found.append((int(people), body))
    return found


def _ms(clock: list[bytes]) -> int:
    """Milliseconds of Redis' TIME."""
    return int(clock[0]) * 1000 + int(clock[1]) // 1000
