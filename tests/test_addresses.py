"""What one client address may hold and do, and that strangers cost no memory."""

from __future__ import annotations

import tracemalloc

import pytest

from chat_aiohttp.addresses import Addresses, AddressRules, network
from chat_aiohttp.errors import Limited
from chat_aiohttp.limits import KEPT, Buckets, Rate

HERE, THERE = b"\x01\x02\x03\x04", b"\x01\x02\x03\x05"


@pytest.mark.parametrize(
    ("text", "packed"),
    [
        ("1.2.3.4", HERE),
        ("1.2.3.4:5678", HERE),
        ("::ffff:1.2.3.4", HERE),
        ("[::ffff:1.2.3.4]:80", HERE),
        ("2001:db8::1", bytes.fromhex("20010db800000000")),
        ("[2001:db8::1]:80", bytes.fromhex("20010db800000000")),
        ("fe80::1%eth0", bytes.fromhex("fe80000000000000")),
        ("unix:", None),
        ("unknown", None),
        ("", None),
        ("1.2.3", None),
    ],
)
def test_an_address_counts_as_its_network(text: str, packed: bytes | None) -> None:
    assert network(text) == packed


def test_every_address_of_a_64_is_one_client() -> None:
    assert {network(f"2001:db8::{number:x}") for number in range(0, 65_536, 97)} == {network("2001:db8::")}
    assert network("2001:db8:0:1::") != network("2001:db8::")


def refusal(addresses: Addresses, address: bytes, room: str, now: float = 0.0) -> str | None:
    try:
        addresses.admit(address, room, now)
    except Limited as limited:
        return limited.code if limited.wait_s > 0 else "no time to come back"
    addresses.sit(address, room)
    return None


def test_sockets_are_counted_until_they_leave() -> None:
    addresses = Addresses(AddressRules(sockets=3))

    assert [refusal(addresses, HERE, "a") for _ in range(4)] == [None, None, None, "too_many_sockets"]
    assert refusal(addresses, THERE, "a") is None
    addresses.leave(HERE, "a")
    assert refusal(addresses, HERE, "b") is None
    assert refusal(addresses, HERE, "a") == "too_many_sockets"


def test_rooms_are_counted_once_each() -> None:
    addresses = Addresses(AddressRules(rooms=2))

    assert [refusal(addresses, HERE, room) for room in "aabbc"] == [None, None, None, None, "too_many_rooms"]
    addresses.leave(HERE, "a")
    assert refusal(addresses, HERE, "c") == "too_many_rooms"
    addresses.leave(HERE, "a")
    assert refusal(addresses, HERE, "c") is None


def test_nothing_is_left_of_an_address_that_left() -> None:
    addresses = Addresses(AddressRules())
    rooms = ["a", "b", "a", "c"]
    for room in rooms:
        addresses.sit(HERE, room)
    assert len(addresses) == 1

    for room in rooms:
        addresses.leave(HERE, room)

    assert len(addresses) == 0
    addresses.sit(HERE, "a")
    addresses.leave(HERE, "a")
    assert len(addresses) == 0


def test_zero_is_no_limit() -> None:
    addresses = Addresses(AddressRules(sockets=0, rooms=0, connections=Rate(1e6, 1e6)))

    assert {refusal(addresses, HERE, str(room)) for room in range(3000)} == {None}


def test_connecting_beginning_rooms_and_speaking_each_have_a_pace() -> None:
    addresses = Addresses(AddressRules(connections=Rate(1, 2), new_rooms=Rate(1, 1), messages=Rate(10, 3)))

    assert [refusal(addresses, HERE, "a") for _ in range(3)] == [None, None, "connecting_too_fast"]
    assert refusal(addresses, HERE, "a", now=1.0) is None

    addresses.begin_room(HERE, 0.0)
    with pytest.raises(Limited) as refused:
        addresses.begin_room(HERE, 0.0)
    assert (refused.value.code, refused.value.wait_s) == ("too_many_new_rooms", 1.0)

    assert [addresses.speak(HERE, 0.0) for _ in range(4)] == [0.0, 0.0, 0.0, pytest.approx(0.1)]
    addresses.unspeak(HERE)
    assert addresses.speak(HERE, 0.0) == 0.0


def test_only_buckets_in_use_are_kept() -> None:
    buckets = Buckets(Rate(10, 10))
    for second in range(100):
        for key in range(100):
            buckets.take(bytes((second, key)), float(second))

    assert len(buckets) <= 400, "those who have not come for a second are as good as new"


def test_any_number_of_strangers_fits_in_a_bounded_table() -> None:
    buckets, strangers = Buckets(Rate(0.001, 2)), 3 * KEPT
    tracemalloc.start()
    try:
        for stranger in range(strangers):
            buckets.take(stranger.to_bytes(8), 0.0)
            assert len(buckets) <= KEPT
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert held < 20e6 / 3, "three such tables are all there are"
    regular = (strangers - 1).to_bytes(8)
    assert buckets.take(regular, 0.0) == 0.0
    assert buckets.take(regular, 0.0) > 0, "whoever came last is not forgotten"
