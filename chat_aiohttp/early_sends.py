"""What members send before they have read what they came for: its echo is not lost in what they don't read. Layer 3.

Whoever is catching up hears no live event: the echo of what it sends meanwhile is in what it reads. But reading skips
some: what lies before the last *n* messages, a change that history has folded into its message, what lies before a gap.
A send that lies there has no echo, so its sender is answered as a repeat would be: with an ack, or in plain with the
frame itself; in its place, before what is read, if the log has answered by then.

A log may answer a send after a reader has seen it stored. So what has no answer when its sender is live is kept until
it has one, which comes in any case (`Store.append`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from chat_aiohttp import wire
from chat_aiohttp.events import MESSAGE, NOTHING, Draft, EventId
from chat_aiohttp.rooms import Member

KEPT: Final = 128  # sends of one member; whoever sends more before it has read sends again what it hears no echo of


class Skipped(NamedTuple):
    """Below which ids a reader was not sent all messages, and not all changes."""

    messages: EventId = NOTHING
    changes: EventId = NOTHING


class _Reading:
    """One member's catching up, if it has sent something meanwhile."""

    def __init__(self, member: Member) -> None:
        self.member = member
        self.skipped = Skipped()
        self.stored: list[Draft] = []  # not read yet, as far as is known
        self.kept = 0
        self.is_over = False

    def has_skipped(self, draft: Draft) -> bool:
        return draft.id < (self.skipped.messages if draft.kind == MESSAGE else self.skipped.changes)


class EarlySends:
    """The sends of this process' arriving members, and how much of the log each of them has skipped."""

    def __init__(self) -> None:
        self._readings: dict[Member, _Reading] = {}
        self._given: dict[Draft, _Reading] = {}  # to the log, which has not answered

    def add(self, member: Member, draft: Draft) -> None:
        """*member*, which is arriving, gives *draft* to the log."""
        reading = self._readings.get(member)
        if reading is None:
            reading = self._readings[member] = _Reading(member)
        if reading.kept < KEPT:
            reading.kept += 1
            self._given[draft] = reading

    def settled(self, drafts: Sequence[Draft]) -> Iterator[tuple[Member, bytes]]:
        """The log has answered *drafts*, stored them or not. The answers to those of their senders who are live by now
        and have skipped them."""
        for draft in drafts if self._given else ():
            reading = self._given.pop(draft, None)
            if reading is None:
                continue
            if draft.error is not None or draft.repeated:
                reading.kept -= 1  # it has its answer
            elif not reading.is_over:
                reading.stored.append(draft)
            elif reading.has_skipped(draft):
                yield reading.member, _answer(reading.member, draft)

    def answers(self, member: Member, read_to: EventId, skipped: Skipped | None) -> bytes:
        """The answers that have to go before *member* is sent what it has read, as far as *read_to*; *skipped*: what
        that leaves out, if anything."""
        reading = self._readings.get(member)
        if reading is None:
            if skipped is None:
                return b""
            reading = self._readings[member] = _Reading(member)
        if skipped is not None:
            reading.skipped = skipped
        found = b"".join(_answer(member, draft) for draft in reading.stored if reading.has_skipped(draft))
        still = [draft for draft in reading.stored if draft.id > read_to]
        reading.kept -= len(reading.stored) - len(still)
        reading.stored = still
        return found

    def live(self, member: Member) -> bytes:
        """*member* has caught up. The answers that have come since its last page; others come by `settled`."""
        reading = self._readings.pop(member, None)
        if reading is None:
            return b""
        reading.is_over = True
        return b"".join(_answer(member, draft) for draft in reading.stored if reading.has_skipped(draft))

    def forget(self, member: Member) -> None:
        """*member* has gone, or is live."""
        self._readings.pop(member, None)


def _answer(member: Member, draft: Draft) -> bytes:
    if member.v1:
        return wire.ack_frame(str(draft.ref), draft.id)
    return wire.message_frame(draft.id, draft.body)
