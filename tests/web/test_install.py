"""The manifest, the worker and the offline page, as a browser gets them."""

from __future__ import annotations

import json
import re

from chat_aiohttp.config import Config, ServerTable
from tests.web.test_embed import PAGE, Serve


async def test_the_manifest_names_the_site_and_icons_that_are_there(serve: Serve) -> None:
    server = await serve(Config(server=ServerTable(site_name="The Village")))
    async with server.client.get("/manifest.webmanifest") as answer:
        assert answer.content_type == "application/manifest+json"
        manifest = json.loads(await answer.text())

    assert (manifest["name"], manifest["start_url"], manifest["display"]) == ("The Village", "/chat/", "standalone")
    assert {icon["sizes"] for icon in manifest["icons"]} == {"any", "192x192", "512x512"}
    for icon in manifest["icons"]:
        async with server.client.get(icon["src"]) as answer:
            assert (answer.status, answer.content_type) == (200, icon["type"])


async def test_the_worker_names_every_file_of_this_version_and_no_page(serve: Serve) -> None:
    server = await serve()
    async with server.client.get("/worker.js") as answer:
        assert answer.content_type == "text/javascript"
        assert answer.headers["Cache-Control"] == "no-cache"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        text = await answer.text()

    shell = json.loads(re.match(r"const shell = (.*);\n", text)[1])  # type: ignore[index]
    assert all(path.startswith("/static/") for path in shell["files"])
    assert any(path.endswith("/pages/room.js") for path in shell["files"])
    assert shell["offline"] == "/offline"


async def test_the_offline_page_is_for_everybody(serve: Serve) -> None:
    server = await serve()
    async with server.client.get("/offline", headers=PAGE) as answer:
        page = await answer.text()

    assert "Set-Cookie" not in answer.headers
    assert "You are offline." in page
    assert "现在没有网络。" in page
