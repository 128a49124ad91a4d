"""What is sent goes once, in order, again after a fault; and a refusal lets nothing overtake."""

from __future__ import annotations

from random import Random

import pytest

from chat_aiohttp.errors import Refused
from chat_aiohttp.outbox import MOST, UNDER_WAY, Outbox


def filled(count: int) -> Outbox[str]:
    outbox: Outbox[str] = Outbox()
    for number in range(count):
        outbox.add(f"r{number}", b"%d" % number, f"a{number}")
    return outbox


def sent(outbox: Outbox[str]) -> list[bytes]:
    return list(iter(outbox.next, None))


def test_nothing_leaves_before_the_link_is_up() -> None:
    outbox = filled(3)
    assert sent(outbox) == []

    outbox.open()

    assert sent(outbox) == [b"0", b"1", b"2"]
    assert sent(outbox) == []


def test_only_so_many_are_under_way() -> None:
    outbox = filled(UNDER_WAY + 5)
    outbox.open()
    assert len(sent(outbox)) == UNDER_WAY

    assert outbox.take("r0") == "a0"

    assert sent(outbox) == [b"%d" % UNDER_WAY]


def test_a_broken_link_makes_everything_without_an_answer_go_again_in_order() -> None:
    outbox = filled(4)
    outbox.open()
    sent(outbox)
    outbox.take("r1")

    outbox.shut()
    assert sent(outbox) == []
    outbox.open()

    assert sent(outbox) == [b"0", b"2", b"3"]


def test_it_is_bounded_and_a_ref_is_used_once_at_a_time() -> None:
    outbox = filled(MOST)

    for ref, code in (("new", "outbox_full"), ("r0", "ref_in_use")):
        with pytest.raises(Refused) as refusal:
            outbox.add(ref, b"", "")
        assert refusal.value.code == code


def test_after_a_refusal_nothing_leaves_until_the_others_are_answered_and_a_pause_is_over() -> None:
    outbox = filled(UNDER_WAY + 1)
    outbox.open()
    sent(outbox)

    outbox.refuse("r0")
    assert sent(outbox) == []  # the last one, sent now behind r0's next try, would overtake r1, which is refused too
    assert outbox.pause_s(0.5) == 0
    for number in range(1, UNDER_WAY):
        outbox.refuse(f"r{number}")

    assert outbox.pause_s(0.5) == 1.0
    assert sent(outbox) == [b"%d" % number for number in range(UNDER_WAY)]


def test_pauses_grow_with_refusals_in_a_row_to_a_bound_and_shrink_when_one_is_stored() -> None:
    outbox = filled(2)
    outbox.open()
    pauses = []
    for _ in range(8):
        sent(outbox)
        outbox.refuse("r0")
        outbox.refuse("r1")
        pauses.append(outbox.pause_s(1.0))
    assert pauses == [1.5, 2.5, 4.5, 8.5, 10.5, 10.5, 10.5, 10.5]

    sent(outbox)
    outbox.take("r0")
    outbox.refuse("r1")

    assert outbox.pause_s(1.0) == 1.5


def test_an_answer_that_comes_after_a_refusal_leaves_the_pause_as_it_is() -> None:
    outbox = filled(2)
    outbox.open()
    sent(outbox)

    outbox.refuse("r1")
    outbox.take("r0")

    assert outbox.pause_s(1.0) == 1.5
    assert sent(outbox) == [b"1"]


@pytest.mark.parametrize("seed", range(30))
def test_whatever_a_server_refuses_the_log_has_all_in_order(seed: int) -> None:
    """A model of G2's server: what it refuses holds back everything else until it comes again."""
    lot = Random(seed)
    log: list[bytes] = []
    wire: list[bytes] = []
    held: bytes | None = None
    outbox = filled(40)
    outbox.open()
    while len(log) < 40:
        if lot.random() < 0.02:  # the link breaks, with what is on it
            outbox.shut()
            outbox.open()
            wire, held = [], None
        outbox.pause_s(lot.random())
        wire += sent(outbox)
        for frame in wire[: lot.randrange(8)]:
            wire.remove(frame)
            if (held is None and lot.random() < 0.1) or held not in (None, frame):
                held = held or frame
                outbox.refuse(f"r{frame.decode()}")
                continue
            held = None
            log.append(frame)
            outbox.take(f"r{frame.decode()}")

    assert log == [b"%d" % number for number in range(40)]
