"""Who is in which room of this process, and what each room has yet to send. Layer 1.

Rooms change only in synchronous code: between looking at a room and acting on it there is no await, so joining, leaving
and broadcasting cannot interleave, and nothing here needs a lock. Which rooms there are: registry.py.

A quiet room sends at once. A busy one gathers: after a flush that took t it rests for `rest * t`, and what comes
meanwhile leaves together, in one write per member. One room can then take at most 1 / (1 + rest) of the core, and a
delivery gets cheaper as load rises; only with GATHERED_BYTES pending a rest is cut short. A flush to many runs in
slices; the next slice comes after the loop has looked at everybody else.

Exactly once: a room knows its position, the id delivered last; what is not after it is dropped. A member whose resume
has read past the room's position, or who joined while frames were waiting, gets only what lies after its own cursor.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from time import perf_counter

from chat_aiohttp.events import DELETE, EDIT, MESSAGE, NOTHING, REACTION, Event, EventId
from chat_aiohttp.limits import TokenBucket
from chat_aiohttp.outgoing import Socket
from chat_aiohttp.switchboard import Switchboard
from chat_aiohttp.wire import event_frame

GATHERED_BYTES = 131_072  # then a room sends, rested or not: a flush must fit members' queues, which are bounded

# The kinds that clients are sent; others wait for a version that knows them.
_PLAIN_KINDS = frozenset((MESSAGE,))
_V1_KINDS = frozenset((MESSAGE, EDIT, DELETE, REACTION))


class Member(Socket):
    """One connection in one room. An idle one is a few words: what only talkers need is made when they talk."""

    __slots__ = ("address", "bucket", "held", "id", "may_change", "name", "room", "session", "v1")

    def __init__(
        self,
        *,
        room: Room,
        session: bytes,
        public_id: str,
        name: str,
        v1: bool,
        may_change: bool = True,
        address: bytes | None = None,
    ) -> None:
        super().__init__()
        self.room = room
        self.address = address  # addresses.network; None: one that no limit counts
        self.session = session
        self.id = public_id
        self.name = name
        self.v1 = v1
        self.may_change = may_change  # its own messages, later
        self.bucket: TokenBucket | None = None
        self.held: str | None = (
            None  # the ref of a send refused retryably: nothing may overtake it until it comes again
        )

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of events it is sent."""
        return _V1_KINDS if self.v1 else _PLAIN_KINDS


