"""/healthz, /readyz and /metrics: for whoever watches the process. Layer 5.

Healthy means that the process answers: restart it when it doesn't. Ready means that it can take people in: send them
elsewhere while it can't. Without its log the server is not ready within two seconds (G10), and says why.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
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
    """GET /metrics: this process' counters, or those of all workers, for those whom metrics.allowed names."""
    if not request.app[keys.PROXIES].is_among(request, request.app[keys.CONFIG].metrics.allowed):
        raise web.HTTPForbidden(
            text="The counters are for the networks in metrics.allowed, and you are in none of them."
        )
    exposition = await _exposition()
    hub, sibling = request.app[keys.HUB], request.app.get(keys.SIBLING)
    if sibling is None:
        body = exposition.exposition(hub)
    else:
        answers = await sibling.ask()
        body = exposition.exposition_of({**answers, sibling.number: exposition.figures(hub)})
    return web.Response(body=body, headers={"Content-Type": exposition.CONTENT_TYPE, "Cache-Control": "no-store"})


async def tell_siblings(app: web.Application) -> AsyncIterator[None]:
    """A cleanup context: as long as it lasts, the other workers are told what this one counts."""
    sibling = app[keys.SIBLING]
    sibling.listen(partial(_figures, app))
    yield
    await sibling.stop()


async def _figures(app: web.Application) -> bytes:
    figures: bytes = (await _exposition()).figures(app[keys.HUB])
    return figures


async def _exposition() -> ModuleType:
    # The first import takes a tenth of a second, which nobody in a room should wait for.
    return await asyncio.to_thread(_imported)


def _imported() -> ModuleType:
    from chat_aiohttp.web import exposition

    return exposition
