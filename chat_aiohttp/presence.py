"""Who is in a room, on all instances together. Layer 1: state only; the clock is passed in, the hub does the talking.

Each instance tells the others who is in its part of a room: a roster, whole each time, so that a lost one is mended
by the next. A roster is a lease: what is not renewed within LEASE_S is over. Rosters travel as signals and as leases
in the store (which give a newcomer the state), never in a room's log. An instance that died leaves no ghosts after a
minute, also for who comes in the meantime and finds its last lease still in the store: that one is believed only until
its next renewal would have come.

People are persons, not tabs: one public id counts once, on however many connections and instances it is. Who leaves is
told as gone after LINGER_S, so that a reload, or a move to another instance, shows nothing. Members are told at most
once a second a room; above SHOWN_PEOPLE they get counts, and rosters carry counts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from chat_aiohttp.wire import person, text_frame

SHOWN_PEOPLE: Final = 200
TELL_EVERY_S: Final = 1.0
RENEW_EVERY_S: Final = 12.0
LEASE_S: Final = 38.0  # three renewals
BELIEVED_S: Final = 14.0  # a lease from the store, of which nobody knows how old it is: one renewal
LINGER_S: Final = 5.0  # LEASE_S + BELIEVED_S + LINGER_S and a beat are less than a minute

People = dict[str, str]
"""public id -> name"""


class Roster(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One instance's people in one room, as it travels. *people* is missing above SHOWN_PEOPLE."""

    instance: str
    count: int
    people: People | None = None


class Typist(msgspec.Struct, frozen=True, gc=False):
    """Someone is typing: the other signal a room knows."""

    typing: str
    name: str


_encode = msgspec.json.Encoder().encode
_decode_roster = msgspec.json.Decoder(Roster).decode
_decode_typist = msgspec.json.Decoder(Typist).decode


def encode_typing(public_id: str, name: str) -> bytes:
    """The signal that someone is typing."""
    return _encode(Typist(public_id, name))


def decode_signal(body: bytes) -> Roster | Typist | None:
    """What a signal says; None for one this version doesn't know."""
    try:
        return _decode_typist(body) if body.startswith(b'{"typing"') else _decode_roster(body)
    except msgspec.DecodeError:
        return None


class RoomPresence:
    """What this instance knows of the people in one room."""

    __slots__ = (
        "_count_told", "_instance", "_missing", "_others", "_told", "changed", "publish_at", "tell_at", "unpublished",
    )  # fmt: skip

    def __init__(self, instance: str) -> None:
        self._instance = instance
        self._others: dict[str, tuple[float, Roster]] = {}  # instance -> (when its lease ends, its roster)
        self._told: People | None = {}  # what members were last told; None: only a count
        self._count_told = 0
        self._missing: dict[str, float] = {}  # told as here, and not here: since when
        self.changed = False  # there may be something to tell members
        self.unpublished = False  # our roster is not what others were told
        self.publish_at = 0.0  # when our lease is due for renewal; 0: never published
        self.tell_at = 0.0  # not before this are members told again

    def roster(self, here: People) -> bytes:
        """Our own people as they travel."""
        return _encode(Roster(self._instance, len(here), here if len(here) <= SHOWN_PEOPLE else None))

    def hear(self, roster: Roster, now: float, lease_s: float = LEASE_S) -> None:
        """Another instance told who is there. Our own roster comes back too and is ours to ignore."""
        if roster.instance == self._instance:
            return
        before = self._others.pop(roster.instance, None)
        if roster.count:
            self._others[roster.instance] = (now + lease_s, roster)
        self.changed |= before is None or before[1] != roster

    def expire(self, now: float) -> None:
        """Forget instances that have not renewed."""
        for instance in [name for name, (ends, _) in self._others.items() if ends <= now]:
            del self._others[instance]
            self.changed = True

    def everyone(self, here: People) -> tuple[int, People | None]:
        """How many people are in the room, and who, unless they are too many to be listed."""
        rosters = [roster for _, roster in self._others.values()]
        if len(here) > SHOWN_PEOPLE or any(roster.people is None for roster in rosters):
            return len(here) + sum(roster.count for roster in rosters), None
        people = dict(here)
        for roster in rosters:
            people.update(roster.people or {})
        return len(people), people if len(people) <= SHOWN_PEOPLE else None

    def state_frame(self) -> bytes:
        """Everybody, for one who has just come: as the others were last told, so that the next difference, which names
        the newcomer too, is right for all. Of whoever came and went between two differences nobody keeps a ghost."""
        return text_frame(_state(self._count_told, self._told))

    def diff_frame(self, here: People, now: float) -> bytes | None:
        """What changed since members were last told; None: nothing that shows."""
        count, people = self.everyone(here)
        told, told_count = self._told, self._count_told
        if people is not None and told is not None:
            people = self._with_lingering(people, told, now)
            count = len(people)
        else:
            self._missing.clear()
        self.changed = bool(self._missing)
        self._told, self._count_told = people, count
        if people is None or told is None:
            return text_frame(_state(count, people)) if count != told_count or people is not told else None
        joins = [(who, name) for who, name in people.items() if told.get(who) != name]
        leaves = [(who, name) for who, name in told.items() if who not in people]
        if not joins and not leaves:
            return None
        return text_frame({"type": "presence-diff", "count": count, "joins": _listed(joins), "leaves": _listed(leaves)})

    def _with_lingering(self, people: People, told: People, now: float) -> People:
        """*people*, and those who were *told* as here and left only just now."""
        self._missing = {who: self._missing.get(who, now) for who in told if who not in people}
        for who in [who for who, since in self._missing.items() if now - since >= LINGER_S]:
            del self._missing[who]
        return {**people, **{who: told[who] for who in self._missing}} if self._missing else people


def _state(count: int, people: People | None) -> dict[str, Any]:
    fields: dict[str, Any] = {"type": "presence", "count": count}
    if people is not None:
        fields["people"] = _listed(people.items())
    return fields


def _listed(people: Iterable[tuple[str, str]]) -> list[dict[str, Any]]:
    return [person(who, name) for who, name in people]
