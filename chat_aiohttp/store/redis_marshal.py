"""How drafts become arguments of the TURN script, and its answers outcomes. Layer 2: no I/O here.

The other side of this is redis_turn.py's loop over its arguments. Bodies go as they are; nothing is encoded here.

Promise: as many answers belong to as many drafts, in their order.
"""

from __future__ import annotations

from collections.abc import Iterable

from chat_aiohttp.errors import BadInput, Refused, Unknown
from chat_aiohttp.events import MESSAGE, Draft
from chat_aiohttp.store.redis_gather import Aside, Item
from chat_aiohttp.store.redis_keys import Layout
from chat_aiohttp.store.redis_pages import event_id
from chat_aiohttp.store.redis_turn import BROKEN, REPEATED, REUSED


def arguments_of(items: Iterable[Item], layout: Layout) -> list[bytes | str | int]:
    """*items*, all of one shard, as TURN reads them."""
    arguments: list[bytes | str | int] = []
    place = layout.place
    for item in items:
        if isinstance(item, Aside):
            arguments += item.arguments
            continue
        ref = item.ref
        arguments += (
            b"e",
            place(item.room).name,
            "" if item.kind == MESSAGE else item.kind,
            item.body,
            "" if item.target is None else str(item.target),
            "" if ref is None else item.session.hex(),
            "" if ref is None else ref,
            item.digest,
            item.title,
        )
    return arguments


def conclude(draft: Draft, answer: bytes) -> None:
    """Write on *draft* how it ended, by the script's *answer*, which is not that it failed."""
    first = answer[0]
    if first == REUSED:
        draft.error = BadInput(
            "ref_reused", "This ref was used for another message before. Send with a new ref.", draft.ref
        )
    elif first == BROKEN:
        draft.error = BadInput("room_broken", "This room's log holds something that is no log. Tell the operator.")
    elif first == REPEATED:
        draft.id, draft.repeated = event_id(answer[1:]), True
    else:
        draft.id = event_id(answer)


def unknown(cause: str) -> Refused:
    """What a sender is told when the script may have run, and nobody knows."""
    words = f"The room's log did not answer in time ({cause}). It may be stored: send again with the same ref."
    return Unknown("unknown", words)
