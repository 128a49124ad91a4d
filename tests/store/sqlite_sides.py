"""SQLite stores that are looked at while something is wrong with their file or their disk."""

from __future__ import annotations

from pathlib import Path
from time import monotonic

import pytest

from chat_aiohttp.errors import CannotStart
from chat_aiohttp.store import AWAY_WITHIN_S
from chat_aiohttp.store.sqlite import SqliteStore
from tests.lateness import lateness
from tests.store.listener import Recorder, Side, eventually

ROOT = Path(__file__).parent.parent.parent
NOTICED_S = AWAY_WITHIN_S + 1.0  # a second for other threads, which a busy machine lets wait as well


async def opened(path: Path, synchronous: str = "OFF") -> Side:
    store, recorder = SqliteStore(path=path, synchronous=synchronous), Recorder()
    store.bind(recorder)
    await store.open()
    return Side(store, recorder)


async def make(path: Path) -> None:
    side = await opened(path)
    await side.say("lobby", "hi")
    await side.store.close()


async def refusal(path: Path) -> CannotStart:
    store = SqliteStore(path=path)
    store.bind(Recorder())
    with pytest.raises(CannotStart) as caught:
        await store.open()
    await store.close()
    assert "\n" not in caught.value.words
    return caught.value


async def noticed(side: Side) -> str:
    """Why the log is away, once that is known, which takes no message."""
    started = monotonic()
    async with lateness() as late:
        await eventually(lambda: side.store.away is not None)
        took = monotonic() - started
    assert took < NOTICED_S + late.s
    return str(side.store.away)


async def is_back(side: Side) -> None:
    await eventually(lambda: side.store.away is None)


def faults(side: Side) -> set[str]:
    return set(side.store.faults)
