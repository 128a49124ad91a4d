"""Who may write what: the one seam for accounts, roles and moderation. Layer 3.

Whoever builds those gives `create_app(may=…)` a May of its own; there is nothing else of them here yet.
"""

from __future__ import annotations

from typing import Protocol

from chat_aiohttp.errors import BadInput, ChatError
from chat_aiohttp.events import DELETE, EDIT
from chat_aiohttp.rooms import Member


class May(Protocol):
    """May *member* write an event of this kind (events.py) here, about a
    message of this author (a public id; None for a new message)? None: it may; else why not, which its sender is told.
    Asked for each event before any limit, synchronously: it must not wait, so whoever keeps roles elsewhere has them at
    hand by the time a member enters."""

    def __call__(self, member: Member, kind: str, author: str | None, /) -> ChatError | None: ...


def everybody_may(member: Member, kind: str, author: str | None) -> ChatError | None:
    """Anybody who is in a room may write in it, and edit and delete what they wrote, from the session they wrote it
    with; unless that came as `session=` in an address, because addresses get around."""
    if kind in (EDIT, DELETE) and (author != member.id or not member.may_change):
        return BadInput("not_yours", "Only who wrote a message may change it, from where they wrote it.")
    return None
