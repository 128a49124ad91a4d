"""GET /embed/<room>/: a room in a frame of another site. Layer 5.

Only here may anybody frame a page of ours, and only the origins that the operator names. The page gets no cookie and
its socket comes with a session of its own, so a site that frames it can't make a visitor say anything under the name
they have elsewhere on this server.
"""

from __future__ import annotations

from aiohttp import web

from chat_aiohttp import keys, names
from chat_aiohttp.errors import NotAName
from chat_aiohttp.web import pages


async def room(request: web.Request) -> web.Response:
    """The room's compact page. 403 while no origin may frame it, 404 for a name that can be no room."""
    origins = request.app[keys.CONFIG].server.embed_origins
    if not origins:
        raise web.HTTPForbidden(text=pages.NO_EMBEDDING)
    try:
        key, title = names.room_key(request.match_info["room"])
    except NotAName as refusal:
        raise web.HTTPNotFound(text=refusal.words) from None
    data = {**pages.room_data(request, key, title), "embed": True}
    response = pages.answer(request, "room.html", {"title": title, "page": data, "embed": True}, cookie=False)
    response.headers["Content-Security-Policy"] = request.app[keys.ASSETS].policy(" ".join(origins))
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"  # the framing page may ask for it (COEP)
    return response
