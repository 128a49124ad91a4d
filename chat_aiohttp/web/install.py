"""What makes the chat an app on somebody's screen: a manifest, a worker, and the page it shows offline. Layer 5.

The worker keeps the shell (files whose address carries their hash) and the offline page, nothing else: pages and what
is said in them come from the server or not at all. Its text names every file of this version, so another version is
another worker; it takes over with the next page that is opened.
"""

from __future__ import annotations

import json
from typing import Final

from aiohttp import web

from chat_aiohttp import keys
from chat_aiohttp.web import pages

OFFLINE: Final = "/offline"
PAPER: Final = "#faf8f4"


async def manifest(request: web.Request) -> web.Response:
    """GET /manifest.webmanifest (W3C Web Application Manifest)."""
    assets = request.app[keys.ASSETS]
    drawn = [("icon.svg", "image/svg+xml", "any")]
    drawn += [(f"icon-{size}.png", "image/png", f"{size}x{size}") for size in (192, 512)]
    icons = [{"src": assets.url(path), "type": kind, "sizes": sizes} for path, kind, sizes in drawn]
    name = pages.site_of(request)
    fields = {
        "id": pages.INDEX,
        "name": name,
        "short_name": name[:12],
        "start_url": pages.INDEX,
        "scope": "/",
        "display": "standalone",
        "background_color": PAPER,
        "theme_color": PAPER,
        "icons": icons,
    }
    headers = {"Cache-Control": "no-cache"}
    return web.json_response(fields, content_type="application/manifest+json", headers=headers)


async def worker(request: web.Request) -> web.Response:
    """GET /worker.js: at the root, since a worker rules what lies below it."""
    assets = request.app[keys.ASSETS]
    script = assets.get("worker.js")
    assert script is not None
    shell = json.dumps({"offline": OFFLINE, "files": assets.shell})
    text = f"const shell = {shell};\n{script.body.decode()}"
    return web.Response(text=text, content_type="text/javascript", headers={"Cache-Control": "no-cache"})


async def offline(request: web.Request) -> web.Response:
    """GET /offline: in all languages at once, for a worker can't know whose cookie chose which."""
    return pages.answer(request, "offline.html", {}, cookie=False)
