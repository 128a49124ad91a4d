"""GET /chat/<room>/search: the messages of a room that hold some words, as JSON. Layer 5.

One answer looks at a part of the room only and says how far it came: `looked_to` is where the next question goes on,
with `before=`. Each address has an allowance of searches, since one of them reads what took a thousand messages to say.
"""

from __future__ import annotations

from math import ceil
from typing import Any, Final

import msgspec
from aiohttp import web

from chat_aiohttp import keys, wire
from chat_aiohttp.errors import BadInput, ChatError, Limited, NotAName, Refused
from chat_aiohttp.events import Found, parse_id
from chat_aiohttp.limits import Rate
from chat_aiohttp.names import room_key
from chat_aiohttp.web.allowance import Allowance

LIMIT: Final = 30  # messages of one answer

SEARCHES: Final = web.AppKey("SEARCHES", Allowance)


def setup(app: web.Application) -> None:
    """Give every address its allowance. Needs CONFIG."""
    limits = app[keys.CONFIG].limits
    rate = Rate(limits.address_searches_per_second, limits.address_search_burst)
    app[SEARCHES] = Allowance(rate, "searching_too_fast", "Too many searches.")


async def search(request: web.Request) -> web.Response:
    """``?q=`` the words, ``&before=<id>`` where to go on. 400 for a bad query, 404 for a name that can be no room, 429
    and 503 with Retry-After."""
    try:
        return _answer(200, _as_json(await _found(request)))
    except NotAName as refusal:
        return _refuse(404, refusal)
    except BadInput as refusal:
        return _refuse(400, refusal)
    except Limited as refusal:
        return _refuse(429, refusal, refusal.wait_s)
    except Refused as refusal:
        return _refuse(503, refusal, 2.0)


async def _found(request: web.Request) -> Found:
    key, _ = room_key(request.match_info["room"])
    before = request.query.get("before")
    cursor = parse_id(before) if before is not None else None
    request.app[SEARCHES].pay(request)
    return await request.app[keys.HUB].search(key, request.query.get("q", ""), cursor, LIMIT)


def _as_json(found: Found) -> bytes:
    lines = b",".join([wire.event_json(event) for event in found.lines])
    complete = b"true" if found.complete else b"false"
    return b'{"found":[%b],"looked_to":"%b","complete":%b}' % (lines, str(found.scanned_to).encode(), complete)


def _refuse(status: int, refusal: ChatError, wait_s: float | None = None) -> web.Response:
    fields: dict[str, Any] = {"error": refusal.code, "message": refusal.words, "retryable": refusal.retryable}
    return _answer(status, msgspec.json.encode(fields), {} if wait_s is None else {"Retry-After": str(ceil(wait_s))})


def _answer(status: int, body: bytes, headers: dict[str, str] | None = None) -> web.Response:
    # What is said in a room is nobody's to keep: neither a proxy's nor a worker's.
    headers = {"Cache-Control": "no-store", **(headers or {})}
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)
