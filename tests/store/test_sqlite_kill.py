"""Killed with -9 while it writes, again and again: what was acknowledged is there, once, in order.

SQLITE_KILLS=500 kills so often; make test does it a few times.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

from chat_aiohttp.events import NOTHING, Event, EventId, parse_id
from chat_aiohttp.store.sqlite import SqliteStore
from tests.store.listener import Recorder, Side, ids, message, texts

ROOT = Path(__file__).parent.parent.parent
KILLS = int(os.environ.get("SQLITE_KILLS", "4"))

# Says numbers from argv[2] on, prints what was acknowledged, and deletes every tenth: that writes most.
WRITER = """
import asyncio, itertools, sys
from pathlib import Path
from chat_aiohttp.store import sqlite_filing
from chat_aiohttp.store.sqlite import SqliteStore
from tests.store.listener import Recorder, delete, message

sqlite_filing.FILE_AT = 50

class Sender(Recorder):
    numbers = itertools.count(int(sys.argv[2]))

    def settled(self, drafts):
        for draft in drafts:
            assert draft.error is None
            if draft.kind == "message":
                print(draft.id, draft.ref[1:], flush=True)
                if int(draft.ref[1:]) % 10 == 0:
                    self.store.append(delete("lobby", draft.id))
                self.send()

    def send(self):
        n = next(self.numbers)
        self.store.append(message("lobby", str(n), ref=f"k{n}"))

async def main():
    sender = Sender()
    sender.store = SqliteStore(path=Path(sys.argv[1]), synchronous="OFF")
    sender.store.bind(sender)
    await sender.store.open()
    for _ in range(40):
        sender.send()
    await asyncio.Event().wait()

asyncio.run(main())
"""


def talk_and_be_killed(path: Path, first: int, lines: int) -> dict[EventId, str]:
    """What was acknowledged, by its id, until the writer was killed after about so many *lines*."""
    command = [sys.executable, "-c", WRITER, str(path), str(first)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(lines)]
        process.send_signal(signal.SIGKILL)
        said += process.stdout.readlines()
    return {parse_id(line.split()[0]): line.split()[1] for line in said if line.endswith("\n")}


async def read_all(side: Side) -> list[Event]:
    kept: list[Event] = []
    cursor, more = NOTHING, True
    while more:
        page = await side.store.after("lobby", cursor, 1000)
        assert page.gap is None
        kept, cursor, more = kept + page.events, page.position, page.more
    return kept


async def test_what_was_acknowledged_outlives_every_kill(tmp_path: Path) -> None:
    chance, total = random.Random(1), 0
    for kill in range(KILLS):
        if kill % 10 == 0:  # a file long enough to be filed and trimmed, and short enough to be read each time
            path = tmp_path / f"chat{kill}.db"
            acknowledged: dict[EventId, str] = {}
            following = 0
        acknowledged |= talk_and_be_killed(path, following, chance.randrange(1, 800))
        side = Side(SqliteStore(path=path), Recorder())
        side.store.bind(side.recorder)
        await side.store.open()
        kept = await read_all(side)
        deleted = {event.target for event in kept if event.kind == "delete"}
        messages = [event for event in kept if event.kind == "message"]

        assert {at: text for at, text in acknowledged.items() if at not in deleted}.items() <= {
            event.id: text for event, text in zip(messages, texts(messages), strict=True)
        }.items()
        assert len(set(texts(messages))) == len(messages)
        assert ids(kept) == sorted(ids(kept))
        (again,) = await side.append(message("lobby", texts(messages)[-1], ref=f"k{texts(messages)[-1]}"))
        assert (again.repeated, again.id) == (True, messages[-1].id)
        total += len(acknowledged)
        following = max(map(int, [*acknowledged.values(), *texts(messages)])) + 1
        await side.store.close()
    assert total > KILLS * 40
    print(f"{KILLS} kills, {total} times an acknowledged message was looked for, all there")
