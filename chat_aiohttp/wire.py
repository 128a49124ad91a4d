"""How things look on the socket: text in, commands; events, JSON out. Layer 0: pure. The page: docs/protocol.md.

Decoding happens once, here, and what can't be accepted becomes BadInput with a code, words and the send's ref. The
common case is one typed decode; only when that fails is the text looked at again, slowly, to say what is wrong with
it.

An event's body is a JSON object made once, when it is written. Its frame is the body with id and time spliced in front:
one bytes concatenation per message, whatever the room's size, the same bytes for plain and chat.v1 members.
"""

from __future__ import annotations

import re
import unicodedata
from hashlib import blake2b
from typing import Any, NoReturn

import msgspec

from chat_aiohttp.errors import BadInput, ChatError
from chat_aiohttp.events import MESSAGE, Event, EventId, Gap, parse_id
from chat_aiohttp.frames import TEXT, frame
from chat_aiohttp.looks import looks_of

MAX_REF = 64
_NOT_TEXT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_LINE_END = re.compile("\r\n?|[\u2028\u2029]")
# What shows nothing at all: a message of these alone is blank.
_INVISIBLE = re.compile(
    "[\\s\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0]*"
)


class Send(msgspec.Struct, gc=False):
    """Say something. Plain's only command."""

    message: str
    ref: str | None = None


class _SendV1(msgspec.Struct, gc=False):
    message: str
    type: str
    ref: str | None = None


class Typing(msgspec.Struct, frozen=True, gc=False):
    """I am typing, now."""


class Ping(msgspec.Struct, frozen=True, gc=False):
    """Are you there? A browser's script can't see the socket's own pings."""


class Rename(msgspec.Struct, frozen=True, gc=False):
    """From now on call me *name*. Not yet checked as a name: that is the hub's."""

    name: str


class History(msgspec.Struct, frozen=True, gc=False):
    """The *limit* messages before *cursor*, or after it when *forward*, please."""

    cursor: EventId
    limit: int
    forward: bool = False


Command = Send | Typing | Ping | Rename | History

_encode = msgspec.json.Encoder().encode
_decode_any = msgspec.json.Decoder().decode
_decode_plain = msgspec.json.Decoder(Send).decode
_decode_send = msgspec.json.Decoder(_SendV1).decode


# -- in


def decode_plain(text: bytes, max_chars: int) -> Send:
    """The send that a plain client's frame holds. Raises BadInput; bounds: *max_chars* code points after NFC."""
    try:
        send = _decode_plain(text)
    except (msgspec.DecodeError, RecursionError):
        _explain(text)
    return _checked(send, max_chars)


def decode_v1(text: bytes, max_chars: int) -> Command:
    """The command that a chat.v1 client's frame holds. Raises BadInput."""
    try:
        seen = _decode_send(text)
    except (msgspec.DecodeError, RecursionError):
        return _decode_rest(text)
    if seen.type != "send":
        return _decode_rest(text)
    if seen.ref is None:
        raise BadInput(
            "ref_missing", "A send needs a “ref”: your own random id for it, so that a retry is stored once."
        )
    return _checked(Send(seen.message, seen.ref), max_chars)


def _checked(send: Send, max_chars: int) -> Send:
    ref, text = send.ref, send.message
    if ref is not None and not 0 < len(ref) <= MAX_REF:
        raise BadInput("bad_ref", f"A “ref” has 1 to {MAX_REF} characters; this one has {len(ref)}.")
    if _NOT_TEXT.search(text):
        text = _NOT_TEXT.sub("", _LINE_END.sub("\n", text))
    if not text.isascii() and not unicodedata.is_normalized("NFC", text):
        text = unicodedata.normalize("NFC", _stream_safe(text))
    if len(text) > max_chars:
        raise BadInput(
            "message_too_long", f"A message has at most {max_chars} characters; this one has {len(text)}.", ref
        )
    if not text.strip() or _INVISIBLE.fullmatch(text):
        raise BadInput("message_empty", "There is nothing in this message to read.", ref)
    send.message = text
    return send


