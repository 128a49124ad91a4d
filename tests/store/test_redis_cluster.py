"""The Redis store on a cluster: the contract, a shard that moves, a node that goes and comes back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from itertools import count

import pytest

from chat_aiohttp.errors import CannotStart, Refused
from chat_aiohttp.store import Retention
from chat_aiohttp.store.redis_streams import RedisStore
from tests.lateness import lateness
from tests.servers import REDIS, VALKEY
from tests.store.contract import StoreContract
from tests.store.listener import ids, message, texts
from tests.store.redis_clusters import Cluster, cluster
from tests.store.redis_sides import Open, faults, key, said, when

prefixes = (f"c{number}" for number in count())


@pytest.fixture(scope="module")
def valkeys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("cluster"), kind=VALKEY) as nodes:
        yield nodes


@pytest.fixture(scope="module", params=[VALKEY, REDIS])
def nodes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    if request.param == VALKEY:
        yield request.getfixturevalue("valkeys")
    else:
        with cluster(tmp_path_factory.mktemp("cluster"), kind=REDIS) as nodes:
            yield nodes


class TestRedisCluster(StoreContract):
    takes_clock = False
    is_shared = True
    instances = count()

    @pytest.fixture
    def place(self, valkeys: Cluster) -> tuple[str, str]:
        return valkeys.url, next(prefixes)

    def build(self, place: tuple[str, str], retention: Retention, clock: Callable[[], float]) -> RedisStore:
        url, prefix = place
        return RedisStore(
            url=url, prefix=prefix, instance=f"i{next(self.instances)}", retention=retention, clock=time.time
        )


@pytest.fixture
def empty(nodes: Cluster) -> Cluster:
    for node in nodes.nodes:
        node.ask("FLUSHALL")
    return nodes


async def test_rooms_of_all_nodes_are_one_lobby(empty: Cluster, start: Open) -> None:
    side = await start(empty.url)
    rooms = [f"room {n}" for n in range(60)]
    await side.append(*(message(room, "hi") for room in rooms))

    assert {line.key for line in await side.store.rooms(100)} == set(rooms)
    assert all(node.ask("DBSIZE") for node in empty.nodes)


async def test_a_shard_that_moves_refuses_meanwhile_and_loses_nothing(empty: Cluster, start: Open) -> None:
    side = await start(empty.url)
    bus = key("lobby", "bus")
    source = empty.node_of(bus)
    target = empty.other_than(source)
    elsewhere = next(f"n{n}" for n in count() if empty.node_of(key(f"n{n}", "bus")) not in (source, target))
    for room in ("lobby", elsewhere):
        await side.store.attach(room)
    await said(side, "lobby", "before", "k1")

    empty.begin_move(bus, target)
    (under_way,) = await side.append(message("lobby", "meanwhile", ref="k2"))
    (beside,) = await side.append(message(elsewhere, "beside"))
    with pytest.raises(Refused):
        await side.store.after("lobby", under_way.id, 10)
    away = side.store.away
    empty.end_move(bus, target)
    again = await said(side, "lobby", "meanwhile", "k2")
    repeated = await said(side, "lobby", "before", "k1")

    assert under_way.error is not None
    assert under_way.error.retryable
    assert "TRYAGAIN" in under_way.error.words
    assert beside.error is None
    assert away is None
    assert not again.repeated
    assert repeated.repeated
    assert texts(await side.told("lobby", 2)) == ["before", "meanwhile"]
    assert side.recorder.gaps == []
    assert faults(side)["MOVED"]
    assert await side.history("lobby") == ["before", "meanwhile"]


async def test_a_shard_that_moved_between_two_messages_is_found(empty: Cluster, start: Open) -> None:
    side, other = await start(empty.url), await start(empty.url)
    bus = key("lobby", "bus")
    target = empty.other_than(empty.node_of(bus))
    for one in (side, other):
        await one.store.attach("lobby")
    stored = [(await said(side, "lobby", "a", "k1")).id]
    empty.begin_move(bus, target)
    empty.end_move(bus, target)
    stored.append((await said(side, "lobby", "b", "k2")).id)

    for one in (side, other):
        assert ids(await one.told("lobby", 2)) == stored
        assert one.recorder.gaps == []


async def test_a_node_that_is_away_is_the_matter_of_its_own_rooms(empty: Cluster, start: Open) -> None:
    for node in empty.nodes:
        node.ask("CONFIG", "SET", "cluster-require-full-coverage", "no")
    side = await start(empty.url)
    gone = empty.node_of(key("lobby", "bus"))
    there = next(f"n{n}" for n in count() if empty.node_of(key(f"n{n}", "bus")) is not gone)
    for room in ("lobby", there):
        await side.store.attach(room)
        await said(side, room, "before", f"{room}-1")

    gone.freeze()
    try:
        refused, stored = message("lobby", "a", ref="k1"), message(there, "b", ref="k2")
        await side.append(refused, stored)
        away = side.store.away
        (at_once,) = await side.append(message("lobby", "a", ref="k1"))
    finally:
        gone.thaw()
    await said(side, "lobby", "a", "k1")

    assert refused.error is not None
    assert at_once.error is not None
    assert at_once.error.code == "log_away"
    assert stored.error is None
    assert away is None
    assert texts(await side.told("lobby", 2)) == ["before", "a"]
    assert texts(await side.told(there, 2)) == ["before", "b"]
    assert side.recorder.gaps == []


async def test_all_nodes_away_is_the_log_away(empty: Cluster, start: Open) -> None:
    side = await start(empty.url)
    for node in empty.nodes:
        node.freeze()
    try:
        began = asyncio.get_running_loop().time()
        async with lateness() as late:
            await when(lambda: side.store.away)
            noticed = asyncio.get_running_loop().time() - began - late.s
    finally:
        for node in empty.nodes:
            node.thaw()
    await when(lambda: side.store.away is None)
    await said(side, "lobby", "a", "k1")

    assert noticed <= 2.0
    assert await side.history("lobby") == ["a"]


async def test_a_node_s_own_url_is_refused_with_the_remedy(empty: Cluster, start: Open) -> None:
    with pytest.raises(CannotStart, match=r"redis\+cluster://"):
        await start(empty.nodes[0].url)
