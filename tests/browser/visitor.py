"""One person at a browser, and what must never happen to them: an error on the console, a refused resource, a request
that leaves the house."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Browser, Page, Request, expect

from tests.browser.chat_server import ChatServer

WITHIN_MS = 30_000  # for whatever a page shows; a second is usual, and a machine may be busy

# A connection that was cut says so on the console, whatever the page does about it.
_BROKEN_LINK = (
    "WebSocket connection to",
    "Service Worker registration blocked",
    "ERR_CONNECTION_REFUSED",
    "ERR_INTERNET_DISCONNECTED",
)


class Visitor:
    """A browser context of its own, with its own cookies, and one page in it."""

    def __init__(self, browser: Browser, server: ChatServer, **context: Any) -> None:
        self.server = server
        self.faults: list[str] = []
        self.expected = list(_BROKEN_LINK)
        # Without the worker, which would fetch all of the shell for each visitor; its own tests allow it.
        usual = {"viewport": {"width": 1100, "height": 700}, "locale": "en-US", "service_workers": "block"}
        self.context = browser.new_context(**{**usual, **context})
        self.page = self.window()

    def window(self) -> Page:
        """One more page of the same person."""
        page = self.context.new_page()
        page.set_default_timeout(WITHIN_MS)
        page.on("console", lambda message: self._said(message.type, message.text))
        page.on("pageerror", lambda error: self.faults.append(f"uncaught: {error}"))
        page.on("request", self._asked)
        return page

    def enter(self, name: str) -> Page:
        """Into the room called *name*; returns when it is live."""
        self.page.goto(self.server.room(name))
        self.is_live()
        return self.page

    def is_live(self, page: Page | None = None) -> None:
        expect((page or self.page).locator("#people-toggle")).to_have_attribute("data-state", "live")

    def say(self, text: str) -> None:
        """Typed blind, as the tutorial's tests do: the composer has the focus."""
        self.page.keyboard.insert_text(text)
        self.page.keyboard.press("Enter")

    def close(self) -> None:
        self.context.close()

    def _said(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not any(known in text for known in self.expected):
            self.faults.append(f"{kind}: {text}")

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((self.server.address, "data:", "about:")):
            self.faults.append(f"asked {request.url}")


def wait_for_log(page: Page, claim: Callable[[str], bool], timeout_s: float = WITHIN_MS / 1000) -> str:
    """The log's `value`, as the tutorial reads it, as soon as *claim* holds for it."""
    text = ""
    for _ in range(int(timeout_s / 0.05)):
        text = str(page.evaluate("document.querySelector('#chat-log').value"))
        if claim(text):
            return text
        page.wait_for_timeout(50)
    raise AssertionError(f"the log never became that; it is {text!r}")
