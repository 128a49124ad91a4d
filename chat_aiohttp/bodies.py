"""What the log keeps of what is said: an event's body, and the digest that tells a repeat from another. Layer 0: pure.

A body is a JSON object, made once, when the event is written; wire.py splices it into frames ever after. Whatever of it
can be worked out is worked out here, once for all readers: formatting (rich.py), the look of a name (looks.py)."""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from chat_aiohttp.commands import Change, Delete, Edit, React, Send
from chat_aiohttp.looks import looks_of
from chat_aiohttp.rich import Node, tree

_encode = msgspec.json.Encoder().encode


class _MessageBody(msgspec.Struct, omit_defaults=True, gc=False):
    message: str
    sender: str = msgspec.field(name="from")
    name: str
    looks: tuple[str, ...] = ()
    ref: str | None = None
    reply: str | None = None
    rich: list[Node] | None = None


class _ReactionBody(msgspec.Struct, gc=False):
    emoji: str
    on: bool
    sender: str = msgspec.field(name="from")
    name: str
    ref: str


class _DeleteBody(msgspec.Struct, gc=False):
    sender: str = msgspec.field(name="from")
    name: str
    ref: str


def message_body(text: str, public_id: str, name: str, ref: str | None, reply: str | None = None) -> bytes:
    """A message as the log keeps it: what was written, and what that says beyond its letters (rich.py)."""
    return _encode(_MessageBody(text, public_id, name, _looks(name), ref, reply, tree(text)))


def change_body(change: Change, public_id: str, name: str) -> bytes:
    """A change of a message as the log keeps it."""
    match change:
        case Edit():
            return message_body(change.message, public_id, name, change.ref)
        case React():
            return _encode(_ReactionBody(change.emoji, change.on, public_id, name, change.ref))
        case Delete():
            return _encode(_DeleteBody(public_id, name, change.ref))


def _looks(name: str) -> tuple[str, ...]:
    return () if name.isascii() else looks_of(name)


def digest(text: str) -> bytes:
    """8 bytes that stand for what was sent, to tell a repeat from a ref used again for something else."""
    return blake2b(text.encode(), digest_size=8).digest()


def send_digest(send: Send) -> bytes:
    """The digest of a send."""
    return digest(send.message if send.reply is None else f"{send.reply} {send.message}")


def change_digest(change: Change) -> bytes:
    """The digest of a change. No send has it: a message has no controls."""
    match change:
        case Edit():
            return digest(f"edit\0{change.target}\0{change.message}")
        case React():
            return digest(f"react\0{change.target}\0{change.emoji}\0{change.on}")
        case Delete():
            return digest(f"delete\0{change.target}")
