"""Reading: ten thousand messages, places that hold still, what is new, and addresses of single messages."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from chat_aiohttp.events import MESSAGE, Draft
from chat_aiohttp.store.sqlite import SqliteStore
from chat_aiohttp.wire import message_body
from tests.browser.chat_server import ChatServer
from tests.browser.conftest import Arrive
from tests.browser.visitor import Visitor, wait_for_log
from tests.store.listener import Recorder

MESSAGES = ".msg .text"
LONG, SHORT = 10_000, 60
START_MS = 1_700_000_000_000


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChatServer]:
    """A server whose room “long” has ten thousand messages and “short” has sixty, a second apart, nobody there."""
    folder = tmp_path_factory.mktemp("library")
    asyncio.run(_write(folder / "chat.db"))
    server = ChatServer(folder, f"sqlite://{folder}/chat.db").start()
    yield server
    server.stop()


async def _write(path: Path) -> None:
    now = 0.0
    store = SqliteStore(path=path, synchronous="OFF", clock=lambda: now)
    store.bind(Recorder())
    await store.open()
    for number in range(1, LONG + 1):
        now = _time_of(number) / 1000
        _say(store, "long", number)
        if number <= SHORT:
            _say(store, "short", number)
        if number % 500 == 0:
            await store.drain()
    await store.close()


def _time_of(number: int) -> int:
    """Milliseconds; the last message is of now, so that retention keeps them all."""
    import time

    return int(time.time() * 1000) - (LONG - number) * 1000


def _say(store: SqliteStore, room: str, number: int) -> None:
    text = f"line {number}" + (" and a word more" * 12 if number % 7 == 0 else "")
    store.append(Draft(room, room, MESSAGE, message_body(text, "b7Kq2m5x_3rt", "Ada", None)))


def numbers(page: Page) -> list[int]:
    """Of the messages in the page, in their order."""
    return [int(text.split()[1]) for text in page.locator(MESSAGES).all_text_contents()]
