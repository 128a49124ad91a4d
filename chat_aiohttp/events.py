"""What a room's log holds. Layer 0: pure.

An event is one entry of a room's log: an id, a kind and a body. The body is a JSON object, made once by wire.py when
the event is written and spliced into frames ever after, so that delivering never encodes anything again.

One id serves everything: order, time (its milliseconds), resume cursor, page key, permalink. Ids compare as two
numbers, never as text ("10-2" < "10-10"), and a room's ids only grow."""

from __future__ import annotations

import re
from typing import NamedTuple

import msgspec

from chat_aiohttp.errors import BadInput, ChatError

# The kinds a room's log may hold. Readers skip kinds they don't know, so a new kind needs no migration.
MESSAGE = "message"
EDIT = "edit"
DELETE = "delete"
REACTION = "reaction"

EMOJI_MOST = 20  # different emoji on one message; those that come later are not shown

_ID = re.compile(r"(0|[1-9][0-9]{0,15})-(0|[1-9][0-9]{0,15})", re.ASCII)


class EventId(NamedTuple):
    """A place in a room's log: milliseconds since 1970 and a sequence within that millisecond. Redis' own form."""

    ms: int
    seq: int

    def __str__(self) -> str:
        return f"{self.ms}-{self.seq}"

    def next(self) -> EventId:
        """The smallest id after this one."""
        return EventId(self.ms, self.seq + 1)


NOTHING = EventId(0, 0)
"""Before everything: `after=0-0` asks for all that is kept."""


def parse_id(text: str) -> EventId:
    """The id that *text* writes. Raises BadInput (``bad_id``) for anything but ``<ms>-<seq>``, of 16 digits each."""
    match = _ID.fullmatch(text)
    if match is None:
        shown = text if len(text) <= 40 else text[:40] + "…"
        raise BadInput("bad_id", f"“{shown}” is not a message id: it should look like 1700000000000-0")
    return EventId(int(match[1]), int(match[2]))


class Event(msgspec.Struct, frozen=True, gc=False):
    """One entry of a room's log. *prev* is the id of the entry before it, so that any hole shows."""

    room: str
    id: EventId
    prev: EventId
    kind: str
    body: bytes
    target: EventId | None = None  # the message that an edit, delete or reaction is about


class Draft(msgspec.Struct, eq=False):
    """An event on its way into a log. The store fills in how it ended, then hands it to `Listener.settled`.

    After settling exactly one of these holds:
    *error* is None and *repeated* is False: stored, at *id*.
    *error* is None and *repeated* is True: the same (session, ref) was stored before, at *id*; nothing was stored now.
    *error* is set: not stored (`Refused`, `BadInput`), or not known (`Unknown`).
    """

    room: str  # the room's key (names.room_key)
    title: str  # the room's name as this writer writes it; the first one sticks
    kind: str
    body: bytes
    session: bytes = b""  # 16 bytes, already a hash of the secret
    ref: str | None = None  # None: no dedup wanted
    digest: bytes = b""  # 8 bytes that stand for what was sent, to tell a repeat from a reused ref
    target: EventId | None = None
    owner: object = None  # whoever wants to know how it ended; the store never looks at it
    number: int = 0  # the owner's own: grows from one of its drafts to the next
    id: EventId = NOTHING
    repeated: bool = False
    error: ChatError | None = None


class Gap(msgspec.Struct, frozen=True, gc=False):
    """What is missing can't be had: a reader that was at *after* goes on from *position*, which may also be lower.

    *reason* is ``trimmed`` (retention), ``unknown`` (no such id was ever given here) or ``lost`` (the log was flushed,
    rolled back or failed over to an older copy).
    """

    after: EventId
    position: EventId
    reason: str


class Page(msgspec.Struct, frozen=True, gc=False):
    """A stretch of a room's log, oldest first.

    *position* is where a reader stands after this page; *more* says whether a further page lies beyond it, in the
    direction of reading. *gap* is set when something between the asked-for id and the first event is gone.
    """

    events: list[Event]
    position: EventId
    more: bool
    gap: Gap | None = None


class Found(msgspec.Struct, frozen=True, gc=False):
    """Messages that a search found, newest first.

    Every message after *scanned_to* (and before where the search began) was looked at; *complete* says that no older
    one is kept. Otherwise asking again with `before=scanned_to` goes on.
    """

    lines: list[Event]
    scanned_to: EventId
    complete: bool


class RoomLine(msgspec.Struct, frozen=True, gc=False):
    """A room as the lobby shows it: key, name as first written, when something last happened, the last message."""

    key: str
    title: str
    active_ms: int
    people: int
    last: bytes | None = None  # the body of its last message, when it has one


def fold(message: Event, amendments: list[Event]) -> Event:
    """*message* with its later edits and reactions in it: what history shows. *amendments* in the log's order.

    The folded body has the newest edit's ``message``, ``rich`` and ``edited`` (its ms), and ``reactions``: {emoji:
    [public ids]}, each person once. Amendments of unknown kinds change nothing.
    """
    if not amendments:
        return message
    body = msgspec.json.decode(message.body, type=dict[str, object])
    reactions: dict[str, dict[str, None]] = {}
    for event in amendments:
        change = msgspec.json.decode(event.body, type=dict[str, object])
        if event.kind == EDIT:
            body["message"] = change.get("message", body["message"])
            body["edited"] = event.id.ms
            body.pop("rich", None)
            if "rich" in change:
                body["rich"] = change["rich"]
        elif event.kind == REACTION:
            _react(reactions, str(change.get("emoji")), str(change.get("from")), on=change.get("on", True) is not False)
    if reactions:
        body["reactions"] = {emoji: list(fans) for emoji, fans in reactions.items()}
    return Event(message.room, message.id, message.prev, message.kind, msgspec.json.encode(body))


def _react(reactions: dict[str, dict[str, None]], emoji: str, who: str, *, on: bool) -> None:
    fans = reactions.get(emoji)
    if on and (fans is not None or len(reactions) < EMOJI_MOST):
        reactions.setdefault(emoji, {})[who] = None
    elif fans is not None and not on:
        fans.pop(who, None)
        if not fans:
            del reactions[emoji]
