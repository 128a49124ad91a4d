"""GET /chat/unread: how much was said in the rooms a browser has been to. Layer 5.

The browser names the rooms and the last id it has read in each (``?lobby=1700000000000-0&ops=…``), so nothing is kept
about anybody and an unlisted room stays unlisted: an answer is only about rooms whose names were already known.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web

from chat_aiohttp import keys, names
from chat_aiohttp.errors import BadInput, NotAName
from chat_aiohttp.events import EventId, parse_id
from chat_aiohttp.limits import Rate
from chat_aiohttp.web.allowance import Allowance

MOST_ROOMS: Final = 50
COUNTED: Final = 100  # then a page says "99+"

COUNTS: Final = web.AppKey("COUNTS", Allowance)


def setup(app: web.Application) -> None:
    """Give every address its allowance. Needs CONFIG."""
    limits = app[keys.CONFIG].limits
    rate = Rate(limits.address_counts_per_second, limits.address_count_burst)
    app[COUNTS] = Allowance(rate, "counting_too_fast", "Too many questions for what is unread.")


async def unread(request: web.Request) -> web.Response:
    """{"rooms": {name: count}}, under the names that were asked for; a count of 100 is 100 or more. 400 for more than
    50 rooms, a name that can't be a room's or an id that can't be one. Raises Limited, and Refused while the log is
    away."""
    try:
        asked = _asked(request)
        request.app[COUNTS].pay(request)
    except (BadInput, NotAName) as error:
        raise web.HTTPBadRequest(text=error.words) from None
    counts = await request.app[keys.HUB].unread(dict(asked.values()), COUNTED)
    found = {name: counts[key] for name, (key, _) in asked.items()}
    return web.json_response({"rooms": found}, headers={"Cache-Control": "no-store"})


def _asked(request: web.Request) -> dict[str, tuple[str, EventId]]:
    if len(request.query) > MOST_ROOMS:
        raise BadInput("too_many", f"Ask for at most {MOST_ROOMS} rooms at once; these are {len(request.query)}.")
    return {name: (names.room_key(name)[0], parse_id(cursor)) for name, cursor in request.query.items()}
