"""The Redis store behind Sentinels: a failover is followed, and what it lost is announced."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from chat_aiohttp.errors import CannotStart
from tests.servers import REDIS, VALKEY
from tests.store.listener import ids, message, texts
from tests.store.redis_clusters import Watched, until, watched
from tests.store.redis_sides import Open, faults, key, said, stores, when


@pytest.fixture(params=[VALKEY, REDIS])
def servers(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Watched]:
    with watched(tmp_path, request.param) as servers:
        yield servers


@pytest.fixture
async def start() -> AsyncIterator[Open]:
    async with stores() as start:
        yield start


async def test_a_failover_by_hand_is_followed(servers: Watched, start: Open) -> None:
    side = await start(servers.url)
    await side.store.attach("lobby")
    first = await said(side, "lobby", "before", "k1")
    until(lambda: servers.other.ask("EXISTS", key("lobby", "r:lobby")))

    servers.fail_over()
    await when(lambda: "chat-i" in str(servers.other.ask("CLIENT", "LIST")), 5)
    second = await said(side, "lobby", "after", "k2")
    again = await said(side, "lobby", "before", "k1")

    assert (again.id, again.repeated) == (first.id, True)
    assert ids(await side.told("lobby", 2)) == [first.id, second.id]
    assert side.recorder.gaps == []
    assert await side.history("lobby") == ["before", "after"]


async def test_a_failover_to_a_copy_that_lagged_is_announced(servers: Watched, start: Open) -> None:
    side = await start(servers.url)
    for room in ("lobby", "den"):
        await side.store.attach(room)
    kept = await said(side, "lobby", "kept", "k1")
    until(lambda: servers.other.ask("EXISTS", key("lobby", "r:lobby")))
    servers.other.freeze()
    servers.one.ask("CLIENT", "KILL", "TYPE", "replica")  # what comes now must not wait in the replica's socket
    lost = await said(side, "lobby", "lost", "k2")
    in_den = await said(side, "den", "lost", "k3")
    for room, count in (("lobby", 2), ("den", 1)):
        await side.told(room, count)

    servers.one.kill()
    servers.other.thaw()
    until(lambda: servers.is_primary(servers.other))
    await when(lambda: len(side.recorder.gaps) == 2)
    again = await said(side, "lobby", "lost", "k2")

    gaps = {room: (gap.after, gap.position) for room, gap in side.recorder.gaps}
    assert gaps["lobby"] == (lost.id, kept.id)
    assert gaps["den"][0] == in_den.id
    assert not again.repeated
    assert again.id > lost.id
    assert texts(await side.told("lobby", 3)) == ["kept", "lost", "lost"]
    assert faults(side)["gap"] == 2
    assert await side.history("lobby") == ["kept", "lost"]


async def test_a_primary_made_a_replica_under_our_hands_is_left(servers: Watched, start: Open) -> None:
    side = await start(servers.one.tcp_url)
    await said(side, "lobby", "before", "k1")
    servers.one.ask("REPLICAOF", "127.0.0.1", servers.other.port)
    (refused,) = await side.append(message("lobby", "meanwhile", ref="k2"))
    await when(lambda: side.store.away)
    servers.one.ask("REPLICAOF", "NO", "ONE")
    await said(side, "lobby", "meanwhile", "k2")

    assert refused.error is not None
    assert refused.error.code == "log_away"
    assert faults(side)["READONLY"]


async def test_a_name_no_sentinel_knows_is_named(servers: Watched, start: Open) -> None:
    with pytest.raises(CannotStart, match="elsewhere"):
        await start(servers.url.replace("mymaster", "elsewhere"))


async def test_a_sentinel_for_a_server_is_refused_with_the_remedy(servers: Watched, start: Open) -> None:
    with pytest.raises(CannotStart, match=r"redis\+sentinel://"):
        await start(servers.sentinel.tcp_url)
