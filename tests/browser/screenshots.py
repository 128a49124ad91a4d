"""Draws docs/screenshots/*.png from the real pages: `python -m tests.browser.screenshots`. Look at them afterwards."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from playwright.async_api import Browser, Page, WebSocketRoute, async_playwright, expect

from tests.browser.chat_server import ROOT, ChatServer
from tests.browser.conversation import Crowd, write_down

FOLDER = ROOT / "docs" / "screenshots"
ZONE = "Europe/Berlin"
WIDE = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 780}
VISITED = ["会议室-7", "ops", "design reviews", "随便聊聊"]
READ = {"lobby": (10, 0), "大厅": (10, 0), "会议室-7": (8, 0), "design reviews": (8, 0)}  # until when each was read
LAST_WORDS = {
    "Lobby": "Trying it on the phone in the train. Tunnel in 3… 2…",
    "大厅": "在火车上用手机试试，马上进隧道了……",
}


async def draw(folder: Path) -> None:
    """All pictures into *folder*."""
    folder.mkdir(parents=True, exist_ok=True)
    day = datetime.now(ZoneInfo(ZONE)).replace(hour=0, minute=0, second=0, microsecond=0)
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "chat.db"
        await write_down(file, day)
        server = ChatServer(Path(place), f"sqlite://{file}").start()
        try:
            async with async_playwright() as playwright:
                path = os.environ.get("CHROMIUM") or shutil.which("chromium")
                browser = await playwright.chromium.launch(executable_path=path)
                await _Camera(server, browser, folder, day + timedelta(hours=10, minutes=6)).draw()
        finally:
            server.stop()


class _Camera:
    """Takes the pictures at *now*, whatever the time is."""

    def __init__(self, server: ChatServer, browser: Browser, folder: Path, now: datetime) -> None:
        self._server = server
        self._browser = browser
        self._folder = folder
        self._now = now

    async def draw(self) -> None:
        crowd = Crowd(self._server)
        try:
            await crowd.arrive()
            await asyncio.sleep(1.5)  # presence is told once a second
            await self._index("index.png")
            await self._room(crowd, "room.png", "Lobby")
            await self._room(crowd, "room-dark.png", "Lobby", color_scheme="dark")
            await self._room(crowd, "room-phone.png", "Lobby", viewport=PHONE, device_scale_factor=2)
            await self._room(crowd, "room-zh.png", "大厅", locale="zh-CN")
        finally:
            await crowd.close()
            await self._browser.close()

    async def _index(self, name: str) -> None:
        page = await self._page(viewport={"width": 1100, "height": 800})
        await page.goto(f"{self._server.address}/chat/")
        await self._save(page, name)

    async def _room(self, crowd: Crowd, name: str, room: str, **context: Any) -> None:
        page = await self._page(**context)
        await page.route_web_socket("**/ws/chat/**", _without_echo)
        for visited in [room, *VISITED]:
            await self._enter(page, visited)
        await page.evaluate("""localStorage.setItem("chat.name", '"Mira"')""")
        await page.evaluate("read => localStorage.setItem('chat.read', JSON.stringify(read))", self._read())
        await self._enter(page, room)
        await page.keyboard.insert_text(LAST_WORDS[room])
        await page.keyboard.press("Enter")
        await expect(page.locator("#rooms .count")).to_have_count(2)
        await crowd.type(room, "Ada", "Björn")
        await expect(page.locator("#typing")).not_to_be_empty()
        await self._save(page, name)

    def _read(self) -> dict[str, str]:
        """Up to which id each room was read."""
        times = {room: self._now.replace(hour=hour, minute=minute) for room, (hour, minute) in READ.items()}
        return {room: f"{int(at.timestamp() * 1000)}-0" for room, at in times.items()}

    async def _enter(self, page: Page, room: str) -> None:
        await page.goto(self._server.room(room))
        await expect(page.locator("#people-toggle")).to_have_attribute("data-state", "live")

    async def _page(self, **context: Any) -> Page:
        settings: dict[str, Any] = {"viewport": WIDE, "locale": "en-GB", "timezone_id": ZONE, **context}
        visitor = await self._browser.new_context(**settings)
        await visitor.add_cookies([{"name": "chat", "value": "mira-" * 8, "url": self._server.address}])
        page = await visitor.new_page()
        await page.clock.set_fixed_time(self._now)
        # The address is whatever port was free; a picture should show a name.
        await page.add_init_script(
            "addEventListener('DOMContentLoaded', () => document.querySelectorAll('.brand bdi')"
            ".forEach((site) => { site.textContent = 'chat.example.org'; }))"
        )
        return page

    async def _save(self, page: Page, name: str) -> None:
        await page.wait_for_timeout(600)  # transitions end
        await page.screenshot(path=self._folder / name)
        await page.context.close()


def _without_echo(link: WebSocketRoute) -> None:
    """What is said here stays under way, for the picture."""
    server = link.connect_to_server()
    link.on_message(lambda text: None if '"type":"send"' in str(text) else server.send(text))


if __name__ == "__main__":
    asyncio.run(draw(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER))
