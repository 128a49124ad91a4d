"""What is promised about Redis' faults, counted: in small here, at full size by `make faults`."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from random import Random
from time import perf_counter

import aiohttp
import pytest

from chat_aiohttp.events import Event, EventId
from chat_aiohttp.store import AWAY_WITHIN_S
from tests.healing import Healing
from tests.instances import Instance, running
from tests.servers import REDIS, VALKEY, Server, start_server
from tests.store.listener import Side, delete, edit, ids, message, texts
from tests.store.redis_liar import Cutter
from tests.store.redis_sides import Open, key, said, when

KILLS = int(os.environ.get("FAULTS_KILLS", "3"))
PUBLISHES = int(os.environ.get("FAULTS_PUBLISHES", "300"))
GAPS = int(os.environ.get("FAULTS_GAPS", "60"))
RESUMES = int(os.environ.get("FAULTS_RESUMES", "600"))
FROZEN_S = float(os.environ.get("FAULTS_FROZEN_S", "3"))
SEED = int(os.environ.get("FAULTS_SEED", "1"))
IS_FULL = FROZEN_S >= 30  # the machine is ours: then times are looked at, too
LATE_S = 1.0  # as late as the short form may be beside other tests, which have the cores as well

SENDERS = 8
ROOMS_AT_ONCE = 20


@pytest.fixture
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    with start_server(tmp_path / "redis", kind=getattr(request, "param", VALKEY), aof=True) as server:
        yield server


async def whole(side: Side, room: str) -> list[Event]:
    """Everything that *room* holds."""
    events: list[Event] = []
    position, more = EventId(0, 0), True
    while more:
        page = await side.store.after(room, position, 1000)
        assert page.gap is None
        events += page.events
        position, more = page.position, page.more
    return events


def session(number: int) -> bytes:
    return f"session-{number:08}".encode()


# -- killed


@pytest.mark.parametrize("server", [VALKEY, REDIS], indirect=True)
async def test_killed_again_and_again_redis_loses_nothing_acknowledged(server: Server, start: Open) -> None:
    random = Random(SEED)
    side = await start(server.url, max_events=0)
    await side.store.attach("lobby")
    acked: dict[str, EventId] = {}
    is_over = asyncio.Event()

    async def talk(number: int) -> None:
        for n in count():
            if is_over.is_set():
                return
            text = f"{number} {n}"
            acked[text] = (await said(side, "lobby", text, text, session(number))).id

    talkers = [asyncio.create_task(talk(number)) for number in range(SENDERS)]
    for _ in range(KILLS):
        reached = len(acked) + random.randrange(40, 200)
        await when(lambda reached=reached: len(acked) >= reached)  # type: ignore[misc]
        server.kill()
        await when(lambda: side.store.away)
        await asyncio.to_thread(server.start)
        await when(lambda: side.store.away is None)
    is_over.set()
    await asyncio.gather(*talkers)
    events = await whole(side, "lobby")

    assert {text: event.id for text, event in zip(texts(events), events, strict=True)} == acked
    assert len(events) == len(acked)
    for number in range(SENDERS):
        mine = [text for text in texts(events) if text.startswith(f"{number} ")]
        assert mine == [f"{number} {n}" for n in range(len(mine))]
    assert ids(await side.told("lobby", len(events))) == ids(events)
    assert side.recorder.gaps == []
    print(f"{KILLS} kills -9, {len(acked):,} acknowledged: 0 lost, 0 doubled, 0 out of order, 0 gaps")


# -- answers cut off


async def test_with_a_tenth_of_the_answers_cut_off_everything_is_stored_once(server: Server, start: Open) -> None:
    async with Cutter(server.port, Random(SEED), share=0.1) as cutter:
        side = await start(cutter.url, max_events=0)
        await side.store.attach("lobby")
        repeated = 0

        async def publish(number: int) -> None:
            nonlocal repeated
            for n in range(number, PUBLISHES, SENDERS):
                draft = await said(side, "lobby", str(n), str(n), session(number))
                repeated += draft.repeated

        await asyncio.gather(*(publish(number) for number in range(SENDERS)))
        reader = await start(server.url)
        events = await whole(reader, "lobby")

        assert sorted(texts(events), key=int) == [str(n) for n in range(PUBLISHES)]
        assert ids(await side.told("lobby", PUBLISHES)) == ids(events)
        assert cutter.cut
        assert repeated
        print(
            f"{PUBLISHES:,} publishes, {cutter.cut} of {cutter.answered + cutter.cut} answers cut off, "
            f"{repeated} messages sent again though stored: {len(events):,} entries"
        )


# -- gaps


async def test_every_gap_is_announced(server: Server, start: Open) -> None:
    random, kinds = Random(SEED), Counter[str]()
    side, announced = await start(server.url), 0
    for first in range(0, GAPS, ROOMS_AT_ONCE):
        rooms = [f"room {n}" for n in range(first, min(GAPS, first + ROOMS_AT_ONCE))]
        kind = random.choice(("trimmed", "deleted", "deleted and begun anew", "rolled back", "flushed"))
        kinds[kind] += len(rooms)
        for room in rooms:
            await side.store.attach(room)
        seen = (
            random.randrange(3) if kind == "trimmed" else 4
        )  # of five messages; the last is kept when the room is trimmed
        cursors = {room: (await side.say(room, *"abcde"))[seen] for room in rooms}
        for room in rooms:
            await side.told(room, 5)
        side.recorder.gaps.clear()
        for room in rooms:
            _break(server, kind, room)
        if kind in ("deleted and begun anew", "flushed"):
            await side.append(*(message(room, "anew") for room in rooms))
            await when(lambda rooms=rooms: {room for room, _ in side.recorder.gaps} == set(rooms))  # type: ignore[misc]
        for room in rooms:  # whoever was away and comes back
            page = await side.store.after(room, cursors[room], 100)
            assert page.gap is not None, (kind, room)
            announced += 1
            side.store.detach(room)

    assert announced == GAPS
    print(f"{GAPS:,} gaps, all announced: {dict(kinds)}")


def _break(server: Server, kind: str, room: str) -> None:
    log = key(room, f"r:{room.replace(' ', '%20')}")
    match kind:
        case "trimmed":
            server.ask("XTRIM", log, "MAXLEN", 1)
        case "deleted" | "deleted and begun anew":
            server.ask("DEL", log)
        case "rolled back":
            (older, fields), *_ = server.ask("XRANGE", log, "-", "+")
            server.ask("DEL", log)
            server.ask("XADD", log, older, *fields)
        case _:
            server.ask("FLUSHALL")


async def test_a_healthy_resume_is_never_called_a_gap(server: Server, start: Open) -> None:
    random = Random(SEED)
    side = await start(server.url)
    rooms: dict[str, list[EventId]] = {}
    for number in range(ROOMS_AT_ONCE):
        room = f"room {number}"
        kept = await side.say(room, *map(str, range(100)))
        for one in random.sample(kept, 10):
            kept.append(await side.one(edit(room, one, "better")))
        for one in random.sample(kept[:100], 10):
            kept.append(await side.one(delete(room, one)))
        rooms[room] = [EventId(0, 0), *kept]
    gaps = done = 0

    async def resume() -> None:
        nonlocal gaps, done
        while done < RESUMES:
            done += 1
            room, cursors = random.choice(list(rooms.items()))
            if done % 50 == 0:
                cursors += await side.say(room, "more")
            page = await side.store.after(room, random.choice(cursors), random.choice((1, 10, 200)))
            gaps += page.gap is not None

    await asyncio.gather(*(resume() for _ in range(SENDERS)))

    assert gaps == 0
    print(f"{done:,} healthy resumes, {gaps} called a gap")


# -- frozen


async def test_frozen_redis_makes_the_server_not_ready_and_nothing_else(server: Server, tmp_path: Path) -> None:
    async with running(server.url, tmp_path / "a") as instance, aiohttp.ClientSession() as http:
        witness = asyncio.create_task(_hear(http, instance, SENDERS * 50))
        clients = [Healing(lambda: instance.socket_url("lobby")) for _ in range(SENDERS)]
        said_by = [[f"{number} {n}" for n in range(50)] for number in range(SENDERS)]
        talkers = [asyncio.create_task(client.talk(words)) for client, words in zip(clients, said_by, strict=True)]
        async with asyncio.timeout(20):
            while sum(len(client.acked) for client in clients) < SENDERS * 5:
                await asyncio.sleep(0.01)
        server.freeze()
        try:
            noticed, answers = await _watch(http, instance)
        finally:
            server.thaw()
        began = perf_counter()
        async with asyncio.timeout(60):
            while await _status(http, instance) != 200:
                await asyncio.sleep(0.02)
            healed = perf_counter() - began
            await asyncio.gather(*talkers)
        reader = Healing(lambda: instance.socket_url("lobby"))
        last = max(at for client in clients for at in client.acked.values())
        async with asyncio.timeout(20):
            await reader.listen_until(lambda: bool(reader.heard) and reader.heard[-1][0] >= last)

        answers.sort()
        p99_ms = answers[len(answers) * 99 // 100] * 1000
        assert noticed <= AWAY_WITHIN_S + (0 if IS_FULL else LATE_S)
        assert sorted(text for _, text in reader.heard) == sorted(text for words in said_by for text in words)
        assert not any(client.gaps for client in clients)
        async with asyncio.timeout(20):
            assert await witness == [text for _, text in reader.heard]  # over one connection, which stayed open
        if IS_FULL:
            assert p99_ms < 50
        print(
            f"frozen for {FROZEN_S:.0f} s: /readyz 503 after {noticed:.2f} s, answers p99 {p99_ms:.1f} ms, worst "
            f"{answers[-1] * 1000:.1f} ms, ready {healed:.2f} s after it went on, "
            f"{len(reader.heard)} messages all there, each once"
        )


async def _hear(http: aiohttp.ClientSession, instance: Instance, messages: int) -> list[str]:
    """The texts of so many messages, as one socket hears them."""
    async with http.ws_connect(instance.socket_url("lobby") + "?after=0-0") as socket:
        return [(await socket.receive_json())["message"] for _ in range(messages)]


async def _status(http: aiohttp.ClientSession, instance: Instance) -> int:
    async with http.get(f"{instance.url}/readyz") as answer:
        return answer.status


async def _watch(http: aiohttp.ClientSession, instance: Instance) -> tuple[float, list[float]]:
    """For FROZEN_S: when the server said that it isn't ready, and how long each of its answers took: the time its event
    loop was busy with other things, and the way there and back."""
    began, answers, noticed = perf_counter(), [], float("inf")
    while perf_counter() - began < FROZEN_S:
        asked = perf_counter()
        status = await _status(http, instance)
        answers.append(perf_counter() - asked)
        if status == 503 and noticed == float("inf"):
            noticed = perf_counter() - began
        await asyncio.sleep(0.02)
    return noticed, answers
