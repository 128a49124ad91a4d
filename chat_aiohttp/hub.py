"""The use cases: come in, say something, read back, leave, drain. Layer 3.

The hub stands between sockets and log. A message goes down (switchboard → wire → hub → store) and comes back up
(store → hub → rooms → switchboard); nothing takes a short cut, so one instance behaves as ten do. The hub knows no HTTP
and no database. What members ask is taken by reception.py, what they say goes through speech.py.

Everything it does to rooms is synchronous. What must wait (opening a room: doors.py; reading back: catch_up.py) waits
before or beside that.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from random import Random
from time import monotonic

import msgspec

from chat_aiohttp import wire
from chat_aiohttp.attendance import Attendance
from chat_aiohttp.catch_up import CatchUp
from chat_aiohttp.closing import Close, invitation
from chat_aiohttp.doors import Doors
from chat_aiohttp.errors import Refused
from chat_aiohttp.events import Draft, Event, EventId, Found, Gap, RoomLine
from chat_aiohttp.gate import Gate, GateRules
from chat_aiohttp.limits import IntakeRules
from chat_aiohttp.may import May, everybody_may
from chat_aiohttp.metrics import Metrics
from chat_aiohttp.outgoing import Socket
from chat_aiohttp.pulse import Pulse
from chat_aiohttp.reception import Reception
from chat_aiohttp.registry import RoomRegistry
from chat_aiohttp.rooms import Member, Room
from chat_aiohttp.speech import Speech
from chat_aiohttp.store import Store
from chat_aiohttp.switchboard import Switchboard

LONGEST_SPREAD_MS = 8_000  # of a drain's goodbyes: everybody is back within ten seconds


class HubRules(msgspec.Struct, frozen=True):
    """What the hub is configured with: bounds in characters, bytes and seconds."""

    message_chars: int = 4000
    frame_bytes: int = 65_536
    gate: GateRules = GateRules()
    intake: IntakeRules = IntakeRules()
    queue_bytes: int = 1_048_576
    slice_s: float = 0.002
    rest: float = 2.0


class Hub:
    """One process' rooms and everybody in them. `start` in the running loop, `drain` and `stop` at the end."""

    def __init__(
        self,
        *,
        store: Store,
        rules: HubRules,
        instance: str,
        may: May = everybody_may,
        clock: Callable[[], float] = monotonic,
        random: Random,
    ) -> None:
        self.store = store
        self.rules = rules
        self.draining = False
        self.metrics = Metrics()
        self.gate = Gate(rules.gate, self.metrics)
        self.switchboard = Switchboard(
            on_message=lambda socket, opcode, payload: self._reception.take(socket, opcode, payload),
            on_gone=self._on_gone,
            max_message_bytes=rules.frame_bytes,
            queue_bytes=rules.queue_bytes,
            slice_s=rules.slice_s,
            intake=rules.intake,
            metrics=self.metrics,
        )
        self.registry = RoomRegistry(switchboard=self.switchboard, rest=rules.rest)
        self.attendance = Attendance(
            store=store, registry=self.registry, switchboard=self.switchboard, instance=instance, clock=clock
        )
        self._catch_up = CatchUp(store=store, switchboard=self.switchboard, on_live=self._on_live)
        self._pulse = Pulse(self.metrics.lag)
        self._clock = clock
        self._random = random
        self.speech = Speech(
            store=store,
            switchboard=self.switchboard,
            gate=self.gate,
            metrics=self.metrics,
            catch_up=self._catch_up,
            may=may,
            is_draining=lambda: self.draining,
            clock=clock,
        )
        self._reception = Reception(
            switchboard=self.switchboard,
            speech=self.speech,
            attendance=self.attendance,
            catch_up=self._catch_up,
            gate=self.gate,
            message_chars=rules.message_chars,
            frame_bytes=rules.frame_bytes,
            clock=clock,
        )
        self._doors = Doors(store=store, registry=self.registry, attendance=self.attendance)
        store.bind(self)

    def start(self) -> None:
        """Begin to serve, in the running loop."""
        self.switchboard.start()
        self.attendance.start()
        self._pulse.start()

    async def stop(self) -> None:
        """Let go of everything, at once. `drain` comes before, where there is time."""
        self._pulse.stop()
        await self.attendance.stop()
        await self._catch_up.stop()
        await self.speech.stop()
        self.switchboard.stop()

    @property
    def away(self) -> str | None:
        """Why this instance is not ready: None, or words."""
        return "draining" if self.draining else self.store.away

    # -- coming in and leaving

    @asynccontextmanager
    async def door(self, key: str, title: str, address: bytes | None = None) -> AsyncIterator[Room]:
        """The room, open and followed, for as long as someone of *address* stands at its door. Raises Refused while it
        can't be, Limited when *address* or the room has no place left."""
        self._check_open()
        self.gate.admit(address, key, self._clock())
        try:
            async with self._doors.stand_at(key, title) as room:
                self.gate.check_room(address, room, self._clock())
                yield room
        finally:
            self.gate.leave(address, key)  # whoever entered has a seat of its own by now

    def member(
        self,
        room: Room,
        *,
        session: bytes,
        who: str,
        name: str,
        v1: bool,
        may_change: bool = True,
        address: bytes | None = None,
    ) -> Member:
        """A connection that is about to enter *room*, without a wait in between. Raises Refused when a drain has begun
        while it stood at the door: its goodbyes would have passed it by. *may_change*: whether its session gives a
        right to edit or delete what it says."""
        self._check_open()
        return Member(
            room=room, session=session, public_id=who, name=name, v1=v1, may_change=may_change, address=address
        )

    def _check_open(self) -> None:
        if self.draining:
            raise Refused("draining", "This server is about to restart. Come back in a moment.")

    def enter(self, member: Member, fd: int, *, early: bytes, after: EventId | None, history: int) -> None:
        """*member* is in its room now, on descriptor *fd*; *early* is what it sent together with the handshake.

        Synchronous from here to the first frame: nothing said from now on can be missed.
        """
        room = member.room
        self.switchboard.adopt(member, fd)
        self.gate.sit(member.address, room.key)
        if member.v1:
            self.switchboard.send(member, self._reception.welcome(member))
        if not member.is_open:
            return  # the first write found it gone, and it has left already
        if after is not None or history:
            room.arriving.add(member)
            self._catch_up.begin(member, after, history)
        else:
            room.join(member, room.position)
            self._on_live(member, more=True)
        self.attendance.changed(room.key)
        if early and member.is_open:
            self.switchboard.feed(member, early)

    def _on_live(self, member: Member, *, more: bool) -> None:
        if member.v1:
            self.switchboard.send(member, self.attendance.state_frame(member.room))
            live = {"type": "live", "position": str(member.room.position), "more": more}
            self.switchboard.send(member, wire.text_frame(live))

    def _on_gone(self, socket: Socket, code: int) -> None:
        assert isinstance(socket, Member)
        room = socket.room
        room.leave(socket)
        self.metrics.closed(code)
        self.gate.leave(socket.address, room.key)
        self.speech.forget(socket)
        self.attendance.changed(room.key)
        self._doors.close_if_empty(room.key)

    # -- what the store tells (store.Listener)

    def stored(self, events: Sequence[Event]) -> None:
        """Deliver *events* to the rooms."""
        self._doors.keep_early(events)
        self.registry.deliver(events)

    def settled(self, drafts: Sequence[Draft]) -> None:
        """Answer the senders of *drafts*."""
        self.speech.settled(drafts)

    def signalled(self, room: str, body: bytes) -> None:
        """Presence or typing."""
        self.attendance.heard(room, body)

    def gap(self, room: str, gap: Gap) -> None:
        """The log of *room* lost something that its members here have not seen."""
        if (found := self.registry.get(room)) is not None:
            self.metrics.gaps += 1
            found.restart(gap.position, wire.gap_frame(gap, v1=True), wire.gap_frame(gap, v1=False))
        self._doors.lost(room)

    # -- beside the rooms

    async def rooms(self, limit: int) -> list[RoomLine]:
        """The lobby. Raises Refused while the log is away."""
        return await self.store.rooms(limit)

    async def search(self, room: str, query: str, before: EventId | None, limit: int) -> Found:
        """The messages of *room* that hold *query*; see Store.search. Raises BadInput, and Refused while the log is
        away."""
        return await self.store.search(room, query, before=before, limit=limit)

    async def unread(self, cursors: Mapping[str, EventId], limit: int) -> dict[str, int]:
        """How much each room's log has after its cursor; see Store.count_after. Raises Refused while it is away."""
        return await self.store.count_after(cursors, limit)

    async def drain(self, deadline_s: float) -> None:
        """Settle what is under way, then send everybody away, to come back spread out. Ends within *deadline_s*."""
        self.draining = True
        ends = self._clock() + deadline_s
        await self.speech.drain()
        await self.store.drain()
        await asyncio.sleep(0)  # what has just settled reaches its members before the goodbye
        members = [member for room in self.registry.rooms() for member in room.members()]
        spread_ms = min(LONGEST_SPREAD_MS, 1_000 + 2 * len(members))
        for member in members:
            self._send_away(member, 200 + self._random.randrange(spread_ms))
        await self.switchboard.wait_empty(max(0.0, ends - self._clock()))

    def _send_away(self, member: Member, delay_ms: int) -> None:
        if member.v1:
            going = {"type": "going-away", "delay": delay_ms, "reason": "restarting"}
            self.switchboard.send(member, wire.text_frame(going))
        self.switchboard.close(member, Close.RESTARTING, invitation(delay_ms))
