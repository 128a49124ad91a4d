"""The Redis store behind Sentinels: a failover is followed, and what it lost is announced."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis.asyncio.sentinel import Sentinel
from redis.exceptions import TimeoutError as RedisTimeout

from chat_aiohttp.errors import CannotStart
from chat_aiohttp.store import redis_sentinel
from chat_aiohttp.store.redis_servers import Dialer
from chat_aiohttp.store.redis_urls import servers_at
from tests.servers import FAULTY, Proxy
from tests.store.listener import ids, message, texts
from tests.store.redis_clusters import Watched, until, watched
from tests.store.redis_sides import Open, faults, key, said, when


@pytest.fixture(params=FAULTY)
def servers(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Watched]:
    with watched(tmp_path, request.param) as servers:
        yield servers


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


async def test_a_question_to_sentinels_can_be_cancelled_at_any_moment(servers: Watched) -> None:
    found = servers_at(servers.url, client_name="t")
    server = found.of_key(b"")
    await server.connection()
    for turns in range(1, 20):
        asking = asyncio.create_task(server.connection())
        for _ in range(turns):
            await asyncio.sleep(0)
        if asking.cancel():
            with pytest.raises(asyncio.CancelledError):
                await asking
    await found.close()


async def test_a_sentinel_that_was_away_is_asked_again_though_several_asked_at_once(
    servers: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_sentinel, "GUIDE_S", 1.0)  # beside other tests an answer may take 0.3 s
    async with Proxy(servers.sentinel.port) as first, Proxy(servers.sentinel.port) as second:
        url = f"redis+sentinel://127.0.0.1:{first.port},127.0.0.1:{second.port}/mymaster/0"
        found = servers_at(url, client_name="t")
        server = found.of_key(b"")
        first.is_mute = True
        await asyncio.gather(*(server.connection() for _ in range(3)))
        first.is_mute, second.is_mute = False, True

        connection = await server.connection()
        assert connection.port == servers.one.port
        await found.close()


class Clinging(Sentinel):
    """A Sentinel that doesn't let go, as one over TLS that is frozen."""

    async def aclose(self) -> None:
        raise RedisTimeout("Timed out closing connection after 0.3")


async def test_a_sentinel_that_can_not_be_told_goodbye_does_not_hinder_the_close() -> None:
    address = ("127.0.0.1", 1)
    sentinel = Clinging([address])  # type: ignore[no-untyped-call]
    await redis_sentinel.Watched(Dialer({}), "mymaster", {address: sentinel}).close()


async def test_a_sentinel_that_answers_with_an_error_does_not_keep_the_others_from_being_asked(
    servers: Watched, start: Open
) -> None:
    side = await start(f"redis+sentinel://127.0.0.1:{servers.one.port},127.0.0.1:{servers.sentinel.port}/mymaster/0")
    await said(side, "lobby", "hi", "k1")

    assert await side.history("lobby") == ["hi"]


async def test_a_name_no_sentinel_knows_is_named(servers: Watched, start: Open) -> None:
    with pytest.raises(CannotStart, match="elsewhere"):
        await start(servers.url.replace("mymaster", "elsewhere"))


async def test_a_sentinel_for_a_server_is_refused_with_the_remedy(servers: Watched, start: Open) -> None:
    with pytest.raises(CannotStart, match=r"redis\+sentinel://"):
        await start(servers.sentinel.tcp_url)
