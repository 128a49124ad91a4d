"""One client's deliveries, followed from line to line: each message after its cursor once, in order, none left out.

The cursor is a place in the room's truth: the next message that must come. It is unknown until a resume, a welcome or
the first message sets it, and only an announced gap may move it over messages.
"""

from __future__ import annotations

from tests.torture.evidence import Id
from tests.torture.findings import Findings
from tests.torture.history import Client, Connect, Gap, Joined, Seen
from tests.torture.truth import Truth

EVERYTHING = "0-0"


class Reader:
    """The chain of one client over all its connections. *sends* counts how often it sent each of its refs."""

    def __init__(self, client: Client, truth: Truth, findings: Findings, sends: dict[str, int]) -> None:
        self._client = client
        self._truth = truth
        self._findings = findings
        self._sends = sends
        self._next: int | None = None
        self._cursor: str | None = None
        self._excused: Id = (-1, -1)  # up to where a gap was announced to it
        self._repeats: dict[str, int] = {}
        self._is_live_join = False

    def connect(self, line: Connect, number: int) -> None:
        """It came back, or came in."""
        self._is_live_join = line.after is None and not line.history
        if line.after is None and self._next is None:
            return
        if line.after == EVERYTHING and self._next is None:
            self._next, self._cursor = 0, line.after
        if line.after != self._cursor:
            self._add("the run itself", number, f"it resumed after {line.after} and had {self._cursor}")

    def joined(self, line: Joined) -> None:
        """It was told where the room stands."""
        if self._next is None and self._is_live_join:
            self._next, self._cursor = self._truth.behind(line.position), line.position

    def gap(self, line: Gap, number: int) -> None:
        """It was told of a loss."""
        truth = self._truth
        self._findings.figures["gaps announced"] += 1
        edge = truth.edge(line.at)
        if not truth.may_lose or edge < (0, 0):
            self._add("false gap", number, f"a gap up to {line.position} was announced, and nothing was lost")
        else:
            self._findings.figures["gaps justified"] += 1
        self._excused = max(self._excused, edge)
        place = truth.behind(line.position)
        if self._next is not None and (missing := truth.missing(self._next, place, edge)):
            self._add("false gap", number, f"the gap takes {len(missing)} messages that were kept")
        self._next, self._cursor = place, line.position

    def seen(self, line: Seen, number: int) -> None:
        """It was sent a message."""
        self._findings.figures["deliveries"] += 1
        place = self._truth.place.get(line.id)
        if place is None:
            self._add("not in the log", number, f"{line.id} was delivered")
            return
        entry = self._truth.entries[place]
        if (entry.ref, entry.sender, entry.text) != (line.ref, line.sender, line.text):
            self._add("altered", number, f"{line.id} was delivered as {line!r} and is {entry!r}")
        if self._next is None and self._may_be_repeat(line):
            return  # told because it was sent again, and from before it came in, perhaps: no place in the live stream
        if self._next is not None and place < self._next:
            if not self._is_repeat(line):
                self._add("again", number, f"{line.id} was delivered, and the cursor is at {self._cursor}")
            return
        if self._next is not None and place > self._next:
            self._check_hole(place, line, number)
        self._next, self._cursor = place + 1, line.id

    def _check_hole(self, place: int, line: Seen, number: int) -> None:
        assert self._next is not None
        # Whoever asks for everything that is kept is not told what isn't.
        excused = self._truth.edge(line.at) if self._cursor == EVERYTHING else self._excused
        if missing := self._truth.missing(self._next, place, excused):
            first, last = ("{}-{}".format(*one) for one in (missing[0], missing[-1]))
            words = f"{len(missing)} messages ({first} to {last}) between {self._cursor} and {line.id} never came"
            self._add("lost", number, words)

    def _is_repeat(self, line: Seen) -> bool:
        """A plain client that sends again is sent the original again, at most once a repeat."""
        if line.ref is None or not self._may_be_repeat(line):
            return False
        answered = self._repeats[line.ref] = self._repeats.get(line.ref, 0) + 1
        return answered < self._sends[line.ref]

    def _may_be_repeat(self, line: Seen) -> bool:
        is_own = self._client.dialect == "plain" and line.sender == self._client.id and line.ref is not None
        return is_own and self._sends.get(line.ref or "", 0) > 1

    def end(self, number: int) -> None:
        """The run is over, and it was still listening: it must have everything."""
        truth = self._truth
        if self._next is None:
            if truth.kept:
                self._add("not converged", number, "it never saw anything")
            return
        if missing := truth.missing(self._next, len(truth.ids), truth.edge(float("inf"))):
            self._add("not converged", number, f"{len(missing)} messages after {self._cursor} never came")

    def _add(self, kind: str, number: int, words: str) -> None:
        self._findings.add(kind, self._client.name, number, words)
