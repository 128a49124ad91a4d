"""What the index asks while it is open: which rooms are alive, and whether a name can be a room's. Layer 5.

The list is read from the log at most every FRESH_S, however many look at it, and costs a browser that has it already
an empty 304. Rooms are listed here exactly as on the index: hidden when the configuration hides them.
"""

from __future__ import annotations

import asyncio
import time
from hashlib import sha256
from typing import Any, Final

import msgspec
from aiohttp import web

from chat_aiohttp import keys, names
from chat_aiohttp.errors import NotAName, Refused
from chat_aiohttp.hub import Hub
from chat_aiohttp.web import language, lobby, pages

FRESH_S: Final = 2.0  # a list so old is given out again


class Listing:
    """The index' rooms as one JSON body with its tag, read once for all who ask at the same time."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._reading = asyncio.Lock()
        self._until = 0.0
        self._body, self._tag = b"", ""

    async def get(self) -> tuple[bytes, str]:
        """The body and its entity tag. Doesn't raise while the log is away: the body says so."""
        async with self._reading:
            if (now := time.monotonic()) >= self._until:
                self._body = msgspec.json.encode(await self._read())
                self._tag = f'"{sha256(self._body).hexdigest()[:16]}"'
                self._until = now + FRESH_S
        return self._body, self._tag

    async def _read(self) -> dict[str, Any]:
        try:
            rooms = await self._hub.rooms(pages.LISTED)
        except Refused:
            return {"rooms": [], "away": True}
        return {"rooms": [lobby.fields(room, str(pages.room_url(room.title))) for room in rooms], "away": False}


LISTING: Final = web.AppKey("LISTING", Listing)


def setup(app: web.Application) -> None:
    """Needs HUB."""
    app[LISTING] = Listing(app[keys.HUB])


async def listed(request: web.Request) -> web.Response:
    """GET /chat/rooms: the rooms that are alive. 404 where the list is hidden, 304 for who has it already."""
    if not request.app[keys.CONFIG].rooms.listed:
        raise web.HTTPNotFound(text="The rooms of this server are not listed.")
    body, tag = await request.app[LISTING].get()
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if tag in request.headers.get("If-None-Match", ""):
        return web.Response(status=304, headers=headers)
    return web.Response(body=body, content_type="application/json", headers=headers)


async def name(request: web.Request) -> web.Response:
    """GET /chat/name?room=: where the room of this name is, or in the reader's language why there can be none."""
    try:
        _, title = names.room_key(request.query.get("room", ""))
    except NotAName as refusal:
        return web.json_response({"refusal": language.refusal(refusal.words, pages.language_of(request))})
    return web.json_response({"title": title, "path": str(pages.room_url(title))})
