"""Draws templates/static/icon-192.png and icon-512.png from icon.svg. By hand, when the mark changes:
`python -m tests.browser.icons`."""

from __future__ import annotations

import os
import shutil

from playwright.sync_api import sync_playwright

from chat_aiohttp.assets import templates_dir

SIZES = (192, 512)


def draw() -> None:
    """Both pictures, with nothing behind the mark's round corners."""
    folder = templates_dir() / "static"
    svg = (folder / "icon.svg").read_text("utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=os.environ.get("CHROMIUM") or shutil.which("chromium"))
        for size in SIZES:
            page = browser.new_page(viewport={"width": size, "height": size})
            page.set_content(f"<style>*{{margin:0}} svg{{display:block;width:100vw;height:100vh}}</style>{svg}")
            page.screenshot(path=folder / f"icon-{size}.png", omit_background=True)
        browser.close()


if __name__ == "__main__":
    draw()
