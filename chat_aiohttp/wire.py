"""How things look on the socket: events in, text frames of JSON out. Layer 0: pure. The page: docs/protocol.md.

An event's body is a JSON object made once, when it is written. Its frame is the body with id and time spliced in front:
one bytes concatenation per message, whatever the room's size, the same bytes for plain and chat.v1 members. What comes
the other way is read by commands.py.
"""

from __future__ import annotations

from typing import Any

import msgspec

from chat_aiohttp.errors import ChatError
from chat_aiohttp.events import MESSAGE, Event, EventId, Gap
from chat_aiohttp.frames import TEXT, frame
from chat_aiohttp.looks import looks_of

_encode = msgspec.json.Encoder().encode

PONG = frame(TEXT, b'{"type":"pong"}')


def event_json(event: Event) -> bytes:
    """*event* as clients see it."""
    ms, seq = event.id
    head = f'{{"type":"{event.kind}","id":"{ms}-{seq}","time":{ms},'  # then encoded: twice as fast as bytes' own %
    if event.target is not None:
        head += f'"target":"{event.target}",'
    return head.encode() + event.body[1:]


def event_frame(event: Event) -> bytes:
    """The text frame of *event*: encoded once, shared by every member of the room."""
    return frame(TEXT, event_json(event))


def message_frame(event_id: EventId, body: bytes) -> bytes:
    """The frame of a message known by its id and body: the answer to a plain client's repeat."""
    return event_frame(Event("", event_id, event_id, MESSAGE, body))


def text_frame(fields: dict[str, Any]) -> bytes:
    """A text frame of one JSON object."""
    return frame(TEXT, _encode(fields))


def error_frame(error: ChatError, ref: str | None, *, v1: bool) -> bytes:
    """*error* for a member, with the send's *ref* when it had one."""
    if v1:
        fields: dict[str, Any] = {"type": "error", "code": error.code, "words": error.words}
    else:
        fields = {"error": error.code, "message": error.words}
    fields["retryable"] = error.retryable
    if ref is not None:
        fields["ref"] = ref
    return text_frame(fields)


def gap_frame(gap: Gap, *, v1: bool) -> bytes:
    """The announcement of *gap*: never silent."""
    if v1:
        return text_frame({"type": "gap", "after": str(gap.after), "position": str(gap.position), "reason": gap.reason})
    words = "Some messages from while you were away are no longer kept."
    return text_frame({"error": "gap", "message": words, "retryable": False, "position": str(gap.position)})


def ack_frame(ref: str, event_id: EventId) -> bytes:
    """The answer to a repeat, to its sender alone (v1)."""
    return text_frame({"type": "ack", "ref": ref, "id": str(event_id)})


def history_frame(before: EventId, messages: list[Event], more: bool) -> bytes:
    """A page of older messages, oldest first."""
    listed = b",".join([event_json(message) for message in messages])
    tail = b"true" if more else b"false"
    return frame(TEXT, b'{"type":"history","before":"%d-%d","messages":[%b],"more":%b}' % (*before, listed, tail))


def later_frame(after: EventId, messages: list[Event], position: EventId, more: bool, gap: Gap | None) -> bytes:
    """A page of later messages, oldest first. *position*: where it ends, and the next one begins."""
    listed = b",".join([event_json(message) for message in messages])
    tail = b"true" if more else b"false"
    if gap is not None:
        tail += b',"gap":"%b"' % gap.reason.encode()
    head = b'{"type":"history","after":"%d-%d","position":"%d-%d",' % (*after, *position)
    return frame(TEXT, b'%b"messages":[%b],"more":%b}' % (head, listed, tail))


def got_frame(messages: list[Event], missing: list[EventId]) -> bytes:
    """The answer to `get`: the messages as they are now, and the ids of those that are none any more."""
    listed = b",".join([event_json(message) for message in messages])
    gone = _encode([str(one) for one in missing])
    return frame(TEXT, b'{"type":"got","messages":[%b],"missing":%b}' % (listed, gone))


def person(public_id: str, name: str) -> dict[str, Any]:
    """A person as clients see them: *looks* (looks.py) come with names that are not plain ASCII."""
    fields: dict[str, Any] = {"id": public_id, "name": name}
    if not name.isascii():
        fields["looks"] = looks_of(name)
    return fields
