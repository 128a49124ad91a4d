"""What a client address may hold and do: sockets, rooms, connections, messages. Layer 0: pure; the clock is passed in.

An address is its network: four bytes of IPv4, or the first eight of IPv6, since a /64 is what one customer gets and
65,536 addresses of it are one client. None stands for a client that has no address of its own (proxies.py says which);
it is never limited.

Kept is only what is needed: a room key for an address with one socket, buckets only while they are not full. So a
million strangers cost no more than those who are here.
"""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address
from typing import Final, NamedTuple

from chat_aiohttp.errors import Limited
from chat_aiohttp.limits import Buckets, Rate

RETRY_S: Final = 30.0  # for what frees only when a socket closes
_V6_NETWORK: Final = 8  # bytes of an IPv6 address that are its network


class AddressRules(NamedTuple):
    """What each address may hold (0: any number) and how fast it may do things."""

    sockets: int = 1000
    rooms: int = 200
    connections: Rate = Rate(20.0, 500.0)
    new_rooms: Rate = Rate(0.2, 60.0)
    messages: Rate = Rate(200.0, 2000.0)


def network(text: str) -> bytes | None:
    """The network that an address of *text* belongs to; None when it is no address. A port behind it is passed over."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        mapped = address.ipv4_mapped
        return mapped.packed if mapped is not None else address.packed[:_V6_NETWORK]
    return address.packed


class Addresses:
    """Every client address with a socket here, and what it has done lately."""

    def __init__(self, rules: AddressRules) -> None:
        self._rules = rules
        self._present: dict[bytes, str | dict[str, int]] = {}  # its one socket's room; else room -> sockets
        self._connections = Buckets(rules.connections)
        self._new_rooms = Buckets(rules.new_rooms)
        self._messages = Buckets(rules.messages)

    def __len__(self) -> int:
        return len(self._present)

    def admit(self, address: bytes, room: str, now: float) -> None:
        """A connection of *address* wants to come into *room*. Raises Limited when it may not."""
        rules, rooms = self._rules, self._rooms(address)
        if rules.sockets and sum(rooms.values()) >= rules.sockets:
            words = f"There are {rules.sockets} open connections from your address: close one first."
            raise Limited("too_many_sockets", words, RETRY_S)
        if rules.rooms and len(rooms) >= rules.rooms and room not in rooms:
            words = f"There are {rules.rooms} rooms open from your address: leave one first."
            raise Limited("too_many_rooms", words, RETRY_S)
        if wait := self._connections.take(address, now):
            raise Limited("connecting_too_fast", "Your address connects too often. Wait a moment.", wait)

    def begin_room(self, address: bytes, now: float) -> None:
        """A connection of *address* is about to begin a room that nobody wrote in. Raises Limited when it may not."""
        if wait := self._new_rooms.take(address, now):
            raise Limited("too_many_new_rooms", "Your address begins too many new rooms. Wait a moment.", wait)

    def speak(self, address: bytes, now: float) -> float:
        """A message from *address*: 0.0 when it may be said, else the seconds until one may be."""
        return self._messages.take(address, now)

    def unspeak(self, address: bytes) -> None:
        """The message was not said after all."""
        self._messages.give_back(address)

    def sit(self, address: bytes, room: str) -> None:
        """One more socket of *address* is in *room*."""
        if (present := self._present.get(address)) is None:
            self._present[address] = room
            return
        rooms = present if isinstance(present, dict) else {present: 1}
        rooms[room] = rooms.get(room, 0) + 1
        self._present[address] = rooms

    def leave(self, address: bytes, room: str) -> None:
        """One socket of *address* less is in *room*."""
        present = self._present.get(address)
        if not isinstance(present, dict):
            self._present.pop(address, None)
            return
        present[room] -= 1
        if not present[room]:
            del present[room]
        if not present:
            del self._present[address]

    def _rooms(self, address: bytes) -> dict[str, int]:
        present = self._present.get(address, {})
        return present if isinstance(present, dict) else {present: 1}
