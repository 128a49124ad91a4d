"""/healthz, /readyz and /metrics: for whoever watches the process. Layer 5.

Healthy means that the process answers: restart it when it doesn't. Ready means that it can take people in: send them
elsewhere while it can't. Without its log the server is not ready within two seconds (G10), and says why.
"""

from __future__ import annotations

import asyncio
from types import ModuleType

from aiohttp import web

from chat_aiohttp import keys


async def healthz(request: web.Request) -> web.Response:
    """GET /healthz: 200 as long as the event loop turns."""
    return web.Response(text="ok\n")


async def readyz(request: web.Request) -> web.Response:
    """GET /readyz: 200 while people can come in and be heard; else 503 and the cause."""
    away = request.app[keys.HUB].away
    return web.Response(text="ready\n") if away is None else web.Response(text=f"not ready: {away}\n", status=503)


async def metrics(request: web.Request) -> web.Response:
    """GET /metrics: this process' counters, for those whom metrics.allowed names."""
    if not request.app[keys.PROXIES].is_among(request, request.app[keys.CONFIG].metrics.allowed):
        raise web.HTTPForbidden(
            text="The counters are for the networks in metrics.allowed, and you are in none of them."
        )
    # The first import takes a tenth of a second, which nobody in a room should wait for.
    exposition = await asyncio.to_thread(_exposition)
    body = exposition.exposition(request.app[keys.HUB])
    return web.Response(body=body, headers={"Content-Type": exposition.CONTENT_TYPE, "Cache-Control": "no-store"})


def _exposition() -> ModuleType:
    from chat_aiohttp.web import exposition

    return exposition
