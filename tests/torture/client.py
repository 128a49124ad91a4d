"""A client that writes down what it observes, and does what docs/protocol.md asks of a good one.

It comes back with its last id, sends again with the same ref whatever was not acknowledged, in order, and takes a
message as its own only when `from` and `ref` are both its own. Cheap: an asyncio.Protocol on the project's frames, so
that hundreds of them fit beside the servers they torture.

Where it departs from the page: it comes back within a second, not within twenty. A run has minutes.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from pathlib import Path
from random import Random
from time import monotonic

import msgspec

from chat_aiohttp.sessions import public_id, query_session
from tests.torture.evidence import as_id
from tests.torture.history import Acked, Client, Closed, Connect, End, Gap, Joined, Notebook, Refused, Seen, Sent
from tests.torture.line import Line
from tests.torture.said import Said, decode

WINDOWS = (4, 16, 48)  # messages under way at once, one client so, another so; the store remembers 128 refs
SILENCE_S = 4.0  # nothing came for so long, though it pinged: the line is dead
PING_S = 1.5
CONNECT_S = 4.0
OVERDUE_S = 6.0  # G10: an answer comes within 2.5 s, plus what a stopped server slept
RETURN_S = 0.8  # full jitter up to this
AGAIN_S = 0.25  # the same for sending again what was refused
RETURN_AFTER = re.compile(r"come back in (\d+) ms")


_encode = msgspec.json.Encoder().encode


class Talker:
    """One session in one room. `tick` it often; it never waits."""

    def __init__(self, *, name: str, room: str, dialect: str, folder: Path, random: Random, rate: float) -> None:
        secret = secrets.token_urlsafe(24)
        self.name = name
        self.room = room
        self.id = public_id(query_session(secret))
        self.last: str | None = None  # the id to resume after
        self.unacked: dict[str, str] = {}  # ref -> text, in the order first sent
        self.acked = 0
        self.ports: list[tuple[int, int]] = []  # (instance, port) to choose from
        self.speaks = True
        self._secret = secret
        self._dialect = dialect
        self._random = random
        self._window = random.choice(WINDOWS)
        self._rate = rate  # messages a second
        self._book = Notebook(folder / f"{name}.jsonl")
        self._book.write(Client(name, room, self.id, dialect))
        self._history = random.choice((0, 0, 30))
        self._from_start = random.random() < 0.4
        self._line: Line | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._is_in = False
        self._return_at = monotonic() + random.random()
        self._again_at = 0.0
        self._speak_at = monotonic() + random.random()
        self._heard_at = self._pinged_at = self._sent_at = 0.0
        self._deaf_until = self._away_until = 0.0
        self._count = 0
        self._repeated: set[str] = set()  # refs sent again while it had no id to resume after
        self._instance = 0
        self._after: str | None = None  # what the connection had asked for

    # -- time

    def tick(self, now: float) -> None:
        """Do what is due: come in, notice a dead line, send again, say something."""
        line = self._line
        if line is None:
            if self._connecting is None and now >= self._return_at:
                self._connecting = asyncio.get_running_loop().create_task(self._connect())
            return
        if self._deaf_until:
            if now < self._deaf_until:
                return
            self._deaf_until, self._heard_at = 0.0, now
            line.deaf(False)
        if now - self._heard_at > SILENCE_S or (self.unacked and now - self._sent_at > OVERDUE_S):
            line.reset()
            return
        if not self._is_in:
            return
        if now - self._pinged_at > PING_S:
            self._pinged_at = now
            line.ping()
        if self._again_at and now >= self._again_at:
            self._again_at = 0.0
            self._say_again(now)
        if self.speaks and now >= self._speak_at and (room := self._window - self._under_way()) > 0:
            self._speak(now, room)

    def _under_way(self) -> int:
        """How far it is ahead of the oldest message that was not acknowledged: a ref may be forgotten 128 later."""
        oldest = next(iter(self.unacked), None)
        return 0 if oldest is None else self._count + 1 - int(oldest.rpartition(".")[2])

    def _speak(self, now: float, room: int) -> None:
        burst = self._random.choice((1, 1, 2, 4))
        self._speak_at = max(self._speak_at, now - 0.2) + burst / self._rate
        fresh = []
        for _ in range(min(burst, room)):
            self._count += 1
            ref = f"{self.name}.{self._count}"
            text = f"{self.room} {ref}" + (" lorem ipsum" * 40 if self._count % 50 == 0 else "")
            self.unacked[ref] = text
            fresh.append((ref, text))
        self._say(now, fresh)

    def _say_again(self, now: float) -> None:
        if self.last is None:
            self._repeated.update(self.unacked)
        self._say(now, list(self.unacked.items()))

    def _say(self, now: float, messages: list[tuple[str, str]]) -> None:
        assert self._line is not None
        frames = []
        v1 = self._dialect == "v1"
        for ref, text in messages:
            self._book.write(Sent(now, ref, text))
            fields = {"type": "send", "message": text, "ref": ref} if v1 else {"message": text, "ref": ref}
            frames.append(_encode(fields))
        if messages:
            self._sent_at = now
            self._line.say(frames)

    # -- connections

    async def _connect(self) -> None:
        self._instance, port = self._random.choice(self.ports)
        self._after = self.last
        if self._after is None and self._from_start:
            self._after = self.last = "0-0"
        query = f"session={self._secret}"
        if self._after is not None:
            query += f"&after={self._after}"
        elif self._history:
            query += f"&history={self._history}"
        target = f"/ws/chat/{self.room}/?{query}"
        try:
            async with asyncio.timeout(CONNECT_S):
                await asyncio.get_running_loop().create_connection(
                    lambda: Line(target=target, v1=self._dialect == "v1", owner=self), "127.0.0.1", port
                )
        except (OSError, TimeoutError):
            self._return_at = monotonic() + self._random.random() * RETURN_S
        finally:
            self._connecting = None

    def connected(self, line: Line) -> None:
        """There is a connection; the handshake is under way."""
        self._line = line
        self._heard_at = self._sent_at = monotonic()

    def opened(self) -> None:
        """The handshake is done. Whatever was not acknowledged is sent again, before anything new."""
        now = monotonic()
        self._is_in = True
        self._again_at = 0.0
        self._pinged_at = self._sent_at = now
        history = 0 if self._after is not None else self._history
        self._book.write(Connect(now, self._instance, self._after, history))
        self._say_again(now)

    def closed(self, code: int, reason: str) -> None:
        """The connection ended. It comes back: after the time it was told, or soon."""
        now = monotonic()
        self._book.write(Closed(now, code))
        self._line, self._is_in, self._deaf_until = None, False, 0.0
        told = RETURN_AFTER.search(reason)
        soon = now + (int(told[1]) / 1000 if told else self._random.random() * RETURN_S)
        self._return_at = max(soon, self._away_until)

    def heard(self) -> None:
        """Something came: the line is alive."""
        self._heard_at = monotonic()

    # -- what the server says

    def took(self, payload: bytes) -> None:
        """A text frame."""
        said = decode(payload)
        if said.type == "message":
            self._saw(said)
        elif said.error is not None or said.type == "error":
            self._was_refused(said)
        elif said.type == "gap":
            self._was_told_of_a_gap(said)
        elif said.type == "welcome":
            self._was_welcomed(said)
        elif said.type == "ack" and said.ref is not None:
            self._was_acked(said.ref, said.id)

    def _saw(self, said: Said) -> None:
        self._book.write(Seen(self._heard_at, said.id, said.ref, said.sender, said.message))
        is_mine = said.ref is not None and said.sender == self.id
        if self.last is None:
            # What answers a repeat may be from before it came in: no place in the live stream.
            if not (is_mine and self._dialect == "plain" and said.ref in self._repeated):
                self.last = said.id
        elif as_id(said.id) > as_id(self.last):  # else the answer to a repeat: old news
            self.last = said.id
        if said.ref is not None and said.sender == self.id:
            self._was_acked(said.ref, said.id)

    def _was_acked(self, ref: str, event_id: str) -> None:
        if self.unacked.pop(ref, None) is not None:
            self.acked += 1
            self._book.write(Acked(monotonic(), ref, event_id))

    def _was_refused(self, said: Said) -> None:
        if said.error == "gap":
            return self._was_told_of_a_gap(said)
        now = monotonic()
        code = said.error or said.code or ""
        self._book.write(Refused(now, said.ref, code, said.retryable))
        if not said.retryable:
            self.unacked.pop(said.ref or "", None)
        elif not self._again_at:
            self._again_at = now + 0.05 + self._random.random() * AGAIN_S

    def _was_told_of_a_gap(self, said: Said) -> None:
        self._book.write(Gap(monotonic(), said.position))
        self.last = said.position

    def _was_welcomed(self, said: Said) -> None:
        if self._after is None and not self._history:
            self._book.write(Joined(monotonic(), said.position))
            if self.last is None:
                self.last = said.position

    # -- behaving badly, and the end

    def cut(self, away_s: float = 0.0) -> None:
        """Break the connection with a reset, and come back after *away_s* at the earliest."""
        self._away_until = monotonic() + away_s
        if self._line is not None:
            self._line.reset()

    def stop_reading(self, seconds: float) -> None:
        """Be a reader who doesn't read. The server may throw it out."""
        if self._line is not None and self._is_in:
            self._deaf_until = monotonic() + seconds
            self._line.deaf(True)

    def abandon(self) -> Line | None:
        """Leave the connection half open and come back by another; the old one, to be reset some day."""
        line = self._line
        if line is not None:
            line.let_go()
            self.closed(0, "")
        return line

    def has(self, event_id: str | None) -> bool:
        """Whether it is in its room and has the message *event_id*, if there is one."""
        return self._is_in and (event_id is None or (self.last is not None and as_id(self.last) >= as_id(event_id)))

    def end(self) -> None:
        """Write down whether it was there to the end, and go."""
        if self._connecting is not None:
            self._connecting.cancel()
        if self._line is not None:
            if self._is_in:
                self._book.write(End(monotonic()))
            line = self._line
            self._line = None
            line.let_go()
            line.reset()
        self._book.close()
