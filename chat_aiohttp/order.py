"""A sender's order after a refusal (G2). Layer 3.

When a send is refused retryably, everything its sender sends behind it is refused too, until it comes again: else the
messages behind it would overtake it. One connection is held by one ref at a time, the one of its refused sends that it
sent first. That need not be the one refused first: while sends wait in vain for the log, a later one is refused at the
door.

An outcome may also be unknown, and then turn out well: the message is in the log, its sender has had the echo, and will
never send it again. So a doubtful hold is looked into, when somebody is refused because of it: is the ref in the log?
"""

from __future__ import annotations

import asyncio
import logging

from chat_aiohttp.errors import ChatError, Refused, Unknown
from chat_aiohttp.rooms import Member
from chat_aiohttp.store import Store

log = logging.getLogger(__name__)


class SenderOrder:
    """Who is held by which ref (`Member.held`), and the doubts about that."""

    def __init__(self, *, store: Store) -> None:
        self._store = store
        self._numbers: dict[Member, int] = {}  # of the sends that hold
        self._doubtful: set[Member] = set()
        self._asking: dict[Member, asyncio.Task[None]] = {}

    def hold(self, member: Member, error: ChatError, ref: str, number: int) -> None:
        """*ref* of *member* was refused with *error*: until it comes again, nothing else may pass. *number* grows with
        each send."""
        if member.held is None or number < self._numbers[member]:
            member.held, self._numbers[member] = ref, number
            self._doubtful.discard(member)
            if isinstance(error, Unknown):
                self._doubtful.add(member)

    def holds(self, member: Member, ref: str | None) -> bool:
        """Whether *member*, who is held, may not send *ref* now. It may if that is what it is held by."""
        if ref == member.held:
            return False
        if member in self._doubtful and member not in self._asking:
            task = self._asking[member] = asyncio.create_task(self._look(member))
            task.add_done_callback(lambda _: self._asking.pop(member, None))
        return True

    def release(self, member: Member) -> None:
        """What *member* is held by has come again and is on its way."""
        member.held = None
        self._numbers.pop(member, None)
        self._doubtful.discard(member)

    def forget(self, member: Member) -> None:
        """*member* has gone."""
        self._numbers.pop(member, None)
        self._doubtful.discard(member)
        if task := self._asking.get(member):
            task.cancel()

    async def stop(self) -> None:
        """Look into nothing more."""
        tasks = [*self._asking.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _look(self, member: Member) -> None:
        """Let *member* go if what it is held by is in the log after all. Ends by the store's own deadlines."""
        held = member.held
        if held is None:
            return
        try:
            found = await self._store.find_ref(member.room.key, member.session, held)
        except Refused:
            return  # the log is away: whoever sends again has it looked into again
        except Exception:
            log.exception("a doubtful send could not be looked into")
            return
        if found is not None and member.held == held:
            self.release(member)
