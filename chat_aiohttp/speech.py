"""What members say, on its way to the log, and the answers on the way back. Layer 3.

A send or a change goes to the log unless something hinders it; whatever comes of it is told to its sender exactly once:
by its echo, an ack or an error. What was refused and will come again holds back what its sender said behind it
(order.py). Never waits: a look into the log happens beside (changes.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from chat_aiohttp import bodies, commands, wire
from chat_aiohttp.catch_up import CatchUp
from chat_aiohttp.changes import Changes
from chat_aiohttp.echoes import Echoes
from chat_aiohttp.errors import ChatError, Refused, Unknown
from chat_aiohttp.events import MESSAGE, Draft
from chat_aiohttp.gate import Gate
from chat_aiohttp.may import May
from chat_aiohttp.metrics import Metrics
from chat_aiohttp.order import SenderOrder
from chat_aiohttp.rooms import Member
from chat_aiohttp.store import Store
from chat_aiohttp.switchboard import Switchboard

OUR_FAULT: Final = frozenset(("log_away", "draining", "held"))
OUR_FAULT_COST: Final = 0.05  # of a frame that says nothing
TYPING_COST: Final = 0.5  # of a message: who types for ever can still not flood
GET_COST: Final = 1.0  # of a message, for up to commands.MAX_GET of them


class Speech:
    """What is under way between this process' members and the log."""

    def __init__(
        self,
        *,
        store: Store,
        switchboard: Switchboard,
        gate: Gate,
        metrics: Metrics,
        catch_up: CatchUp,
        may: May,
        is_draining: Callable[[], bool],
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._switchboard = switchboard
        self._gate = gate
        self._metrics = metrics
        self._catch_up = catch_up
        self._may = may
        self._is_draining = is_draining
        self._clock = clock
        self._order = SenderOrder(store=store)
        self._echoes = Echoes(self._unheard)
        self._sends = 0  # so far, by everybody: what was sent before what
        self._changes = Changes(
            store=store,
            switchboard=switchboard,
            may=may,
            give=self._give,
            refuse=self._refuse,
            is_behind=self._order.is_behind,
        )

    async def drain(self) -> None:
        """Return when every change under way has been given to the log or refused."""
        await self._changes.drain()

    async def stop(self) -> None:
        """Let go of everything, at once."""
        await self._order.stop()
        await self._changes.stop()
        self._echoes.stop()

    def forget(self, member: Member) -> None:
        """*member* has gone."""
        self._order.forget(member)

    # -- to the log

    def publish(self, member: Member, send: commands.Send) -> None:
        """Give *send* to the room's log. Its outcome comes as its echo, an ack or an error to *member*. Never waits."""
        ref = send.ref
        self._sends += 1
        if (error := self._may(member, MESSAGE, None) or self._hindrance(member, ref)) is not None:
            self.reject(member, error, ref)
            return
        room = member.room
        self._metrics.messages_in += 1
        self._give(
            member,
            Draft(
                room.key,
                room.title,
                MESSAGE,
                bodies.message_body(send.message, member.id, member.name, ref, send.reply),
                session=member.session,
                ref=ref,
                digest=bodies.send_digest(send) if ref is not None else b"",
                owner=member,
                number=self._sends,
            ),
        )

    def change(self, member: Member, change: commands.Change) -> None:
        """Give *change* to the room's log, if *member* may make it. Its outcome comes as a send's does. Never waits."""
        self._sends += 1
        if (error := self._hindrance(member, change.ref)) is not None:
            self.reject(member, error, change.ref)
        else:
            self._changes.take(member, change, self._sends)

    def get(self, member: Member, wanted: commands.Get) -> None:
        """Send *member* the messages *wanted*, if it can pay for that."""
        if self.pays(member, GET_COST):
            self._changes.get(member, wanted.ids)

    def pays(self, member: Member, cost: float) -> bool:
        """Whether *member* can pay for what is met with silence if it can't."""
        now = self._clock()
        if self._gate.own(member, now).take(cost, now):
            return True
        self._switchboard.charge(member)
        return False

    def reject(self, member: Member, error: ChatError, ref: str | None) -> None:
        """Refuse what came last and never reached the log: it counts as a frame that says nothing, and for little if
        that is our fault: whoever has much to send and does as the protocol says sends it again and again."""
        self._refuse(member, error, ref, self._sends)
        self._switchboard.charge(member, OUR_FAULT_COST if error.code in OUR_FAULT else 1)

    def _give(self, member: Member, draft: Draft) -> None:
        self._catch_up.given(member, draft)
        self._store.append(draft)

    def _hindrance(self, member: Member, ref: str | None) -> ChatError | None:
        """Why *member* may not write now; None: it may."""
        if member.held is not None and self._order.holds(member, ref):
            return Refused("held", "A message before this one was refused. Send that one again first.")
        if self._is_draining():
            return Refused("draining", "This server is restarting. Send again with the same ref where you come back.")
        if self._store.away is not None:
            return Refused("log_away", "The room's log does not answer. Send again with the same ref.")
        if (too_fast := self._gate.speak(member, self._clock())) is not None:
            return too_fast
        if member.held is not None:
            self._order.release(member)
        return None

    # -- and back

    def settled(self, drafts: Sequence[Draft]) -> None:
        """Answer those whose send was refused or a repeat; the echo answers the others, if it comes."""
        self._catch_up.settled(drafts)
        stored: list[Draft] = []
        for draft in drafts:
            if draft.error is not None or draft.repeated:
                self._answer(draft)
            else:
                stored.append(draft)
        if stored:
            self._echoes.expect(stored)

    def _unheard(self, draft: Draft, error: Unknown) -> None:
        draft.error = error
        self._answer(draft)

    def _answer(self, draft: Draft) -> None:
        member = draft.owner
        if not isinstance(member, Member) or not member.is_open:
            return  # gone: it will come back and send again
        if draft.error is not None:
            self._refuse(member, draft.error, draft.ref, draft.number)
        elif member.v1:
            self._switchboard.send(member, wire.ack_frame(str(draft.ref), draft.id))
        else:
            self._repeat(member, draft)

    def _repeat(self, member: Member, draft: Draft) -> None:
        # A plain client resumes after the last id it was sent: told of this one before its turn, it would skip what
        # lies between. If it is still to come, its turn is the answer.
        frame = wire.message_frame(draft.id, draft.body)
        if member in member.room.arriving:
            self._catch_up.answer_after(member, draft.id, frame)
        elif not member.room.will_send(member, draft.id):
            self._switchboard.send(member, frame)

    def _refuse(self, member: Member, error: ChatError, ref: str | None, number: int) -> None:
        self._metrics.refusals[error.code] += 1
        if not member.is_open:
            return  # gone and forgotten: whoever is held from now on would be kept for ever
        if ref is not None and error.retryable:
            self._order.hold(member, ref, number)
        elif ref is not None:
            self._order.give_up(member, ref)
        self._switchboard.send(member, wire.error_frame(error, ref, v1=member.v1))
