"""A room as it was: every message it ever held, in the one order. What readers are compared with.

For most rooms that is the log as it stands in the end. From a LOSSY room's log something was taken on the way, so there
it is the log and everything that anybody saw, which must not contradict each other.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

from tests.torture.evidence import LOSSY, Entry, Id, Loss, as_id
from tests.torture.findings import Findings
from tests.torture.history import History, Seen


class Truth:
    """One room. *ids* grow; `place` says where an id, written as text, stands among them."""

    def __init__(self, room: str, log: list[Entry], losses: Iterable[Loss]) -> None:
        self.room = room
        self.losses = [loss for loss in losses if loss.room == room]
        self.may_lose = room.startswith(LOSSY)
        self.kept = {f"{entry.id[0]}-{entry.id[1]}" for entry in log}
        self.entries = list(log)
        self._arrange()

    def _arrange(self) -> None:
        self.ids = [entry.id for entry in self.entries]
        self.place = {f"{ms}-{seq}": index for index, (ms, seq) in enumerate(self.ids)}

    def learn(self, readers: Iterable[History], findings: Findings) -> None:
        """Add what *readers* saw and the log no longer has."""
        known = {entry.id: entry for entry in self.entries}
        for reader in readers:
            name = reader.client.name
            for number, line in enumerate(reader, 1):
                if isinstance(line, Seen):
                    entry = Entry(as_id(line.id), line.ref, line.sender, line.text)
                    if known.setdefault(entry.id, entry) != entry:
                        findings.add("one order", name, number, f"{line.id} is another message elsewhere")
        self.entries = [known[event_id] for event_id in sorted(known)]
        self._arrange()

    def entry(self, id_text: str) -> Entry | None:
        """The message with this id."""
        index = self.place.get(id_text)
        return None if index is None else self.entries[index]

    def behind(self, position: str) -> int:
        """The place of the first message after *position*."""
        return bisect_right(self.ids, as_id(position))

    def edge(self, at: float) -> Id:
        """Up to where the log may have lost everything, *at* that time."""
        return max((loss.edge for loss in self.losses if loss.at <= at), default=(-1, -1))

    def missing(self, start: int, end: int, excused: Id) -> list[Id]:
        """Those of the messages *start* to *end* that must not be missing though everything up to *excused* may."""
        found = self.ids[start:end]
        if not self.may_lose:
            return found
        return [one for one in found if one > excused or f"{one[0]}-{one[1]}" in self.kept]
