"""Sends that are stored and not heard yet: nobody waits for an echo that doesn't come (G10). Layer 3.

The echo is the answer to a send. Between a log that has stored it and its echo the log can fall silent: then the send
is as unknown as one whose storing was not answered, and its sender is told so in time.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from chat_aiohttp.errors import Unknown
from chat_aiohttp.events import Draft
from chat_aiohttp.rooms import Member
from chat_aiohttp.store import AWAY_WITHIN_S

LOOK_S: Final = 0.25
# A store that can't be read is known to be away by then; what is added to it stays below G10's 2.5 s.
PATIENCE_S: Final = AWAY_WITHIN_S


class Echoes:
    """Drafts whose echo is to come, oldest first. *give_up* is called, once per draft, when it doesn't."""

    def __init__(self, give_up: Callable[[Draft, Unknown], None]) -> None:
        self._give_up = give_up
        self._expected: deque[tuple[float, Draft, Member]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def expect(self, drafts: Sequence[Draft]) -> None:
        """*drafts* were stored. Those of members who are still here, with a ref to send again, are waited for."""
        now = asyncio.get_running_loop().time()
        self._drop_heard()
        for draft in drafts:
            member = draft.owner
            if draft.ref is not None and isinstance(member, Member):
                self._expected.append((now, draft, member))
        if self._expected and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LOOK_S, self._look)

    def stop(self) -> None:
        """Wait for nothing more."""
        if self._timer is not None:
            self._timer.cancel()
        self._expected.clear()

    def _drop_heard(self) -> None:
        expected = self._expected
        while expected and _is_over(expected[0][1], expected[0][2]):
            expected.popleft()

    def _look(self) -> None:
        self._timer = None
        self._drop_heard()
        loop = asyncio.get_running_loop()
        overdue = loop.time() - PATIENCE_S
        while self._expected and self._expected[0][0] <= overdue:
            _, draft, member = self._expected.popleft()
            if not _is_over(draft, member):
                self._give_up(draft, Unknown("unknown", "It was stored, but its echo does not come: send it again."))
        if self._expected:
            self._timer = loop.call_later(LOOK_S, self._look)


def _is_over(draft: Draft, member: Member) -> bool:
    return draft.id <= member.room.position or not member.is_open
