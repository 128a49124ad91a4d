"""What the Redis store makes of every error that a server may answer with: refused, counted, and gone on from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from chat_aiohttp.errors import Refused
from chat_aiohttp.store import redis_faults
from chat_aiohttp.store.redis_faults import REMEDIES, Faults, Health, Remedy, code_in, remedy_of
from tests.servers import Proxy, Server, start_server
from tests.store.listener import message, texts
from tests.store.redis_liar import Liar
from tests.store.redis_sides import Open, faults, key, neighbour, said, when

TEXTS = {
    "LOADING": "LOADING Redis is loading the dataset in memory",
    "READONLY": "READONLY You can't write against a read only replica.",
    "MASTERDOWN": "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "UNBLOCKED": "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)",
    "NOAUTH": "NOAUTH Authentication required.",
    "WRONGPASS": "WRONGPASS invalid username-password pair or user is disabled.",
    "MOVED": "MOVED 3999 127.0.0.1:1",
    "CLUSTERDOWN": "CLUSTERDOWN The cluster is down",
    "ASK": "ASK 3999 127.0.0.1:1",
    "TRYAGAIN": "TRYAGAIN Multiple keys request during rehashing of slot",
    "OOM": "OOM command not allowed when used memory > 'maxmemory'.",
    "MISCONF": "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
    "NOREPLICAS": "NOREPLICAS Not enough good replicas to write.",
    "BUSY": "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
    "NOPERM": "NOPERM this user has no permissions to run the 'evalsha' command",
    "ERR": "ERR something that nobody has thought of",
    "CROSSSLOT": "CROSSSLOT Keys in request don't hash to the same slot",
    "WRONGTYPE": "WRONGTYPE Operation against a key holding the wrong kind of value",
    "INVENTED": "INVENTED by a later Redis",
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with start_server(tmp_path) as server:
        yield server


def test_every_fault_of_the_table_is_tried() -> None:
    replies = {code for code in REMEDIES if code.isupper()} - {"NOSCRIPT"}

    assert replies == TEXTS.keys() - {"INVENTED"}
    assert [code for code, text in TEXTS.items() if code_in(text) != code] == []


async def test_whatever_writing_is_answered_the_sender_may_send_again(server: Server, start: Open) -> None:
    async with Liar(server.port) as liar:
        side = await start(liar.url)
        await side.store.attach("lobby")
        for code, text in TEXTS.items():
            liar.lies = dict.fromkeys((b"EVALSHA", b"SET"), text)
            (refused,) = await side.append(message("lobby", code, ref=code))
            away = side.store.away
            liar.lies = {}
            assert type(refused.error) is Refused, code
            assert code in refused.error.words
            assert faults(side)[code], code
            assert (away is None) == (remedy_of(code) is Remedy.REFUSE), code
            assert not (await said(side, "lobby", code, code)).repeated

        assert texts(await side.told("lobby", len(TEXTS))) == list(TEXTS)
        assert side.recorder.gaps == []


async def test_whatever_following_is_answered_it_goes_on_and_misses_nothing(server: Server, start: Open) -> None:
    codes = ("LOADING", "UNBLOCKED", "ERR", "INVENTED")  # all are treated alike
    async with Liar(server.port) as liar:
        side, other = await start(liar.url), await start(server.url)
        await side.store.attach("lobby")
        for code in codes:
            liar.lies = {b"XREAD": TEXTS[code]}
            await other.say("lobby", code)
            await when(lambda: side.store.away)
            assert faults(side)[code], code
            liar.lies = {}
            await when(lambda: side.store.away is None)

        assert texts(await side.told("lobby", len(codes))) == list(codes)
        assert side.recorder.gaps == []


async def test_a_room_that_could_not_be_filled_is_filled_later(server: Server, start: Open) -> None:
    async with Liar(server.port) as liar:
        side, other = await start(liar.url), await start(server.url)
        await side.store.attach("lobby")
        await other.say("lobby", "a")
        await side.told("lobby", 1)
        liar.lies = {b"XREAD": TEXTS["LOADING"]}
        await when(lambda: side.store.away)
        await other.say("lobby", "b")
        server.ask("XTRIM", key("lobby", "bus"), "MAXLEN", "0")  # "b" will never come by the bus
        await other.say(neighbour("lobby"), "shows that something is missing")
        liar.lies = {b"EVALSHA": TEXTS["BUSY"]}
        await when(lambda: faults(side)["BUSY"])  # and can't be fetched from the room now
        liar.lies = {}

        assert texts(await side.told("lobby", 2)) == ["a", "b"]
        assert side.recorder.gaps == []


async def test_a_reader_asks_again_where_it_was_sent_elsewhere(server: Server, start: Open) -> None:
    async with Liar(server.port) as liar:
        side = await start(liar.url)
        await side.say("lobby", "a")
        assert await side.history("lobby") == ["a"]
        liar.lies = {b"XREVRANGE": TEXTS["READONLY"]}
        with pytest.raises(Refused, match="READONLY"):
            await side.history("lobby")
        liar.lies = {}

        assert await side.history("lobby") == ["a"]
        assert faults(side)["READONLY"] == 2


async def test_a_reader_that_was_hung_up_on_asks_again(server: Server, start: Open) -> None:
    async with Proxy(server.port) as proxy:
        side = await start(proxy.url)
        await side.say("lobby", "a")
        assert await side.history("lobby") == ["a"]
        proxy.cut()  # nobody here has heard of it yet

        assert await side.history("lobby") == ["a"]


async def test_a_slow_server_is_no_fault(server: Server, start: Open) -> None:
    async with Liar(server.port) as liar:
        side = await start(liar.url)
        await side.store.attach("lobby")
        liar.delay_s = 0.3
        for n in range(3):
            await side.say("lobby", str(n))

        assert await side.history("lobby") == ["0", "1", "2"]
        assert texts(await side.told("lobby", 3)) == ["0", "1", "2"]
        assert side.store.away is None
        assert not faults(side)


async def test_a_half_open_connection_is_noticed_and_left(server: Server, start: Open) -> None:
    async with Proxy(server.port) as proxy:
        side = await start(proxy.url)
        await side.store.attach("lobby")
        await side.say("lobby", "a")
        proxy.is_mute = True
        await when(lambda: side.store.away)
        proxy.is_mute = False
        await when(lambda: side.store.away is None)
        await said(side, "lobby", "b", "k1")

        assert faults(side)["no_answer"]
        assert texts(await side.told("lobby", 2)) == ["a", "b"]


async def test_a_fault_is_logged_once_a_second_however_often_it_happens(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now = 100.0
    monkeypatch.setattr(redis_faults, "monotonic", lambda: now)
    noted = Faults()
    for _ in range(500):
        now += 0.01
        noted.note("junk", "somebody else's entry")

    assert noted.counts["junk"] == 500
    assert len(re.findall("somebody else's entry", caplog.text)) == 5


async def test_a_log_that_comes_and_goes_is_logged_once_a_second_and_an_outage_always(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now = 100.0
    monkeypatch.setattr(redis_faults, "monotonic", lambda: now)
    health = Health(Faults())
    for _ in range(300):
        now += 0.01
        health.ail("reading", "hung up")
        health.heal("reading")
    flapped = len(re.findall("is away", caplog.text))
    health.ail("reading", "hung up")
    now += 1
    health.ail("reading", "still hung up")

    assert flapped == 3
    assert "still hung up" in caplog.text
    assert health.away == "still hung up"
