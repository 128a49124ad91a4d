"""What the Redis store asks of its server, costs it, and makes of what others write there."""

from __future__ import annotations

from pathlib import Path

import pytest

from chat_aiohttp.errors import BadInput, CannotStart
from tests.servers import Server
from tests.store.listener import ids, message, texts
from tests.store.redis_sides import Open, key, neighbour, stranger

# -- foreign hands


async def test_a_wrong_type_breaks_its_room_only(server: Server, start: Open) -> None:
    side = await start(server.url)
    beside = neighbour("lobby")
    server.ask("SET", key("lobby", "r:lobby"), "scribble")
    broken, fine = await side.append(message("lobby", "a", ref="k1"), message(beside, "b", ref="k2"))

    assert isinstance(broken.error, BadInput)
    assert broken.error.code == "room_broken"
    assert fine.error is None
    assert side.store.away is None
    assert await side.history(beside) == ["b"]


async def test_a_wrong_type_at_a_shards_key_refuses_that_shard_only(server: Server, start: Open) -> None:
    side = await start(server.url)
    server.ask("SET", key("lobby", "head"), "scribble")
    broken, fine = await side.append(message("lobby", "a", ref="k1"), message(stranger("lobby"), "b", ref="k2"))

    assert broken.error is not None
    assert "head" in broken.error.words
    assert fine.error is None


async def test_junk_in_a_bus_is_skipped(server: Server, start: Open) -> None:
    side = await start(server.url)
    await side.store.attach("lobby")
    bus = key("lobby", "bus")
    await side.say("lobby", "a")
    server.ask("XADD", bus, "*", "foo", "bar")
    server.ask("XADD", bus, "*", "b", "0-0", "r", "lobby")
    server.ask("XADD", bus, "*", "b", "x", "r", "lobby", "p", "y", "d", "not json")
    await side.say("lobby", "b")
    server.ask("XADD", bus, "*", "b", "0-0", "r", "lobby", "p", "0-0", "d", "{}", "t", "nowhere")
    await side.say("lobby", "c")

    assert texts(await side.told("lobby", 3)) == ["a", "b", "c"]
    assert side.recorder.gaps == []
    assert side.store.away is None


async def test_junk_in_a_rooms_stream_is_skipped(server: Server, start: Open) -> None:
    side = await start(server.url)
    log = key("lobby", "r:lobby")
    server.ask("XADD", log, "*", "foo", "bar")
    position = await side.store.attach("lobby")
    (first,) = await side.say("lobby", "a")
    for _ in range(5):
        server.ask("XADD", log, "*", "foo", "bar")
    second = await side.say("lobby", "b", "c")
    page = await side.store.after("lobby", first, 10)

    assert texts(await side.told("lobby", 3)) == ["a", "b", "c"]
    assert (ids(page.events), page.gap) == (second, None)
    assert (await side.store.after("lobby", position, 1)).gap is None
    assert await side.history("lobby") == ["a", "b", "c"]
    assert side.recorder.gaps == []


# -- starting


async def test_another_number_of_shards_is_refused_with_the_remedy(server: Server, start: Open) -> None:
    await start(server.url)
    with pytest.raises(CannotStart, match=r"16 shards.* 8.*shards = 16") as caught:
        await start(server.url, shards=8)

    assert caught.value.exit_code == 78


async def test_a_server_that_is_not_there_is_named(tmp_path: Path, start: Open) -> None:
    with pytest.raises(CannotStart, match="nothing-here") as caught:
        await start(f"unix://{tmp_path}/nothing-here")

    assert caught.value.exit_code == 75


async def test_durability_is_said_in_words(server: Server, start: Open, caplog: pytest.LogCaptureFixture) -> None:
    for setting in ("maxmemory-policy allkeys-lru", "maxmemory 1gb", "no-appendfsync-on-rewrite yes"):
        server.ask("CONFIG", "SET", *setting.split())
    with_aof = await start(server.url)
    said_with_aof = [record.getMessage() for record in caplog.records]
    server.ask("CONFIG", "SET", "appendfsync", "everysec")
    every_second = await start(server.url)
    server.ask("CONFIG", "SET", "appendonly", "no")
    caplog.clear()
    without = await start(server.url)
    server.ask("CONFIG", "SET", "save", "60 1")
    snapshots = await start(server.url)

    assert with_aof.store.durability.startswith("AOF always: survives")
    assert "1 s lost at power loss" in every_second.store.durability
    assert "no persistence" in without.store.durability
    assert "snapshots only" in snapshots.store.durability
    for remedy in ("maxmemory-policy allkeys-lru", "stream-node-max-bytes 1024", "no-appendfsync-on-rewrite no"):
        assert sum(remedy in line for line in said_with_aof) == 1
    assert not any("not safe" in line for line in said_with_aof)
    assert "acknowledged messages are not safe here" in caplog.text
    assert "set appendonly yes" in caplog.text


# -- what it costs


async def test_an_idle_room_with_one_message_costs_at_most_one_and_a_half_kilobytes(
    server: Server, start: Open
) -> None:
    server.ask("CONFIG", "SET", "stream-node-max-bytes", "1024")
    side = await start(server.url)
    await side.say("the first", "makes the server set up what it needs once")
    rooms = 4000
    before = server.ask("INFO", "memory")["used_memory"]
    await side.append(*(message(f"room-{n}", "x" * 64) for n in range(rooms)))
    for shard in range(16):
        server.ask("DEL", f"chat:{{s{shard:02}}}:bus")  # a minute later it is gone by itself
    used = server.ask("INFO", "memory")["used_memory"] - before

    assert used / rooms <= 1536
