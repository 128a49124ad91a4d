"""/healthz and /readyz: for whoever watches the process. Layer 5.

Healthy means that the process answers: restart it when it doesn't. Ready means that it can take people in: send them
elsewhere while it can't. Without its log the server is not ready within two seconds (G10), and says why.
"""

from __future__ import annotations

from aiohttp import web

from chat_aiohttp import keys


async def healthz(request: web.Request) -> web.Response:
    """GET /healthz: 200 as long as the event loop turns."""
    return web.Response(text="ok\n")


async def readyz(request: web.Request) -> web.Response:
    """GET /readyz: 200 while people can come in and be heard; else 503 and the cause."""
    away = request.app[keys.HUB].away
    return web.Response(text="ready\n") if away is None else web.Response(text=f"not ready: {away}\n", status=503)
