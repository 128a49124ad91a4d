"""The memory store keeps the contract."""

from __future__ import annotations

from chat_aiohttp.store import Retention
from chat_aiohttp.store.memory import MemoryStore
from tests.store.contract import StoreContract
from tests.store.listener import Clock


class TestMemory(StoreContract):
    outlives_close = False

    def build(self, place: object, retention: Retention, clock: Clock) -> MemoryStore:
        return MemoryStore(retention=retention, clock=clock)
