"""Were the promises kept? Pure: from histories, the log and what faults took from it, to findings.

The log's ids are the one order, so everything is a comparison with it and nothing is searched for: time goes with the
number of lines. What is checked, by the name of its violation:

    one order       an id is one message, for everyone                                    (G1)
    sender order    a client's messages stand in the log in the order it first sent them  (G2)
    real time       what was acknowledged before another was first sent stands before it
    unlogged        what was acknowledged is in the log, as it was said                   (G3)
    lost            nothing between two deliveries was left out                           (G4, G5)
    false gap       a gap is announced only where something was taken                     (G5)
    again           nothing is delivered twice, or behind the cursor                      (G6)
    doubled         a ref is in the log at most once                                      (G7)
    foreign room    nothing comes from another room                                       (G8)
    altered, phantom, not in the log    what is delivered was said, by whom and as it says
    refused         a good message is refused only retryably
    unanswered, not converged           in the end everything has come through            (G10)
    hung up         no connection ends with a code that says somebody failed
    the run itself  the histories contradict themselves: a fault of the run, not of the server
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from tests.torture.evidence import Logs, Loss, as_id
from tests.torture.findings import Findings
from tests.torture.history import (
    Acked,
    Client,
    Closed,
    Connect,
    End,
    Gap,
    History,
    Joined,
    Refused,
    Seen,
    Sent,
)
from tests.torture.reader import Reader
from tests.torture.truth import Truth

# How a connection may end: 0 by the client itself, 503 before it opened; 1011 says that the server failed.
FINE_CODES = frozenset((0, 1000, 1001, 1006, 1012, 1013, 4008, 503))


class Sending(NamedTuple):
    """A message as its sender first sent it; *number* counts its sender's."""

    client: str
    sender: str
    room: str
    number: int
    text: str
    at: float