def _stream_safe(text: str) -> str:
    """*text* with a joiner after 30 combining marks in a row (UAX #15, D4), which nobody's language needs.

    Normalizing sorts each run of marks, in quadratic time: a single frame of them would stop the loop for seconds.
    """
    safe, run = [], 0
    for char in text:
        run = run + 1 if unicodedata.combining(char) else 0
        if run > 30:
            safe.append("\u034f")
            run = 1
        safe.append(char)
    return "".join(safe)


def _decode_rest(text: bytes) -> Command:
    fields = _object(text)
    match fields.get("type"):
        case "send":
            _explain(text)
        case "typing":
            return Typing()
        case "ping":
            return Ping()
        case "rename":
            name = fields.get("name")
            if not isinstance(name, str):
                raise BadInput("bad_name", "“name” must be a text.")
            return Rename(name)
        case "history":
            return _history(fields)
        case None:
            words = "Say what this is in “type”: send, typing, ping, rename or history."
            raise BadInput("unknown_type", words, _ref(fields))
        case other:
            raise BadInput("unknown_type", f"“{_short(other)}” is not a type this server knows.", _ref(fields))


def _history(fields: dict[str, Any]) -> History:
    forward = "after" in fields
    if forward and "before" in fields:
        raise BadInput("bad_id", "Ask for what is “before” an id or “after” one, not for both.")
    cursor, limit = fields.get("after" if forward else "before"), fields.get("limit", 50)
    if not isinstance(cursor, str):
        raise BadInput("bad_id", "“before” or “after” must be a message's id.")
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= 100:
        raise BadInput("bad_limit", "“limit” must be a whole number from 1 to 100.")
    return History(parse_id(cursor), limit, forward)


def _object(text: bytes) -> dict[str, Any]:
    try:
        fields = _decode_any(text)
    except (msgspec.DecodeError, RecursionError):
        raise BadInput("not_json", 'This is not JSON. Send an object such as {"message": "hi"}.') from None
    if not isinstance(fields, dict):
        raise BadInput("not_an_object", 'Send a JSON object such as {"message": "hi"}.')
    return fields


def _explain(text: bytes) -> NoReturn:
    """Say what is wrong with a send that the typed decode refused."""
    fields = _object(text)
    ref = _ref(fields)
    if "message" not in fields:
        raise BadInput("message_missing", "Send an object with a text in “message”.", ref)
    if not isinstance(fields["message"], str):
        raise BadInput("message_not_text", "“message” must be a text.", ref)
    raise BadInput("bad_ref", f"A “ref” is a text of 1 to {MAX_REF} characters.")


def _ref(fields: dict[str, Any]) -> str | None:
    ref = fields.get("ref")
    return ref if isinstance(ref, str) and len(ref) <= MAX_REF else None


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 40 else text[:40] + "…"


# -- bodies: what the log keeps


class _MessageBody(msgspec.Struct, omit_defaults=True, gc=False):
    message: str
    sender: str = msgspec.field(name="from")
    name: str
    looks: tuple[str, ...] = ()
    ref: str | None = None


def message_body(text: str, public_id: str, name: str, ref: str | None) -> bytes:
    """A message as the log keeps it."""
    return _encode(_MessageBody(text, public_id, name, () if name.isascii() else looks_of(name), ref))


def person(public_id: str, name: str) -> dict[str, Any]:
    """A person as clients see them: *looks* (looks.py) come with names that are not plain ASCII."""
    fields: dict[str, Any] = {"id": public_id, "name": name}
    if not name.isascii():
        fields["looks"] = looks_of(name)
    return fields


def digest(text: str) -> bytes:
    """8 bytes that stand for a send's text, to tell a repeat from a ref used again for something else."""
    return blake2b(text.encode(), digest_size=8).digest()


# -- out: frames

PONG = frame(TEXT, b'{"type":"pong"}')


def event_json(event: Event) -> bytes:
    """*event* as clients see it."""
    ms, seq = event.id
    head = b'{"type":"%b","id":"%d-%d","time":%d,' % (event.kind.encode(), ms, seq, ms)
    if event.target is not None:
        head += b'"target":"%d-%d",' % event.target
    return head + event.body[1:]


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
