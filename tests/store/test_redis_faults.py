"""What the Redis store does when its server is flushed, trimmed, frozen, full or cut off. Killed: see the proofs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from time import monotonic

import pytest

from chat_aiohttp.errors import Refused, Unknown
from chat_aiohttp.events import NOTHING, Draft
from chat_aiohttp.store import APPEND_DEADLINE_S, AWAY_WITHIN_S
from chat_aiohttp.store.redis_gather import GATHERED_ITEMS
from chat_aiohttp.store.redis_streams import RedisStore
from tests.lateness import lateness
from tests.servers import FAULTY, Proxy, Server
from tests.store.listener import ids, message, texts
from tests.store.redis_sides import Open, faults, key, said, when

pytestmark = pytest.mark.parametrize("server", FAULTY, indirect=True)


# -- what was lost is announced


async def test_a_flush_is_announced_and_following_goes_on(server: Server, start: Open) -> None:
    side = await start(server.url)
    await side.store.attach("lobby")
    (last,) = await side.say("lobby", "before")
    await side.told("lobby", 1)

    server.ask("FLUSHALL")
    await side.recorder.until(lambda: bool(side.recorder.gaps))
    (after,) = await side.say("lobby", "after")

    assert [(room, gap.after, gap.position, gap.reason) for room, gap in side.recorder.gaps] == [
        ("lobby", last, NOTHING, "lost")
    ]
    assert ids(await side.told("lobby", 2)) == [last, after]
    assert after > last


async def test_a_flush_is_announced_also_when_it_is_written_to_at_once(server: Server, start: Open) -> None:
    side = await start(server.url)
    for room in ("lobby", "den"):
        await side.store.attach(room)
        await side.say(room, "before")
        await side.told(room, 1)

    server.ask("FLUSHALL")
    await side.say("lobby", "after")
    await side.recorder.until(lambda: bool(side.recorder.gaps))
    await when(lambda: {room for room, _ in side.recorder.gaps} == {"lobby", "den"})

    assert all(gap.reason == "lost" for _, gap in side.recorder.gaps)
    assert texts(await side.told("lobby", 2)) == ["before", "after"]


async def test_a_deleted_room_is_announced_and_its_ids_go_on_growing(server: Server, start: Open) -> None:
    side = await start(server.url)
    await side.store.attach("lobby")
    (before,) = await side.say("lobby", "before")
    await side.told("lobby", 1)

    server.ask("DEL", key("lobby", "r:lobby"))
    (after,) = await side.say("lobby", "after")
    told = await side.told("lobby", 2)

    assert before < after
    assert texts(told) == ["before", "after"]
    assert [(room, gap.after, gap.position) for room, gap in side.recorder.gaps] == [("lobby", before, NOTHING)]


async def test_ids_grow_when_the_shard_forgot_everything_but_the_room(server: Server, start: Open) -> None:
    side = await start(server.url)
    await side.store.attach("lobby")
    server.ask("XADD", key("lobby", "bus"), "9000000000000-5", "foreign", "from the future")
    (first,) = await side.say("lobby", "a")
    server.ask("DEL", key("lobby", "bus"), key("lobby", "head"))
    (second,) = await side.say("lobby", "b")
    (third,) = await side.say("lobby", "c")

    assert (9_000_000_000_000, 5) < first < second < third
    assert texts(await side.told("lobby", 3)) == ["a", "b", "c"]


async def test_a_rolled_back_shard_is_announced_with_the_lower_position(server: Server, start: Open) -> None:
    side = await start(server.url)
    await side.store.attach("lobby")
    first, second = await side.say("lobby", "a", "b")
    await side.told("lobby", 2)

    # What a restored backup looks like: the same epoch, an older end.
    server.ask("DEL", key("lobby", "bus"))
    server.ask("HSET", key("lobby", "head"), "last", str(first))
    server.ask("DEL", key("lobby", "r:lobby"))
    server.ask("XADD", key("lobby", "r:lobby"), str(first), "p", "0-0", "d", '{"message":"a"}')
    await side.recorder.until(lambda: bool(side.recorder.gaps))

    assert [(gap.after, gap.position, gap.reason) for _, gap in side.recorder.gaps] == [(second, first, "lost")]


# -- what is not lost is filled


async def test_a_bus_trimmed_beyond_the_cursor_is_filled_from_the_rooms(server: Server, start: Open) -> None:
    proxy = Proxy(server.port)
    async with proxy:
        follower, writer = await start(proxy.url), await start(server.url)
        rooms = [f"room {n}" for n in range(40)]
        for room in rooms:
            await follower.store.attach(room)
        await writer.append(*(message(room, "first") for room in rooms))
        await when(lambda: len(follower.recorder.events) == 40)

        proxy.is_mute = True
        proxy.cut()
        for n in range(10):
            await writer.append(*(message(room, str(n)) for room in rooms))
        for shard in range(16):
            server.ask("XTRIM", f"chat:{{s{shard:02}}}:bus", "MAXLEN", "0")
        proxy.is_mute = False
        proxy.cut()
        await when(lambda: follower.store.away is None)
        await writer.append(*(message(room, "last") for room in rooms))

        for room in rooms:
            assert texts(await follower.told(room, 12)) == ["first", *map(str, range(10)), "last"]
        assert follower.recorder.gaps == []


async def test_a_room_found_behind_several_times_is_filled_once(server: Server, start: Open) -> None:
    side = await start(server.url)
    await side.store.attach("lobby")
    first, second = await side.say("lobby", "a", "b")
    await side.told("lobby", 2)

    assert isinstance(side.store, RedisStore)
    following = side.store._section("lobby").following
    followed = following.enter("lobby")
    followed.stand(first, str(first).encode())
    following.behind += [followed, followed]
    (third,) = await side.say("lobby", "c")
    await side.recorder.until(lambda: third in ids(side.told_of("lobby")))

    assert ids(side.told_of("lobby")) == [first, second, second, third]


async def test_a_deleted_bus_loses_nothing(server: Server, start: Open) -> None:
    side = await start(server.url)
    await side.store.attach("lobby")
    for n in range(20):
        await side.say("lobby", str(n))
        server.ask("DEL", key("lobby", "bus"))

    assert texts(await side.told("lobby", 20)) == [str(n) for n in range(20)]
    assert side.recorder.gaps == []


async def test_a_reader_whose_cursor_is_in_the_future_hears_again(server: Server, start: Open) -> None:
    side = await start(server.url)
    await side.store.attach("lobby")
    await side.say("lobby", "a")
    await side.told("lobby", 1)
    server.ask("XADD", key("lobby", "bus"), "9000000000000-5", "foreign", "x")
    await when(lambda: faults(side)["junk"])
    server.ask("DEL", key("lobby", "bus"))
    await side.say("lobby", "b")

    assert texts(await side.told("lobby", 2)) == ["a", "b"]
    assert side.recorder.gaps == []


# -- outcomes


async def test_a_lost_reply_is_unknown_and_sending_again_stores_once(server: Server, start: Open) -> None:
    async with Proxy(server.port) as proxy:
        side = await start(proxy.url)
        await said(side, "lobby", "warm", "k0")

        proxy.is_mute = True
        first, behind = message("lobby", "hi", ref="k1"), message("lobby", "ho", ref="k2")
        began = monotonic()
        async with lateness() as late:
            side.store.append(first)
            await when(lambda: server.ask("XLEN", key("lobby", "r:lobby")) == 2)  # stored, and nobody is told
            side.store.append(behind)
            await side.settled(first, behind)
            took = monotonic() - began
        proxy.is_mute = False
        proxy.cut()

        assert isinstance(first.error, Unknown)
        assert first.error.code == "unknown"
        assert behind.error is not None
        assert (behind.error.code, type(behind.error)) == ("log_away", Refused)
        assert took < APPEND_DEADLINE_S + late.s
        again = await said(side, "lobby", "hi", "k1")
        await said(side, "lobby", "ho", "k2")
        assert again.repeated
        assert await side.history("lobby") == ["warm", "hi", "ho"]


async def test_a_frozen_server_is_noticed_refused_and_found_again(server: Server, start: Open) -> None:
    side = await start(server.url)
    await side.store.attach("lobby")
    await side.say("lobby", "before")

    server.freeze()
    try:
        async with lateness() as late:
            began = monotonic()
            under_way = message("lobby", "under way", ref="k1")
            side.store.append(under_way)
            await when(lambda: side.store.away)
            noticed = monotonic() - began - late.s
            refused = message("lobby", "refused", ref="k2")
            asked = monotonic() - late.s
            await side.append(refused)
            answered = monotonic() - late.s - asked
            await side.settled(under_way)
            settled = monotonic() - began - late.s
        with pytest.raises(Refused):
            await side.store.after("lobby", NOTHING, 10)
    finally:
        server.thaw()
    await when(lambda: side.store.away is None)
    await said(side, "lobby", "under way", "k1")
    await said(side, "lobby", "refused", "k2")

    assert noticed <= AWAY_WITHIN_S
    assert answered < 0.1, "it waited for something"
    assert settled <= APPEND_DEADLINE_S
    assert isinstance(under_way.error, Unknown)
    assert refused.error is not None
    assert refused.error.code == "log_away"
    assert await side.history("lobby") == ["before", "under way", "refused"]
    assert texts(await side.told("lobby", 3)) == ["before", "under way", "refused"]


async def test_a_full_server_refuses_and_takes_again(server: Server, start: Open) -> None:
    side = await start(server.url)
    await side.say("lobby", "before")
    server.ask("CONFIG", "SET", "maxmemory", "1")
    first, second = await side.append(message("lobby", "a", ref="k1"), message("den", "b", ref="k2"))
    away = side.store.away
    server.ask("CONFIG", "SET", "maxmemory", "0")
    await when(lambda: side.store.away is None)
    await said(side, "lobby", "a", "k1")

    for draft in (first, second):
        assert draft.error is not None
        assert (draft.error.code, draft.error.retryable) == ("log_away", True)
    assert away is not None
    assert "OOM" in away
    assert await side.history("lobby") == ["before", "a"]


async def test_what_gathered_behind_a_refusal_is_refused_with_it(server: Server, start: Open) -> None:
    side = await start(server.url)
    head, tell = key("lobby", "head"), side.recorder.settled

    def told(drafts: Sequence[Draft]) -> None:
        tell(drafts)
        server.ask("DEL", head)  # from here on the shard would take everything

    side.recorder.settled = told  # type: ignore[method-assign]
    server.ask("SET", head, "scribble")
    drafts = await side.append(*(message("lobby", str(n), ref=str(n)) for n in range(300)))

    assert [draft.error is not None and draft.error.retryable for draft in drafts] == [True] * 300
    assert await side.history("lobby") == []


async def test_more_than_can_gather_is_refused_behind_what_is_stored(server: Server, start: Open) -> None:
    side = await start(server.url)
    drafts = [message("lobby", "x") for _ in range(GATHERED_ITEMS + 500)]
    for draft in drafts:
        side.store.append(draft)
    await side.store.drain()

    outcomes = [draft.error is None for draft in drafts]
    assert outcomes == sorted(outcomes, reverse=True)
    assert not any(outcomes[-500:])
    assert len(side.recorder.drafts) == len(drafts)
    assert side.store.away is None


async def test_a_draft_that_cannot_be_sent_leaves_the_lane_alive(server: Server, start: Open) -> None:
    side = await start(server.url)
    (poison,) = await side.append(message("lobby", "a", ref="\ud800"))
    await said(side, "lobby", "b", "k1")

    assert poison.error is not None
    assert await side.history("lobby") == ["b"]


async def test_scripts_the_server_forgot_are_taught_again(server: Server, start: Open) -> None:
    side = await start(server.url)
    await side.store.attach("lobby")
    await side.say("lobby", "a")
    server.ask("SCRIPT", "FLUSH")
    await side.say("lobby", "b")

    assert await side.history("lobby") == ["a", "b"]
    assert texts(await side.told("lobby", 2)) == ["a", "b"]


async def test_a_connection_hung_up_while_idle_costs_no_message(server: Server, start: Open) -> None:
    side = await start(server.url)
    await side.say("lobby", "a")
    server.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    await when(lambda: side.store.away)  # the follower notices; the lane finds out when it has something to write
    await when(lambda: side.store.away is None)
    (draft,) = await side.append(message("lobby", "b"))

    assert draft.error is None


# -- several instances


async def test_two_instances_see_one_order(server: Server, start: Open) -> None:
    one, two = await start(server.url), await start(server.tcp_url)
    for side in (one, two):
        await side.store.attach("lobby")
    for n in range(100):
        for side, name in ((one, "one"), (two, "two")):
            for part in range(5):
                side.store.append(message("lobby", f"{name} {n * 5 + part}"))
        await asyncio.sleep(0)
    told_one, told_two = await one.told("lobby", 1000), await two.told("lobby", 1000)

    assert told_one == told_two == (await one.store.after("lobby", NOTHING, 1000)).events
    for name in ("one", "two"):
        assert [text for text in texts(told_one) if text.startswith(name)] == [f"{name} {n}" for n in range(500)]


# -- a close, and ends that were none


async def test_whatever_is_sent_while_the_store_closes_settles(server: Server, start: Open) -> None:
    for turns in range(12):
        side = await start(server.url)
        closing = asyncio.create_task(side.store.close())
        for _ in range(turns):
            await asyncio.sleep(0)
        (draft,) = await side.append(message("lobby", "late", ref="k1"))
        await closing

        assert draft.error is None or draft.error.retryable


async def test_who_comes_clears_away_the_leases_of_those_that_died(server: Server, start: Open) -> None:
    side, leases = await start(server.url), key("lobby", "l:lobby")
    in_a_minute = int(server.ask("TIME")[0]) * 1000 + 60_000
    server.ask("HSET", leases, "dead", "1700000000000 2 []", "alive", f"{in_a_minute} 1 []", "foreign", "?")
    side.store.lease("lobby", "Lobby", 1, b"[]")
    await side.store.drain()

    assert set(server.ask("HKEYS", leases)) == {b"i0", b"alive", b"foreign"}
