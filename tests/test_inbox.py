"""What a client heard: each message once, in order, and in bounded memory."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_aiohttp import inbox
from chat_aiohttp.errors import BadInput
from chat_aiohttp.events import EventId
from chat_aiohttp.inbox import Inbox, Message, decode


def hear(box: Inbox, **fields: object) -> None:
    box.hear(decode(msgspec.json.encode(fields)))


def say(box: Inbox, number: int) -> None:
    hear(box, type="message", id=f"{number}-0", message=str(number), **{"from": "me"}, name="Ada", time=number)


def read(box: Inbox) -> list[str]:
    items = [box.read() for _ in range(len(box))]
    return [item.text if isinstance(item, Message) else f"gap {item.position}" for item in items]


@given(st.lists(st.integers(1, 30)))
def test_whatever_comes_again_is_heard_once_and_in_order(numbers: list[int]) -> None:
    box = Inbox(None)

    for number in numbers:
        say(box, number)

    heard = [int(text) for text in read(box)]
    assert heard == [number for place, number in enumerate(numbers) if number > max(numbers[:place], default=0)]
    assert box.last == (EventId(max(numbers), 0) if numbers else None)


def test_what_lies_before_the_id_it_goes_on_from_was_heard_before() -> None:
    box = Inbox(EventId(5, 0))
    for number in (4, 5, 6):
        say(box, number)

    assert read(box) == ["6"]


def test_what_is_no_message_moves_the_place_to_resume_from_and_is_not_shown() -> None:
    box = Inbox(None)
    for fields in ({"type": "live", "position": "3-0"}, {"type": "edit", "id": "7-0"}, {"type": "live"}):
        hear(box, **fields)

    assert box.last == EventId(7, 0)
    assert read(box) == []


def test_a_gap_may_lead_back_and_then_ids_are_given_again() -> None:
    box = Inbox(None)
    say(box, 9)
    hear(box, type="gap", after="9-0", position="2-0", reason="lost")
    say(box, 3)

    assert read(box) == ["9", "gap 2-0", "3"]


def test_a_full_one_drops_what_comes_and_resumes_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "MOST", 2)
    box = Inbox(None)
    for number in range(1, 5):
        say(box, number)
    hear(box, type="live", position="9-0")
    assert box.is_behind
    assert read(box) == ["1", "2"]
    say(box, 5)
    assert read(box) == []

    box.is_behind = False
    for number in (3, 4):
        say(box, number)

    assert read(box) == ["3", "4"]


def test_an_id_that_is_none_is_said() -> None:
    with pytest.raises(BadInput):
        hear(Inbox(None), type="message", id="soon")
