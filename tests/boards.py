"""A switchboard that writes down what it would send, for tests of rooms."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from chat_aiohttp.events import MESSAGE, Event, EventId
from chat_aiohttp.frames import TEXT, frame
from chat_aiohttp.outgoing import Socket
from chat_aiohttp.rooms import Member, Room
from chat_aiohttp.switchboard import Switchboard
from chat_aiohttp.wire import event_frame
from tests.frame_bytes import server_frames
from tests.peers import DEADLINE_S

START = EventId(1000, 0)


class Board(Switchboard):
    """Writes down who was sent what, instead of sending it."""

    def __init__(self, per_slice: int = 1_000_000) -> None:
        super().__init__(
            on_message=lambda *_: None, on_gone=lambda *_: None, max_message_bytes=1, queue_bytes=1, slice_s=1.0
        )
        self.per_slice = per_slice
        self.writes: list[tuple[Socket, bytes]] = []
        self.vanish: dict[Socket, Room] = {}  # who turns out to be gone when written to

    def send(self, socket: Socket, data: bytes) -> None:
        self.writes.append((socket, data))

    def fan_out(self, members: Sequence[Socket], start: int, data: bytes) -> int:
        stop = min(start + self.per_slice, len(members))
        for socket in members[start:stop]:
            if (room := self.vanish.pop(socket, None)) is not None:
                assert isinstance(socket, Member)
                room.leave(socket)
                room.tell(note("someone left"))
                room.flush()
            else:
                self.send(socket, data)
        return stop

    def heard(self, member: Socket) -> list[bytes]:
        """The payloads that *member* was sent."""
        return [
            payload for _, payload in server_frames(b"".join(data for socket, data in self.writes if socket is member))
        ]


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class SlowBoard(Board):
    """A board whose every write takes a hundredth of a second of *clock*."""

    def __init__(self, clock: Clock, per_slice: int = 1_000_000) -> None:
        super().__init__(per_slice)
        self.clock = clock

    def send(self, socket: Socket, data: bytes) -> None:
        self.clock.now += 0.01
        super().send(socket, data)


def event(seq: int, kind: str = MESSAGE, room: str = "lobby") -> Event:
    return Event(room, EventId(1000, seq), EventId(1000, seq - 1), kind, b'{"message":"%d"}' % seq)


def note(text: str) -> bytes:
    return frame(TEXT, text.encode())


def shown(*events: Event) -> list[bytes]:
    return [payload for one in events for _, payload in server_frames(event_frame(one))]


def new_room(board: Switchboard, rest: float = 0.0) -> Room:
    return Room(key="lobby", title="Lobby", position=START, switchboard=board, rest=rest)


def join(room: Room, cursor: EventId | None = None, *, v1: bool = False) -> Member:
    member = Member(room=room, session=b"s" * 16, public_id="me", name="Me", v1=v1)
    room.join(member, room.position if cursor is None else cursor)
    return member


async def settled(room: Room) -> None:
    """Until nothing is pending, under way or waiting."""
    async with asyncio.timeout(DEADLINE_S):
        while room._pending or room._flushing or room._waking is not None:
            await asyncio.sleep(0)
