"""A sender's order after a refusal (G2). Layer 3.

When a send is refused retryably, everything its sender sends behind it is refused too, until it comes again: else the
messages behind it would overtake it. One connection is held by one ref at a time: of its refused sends the one that it
sent first. That need not be the one refused first: while sends wait in vain for the log, a later one is refused at the
door.

A refused send may be in the log all the same: its outcome was unknown and turned out well, or an earlier copy came
through, by another connection perhaps. Its sender has had the echo, and will never send it again. So a hold is looked
into when somebody is refused because of it: is the ref in the log? Then the refused send behind it holds, since that
has not come again yet; if all of them are in the log, nothing does.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from chat_aiohttp.errors import Refused
from chat_aiohttp.rooms import Member
from chat_aiohttp.store import Store

log = logging.getLogger(__name__)

REMEMBERED: Final = 256  # refused sends of one connection; of more than that only the first so many keep their order


class SenderOrder:
    """Who is held by which ref (`Member.held`), and whether it still should."""

    def __init__(self, *, store: Store) -> None:
        self._store = store
        self._refused: dict[Member, dict[str, int]] = {}  # of those who are held: each refused ref's number
        self._asking: dict[Member, asyncio.Task[None]] = {}

    def hold(self, member: Member, ref: str, number: int) -> None:
        """*ref* of *member* was refused retryably: until it comes again, nothing sent behind it may pass. *number*
        grows with each send."""
        refused = self._refused.setdefault(member, {})
        is_first = member.held is None or number < refused[member.held]
        if not is_first and len(refused) >= REMEMBERED:
            return
        refused[ref] = min(number, refused.get(ref, number))  # sent again before its turn, it keeps its place
        if is_first:
            member.held = ref

    def holds(self, member: Member, ref: str | None) -> bool:
        """Whether *member*, who is held, may not send *ref* now. It may if that is what it is held by."""
        if ref == member.held:
            return False
        if member not in self._asking:
            task = self._asking[member] = asyncio.create_task(self._look(member, self._refused[member]))
            task.add_done_callback(lambda _: self._asking.pop(member, None))
        return True

    def is_behind(self, member: Member, number: int) -> bool:
        """Whether *member* sent *number* after what it is held by."""
        if member.held is None:
            return False
        refused = self._refused.get(member)
        return refused is None or refused[member.held] < number  # None: it has gone, and will send everything again

    def release(self, member: Member) -> None:
        """What *member* is held by has come again and is on its way."""
        member.held = None
        self._refused.pop(member, None)

    def give_up(self, member: Member, ref: str) -> None:
        """*ref* of *member* was refused for good, perhaps after it had been refused retryably: it will not come again,
        and so must hold nobody."""
        if ref == member.held:
            self.release(member)
        elif (refused := self._refused.get(member)) is not None:
            refused.pop(ref, None)

    def forget(self, member: Member) -> None:
        """*member* has gone."""
        self._refused.pop(member, None)
        if task := self._asking.get(member):
            task.cancel()

    async def stop(self) -> None:
        """Look into nothing more."""
        tasks = [*self._asking.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _look(self, member: Member, refused: dict[str, int]) -> None:
        """Let *member* go as far as what it is held by is in the log after all. Ends by the store's own deadlines, and
        with the first send that is not there."""
        try:
            while self._refused.get(member) is refused and (held := member.held) is not None:
                found = await self._store.find_ref(member.room.key, member.session, held)
                if found is None or self._refused.get(member) is not refused:
                    return
                del refused[held]
                if refused:
                    member.held = min(refused, key=refused.__getitem__)
                else:
                    self.release(member)
        except Refused:
            return  # the log is away: whoever sends again has it looked into again
        except Exception:
            log.exception("a hold could not be looked into")
