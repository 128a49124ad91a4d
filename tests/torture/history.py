"""What a client observed, one JSON line each: the evidence the checker judges.

A client is one session in one room, over as many connections as it takes. Its file begins with `Client`, who it is;
what follows is in the order in which it happened. Times are seconds of the machine's monotonic clock, the same in every
file. A line is an array whose first item names its kind: ["seen", 12.5, "1700000000000-0", …].
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

import msgspec


class Record(msgspec.Struct, array_like=True, gc=False, tag=str.lower):
    """One line."""


class Client(Record):
    """Who writes this file: *id* is what others see as `from`."""

    name: str
    room: str
    id: str
    dialect: str


class Connect(Record):
    """A connection opened. It had asked for what comes *after*, else for the last *history* messages (0: for none)."""

    at: float
    instance: int
    after: str | None
    history: int = 0


class Joined(Record):
    """chat.v1's welcome: the room's position as the connection began."""

    at: float
    position: str


class Sent(Record):
    """A message given to the socket, for the first time or again."""

    at: float
    ref: str
    text: str


class Acked(Record):
    """The first acknowledgement of *ref*."""

    at: float
    ref: str
    id: str


class Refused(Record):
    """An error about *ref*, or about none."""

    at: float
    ref: str | None
    code: str
    retryable: bool


class Seen(Record):
    """A message that was delivered."""

    at: float
    id: str
    ref: str | None
    sender: str
    text: str


class Gap(Record):
    """A loss was announced: go on from *position*."""

    at: float
    position: str


class Closed(Record):
    """The connection ended; 1006 without a close frame, an HTTP status when it never opened, 0 by the client itself."""

    at: float
    code: int


class End(Record):
    """The run ended, and the client was still listening."""

    at: float


Line = Client | Connect | Joined | Sent | Acked | Refused | Seen | Gap | Closed | End

BUFFER_BYTES = 65_536
_decode = msgspec.json.Decoder(Line).decode


class Notebook:
    """A client's file, being written."""

    def __init__(self, path: Path) -> None:
        self._file: IO[bytes] = path.open("wb")
        self._encoder = msgspec.json.Encoder()
        self._buffer = bytearray()

    def write(self, line: Line) -> None:
        """Note *line*."""
        buffer = self._buffer
        self._encoder.encode_into(line, buffer, -1)
        buffer += b"\n"
        if len(buffer) > BUFFER_BYTES:
            self._flush()

    def close(self) -> None:
        """Write what is left."""
        self._flush()
        self._file.close()

    def _flush(self) -> None:
        self._file.write(self._buffer)
        self._buffer.clear()


class History:
    """One client's history, to be read as often as needed: from its file, or from *lines* in memory (for tests)."""

    def __init__(self, source: Path | Iterable[Line]) -> None:
        self._source = source if isinstance(source, Path) else list(source)

    def __iter__(self) -> Iterator[Line]:
        if not isinstance(self._source, Path):
            yield from self._source
            return
        with self._source.open("rb") as file:
            for line in file:
                yield _decode(line)

    @property
    def client(self) -> Client:
        """Who it is of."""
        first = next(iter(self))
        assert isinstance(first, Client)
        return first


def histories(folder: Path) -> list[History]:
    """All clients' histories of a run."""
    return [History(path) for path in sorted(folder.glob("*.jsonl"))]
