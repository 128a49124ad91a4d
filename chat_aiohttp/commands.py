"""What a client may ask for: text frames in, commands out. Layer 0: pure. The page: docs/protocol.md.

Decoding happens once, here, and what can't be accepted becomes BadInput with a code, words and the send's ref. The
common case is one typed decode; only when that fails is the text looked at again, slowly, to say what is wrong with
it. What goes the other way is wire.py's.
"""

from __future__ import annotations

import json
from typing import Any, Final, NoReturn

import msgspec

from chat_aiohttp.errors import BadInput
from chat_aiohttp.events import EventId, parse_id
from chat_aiohttp.texts import emoji, said

MAX_REF = 64
MAX_GET = 20  # messages asked for at once by their ids
SHOWN: Final = 40  # bytes of what is no JSON that are shown to who sent it


class Send(msgspec.Struct, gc=False):
    """Say something, perhaps in reply to a message. Plain's only command."""

    message: str
    ref: str | None = None
    reply: str | None = None  # an id


class _SendV1(msgspec.Struct, gc=False):
    message: str
    type: str
    ref: str | None = None
    reply: str | None = None


class Edit(msgspec.Struct, frozen=True, gc=False):
    """What I said in *target* shall read *message*."""

    target: EventId
    ref: str
    message: str


class Delete(msgspec.Struct, frozen=True, gc=False):
    """What I said in *target* shall be gone."""

    target: EventId
    ref: str


class React(msgspec.Struct, frozen=True, gc=False):
    """I put *emoji* on *target*, or take it off."""

    target: EventId
    ref: str
    emoji: str
    on: bool


class Get(msgspec.Struct, frozen=True, gc=False):
    """These messages, please: what replies are about."""

    ids: tuple[EventId, ...]


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


Change = Edit | Delete | React
Command = Send | Change | Typing | Ping | Rename | History | Get

_decode_any = msgspec.json.Decoder().decode
_decode_plain = msgspec.json.Decoder(Send).decode
_decode_send = msgspec.json.Decoder(_SendV1).decode


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
        return _decode_rest(text, max_chars)
    if seen.type != "send":
        return _decode_rest(text, max_chars)
    if seen.ref is None:
        raise BadInput(
            "ref_missing", "A send needs a “ref”: your own random id for it, so that a retry is stored once."
        )
    return _checked(Send(seen.message, seen.ref, seen.reply), max_chars)


def _checked(send: Send, max_chars: int) -> Send:
    ref = send.ref
    if ref is not None:
        _check_ref(ref)
    if send.reply is not None:
        send.reply = str(_id(send.reply, "reply", ref))
    send.message = said(send.message, max_chars, ref)
    return send


def _check_ref(ref: str) -> None:
    if not 0 < len(ref) <= MAX_REF:
        raise BadInput("bad_ref", f"A “ref” has 1 to {MAX_REF} characters; this one has {len(ref)}.")


def _decode_rest(text: bytes, max_chars: int) -> Command:
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
        case "edit" | "delete" | "react":
            return _change(fields, max_chars)
        case "get":
            return _get(fields)
        case None:
            words = "Say what this is in “type”: send, edit, delete, react, typing, ping, rename, history or get."
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


def _change(fields: dict[str, Any], max_chars: int) -> Change:
    kind, ref = fields["type"], fields.get("ref")
    if not isinstance(ref, str):
        words = f"This {kind} needs a “ref”: your own random id for it, so that a retry changes nothing twice."
        raise BadInput("ref_missing", words)
    _check_ref(ref)
    target = _id(fields.get("id"), "id", ref)
    if kind == "delete":
        return Delete(target, ref)
    if kind == "edit":
        message = fields.get("message")
        if not isinstance(message, str):
            raise BadInput("message_not_text", "“message” must be a text: what the message shall read.", ref)
        return Edit(target, ref, said(message, max_chars, ref))
    on = fields.get("on", True)
    if not isinstance(on, bool):
        raise BadInput("bad_emoji", "“on” must be true or false.", ref)
    return React(target, ref, emoji(fields.get("emoji"), ref), on)


def _id(value: object, name: str, ref: str | None) -> EventId:
    if not isinstance(value, str):
        raise BadInput("bad_id", f"“{name}” must be a message's id.", ref)
    try:
        return parse_id(value)
    except BadInput as error:
        raise BadInput(error.code, error.words, ref) from None


def _get(fields: dict[str, Any]) -> Get:
    ids = fields.get("ids")
    if not isinstance(ids, list) or not 1 <= len(ids) <= MAX_GET:
        raise BadInput("bad_limit", f"“ids” must be a list of 1 to {MAX_GET} messages' ids.")
    return Get(tuple(dict.fromkeys(_id(each, "ids", None) for each in ids)))


def _object(text: bytes) -> dict[str, Any]:
    try:
        fields = _decode_any(text)
    except (msgspec.DecodeError, RecursionError):
        words = f'“{_begin(text)}” is not JSON, or holds what no text can. Send an object such as {{"message": "hi"}}.'
        raise BadInput("not_json", words, _lax_ref(text)) from None
    if not isinstance(fields, dict):
        raise BadInput("not_an_object", 'Send a JSON object such as {"message": "hi"}.')
    return fields


def _lax_ref(text: bytes) -> str | None:
    """The ref of a send that is JSON but for half a character or a number that is none: its sender should know which
    one to give up. Nothing is guessed: what no parser can read has no ref."""
    try:
        fields = json.loads(text.decode())
        ref = _ref(fields) if isinstance(fields, dict) else None
        return ref if ref is None or ref.encode() else None
    except (ValueError, RecursionError):  # the ref itself may hold half a character
        return None


def _begin(text: bytes) -> str:
    return text[:SHOWN].decode(errors="ignore") + ("…" if len(text) > SHOWN else "")


def _explain(text: bytes) -> NoReturn:
    """Say what is wrong with a send that the typed decode refused."""
    fields = _object(text)
    ref = _ref(fields)
    if "message" not in fields:
        raise BadInput("message_missing", "Send an object with a text in “message”.", ref)
    if not isinstance(fields["message"], str):
        raise BadInput("message_not_text", "“message” must be a text.", ref)
    if not isinstance(fields.get("reply"), str | None):
        raise BadInput("bad_id", "“reply” must be a message's id.", ref)
    raise BadInput("bad_ref", f"A “ref” is a text of 1 to {MAX_REF} characters.")


def _ref(fields: dict[str, Any]) -> str | None:
    ref = fields.get("ref")
    return ref if isinstance(ref, str) and len(ref) <= MAX_REF else None


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 40 else text[:40] + "…"
