"""The use cases: come in, say something, read back, leave, drain. Layer 3.

The hub stands between sockets and log. A message goes down (switchboard → wire → hub → store) and comes back up
(store → hub → rooms → switchboard); nothing takes a short cut, so one instance behaves as ten do. The hub knows no HTTP
and no database. What is said goes through speech.py.

Everything it does to rooms is synchronous. What must wait (opening a room: doors.py; reading back: catch_up.py) waits
before or beside that.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from random import Random
from time import monotonic

import msgspec

from chat_aiohttp import wire
from chat_aiohttp.attendance import Attendance
from chat_aiohttp.catch_up import CatchUp
from chat_aiohttp.changes import May
from chat_aiohttp.closing import Close, invitation
from chat_aiohttp.doors import Doors
from chat_aiohttp.errors import BadInput, ChatError, NotAName, Refused
from chat_aiohttp.events import DELETE, EDIT, Draft, Event, EventId, Found, Gap, RoomLine
from chat_aiohttp.frames import TEXT
from chat_aiohttp.gate import Gate, GateRules
from chat_aiohttp.limits import IntakeRules
from chat_aiohttp.metrics import Metrics
from chat_aiohttp.names import person_name
from chat_aiohttp.outgoing import Socket
from chat_aiohttp.pulse import Pulse
from chat_aiohttp.rooms import Member, Room, RoomRegistry
from chat_aiohttp.speech import TYPING_COST, Speech
from chat_aiohttp.store import Store
from chat_aiohttp.switchboard import PING_S, Switchboard

log = logging.getLogger(__name__)

LONGEST_SPREAD_MS = 8_000  # of a drain's goodbyes: everybody is back within ten seconds


def everybody_may(member: Member, kind: str, author: str | None) -> ChatError | None:
    """Anybody who is in a room may write in it, and edit and delete what they wrote, from the session they wrote it
    with; unless that came as `session=` in an address, because addresses get around."""
    if kind in (EDIT, DELETE) and (author != member.id or not member.may_change):
        return BadInput("not_yours", "Only who wrote a message may change it, from where they wrote it.")
    return None


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
            on_message=self._on_message,
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
            self.switchboard.send(member, self._welcome(member))
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

    def _welcome(self, member: Member) -> bytes:
        rules, room = self.rules, member.room
        return wire.text_frame(
            {
                "type": "welcome",
                "you": wire.person(member.id, member.name),
                "room": {"key": room.key, "name": room.title},
                "position": str(room.position),
                "limits": {"message": rules.message_chars, "name": 32, "frame": rules.frame_bytes},
                "ping": PING_S,
            }
        )

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

    # -- what members say

    def _on_message(self, socket: Socket, opcode: int, payload: bytes) -> None:
        assert isinstance(socket, Member)
        if opcode != TEXT:
            self.switchboard.close(socket, Close.UNSUPPORTED_DATA, "this protocol is text")
            return
        try:
            if socket.v1:
                self._obey(socket, wire.decode_v1(payload, self.rules.message_chars))
            else:
                self.speech.publish(socket, wire.decode_plain(payload, self.rules.message_chars))
        except BadInput as error:
            self.speech.reject(socket, error, error.ref)
        except Exception:
            log.exception("a message could not be handled")
            self.switchboard.close(socket, Close.INTERNAL_ERROR, "the server failed")

    def _obey(self, member: Member, command: wire.Command) -> None:
        match command:
            case wire.Send():
                self.speech.publish(member, command)
            case wire.Edit() | wire.Delete() | wire.React():
                self.speech.change(member, command)
            case wire.Typing():
                if self.speech.pays(member, TYPING_COST):
                    self.attendance.typing(member)
            case wire.Get():
                self.speech.get(member, command)
            case wire.Ping():
                self.switchboard.charge(member)
                self.switchboard.send(member, wire.PONG)
            case wire.Rename(name):
                # As dear as a message, to the room too: everybody in it is looked at.
                if (too_fast := self.gate.speak(member, self._clock())) is not None:
                    self.speech.reject(member, too_fast, None)
                else:
                    self.rename(member, name)
            case wire.History():
                self.switchboard.charge(member)
                self._catch_up.page(member, command)

    def rename(self, member: Member, name: str) -> None:
        """From now on *member* is called *name*, in all its tabs here: a person has one name."""
        try:
            known_as = person_name(name)
        except NotAName as error:
            raise BadInput("bad_name", error.words) from None
        for other in member.room.members():
            if other.id == member.id:
                other.name = known_as
        self.attendance.changed(member.room.key)

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
