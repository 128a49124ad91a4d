"""What a member is told when it comes in, and what it asks for, given to whoever does that. Layer 3.

Every text message of a member is decoded here, once, and obeyed or rejected; nothing that one member sends ends more
than its own connection. Synchronous, and never waits: what must wait is begun by those who are asked.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from chat_aiohttp import commands, wire
from chat_aiohttp.attendance import Attendance
from chat_aiohttp.catch_up import CatchUp
from chat_aiohttp.closing import Close
from chat_aiohttp.errors import BadInput, NotAName
from chat_aiohttp.frames import TEXT
from chat_aiohttp.gate import Gate
from chat_aiohttp.names import person_name
from chat_aiohttp.outgoing import Socket
from chat_aiohttp.rooms import Member
from chat_aiohttp.speech import TYPING_COST, Speech
from chat_aiohttp.switchboard import PING_S, Switchboard

log = logging.getLogger(__name__)


class Reception:
    """Takes what members send."""

    def __init__(
        self,
        *,
        switchboard: Switchboard,
        speech: Speech,
        attendance: Attendance,
        catch_up: CatchUp,
        gate: Gate,
        message_chars: int,
        frame_bytes: int,
        clock: Callable[[], float],
    ) -> None:
        self._switchboard = switchboard
        self._speech = speech
        self._attendance = attendance
        self._catch_up = catch_up
        self._gate = gate
        self._message_chars = message_chars
        self._frame_bytes = frame_bytes
        self._clock = clock

    def welcome(self, member: Member) -> bytes:
        """The first frame of a chat.v1 member: who it is, where, and what holds here."""
        room = member.room
        return wire.text_frame(
            {
                "type": "welcome",
                "you": wire.person(member.id, member.name),
                "room": {"key": room.key, "name": room.title},
                "position": str(room.position),
                "limits": {"message": self._message_chars, "name": 32, "frame": self._frame_bytes},
                "ping": PING_S,
            }
        )

    def take(self, socket: Socket, opcode: int, payload: bytes) -> None:
        """A member has sent this. Never raises."""
        assert isinstance(socket, Member)
        if opcode != TEXT:
            self._switchboard.close(socket, Close.UNSUPPORTED_DATA, "this protocol is text")
            return
        try:
            if socket.v1:
                self._obey(socket, commands.decode_v1(payload, self._message_chars))
            else:
                self._speech.publish(socket, commands.decode_plain(payload, self._message_chars))
        except BadInput as error:
            self._speech.reject(socket, error, error.ref)
        except Exception:
            log.exception("a message could not be handled")
            self._switchboard.close(socket, Close.INTERNAL_ERROR, "the server failed")

    def _obey(self, member: Member, command: commands.Command) -> None:
        match command:
            case commands.Send():
                self._speech.publish(member, command)
            case commands.Edit() | commands.Delete() | commands.React():
                self._speech.change(member, command)
            case commands.Typing():
                if self._speech.pays(member, TYPING_COST):
                    self._attendance.typing(member)
            case commands.Get():
                self._speech.get(member, command)
            case commands.Ping():
                self._switchboard.charge(member)
                self._switchboard.send(member, wire.PONG)
            case commands.Rename(name):
                # As dear as a message, to the room too: everybody in it is looked at.
                if (too_fast := self._gate.speak(member, self._clock())) is not None:
                    self._speech.reject(member, too_fast, None)
                else:
                    self.rename(member, name)
            case commands.History():
                self._switchboard.charge(member)
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
        self._attendance.changed(member.room.key)
