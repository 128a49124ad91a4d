"""How late the event loop is. Layer 1.

A timer that is due every EVERY_S and notes by how much it was missed. Whatever holds the loop up (a flush, a page, a
slow callback) shows here, also when nobody complains.
"""

from __future__ import annotations

import asyncio
from typing import Final

from chat_aiohttp.metrics import Histogram

EVERY_S: Final = 0.25


class Pulse:
    """Notes the loop's lag in *lag*, from `start` to `stop`."""

    def __init__(self, lag: Histogram) -> None:
        self._lag = lag
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin, in the running loop."""
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(EVERY_S, self._beat, loop, loop.time() + EVERY_S)

    def stop(self) -> None:
        """End."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _beat(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        now = loop.time()
        self._lag.observe(max(0.0, now - due))
        self._timer = loop.call_later(EVERY_S, self._beat, loop, now + EVERY_S)
