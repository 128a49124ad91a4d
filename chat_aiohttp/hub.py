"""The use cases: come in, say something, read back, leave, drain. Layer 3.

The hub stands between sockets and log. A message goes down (switchboard → wire → hub → store) and comes back up
(store → hub → rooms → switchboard); nothing takes a short cut, so one instance behaves as ten do. The hub knows no HTTP
and no database.

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

from chat_aiohttp import bodies, wire
from chat_aiohttp.attendance import Attendance
from chat_aiohttp.catch_up import CatchUp
from chat_aiohttp.changes import Changes
from chat_aiohttp.closing import Close, invitation
from chat_aiohttp.doors import Doors
from chat_aiohttp.echoes import Echoes
from chat_aiohttp.errors import BadInput, ChatError, NotAName, Refused, Unknown
from chat_aiohttp.events import DELETE, EDIT, MESSAGE, Draft, Event, EventId, Found, Gap, RoomLine
from chat_aiohttp.frames import TEXT
from chat_aiohttp.gate import Gate, GateRules
from chat_aiohttp.limits import IntakeRules
from chat_aiohttp.metrics import Metrics
from chat_aiohttp.names import person_name
from chat_aiohttp.order import SenderOrder
from chat_aiohttp.outgoing import Socket
from chat_aiohttp.pulse import Pulse
from chat_aiohttp.rooms import Member, Room, RoomRegistry
from chat_aiohttp.store import Store
from chat_aiohttp.switchboard import PING_S, Switchboard

log = logging.getLogger(__name__)

LONGEST_SPREAD_MS = 8_000  # of a drain's goodbyes: everybody is back within ten seconds
OUR_FAULT = frozenset(("log_away", "draining", "held"))
OUR_FAULT_COST = 0.05  # of a frame that says nothing
TYPING_COST = 0.5  # of a message: who types for ever can still not flood
GET_COST = 1.0  # of a message, for up to wire.MAX_GET of them


May = Callable[[Member, str, str | None], ChatError | None]
"""The seam for accounts, roles and moderation: may *member* write an event of this kind (events.py) here, about a
message of this author (a public id; None for a new message)? None: it may; else why not, which its sender is told.
Asked for each event before any limit, synchronously: it must not wait, so whoever keeps roles elsewhere has them at
hand by the time a member enters."""


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
        self.may = may
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
        self._order = SenderOrder(store=store)
        self._echoes = Echoes(self._unheard)
        self._sends = 0  # so far, by everybody: what was sent before what
        self._changes = Changes(
            store=store, switchboard=self.switchboard, may=may, refuse=self._refuse, is_behind=self._order.is_behind
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
        await self._order.stop()
        await self._changes.stop()
        self._echoes.stop()
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
        while it stood at the door: its goodbyes would have passed it by. *may_change*: whether its
        session gives a right to edit or delete what it says."""
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
        self._order.forget(socket)
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
                self.publish(socket, wire.decode_plain(payload, self.rules.message_chars))
        except BadInput as error:
            self._reject(socket, error, error.ref, self._sends)
        except Exception:
            log.exception("a message could not be handled")
            self.switchboard.close(socket, Close.INTERNAL_ERROR, "the server failed")

    def _obey(self, member: Member, command: wire.Command) -> None:
        match command:
            case wire.Send():
                self.publish(member, command)
            case wire.Edit() | wire.Delete() | wire.React():
                self.change(member, command)
            case wire.Typing():
                if self._pays(member, TYPING_COST):
                    self.attendance.typing(member)
            case wire.Get(ids):
                if self._pays(member, GET_COST):
                    self._changes.get(member, ids)
            case wire.Ping():
                self.switchboard.charge(member)
                self.switchboard.send(member, wire.PONG)
            case wire.Rename(name):
                # As dear as a message, to the room too: everybody in it is looked at.
                if (too_fast := self.gate.speak(member, self._clock())) is not None:
                    self._reject(member, too_fast, None, self._sends)
                else:
                    self.rename(member, name)
            case wire.History():
                self.switchboard.charge(member)
                self._catch_up.page(member, command)

    def publish(self, member: Member, send: wire.Send) -> None:
        """Give *send* to the room's log. Its outcome comes as its echo, an ack or an error to *member*. Never waits."""
        ref = send.ref
        self._sends += 1
        if (error := self.may(member, MESSAGE, None) or self._hindrance(member, ref)) is not None:
            self._reject(member, error, ref, self._sends)
            return
        room = member.room
        self.metrics.messages_in += 1
        self.store.append(
            Draft(
                room.key,
                room.title,
                MESSAGE,
                bodies.message_body(send.message, member.id, member.name, ref, send.reply),
                session=member.session,
                ref=ref,
                digest=bodies.send_digest(send) if ref is not None else b"",
                owner=member,
                number=self._sends,
            )
        )

    def change(self, member: Member, change: wire.Change) -> None:
        """Give *change* to the room's log, if *member* may make it. Its outcome comes as a send's does. Never waits."""
        self._sends += 1
        if (error := self._hindrance(member, change.ref)) is not None:
            self._reject(member, error, change.ref, self._sends)
        else:
            self._changes.take(member, change, self._sends)

    def _hindrance(self, member: Member, ref: str | None) -> ChatError | None:
        """Why *member* may not write now; None: it may."""
        if member.held is not None and self._order.holds(member, ref):
            return Refused("held", "A message before this one was refused. Send that one again first.")
        if self.draining:
            return Refused("draining", "This server is restarting. Send again with the same ref where you come back.")
        if self.store.away is not None:
            return Refused("log_away", "The room's log does not answer. Send again with the same ref.")
        if (too_fast := self.gate.speak(member, self._clock())) is not None:
            return too_fast
        if member.held is not None:
            self._order.release(member)
        return None

    def _reject(self, member: Member, error: ChatError, ref: str | None, number: int) -> None:
        """Refuse what never reached the log: it counts as a frame that says nothing, and for little if that is our
        fault: whoever has much to send and does as the protocol says sends it again and again."""
        self._refuse(member, error, ref, number)
        self.switchboard.charge(member, OUR_FAULT_COST if error.code in OUR_FAULT else 1)

    def _pays(self, member: Member, cost: float) -> bool:
        """Whether *member* can pay for what is met with silence if it can't."""
        now = self._clock()
        if self.gate.own(member, now).take(cost, now):
            return True
        self.switchboard.charge(member)
        return False

    def _refuse(self, member: Member, error: ChatError, ref: str | None, number: int) -> None:
        self.metrics.refusals[error.code] += 1
        if not member.is_open:
            return  # gone and forgotten: whoever is held from now on would be kept for ever
        if ref is not None and error.retryable:
            self._order.hold(member, ref, number)
        elif ref is not None:
            self._order.give_up(member, ref)
        self.switchboard.send(member, wire.error_frame(error, ref, v1=member.v1))

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
        """Answer those whose send was refused or a repeat; the echo answers the others, if it comes."""
        stored: list[Draft] = []
        for draft in drafts:
            if draft.error is not None or draft.repeated:
                self._answer(draft)
            else:
                stored.append(draft)
        if stored:
            self._echoes.expect(stored)

    def _unheard(self, draft: Draft, error: Unknown) -> None:
        draft.error = error
        self._answer(draft)

    def _answer(self, draft: Draft) -> None:
        member = draft.owner
        if not isinstance(member, Member) or not member.is_open:
            return  # gone: it will come back and send again
        if draft.error is not None:
            self._refuse(member, draft.error, draft.ref, draft.number)
        elif member.v1:
            self.switchboard.send(member, wire.ack_frame(str(draft.ref), draft.id))
        else:
            self._repeat(member, draft)

    def _repeat(self, member: Member, draft: Draft) -> None:
        # A plain client resumes after the last id it was sent: told of this one before its turn, it would skip what
        # lies between. If it is still to come, its turn is the answer.
        frame = wire.message_frame(draft.id, draft.body)
        if member in member.room.arriving:
            self._catch_up.answer_after(member, draft.id, frame)
        elif not member.room.will_send(member, draft.id):
            self.switchboard.send(member, frame)

    def signalled(self, room: str, body: bytes) -> None:
        """Presence or typing."""
        self.attendance.heard(room, body)

    def gap(self, room: str, gap: Gap) -> None:
        """The log of *room* lost something that its members here have not seen."""
        if (found := self.registry.get(room)) is not None:
            self.metrics.gaps += 1
            found.restart(gap.position, wire.gap_frame(gap, v1=True), wire.gap_frame(gap, v1=False))

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
        await self._changes.drain()
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
