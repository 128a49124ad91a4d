"""What the machine gave to others while a test looked at the clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

BEAT_S = 0.02


class Lateness:
    """For how long, in all, this event loop could not run though something was due."""

    s = 0.0


@asynccontextmanager
async def lateness() -> AsyncIterator[Lateness]:
    """A promised deadline holds on a machine that is there: who looks at one allows for what this counts.

    It grows while the block runs, and what the block itself keeps the loop from counts too.
    """
    late = Lateness()
    watching = asyncio.create_task(_watch(late))
    try:
        yield late
    finally:
        watching.cancel()
        await asyncio.wait([watching])


async def _watch(late: Lateness) -> None:
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + BEAT_S
        await asyncio.sleep(BEAT_S)
        late.s += max(0.0, loop.time() - due)
