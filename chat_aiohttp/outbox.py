"""What a client has sent and has no answer to, in the order it was given. Layer 0: pure; client.py keeps one.

An entry waits, then is under way, then is gone: taken by its answer. When the link breaks, everything under way waits
again and goes again with the ref it had, so that the log has it once (G7). After a retryable refusal nothing leaves
until the others under way are answered as well, and a pause is over: the server refuses those behind the refused one,
and whatever left before their refusals came back would overtake them (G2)."""

from __future__ import annotations

from typing import Final, Generic, TypeVar

from chat_aiohttp.errors import Refused

MOST: Final = 200  # entries; one more is refused
UNDER_WAY: Final = 16  # of these on the wire
PAUSE_S: Final = 0.5  # after a refusal, and by lot up to
LOT_S: Final = 1.0  # as much again, doubled with each refusal in a row, up to
LONGEST_LOT_S: Final = 10.0

Answer = TypeVar("Answer")


class _Entry(Generic[Answer]):
    __slots__ = ("answer", "frame", "is_under_way")

    def __init__(self, frame: bytes, answer: Answer) -> None:
        self.frame = frame
        self.answer = answer
        self.is_under_way = False


class Outbox(Generic[Answer]):
    """Sends by their refs. *Answer* is whatever its owner wants back when one is over. Shut at first."""

    def __init__(self) -> None:
        self._entries: dict[str, _Entry[Answer]] = {}
        self._is_open = False
        self._refusals = 0  # in a row
        self._is_refused = False  # and the pause is still to come

    def add(self, ref: str, frame: bytes, answer: Answer) -> None:
        """Put *frame* behind the others. Raises Refused (``outbox_full``, ``ref_in_use``)."""
        if ref in self._entries:
            raise Refused("ref_in_use", f"“{ref}” is being sent already.")
        if len(self._entries) >= MOST:
            raise Refused("outbox_full", f"{MOST} sends wait for an answer: send this one when some have theirs.")
        self._entries[ref] = _Entry(frame, answer)

    def open(self) -> None:
        """The link is up, and what it missed has been heard: whatever has no answer yet goes again."""
        self._is_open = True

    def shut(self) -> None:
        """The link is down."""
        self._is_open = self._is_refused = False
        for entry in self._entries.values():
            entry.is_under_way = False

    def next(self) -> bytes | None:
        """The frame to send now, which is under way from here on; None while there is none or none may go."""
        if not self._is_open or self._is_refused or self._under_way() >= UNDER_WAY:
            return None
        entry = next((entry for entry in self._entries.values() if not entry.is_under_way), None)
        if entry is None:
            return None
        entry.is_under_way = True
        return entry.frame

    def pause_s(self, lot: float) -> float:
        """How long to wait before `next`, now: 0 unless a refusal has just been settled. *lot*: from 0 to 1."""
        if not self._is_refused or self._under_way():
            return 0.0
        self._is_refused = False
        return PAUSE_S + lot * min(LONGEST_LOT_S, LOT_S * (1 << min(self._refusals - 1, 10)))

    def take(self, ref: str) -> Answer | None:
        """What waits for *ref*'s answer, which has come: the entry is gone. None when it is none of ours."""
        entry = self._entries.pop(ref, None)
        if entry is None:
            return None
        self._refusals = int(self._is_refused)
        return entry.answer

    def refuse(self, ref: str) -> None:
        """*ref* was refused for now: it goes again, in its place."""
        entry = self._entries.get(ref)
        if entry is not None and entry.is_under_way:
            entry.is_under_way = False
            self._refusals += not self._is_refused
            self._is_refused = True

    def empty(self) -> list[Answer]:
        """Give everything up; who waited for it."""
        answers = [entry.answer for entry in self._entries.values()]
        self._entries.clear()
        return answers

    def _under_way(self) -> int:
        return sum(entry.is_under_way for entry in self._entries.values())
