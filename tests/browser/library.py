"""A server's file with much to read in it: room “long” with ten thousand messages, “short” with sixty."""

from __future__ import annotations

import time
from pathlib import Path

from chat_aiohttp.bodies import message_body
from chat_aiohttp.events import MESSAGE, Draft
from chat_aiohttp.store.sqlite import SqliteStore
from tests.store.listener import Recorder

LONG, SHORT = 10_000, 60


async def write(path: Path) -> None:
    """Fill the SQLite file *path*: “line 1” and on, said by one person in the last six hours."""
    now = time.time() - 6 * 3600
    store = SqliteStore(path=path, synchronous="OFF", clock=lambda: now)
    store.bind(Recorder())
    await store.open()
    for number in range(1, LONG + 1):
        _say(store, "long", number)
        if number <= SHORT:
            _say(store, "short", number)
        if number % 500 == 0:
            await store.drain()
            now += 900
    await store.close()


def _say(store: SqliteStore, room: str, number: int) -> None:
    text = f"line {number}" + " and a word more" * (12 if number % 7 == 0 else 0)
    store.append(Draft(room, room, MESSAGE, message_body(text, "b7Kq2m5x_3rt", "Ada", None)))
