"""The contract suite: what every store promises, run against each. See chat_aiohttp/store/__init__.py.

A store's own test file says how it is built and inherits the tests:

    class TestMemory(StoreContract):
        outlives_close = False

        def build(self, place, retention, clock):
            return MemoryStore(retention=retention, clock=clock)

*place* is the fixture `place`: where the test's data lies (a fresh folder; override it for a server's address and a
fresh prefix). The same place opened again is the same log.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from chat_aiohttp.store import Retention, Store
from tests.store.contract_append import AppendContract, DedupContract
from tests.store.contract_changes import ChangesContract
from tests.store.contract_follow import FollowContract, LeaseContract, SharedContract, SignalContract
from tests.store.contract_read import AfterContract, AgeContract, BeforeContract
from tests.store.contract_rooms import RoomsContract
from tests.store.contract_search import SearchContract
from tests.store.contract_unread import UnreadContract
from tests.store.listener import Clock, Recorder, Reopen, Side, Start


class StoreContract(
    AppendContract,
    DedupContract,
    FollowContract,
    SignalContract,
    LeaseContract,
    SharedContract,
    AfterContract,
    BeforeContract,
    AgeContract,
    RoomsContract,
    SearchContract,
    UnreadContract,
    ChangesContract,
):
    """Inherit this and say how the store is built."""

    outlives_close = True  # whether what was appended is there after close and a new open
    takes_clock = True  # whether the store goes by the clock it is given; a server has its own
    is_shared = False  # whether several stores may have the same log open

    def build(self, place: Any, retention: Retention, clock: Callable[[], float]) -> Store:
        """A store on *place*, neither bound nor open."""
        raise NotImplementedError

    @pytest.fixture
    def place(self, tmp_path: Path) -> Any:
        return tmp_path

    @pytest.fixture
    def any_clock(self) -> Clock:
        return Clock()

    @pytest.fixture
    def clock(self, any_clock: Clock) -> Clock:
        """For the tests that turn it."""
        if not self.takes_clock:
            pytest.skip("this store has a clock of its own")
        return any_clock

    @pytest.fixture
    async def start(self, place: Any, any_clock: Clock) -> AsyncIterator[Start]:
        """Opens one more store on the test's data."""
        stores: list[Store] = []

        async def start(**retention: int) -> Side:
            store, recorder = self.build(place, Retention(**retention), any_clock), Recorder()
            store.bind(recorder)
            await store.open()
            stores.append(store)
            return Side(store, recorder)

        yield start
        for store in stores:
            await store.close()

    @pytest.fixture
    async def side(self, start: Start) -> Side:
        return await start()

    @pytest.fixture
    async def reopen(self, start: Start) -> Reopen:
        """Closes a store and opens its log again."""
        if not self.outlives_close:
            pytest.skip("nothing outlives this store's close")

        async def reopen(side: Side) -> Side:
            await side.store.close()
            return await start()

        return reopen

    @pytest.fixture
    async def other(self, side: Side, start: Start) -> Side:
        """A second store on the same log, open at the same time."""
        if not self.is_shared:
            pytest.skip("this store's log has one owner")
        return await start()