class Judge:
    """Goes through the histories once, then through the log."""

    def __init__(self, logs: Logs, histories: Iterable[History], losses: Iterable[Loss] = ()) -> None:
        self.findings = Findings()
        self._histories = [(history.client, history) for history in histories]
        losses = list(losses)
        rooms = {client.room for client, _ in self._histories} | logs.keys()
        self._truths = {room: Truth(room, logs.get(room, []), losses) for room in sorted(rooms)}
        self._sendings: dict[str, Sending] = {}
        self._acks: dict[str, list[Acked]] = {room: [] for room in rooms}

    def judge(self) -> Findings:
        """Everything that was found."""
        for truth in self._truths.values():
            if truth.may_lose:
                truth.learn((one for client, one in self._histories if client.room == truth.room), self.findings)
        for client, history in self._histories:
            self._follow(client, history)
        for truth in self._truths.values():
            self._check_log(truth)
            self._check_real_time(truth)
        self.findings.figures["clients"] = len(self._histories)
        return self.findings

    # -- one client's history

    def _follow(self, client: Client, history: History) -> None:
        truth = self._truths[client.room]
        sends: dict[str, int] = {}
        waiting: dict[str, None] = {}
        reader = Reader(client, truth, self.findings, sends)
        ended = False
        for number, line in enumerate(history, 1):
            match line:
                case Seen():
                    if self._is_of_this_room(client, truth, line, number):
                        reader.seen(line, number)
                case Sent():
                    self._sent(client, line, sends)
                    waiting.setdefault(line.ref)
                case Acked():
                    self._acked(client, truth, line, number)
                    waiting.pop(line.ref, None)
                case Refused():
                    self._refused(client, line, number)
                case Connect():
                    self.findings.figures["connections"] += 1
                    reader.connect(line, number)
                case Joined():
                    reader.joined(line)
                case Gap():
                    reader.gap(line, number)
                case Closed():
                    self._closed(client, line, number)
                case End():
                    ended = True
                    reader.end(number)
                case Client():
                    pass
        if not ended:
            self.findings.add("not converged", client.name, 0, "it was not connected in the end")
        for ref in waiting:
            self.findings.add("unanswered", client.name, 0, f"{ref} was never acknowledged")

    def _is_of_this_room(self, client: Client, truth: Truth, line: Seen, number: int) -> bool:
        entry = truth.entry(line.id)
        if entry is not None and entry.ref == line.ref:
            return True
        home = next(
            (
                other.room
                for other in self._truths.values()
                if other is not truth and (there := other.entry(line.id)) is not None and there.ref == line.ref
            ),
            None,
        )
        if home is None:
            return True
        self.findings.add("foreign room", client.name, number, f"{line.id} belongs to {home}, not to {client.room}")
        return False

    def _sent(self, client: Client, line: Sent, sends: dict[str, int]) -> None:
        times = sends[line.ref] = sends.get(line.ref, 0) + 1
        self.findings.figures["sent again" if times > 1 else "sent"] += 1
        if times == 1:
            sending = Sending(client.name, client.id, client.room, len(sends), line.text, line.at)
            self._sendings[line.ref] = sending

    def _acked(self, client: Client, truth: Truth, line: Acked, number: int) -> None:
        self.findings.figures["acked"] += 1
        self._acks[client.room].append(line)
        entry = truth.entry(line.id)
        if entry is None and truth.may_lose and as_id(line.id) <= truth.edge(float("inf")):
            return
        if entry is None:
            self.findings.add("unlogged", client.name, number, f"{line.ref} was acknowledged as {line.id}")
        elif (entry.ref, entry.sender) != (line.ref, client.id):
            words = f"{line.ref} was acknowledged as {line.id}, which is {entry.ref} of {entry.sender}"
            self.findings.add("unlogged", client.name, number, words)

    def _refused(self, client: Client, line: Refused, number: int) -> None:
        self.findings.figures["refused"] += 1
        if not line.retryable:
            self.findings.add("refused", client.name, number, f"{line.ref} was refused for good: {line.code}")

    def _closed(self, client: Client, line: Closed, number: int) -> None:
        self.findings.figures[f"closed with {line.code}"] += 1
        if line.code not in FINE_CODES:
            self.findings.add("hung up", client.name, number, f"the connection ended with {line.code}")

    # -- the log

    def _check_log(self, truth: Truth) -> None:
        first_ids: dict[str, str] = {}
        newest: dict[str, int] = {}
        if truth.ids != sorted(set(truth.ids)):
            self.findings.add("one order", truth.room, 0, "the log's ids do not grow")
        for entry in truth.entries:
            self.findings.figures["logged"] += 1
            event_id = "{}-{}".format(*entry.id)
            sending = None if entry.ref is None else self._sendings.get(entry.ref)
            if entry.ref is None or sending is None:
                self.findings.add("phantom", truth.room, 0, f"{event_id} was never sent: {entry!r}")
                continue
            if (sending.room, sending.sender, sending.text) != (truth.room, entry.sender, entry.text):
                words = f"{event_id} in {truth.room} is {entry!r}, and was sent as {sending!r}"
                self.findings.add("altered", sending.client, 0, words)
            if (first := first_ids.setdefault(entry.ref, event_id)) != event_id:
                self.findings.add("doubled", sending.client, 0, f"{entry.ref} is in the log as {first} and {event_id}")
            elif newest.get(sending.client, 0) > sending.number:
                words = f"{entry.ref} ({event_id}) stands behind what was sent after it"
                self.findings.add("sender order", sending.client, 0, words)
            newest[sending.client] = max(newest.get(sending.client, 0), sending.number)

    def _check_real_time(self, truth: Truth) -> None:
        acks = sorted((line.at, as_id(line.id)) for line in self._acks[truth.room])
        stored = [(self._sendings[entry.ref], entry) for entry in truth.entries if entry.ref in self._sendings]
        stored.sort(key=lambda pair: pair[0].at)
        newest, index = (-1, -1), 0
        for sending, entry in stored:
            while index < len(acks) and acks[index][0] < sending.at:
                newest = max(newest, acks[index][1])
                index += 1
            if entry.id <= newest:
                words = f"{entry.ref} was first sent after {newest[0]}-{newest[1]} was acknowledged, and stands before"
                self.findings.add("real time", sending.client, 0, words)


def judge(logs: Logs, histories: Iterable[History], losses: Iterable[Loss] = ()) -> Findings:
    """What *histories* show, measured by the *logs* of all rooms and by what faults took from them (*losses*)."""
    return Judge(logs, histories, losses).judge()
