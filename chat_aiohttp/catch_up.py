"""Reading back: a resume, a room's last messages, an older page. Layer 3.

Whoever comes in with `after` or `history` reads the log first, page by page at its own socket's pace, and is live
from the moment at which it has read at least as far as its room has delivered. That check and the joining are one
synchronous step, so nothing lies between the two (G4), and nothing waits in a queue meanwhile.

Who comes at the same time shares what is read (shared_reads.py): a room that comes back whole reads its log a few
times. While the log is away a reader waits for it, its socket open, looking again after RETRY_S; the socket's end ends
it.

A room may be ahead of its log. Either the log lost something, and the room is about to be told; or the log vanished,
idle for too long, while somebody stayed: that nobody is told. So who finds nothing more to read waits for the first for
a while, and then joins where the room is.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import Final, Protocol, TypeVar

from chat_aiohttp import commands
from chat_aiohttp.closing import Close
from chat_aiohttp.early_sends import EarlySends, Skipped
from chat_aiohttp.errors import Refused
from chat_aiohttp.events import Draft, EventId
from chat_aiohttp.paging import earlier, later
from chat_aiohttp.rooms import Member
from chat_aiohttp.shared_reads import SharedReads, View
from chat_aiohttp.store import Store
from chat_aiohttp.switchboard import Switchboard

log = logging.getLogger(__name__)

RETRY_S: Final = 0.5
AHEAD_LOOKS: Final = 60  # 3 s of looks at a log that ends before its room; a store has told a loss by then
ANSWERS: Final = 128  # repeats that wait for one reader; whoever repeats more will repeat again

Found = TypeVar("Found")


class OnLive(Protocol):
    """Told when a member has caught up and is in its room's live set."""

    def __call__(self, member: Member, *, more: bool) -> None: ...


class CatchUp:
    """All readers of this process; each a task owned here."""

    def __init__(self, *, store: Store, switchboard: Switchboard, on_live: OnLive) -> None:
        self._store = store
        self._reads = SharedReads(store=store, metrics=switchboard.metrics)
        self._switchboard = switchboard
        self._on_live = on_live
        self._tasks: dict[asyncio.Task[None], Member] = {}
        self._paging: set[Member] = set()
        self._answers: dict[Member, list[tuple[EventId, bytes]]] = {}
        self._early = EarlySends()

    def begin(self, member: Member, after: EventId | None, history: int) -> None:
        """Bring *member*, which is arriving, up to its room's present: everything after *after*, or the last *history*
        messages."""
        self._own(member, self._catch_up(member, after, history))

    def page(self, member: Member, wish: commands.History) -> None:
        """Answer with the page that *wish* asks for. One page at a time: a second request meanwhile is ignored, so one
        member holds at most one page in memory."""
        if member not in self._paging:
            self._paging.add(member)
            self._own(member, self._page(member, wish))

    def answer_after(self, member: Member, event_id: EventId, frame: bytes) -> None:
        """Send *frame*, of the event *event_id*, when *member* has caught up: it belongs to what is being read, and
        must not come before it. If the event is still to come then, its turn is the answer."""
        answers = self._answers.setdefault(member, [])
        if len(answers) < ANSWERS:
            answers.append((event_id, frame))

    def given(self, member: Member, draft: Draft) -> None:
        """*member* gives *draft* to the log. If its echo will lie in what *member* skips, it is answered from here."""
        if member in member.room.arriving:
            self._early.add(member, draft)

    def settled(self, drafts: Sequence[Draft]) -> None:
        """The log has answered *drafts*."""
        for member, answer in self._early.settled(drafts):
            self._switchboard.send(member, answer)

    async def stop(self) -> None:
        """End all readers, now."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._reads.stop()

    def _own(self, member: Member, coroutine: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks[task] = member
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        member = self._tasks.pop(task)
        if member not in member.room.arriving:  # a page's task may end before the catching up it goes beside
            self._answers.pop(member, None)
            self._early.forget(member)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("reading back failed", exc_info=error)
            self._switchboard.close(member, Close.INTERNAL_ERROR, "the server failed")

    async def _catch_up(self, member: Member, after: EventId | None, history: int) -> None:
        room = member.room
        more, caught_up, cursor, losses, looks = True, False, after, room.losses, 0
        if cursor is None:
            page = await self._patiently(member, partial(self._reads.last, room, history))
            if page is None or not await self._send(member, page, Skipped(page.begins, page.position.next())):
                return
            cursor, more = page.position, page.more
            caught_up = cursor >= room.position and losses == room.losses
        while not caught_up:
            losses, position = room.losses, room.position
            page = await self._patiently(member, partial(self._reads.after, room, cursor))
            if page is None or not await self._send(member, page, _skipped_by(page)):
                return
            cursor = page.position
            caught_up = not page.more and cursor >= room.position and losses == room.losses
            if not (caught_up or page.more or len(page)):
                looks += 1
                if looks > AHEAD_LOOKS and (position, losses) == (room.position, room.losses):
                    cursor, caught_up = position, True  # the read saw all that was told: nothing lies between
                else:
                    await asyncio.sleep(RETRY_S / 10)
            elif page.more:
                await asyncio.sleep(0)  # neither a shared page nor a socket with room makes anybody wait
        # No await since the room's position was looked at: what it delivers next is the next after *cursor*.
        room.join(member, cursor)
        if answers := self._early.live(member):
            self._switchboard.send(member, answers)
        self._on_live(member, more=more)
        for event_id, answer in self._answers.pop(member, ()):
            if not room.will_send(member, event_id):
                self._switchboard.send(member, answer)

    async def _page(self, member: Member, wish: commands.History) -> None:
        self._switchboard.metrics.log_reads += 1
        read = later if wish.forward else earlier
        try:
            frame = await self._patiently(member, partial(read, self._store, member.room.key, wish))
            if frame is not None:
                await self._switchboard.send_paced(member, frame)
        finally:
            self._paging.discard(member)

    async def _patiently(self, member: Member, read: Callable[[], Awaitable[Found]]) -> Found | None:
        """What *read* reads, as soon as the log answers; None when *member* has gone before that."""
        while member.is_open:
            try:
                return await read()
            except Refused:
                await asyncio.sleep(RETRY_S)
        return None

    async def _send(self, member: Member, page: View, skipped: Skipped | None) -> bool:
        """Whether *member* has taken all of *page*, which leaves out what was *skipped*."""
        if page.gap is not None:
            self._switchboard.metrics.gaps += 1
        answers = self._early.answers(member, page.position, skipped)
        data = answers + page.data(v1=member.v1, kinds=member.kinds)
        return await self._switchboard.send_paced(member, data) if data else member.is_open


def _skipped_by(page: View) -> Skipped | None:
    if page.gap is None:
        return None
    begins = page.gap.position.next()
    return Skipped(begins, begins)
