"""What a client has heard and not yet read: each message once, in the room's order. Layer 0: pure; client.py keeps one.

Ids only grow, so whatever is not after the last one was heard before (G6); the last one is where a resume begins (G4).
The inbox is bounded: when it is full, what comes is dropped and the last id stays, so that a resume brings it again."""

from __future__ import annotations

from collections import deque
from typing import Final

import msgspec

from chat_aiohttp.events import EventId, Gap, parse_id

MOST: Final = 1_000  # messages; the rest is dropped, and fetched again when these are read


class Message(msgspec.Struct, frozen=True):
    """What someone said. Ids compare as places in the room's log; `str(id)` is what `after` and permalinks take."""

    id: EventId
    text: str
    name: str
    sender: str  # the same person, whatever the name
    time: int  # ms since 1970
    ref: str | None


class Frame(msgspec.Struct):
    """Any frame of chat.v1 (docs/protocol.md), as far as a client that only talks reads it."""

    type: str
    id: str = "0-0"
    message: str = ""
    sender: str = msgspec.field(name="from", default="")
    name: str = ""
    time: int = 0
    ref: str | None = None
    after: str = "0-0"
    position: str = "0-0"
    reason: str = ""
    code: str = ""
    words: str = ""
    retryable: bool = False
    delay: int = 0
    you: dict[str, str] = {}
    limits: dict[str, int] = {}


decode = msgspec.json.Decoder(Frame).decode


class Inbox:
    """*last*: the id that everything begins after; None: not known yet."""

    def __init__(self, last: EventId | None) -> None:
        self.last = last
        self.is_behind = False  # something was dropped: a resume after *last* is needed when all of this is read
        self._items: deque[Message | Gap] = deque()

    def __len__(self) -> int:
        return len(self._items)

    def read(self) -> Message | Gap:
        """The next one. Raises IndexError when there is none."""
        return self._items.popleft()

    def hear(self, frame: Frame) -> None:
        """Keep what *frame* says, a message or a gap; advance over what else has a place in the log. Raises BadInput
        for an id that is none."""
        if self.is_behind:
            return
        at = parse_id(frame.position if frame.type in ("live", "gap") else frame.id)
        if frame.type == "gap":
            self._keep(Gap(parse_id(frame.after), at, frame.reason), at)  # *at* may be lower: the log was rolled back
        elif self.last is None or at > self.last:
            if frame.type == "message":
                self._keep(Message(at, frame.message, frame.name, frame.sender, frame.time, frame.ref), at)
            else:
                self.last = at

    def _keep(self, item: Message | Gap, at: EventId) -> None:
        if len(self._items) >= MOST:
            self.is_behind = True
        else:
            self._items.append(item)
            self.last = at
