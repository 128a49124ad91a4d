"""What every answer has in common: errors as pages or lines, security headers. Layer 5."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from math import ceil
from typing import Final

from aiohttp import web

from chat_aiohttp import keys
from chat_aiohttp.errors import Limited, Refused
from chat_aiohttp.web.pages import render_error

log = logging.getLogger(__name__)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

MAX_WAIT_S: Final = 3600.0  # a Retry-After beyond it helps nobody

_FULL: Final = ("full", "room_full")
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",  # a room's name is in its address
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn what a handler raised into an answer: a page for browsers, a line for programs."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status >= 400 and request.path.startswith("/ws/"):
            request.app[keys.HUB].metrics.refusals[f"http_{error.status}"] += 1
        if error.status < 400 or not _wants_page(request):
            raise
        page = render_error(request, error.status, None, error.text if _is_ours(error) else None)
        page.headers.update({name: error.headers[name] for name in ("Retry-After", "Allow") if name in error.headers})
        return page
    except Refused as refusal:
        return _unavailable(request, refusal)
    except Exception:
        log.exception("a request failed: %s %s", request.method, request.match_info.route.resource)
        if _wants_page(request):
            return render_error(request, 500)
        return web.Response(status=500, text="The server failed. It has been noted.\n")


async def security_headers(request: web.Request, response: web.StreamResponse) -> None:
    """On every answer (on_response_prepare)."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Content-Security-Policy", request.app[keys.ASSETS].csp)


def _wants_page(request: web.Request) -> bool:
    return not request.path.startswith("/ws/") and "text/html" in request.headers.get("Accept", "")


def _is_ours(error: web.HTTPException) -> bool:
    # aiohttp's own text is "404: Not Found"; ours is a sentence.
    return bool(error.text) and not str(error.text).startswith(f"{error.status}:")


def _unavailable(request: web.Request, refusal: Refused) -> web.StreamResponse:
    request.app[keys.HUB].metrics.refusals[refusal.code] += 1
    status, wait_s = 503, 2.0
    if isinstance(refusal, Limited):
        wait_s = min(refusal.wait_s, MAX_WAIT_S)
        status = 503 if refusal.code in _FULL else 429  # RFC 6585 section 4: 429 is about the client, 503 about us
    headers = {"Retry-After": str(ceil(wait_s)), "X-Error-Code": refusal.code}
    if _wants_page(request):
        page = render_error(request, status, None, refusal.words)
        page.headers.update(headers)
        return page
    return web.Response(status=status, text=refusal.words + "\n", headers=headers)
