"""All clients of a run: who they are, their common clock, what faults do to some of them, and their coming to rest."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from random import Random
from time import monotonic

from tests.torture.client import Talker
from tests.torture.evidence import LOSSY
from tests.torture.line import Line

TICK_S = 0.02
SETTLE_S = 60.0  # after the last fault: to send again, to come back, to read up


class Crowd:
    """*rooms* rooms with *members* clients in each, every one of whom says *rate* messages a second."""

    def __init__(self, *, folder: Path, random: Random, rooms: int, members: int, rate: float, lossy: int = 0) -> None:
        self._random = random
        self._abandoned: list[Line] = []
        self._task: asyncio.Task[None] | None = None
        self.rooms = [f"r{number}" for number in range(rooms - lossy)] + [f"{LOSSY}{number}" for number in range(lossy)]
        self.talkers = [
            Talker(
                name=f"{room}c{number}",
                room=room,
                dialect=("plain", "v1")[number % 2],
                folder=folder,
                random=Random(random.random()),
                rate=rate,
            )
            for room in self.rooms
            for number in range(members)
        ]

    def let_in(self, straight: list[int], through_links: list[int], share: float) -> None:
        """Tell everyone the instances' ports; a *share* of them gets there only by a line that may be bad."""
        for index, talker in enumerate(self.talkers):
            ports = through_links if index % 100 < share * 100 else straight
            talker.ports = list(enumerate(ports))

    def start(self) -> None:
        """Begin, in the running loop."""
        self._task = asyncio.create_task(self._tick())

    async def _tick(self) -> None:
        while True:
            now = monotonic()
            for talker in self.talkers:
                talker.tick(now)
            await asyncio.sleep(TICK_S)

    @property
    def acked(self) -> int:
        """Messages acknowledged so far."""
        return sum(talker.acked for talker in self.talkers)

    def some(self, random: Random, share: float) -> list[Talker]:
        """A random *share* of them, at least one."""
        return random.sample(self.talkers, max(1, int(len(self.talkers) * share)))

    def abandon(self, talkers: list[Talker]) -> None:
        """Leave their connections half open; they come back by others."""
        self._abandoned += [line for talker in talkers if (line := talker.abandon()) is not None]

    def forget_abandoned(self) -> None:
        """Let the half-open connections end."""
        for line in self._abandoned:
            line.reset()
        self._abandoned.clear()

    async def settle(self, last_ids: Callable[[], dict[str, str]], deadline_s: float = SETTLE_S) -> None:
        """Say nothing new; wait until everything is acknowledged and everyone has the last of their room, or for
        *deadline_s*: what is missing then is the checker's to name."""
        for talker in self.talkers:
            talker.speaks = False
        ends = monotonic() + deadline_s
        while monotonic() < ends and any(talker.unacked for talker in self.talkers):
            await asyncio.sleep(0.05)
        last = await asyncio.to_thread(last_ids)
        while monotonic() < ends and not all(talker.has(last.get(talker.room)) for talker in self.talkers):
            await asyncio.sleep(0.05)

    async def end(self) -> None:
        """Everyone leaves, and the histories are complete."""
        task, self._task = self._task, None
        if task is None:
            return
        if task.done():
            task.result()  # a clock that broke is a fault of the run
        task.cancel()
        await asyncio.wait([task])
        self.forget_abandoned()
        for talker in self.talkers:
            talker.end()
        await asyncio.sleep(0.1)  # the transports' own last callbacks
