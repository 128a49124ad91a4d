"""Telling people about people: presence across instances, and who is typing. Layer 3.

One beat a second for the whole process: it publishes the rosters that changed or are due for renewal, forgets
instances that did not renew, and tells members what changed. Between beats a change goes out at once if the room was
quiet for a second. The state itself is presence.py's; it is never kept in a room's log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from chat_aiohttp.presence import (
    BELIEVED_S,
    RENEW_EVERY_S,
    TELL_EVERY_S,
    People,
    RoomPresence,
    Roster,
    Typist,
    decode_signal,
    encode_typing,
)
from chat_aiohttp.registry import RoomRegistry
from chat_aiohttp.rooms import Member, Room
from chat_aiohttp.store import Store
from chat_aiohttp.switchboard import Switchboard
from chat_aiohttp.wire import text_frame


class Attendance:
    """Presence of every room that has a member in this process."""

    def __init__(
        self,
        *,
        store: Store,
        registry: RoomRegistry,
        switchboard: Switchboard,
        instance: str,
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._registry = registry
        self._switchboard = switchboard
        self._instance = instance
        self._clock = clock
        self._rooms: dict[str, RoomPresence] = {}
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to beat, in the running loop."""
        self._timer = asyncio.get_running_loop().call_later(TELL_EVERY_S, self._beat)

    async def stop(self) -> None:
        """Give all leases back and beat no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for key in [*self._rooms]:
            self.close(key)

    def open(self, key: str, leases: list[bytes]) -> None:
        """A room got its first member here; *leases* are what other instances have told."""
        presence = self._rooms[key] = RoomPresence(self._instance)
        for body in leases:
            roster = decode_signal(body)
            if isinstance(roster, Roster):
                presence.hear(roster, self._clock(), BELIEVED_S)

    def close(self, key: str) -> None:
        """A room lost its last member here."""
        presence = self._rooms.pop(key, None)
        if presence is not None and presence.publish_at:
            self._store.lease(key, "", 0, None)
            self._store.signal(key, presence.roster({}))

    def changed(self, key: str) -> None:
        """Someone came, left or is called differently in this room here."""
        presence = self._rooms.get(key)
        if presence is None:
            return
        presence.changed = presence.unpublished = True
        self._catch_beat(key, presence)

    def typing(self, member: Member) -> None:
        """*member* is typing."""
        self._store.signal(member.room.key, encode_typing(member.id, member.name))

    def heard(self, key: str, body: bytes) -> None:
        """A signal came for this room, ours or another instance's."""
        presence, room = self._rooms.get(key), self._registry.get(key)
        if presence is None or room is None:
            return
        match decode_signal(body):
            case Typist(who, name):
                room.tell(text_frame({"type": "typing", "from": who, "name": name}))
                room.flush()
            case Roster() as roster:
                presence.hear(roster, self._clock())
                self._catch_beat(key, presence)

    def state_frame(self, room: Room) -> bytes:
        """Everybody in *room*, for one who has just come."""
        return self._rooms[room.key].state_frame()

    def _beat(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(TELL_EVERY_S, self._beat)
        now = self._clock()
        for key, presence in [*self._rooms.items()]:  # who is told may be found gone, and the room with them
            presence.expire(now)
            if presence.changed or presence.unpublished or presence.publish_at <= now:
                self._go_out(key, presence, now)

    def _catch_beat(self, key: str, presence: RoomPresence) -> None:
        # A quiet room hears of a change at once; a busy one once a second, with the beat.
        now = self._clock()
        if presence.changed and presence.tell_at <= now:
            self._go_out(key, presence, now)

    def _go_out(self, key: str, presence: RoomPresence, now: float) -> None:
        room = self._registry.get(key)
        if room is None:
            return
        here = _people(room)
        if presence.unpublished or presence.publish_at <= now:
            self._publish(room, presence, here, now)
        if presence.changed:
            presence.tell_at = now + TELL_EVERY_S
            if (frame := presence.diff_frame(here, now)) is not None:
                room.tell(frame)
                room.flush()

    def _publish(self, room: Room, presence: RoomPresence, here: People, now: float) -> None:
        presence.unpublished = False
        presence.publish_at = now + RENEW_EVERY_S
        roster = presence.roster(here)
        self._store.lease(room.key, room.title, len(here), roster)
        self._store.signal(room.key, roster)


def _people(room: Room) -> People:
    return {member.id: member.name for member in room.members()}
