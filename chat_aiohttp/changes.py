"""Changes of what was said: edit, delete, react; and reading messages by their ids. Layer 3.

A change names a message, so the log is asked first: is it there, and whose is it? Who may change it is the hub's rule
(may.py). Then the change goes the way of every message: into the log, and by the follower to everybody, its
sender too.

One connection's changes keep their order: each has a line here, worked off one after the other, UNDER_WAY at most. A
message sent behind a change may come before it, since it need not ask.

A repeat of a change finds its message changed already, or gone: then the log is asked for its ref.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine
from typing import Final, Protocol

import msgspec

from chat_aiohttp import bodies, commands, wire
from chat_aiohttp.errors import BadInput, ChatError, Refused
from chat_aiohttp.events import DELETE, EDIT, EMOJI_MOST, REACTION, Draft, Event, EventId
from chat_aiohttp.may import May
from chat_aiohttp.rooms import Member
from chat_aiohttp.store import Store
from chat_aiohttp.switchboard import Switchboard

log = logging.getLogger(__name__)

UNDER_WAY: Final = 16  # changes of one connection; the next one is refused as too fast
RETRY_S: Final = 0.5  # between two tries to read messages while the log is away
LOOK_S: Final = 1.0  # to find a message; then the log counts as away, and nothing was stored

_KINDS: Final = {commands.Edit: EDIT, commands.Delete: DELETE, commands.React: REACTION}


class Give(Protocol):
    """Gives a member's draft to the log."""

    def __call__(self, member: Member, draft: Draft, /) -> None: ...


class Refuse(Protocol):
    """Told of a change that was refused."""

    def __call__(self, member: Member, error: ChatError, ref: str | None, number: int) -> None: ...


class IsBehind(Protocol):
    """Says whether a member sent *number* after something that was refused and has not come again."""

    def __call__(self, member: Member, number: int, /) -> bool: ...


class _Said(msgspec.Struct):
    """What a change must know of a message."""

    sender: str = msgspec.field(name="from", default="")
    reactions: dict[str, list[str]] = {}


class Changes:
    """The changes under way in this process."""

    def __init__(
        self, *, store: Store, switchboard: Switchboard, may: May, give: Give, refuse: Refuse, is_behind: IsBehind
    ) -> None:
        self._store = store
        self._switchboard = switchboard
        self._may = may
        self._give = give
        self._refuse = refuse
        self._is_behind = is_behind
        self._lines: dict[Member, deque[tuple[commands.Change, int]]] = {}
        self._getting: set[Member] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, member: Member, change: commands.Change, number: int) -> None:
        """Make *change*, for *member*. Its outcome comes as its echo, an ack or an error. Never waits. *number* grows
        with everything that is sent."""
        line = self._lines.get(member)
        if line is None:
            self._lines[member] = deque(((change, number),))
            self._own(self._work(member))
        elif len(line) < UNDER_WAY:
            line.append((change, number))
        else:
            words = f"{UNDER_WAY} changes are under way already. Send again in a moment."
            self._refuse(member, Refused("too_fast", words), change.ref, number)

    def get(self, member: Member, ids: tuple[EventId, ...]) -> None:
        """Send *member* the messages *ids*. One request at a time: another one meanwhile is ignored."""
        if member not in self._getting:
            self._getting.add(member)
            self._own(self._get(member, ids))

    async def drain(self) -> None:
        """Wait until every change given so far is in the store's hands, or refused: LOOK_S at most."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=LOOK_S)

    async def stop(self) -> None:
        """End it all, now."""
        tasks = [*self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _own(self, coroutine: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self, member: Member) -> None:
        line = self._lines[member]
        try:
            while line:
                await self._make(member, *line[0])
                line.popleft()
        except Refused as error:
            self._refuse_all(member, error, line)
        finally:
            del self._lines[member]

    def _refuse_all(self, member: Member, error: ChatError, line: deque[tuple[commands.Change, int]]) -> None:
        """Whatever was sent behind a refused change waits until that comes again (G2)."""
        for change, number in line:
            self._refuse(member, error, change.ref, number)
            error = Refused("held", "A change before this one was refused. Send that one again first.")

    async def _make(self, member: Member, change: commands.Change, number: int) -> None:
        """Raises Refused if *change* may come again."""
        try:
            first = await self._first(member, change)
        except Refused:
            raise
        except ChatError as error:
            self._refuse(member, error, change.ref, number)
        except Exception:
            log.exception("a change could not be looked into")
            raise Refused("log_away", "The server failed. Send again with the same ref.") from None
        else:
            if first is not None:
                self._switchboard.send(member, wire.ack_frame(change.ref, first))
            elif member.held != change.ref and self._is_behind(member, number):  # refused while the log was asked
                raise Refused("held", "A message before this change was refused. Send that one again first.")
            else:
                self._append(member, change, number)

    async def _first(self, member: Member, change: commands.Change) -> EventId | None:
        """Where *change* is in the log already, if it is. Raises what it may not be made for, Refused if nobody knows
        now."""
        room = member.room.key
        try:
            async with asyncio.timeout(LOOK_S):
                message = await self._find(room, change.target)
                if (denied := self._hindrance(member, change, message)) is None:
                    return None
                if (first := await self._store.find_ref(room, member.session, change.ref)) is not None:
                    return first
        except TimeoutError:
            raise Refused("log_away", "The room's log does not answer. Send again with the same ref.") from None
        raise denied

    def _hindrance(self, member: Member, change: commands.Change, message: Event | None) -> ChatError | None:
        """Why *member* may not make *change* of *message*; None: it may."""
        if message is None:
            return BadInput("not_found", "There is no such message in this room any more.")
        said = msgspec.json.decode(message.body, type=_Said)
        if (denied := self._may(member, _KINDS[type(change)], said.sender)) is not None:
            return denied
        is_another = isinstance(change, commands.React) and change.on and change.emoji not in said.reactions
        if is_another and len(said.reactions) >= EMOJI_MOST:
            words = f"There are {EMOJI_MOST} different emoji on this message already. Use one of those."
            return BadInput("too_many_emoji", words)
        return None

    async def _find(self, room: str, target: EventId) -> Event | None:
        """The message *target* as it is now."""
        page = await self._store.before(room, target.next(), 1)
        return page.events[0] if page.events and page.events[0].id == target else None

    def _append(self, member: Member, change: commands.Change, number: int) -> None:
        room = member.room
        self._give(
            member,
            Draft(
                room.key,
                room.title,
                _KINDS[type(change)],
                bodies.change_body(change, member.id, member.name),
                session=member.session,
                ref=change.ref,
                digest=bodies.change_digest(change),
                target=change.target,
                owner=member,
                number=number,
            ),
        )

    async def _get(self, member: Member, ids: tuple[EventId, ...]) -> None:
        try:
            found = await self._patiently(member, ids)
        except Exception:
            log.exception("messages could not be found")
            return
        finally:
            self._getting.discard(member)
        messages = [message for message in found if message is not None]
        missing = [one for one, message in zip(ids, found, strict=True) if message is None]
        await self._switchboard.send_paced(member, wire.got_frame(messages, missing))

    async def _patiently(self, member: Member, ids: tuple[EventId, ...]) -> list[Event | None]:
        """The messages *ids*, as soon as the log answers; none of them when *member* has gone before that."""
        while member.is_open:
            try:
                return [await self._find(member.room.key, one) for one in ids]
            except Refused:
                await asyncio.sleep(RETRY_S)
        return [None for _ in ids]
