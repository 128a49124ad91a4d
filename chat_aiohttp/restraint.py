"""Sockets that are not read for a while, because they sent too much that says nothing. Layer 1.

A frame that is no message costs nearly as much as one that is: a ping, an empty fragment, a send that is refused. Each
connection may send some (limits.Intake); beyond that it is not read until its allowance is out of debt, and TCP holds
the rest back at the sender. So a flood costs its sender its own connection and the loop next to nothing. Bytes are held
back the same way. Whoever keeps flooding for RUDE_S without one quiet moment is closed (1008).

Times are checked with the ping wheel: no timer per socket.
"""

from __future__ import annotations

from typing import Final, TypeVar

from chat_aiohttp.limits import Intake, IntakeRules
from chat_aiohttp.metrics import Metrics

RUDE_S: Final = 30.0  # overdrawn for so long: it is not a burst, it is what this client does
LARGE_READ: Final = 1500  # bytes; what comes in smaller reads is bounded by its frames, which are counted anyway


class Restrained:
    """What a socket needs to be restrained: room for its account."""

    __slots__ = ("intake",)

    def __init__(self) -> None:
        self.intake: Intake | None = None


Held = TypeVar("Held", bound=Restrained)


class Restraint(dict[Held, float]):
    """Which sockets are not read now, and until when. A dict, since every read asks whether its socket is in it."""

    def __init__(self, rules: IntakeRules, metrics: Metrics) -> None:
        super().__init__()
        self._rules = rules
        self._metrics = metrics

    def charge_frames(self, socket: Held, count: float, now: float) -> bool:
        """*count* frames of *socket* said nothing. Whether it is not to be read from now on."""
        return self._hold(socket, self._account(socket, now).charge_frames(count, now), now, "frames")

    def charge_bytes(self, socket: Held, count: int, now: float) -> bool:
        """*count* bytes came from *socket*. Whether it is not to be read from now on."""
        return self._hold(socket, self._account(socket, now).charge_bytes(count, now), now, "bytes")

    def rest(self, socket: Held, now: float) -> bool:
        """*socket* has sent many frames at once. Whether the others go first: it sends what says nothing."""
        if socket.intake is None or not socket.intake.is_busy(now):
            return False
        self.setdefault(socket, now)
        return True

    def is_rude(self, socket: Held, now: float) -> bool:
        """Whether *socket* has been at it for too long."""
        return socket.intake is not None and socket.intake.overdrawn_s(now) > RUDE_S

    def due(self, now: float) -> list[Held]:
        """Those that may be read again, who has waited longest first: `release` them."""
        return [socket for socket, until in self.items() if until <= now]

    def release(self, socket: Held, now: float) -> None:
        """*socket* is read again."""
        self.pop(socket, None)
        if socket.intake is not None:
            socket.intake.read_again(now)

    def forget(self, socket: Held) -> None:
        """*socket* is gone."""
        self.pop(socket, None)
        socket.intake = None

    def tidy(self, socket: Held, now: float) -> None:
        """Drop an account that is as good as a new one: an idle socket has none."""
        if socket.intake is not None and socket not in self and socket.intake.is_fresh(now):
            socket.intake = None

    def _account(self, socket: Held, now: float) -> Intake:
        if socket.intake is None:
            socket.intake = Intake(self._rules, now)
        return socket.intake

    def _hold(self, socket: Held, wait: float, now: float, limit: str) -> bool:
        if wait <= 0:
            return False
        if socket not in self:
            self._metrics.limits[limit] += 1
        self[socket] = max(now + wait, self.get(socket, 0.0))
        return True
