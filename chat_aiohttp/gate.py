"""Who may come in and who may speak now: every limit that is checked before something is done. Layer 3.

Three hold a message back: its connection's, its address' and its room's, each a token bucket. Whoever is refused by
one has paid for none. What holds a handshake back is checked before the socket opens, so that it costs an HTTP answer.

Limits are this process' own: with several instances an address has them once on each.
"""

from __future__ import annotations

from typing import NamedTuple

from chat_aiohttp.addresses import Addresses, AddressRules
from chat_aiohttp.errors import Limited, Refused
from chat_aiohttp.events import NOTHING
from chat_aiohttp.limits import Rate, TokenBucket
from chat_aiohttp.metrics import Metrics
from chat_aiohttp.rooms import Member, Room

ROOM_FULL_RETRY_S = 10.0


class GateRules(NamedTuple):
    """Messages a second of a connection and of a room, members of a room (0: any number), and all of an address."""

    member: Rate = Rate(10.0, 40.0)
    room: Rate = Rate(200.0, 1000.0)
    room_members: int = 0
    address: AddressRules = AddressRules()


class Gate:
    """The limits of this process, and who has used how much of them."""

    def __init__(self, rules: GateRules, metrics: Metrics) -> None:
        self._rules = rules
        self._metrics = metrics
        self.addresses = Addresses(rules.address)

    # -- coming in

    def admit(self, address: bytes | None, key: str, now: float) -> None:
        """A handshake of *address* for room *key*. Raises Limited; else it has a seat until `leave`."""
        if address is not None:
            try:
                self.addresses.admit(address, key, now)
            except Limited as limited:
                self._metrics.limits[limited.code] += 1
                raise
        self.sit(address, key)

    def check_room(self, address: bytes | None, room: Room, now: float) -> None:
        """The room is open now, and the handshake about to be answered. Raises Limited."""
        limit = self._rules.room_members
        if limit and len(room) >= limit:
            self._metrics.limits["room_full"] += 1
            raise Limited("room_full", f"This room is full: it takes {limit} connections.", ROOM_FULL_RETRY_S)
        if address is not None and room.position == NOTHING and not len(room):
            try:
                self.addresses.begin_room(address, now)
            except Limited as limited:
                self._metrics.limits[limited.code] += 1
                raise

    def sit(self, address: bytes | None, key: str) -> None:
        """One more connection of *address* is in room *key*."""
        if address is not None:
            self.addresses.sit(address, key)

    def leave(self, address: bytes | None, key: str) -> None:
        """One less."""
        if address is not None:
            self.addresses.leave(address, key)

    # -- speaking

    def speak(self, member: Member, now: float) -> Refused | None:
        """Take one message from *member*'s allowances; or say which is used up, and take nothing."""
        own, room = member.bucket or self.own(member, now), member.room
        if not own.take(1, now):
            return self._too_fast("too_fast", "That was too fast.", own.wait(1, now))
        address = member.address
        if address is not None and (wait := self.addresses.speak(address, now)):
            own.give_back(1)
            return self._too_fast("address_too_fast", "Your address says too much at once.", wait)
        bucket = room.bucket
        if bucket is None:
            bucket = room.bucket = TokenBucket(self._rules.room, now)
        if not bucket.take(1, now):
            own.give_back(1)
            if address is not None:
                self.addresses.unspeak(address)
            return self._too_fast("room_too_fast", "Too much is said in this room at once.", bucket.wait(1, now))
        return None

    def own(self, member: Member, now: float) -> TokenBucket:
        """*member*'s own allowance of messages."""
        bucket = member.bucket
        if bucket is None:
            bucket = member.bucket = TokenBucket(self._rules.member, now)
        return bucket

    def _too_fast(self, code: str, words: str, wait: float) -> Limited:
        self._metrics.limits[code] += 1
        return Limited(code, f"{words} Send again in {max(0.1, wait):.1f} seconds.", wait)