class Room:
    """The members of one room here, and the frames on their way to them."""

    __slots__ = (
        "_bytes", "_cursors", "_flushing", "_pending", "_rest", "_rested_at", "_sending", "_sent", "_switchboard",
        "_waking", "_withheld", "arriving", "bucket", "changes", "key", "losses", "plain", "position", "title", "v1",
    )  # fmt: skip

    def __init__(self, *, key: str, title: str, position: EventId, switchboard: Switchboard, rest: float) -> None:
        self.key = key
        self.title = title
        self.position = position
        self.changes = 0  # edits, deletes and their like: pages read before one of them are out of date
        self.losses = 0  # how often `restart` came: what was read before it may be of a log that is gone
        self.plain: set[Member] = set()
        self.v1: set[Member] = set()
        self.arriving: set[Member] = set()  # still reading what was said before; in the room, not yet live
        self.bucket: TokenBucket | None = None  # of what may be said here
        self._switchboard = switchboard
        self._rest = rest
        self._pending: list[_Pending] = []
        self._bytes = 0  # of the pending frames
        self._withheld = 0  # how many of the pending frames plain members get otherwise or not at all
        self._cursors: dict[Member, EventId] = {}  # members who have some of what is pending, or of what will come
        self._flushing = False
        self._waking: asyncio.Handle | None = None  # what will send, when the rest ends
        self._rested_at = 0.0
        self._sending = position  # what is under way to everybody ends here
        self._sent = position  # everybody has been sent what lies up to here

    def __len__(self) -> int:
        return len(self.plain) + len(self.v1) + len(self.arriving) + len(self._cursors)

    def members(self) -> Iterable[Member]:
        """Everybody, in no order."""
        return [*self.plain, *self.v1, *self.arriving, *self._cursors]

    def join(self, member: Member, cursor: EventId) -> None:
        """From now on *member* gets every event after *cursor*. What lies between the two must be sent by the caller
        first, so that *cursor* is not before `position`."""
        self.arriving.discard(member)
        if cursor == self.position == self._sent:
            (self.v1 if member.v1 else self.plain).add(member)
        else:
            self._cursors[member] = cursor

    def leave(self, member: Member) -> None:
        """*member* gets nothing more. Leaving twice is leaving once."""
        self.v1.discard(member)
        self.plain.discard(member)
        self.arriving.discard(member)
        self._cursors.pop(member, None)

    def will_send(self, member: Member, event_id: EventId) -> bool:
        """Whether the event is still on its way to *member*, if it is one that *member* is sent."""
        return event_id > self._cursors.get(member, self._sent)

    def deliver(self, event: Event) -> None:
        """Take *event* as the room's next; at most once, in the order of ids. `flush` sends it."""
        if event.id <= self.position:
            return
        self.position = event.id
        kind = event.kind
        if kind == MESSAGE:
            frame = event_frame(event)
            self._pending.append((event.id, frame, frame))
            self._bytes += len(frame)
        elif kind in _V1_KINDS:
            self.changes += 1
            self._put(event.id, event_frame(event), b"")

    def tell(self, frame: bytes) -> None:
        """Send *frame* to chat.v1 members, in its place between the events."""
        self._put(_AFTER_ALL, frame, b"")

    def restart(self, position: EventId, frame: bytes, plain_frame: bytes) -> None:
        """The log lost something: everybody is told, in its place between the events, and the room goes on from
        *position*, which may be lower. Whoever is arriving learns it from the log."""
        self.losses += 1
        self._put(_AFTER_ALL, frame, plain_frame)
        self._send_after_cursors(self._pending)
        # Ids may be given again from here on: those of before are not to be compared with any cursor.
        self._pending = [(NOTHING, frame, plain) for _, frame, plain in self._pending]
        self._cursors = dict.fromkeys(self._cursors, position)
        self.position = position
        self.flush()

    def _put(self, event_id: EventId, frame: bytes, plain_frame: bytes) -> None:
        self._pending.append((event_id, frame, plain_frame))
        self._bytes += len(frame)
        self._withheld += plain_frame is not frame

    def flush(self) -> None:
        """Send what is pending: now if the room is rested or has gathered much, and no flush is under way; else as soon
        as both hold."""
        if not self._pending or self._flushing or (self._waking is not None and self._bytes < GATHERED_BYTES):
            return
        wait = self._rested_at - perf_counter()
        if wait > 0 and self._bytes < GATHERED_BYTES:
            self._waking = asyncio.get_running_loop().call_later(wait, self._wake)
        else:
            self._send_pending()

    def _wake(self) -> None:
        self._waking = None
        if not self._flushing and self._pending:
            self._send_pending()

    def _look_again(self) -> None:
        self._waking = None
        self.flush()

    def _send_pending(self) -> None:
        began = perf_counter()
        if self._waking is not None:  # left to fire, it would end the rest after this flush early
            self._waking.cancel()
            self._waking = None
        self._flushing = True  # before the first write: whom a write finds gone may put something into this room
        pending, withheld = self._pending, self._withheld
        self._pending, self._withheld, self._bytes, self._sending = [], 0, 0, self.position
        if len(pending) == 1:
            _, data, plain_data = pending[0]
        else:
            data = b"".join([frame for _, frame, _ in pending])
            plain_data = b"".join([plain for _, _, plain in pending]) if withheld else data
        jobs: list[_Job] = []
        if self.v1:
            jobs.append((tuple(self.v1), data))
            self._count(len(self.v1), len(pending), len(data))
        if self.plain and plain_data:
            jobs.append((tuple(self.plain), plain_data))
            self._count(len(self.plain), len(pending) - withheld, len(plain_data))
        if self._cursors:
            self._send_after_cursors(pending)
            self._go_live()
        self._go_on(jobs, 0, began)

    def _count(self, members: int, frames: int, size: int) -> None:
        metrics = self._switchboard.metrics
        metrics.flushes += 1
        metrics.deliveries += frames * members
        metrics.bytes_out += size * members

    def _go_on(self, jobs: list[_Job], start: int, began: float) -> None:
        while jobs:
            members, data = jobs[0]
            start = self._switchboard.fan_out(members, start, data)
            if start < len(members):
                asyncio.get_running_loop().call_soon(self._next_slice, jobs, start, perf_counter() - began)
                return
            start = 0
            del jobs[0]
        now = perf_counter()
        self._rested_at = now + self._rest * (now - began)
        self._flushing = False
        self._sent = self._sending
        if self._pending:
            # Those who got their slice first are answering by now: a look at the sockets gathers what they say.
            self._waking = asyncio.get_running_loop().call_soon(self._look_again)

    def _next_slice(self, jobs: list[_Job], start: int, spent: float) -> None:
        # What others did between two slices is not this room's cost.
        self._go_on(jobs, start, perf_counter() - spent)

    def _send_after_cursors(self, pending: list[_Pending]) -> None:
        for member, cursor in [*self._cursors.items()]:
            mine = [frame if member.v1 else plain for event_id, frame, plain in pending if event_id > cursor]
            if data := b"".join(mine):
                self._switchboard.send(member, data)

    def _go_live(self) -> None:
        for member in [member for member, cursor in self._cursors.items() if cursor <= self.position]:
            del self._cursors[member]
            (self.v1 if member.v1 else self.plain).add(member)


_AFTER_ALL = EventId(1 << 62, 0)
"""After every cursor: what is no event, and goes to whoever is here."""
_Pending = tuple[EventId, bytes, bytes]
"""(the event's id, its frame, what plain members get instead: the same frame, another or nothing)"""
_Job = tuple[Sequence[Member], bytes]
