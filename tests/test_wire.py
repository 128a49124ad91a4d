"""Events in, frames out: what a client is shown is what was said, in both dialects."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_aiohttp import bodies, wire
from chat_aiohttp.errors import BadInput, ChatError, Refused, Unknown
from chat_aiohttp.events import DELETE, MESSAGE, Event, EventId, Gap
from tests.frame_bytes import payload


@given(st.text(min_size=1, max_size=200), st.one_of(st.none(), st.text(min_size=1, max_size=64)))
def test_what_was_said_comes_back_as_it_was_said(text: str, ref: str | None) -> None:
    body = bodies.message_body(text, "b7kq2m5xw3rt", "Ada", ref)
    event = Event("lobby", EventId(1_700_000_000_000, 3), EventId(0, 0), MESSAGE, body)

    fields = payload(wire.event_frame(event))
    fields.pop("rich", None)  # tests/test_rich.py

    expected = {
        "type": "message", "id": "1700000000000-3", "time": 1_700_000_000_000,
        "message": text, "from": "b7kq2m5xw3rt", "name": "Ada",
    }  # fmt: skip
    assert fields == (expected if ref is None else expected | {"ref": ref})
    assert list(fields)[:3] == ["type", "id", "time"]


def test_an_event_about_another_names_it() -> None:
    event = Event("lobby", EventId(9, 0), EventId(8, 0), DELETE, b'{"from":"me"}', EventId(5, 1))

    assert payload(wire.event_frame(event)) == {"type": "delete", "id": "9-0", "time": 9, "target": "5-1", "from": "me"}


def test_a_repeat_of_a_plain_client_brings_the_very_frame_back() -> None:
    body = bodies.message_body("hi", "me", "Me", "a")
    event = Event("lobby", EventId(9, 0), EventId(8, 0), MESSAGE, body)

    assert wire.message_frame(event.id, body) == wire.event_frame(event)


@pytest.mark.parametrize("error", [BadInput("bad_ref", "words"), Refused("held", "words"), Unknown("unknown", "words")])
@pytest.mark.parametrize("ref", [None, "a", '"\\\u2028'])
def test_an_error_in_both_dialects(error: ChatError, ref: str | None) -> None:
    rest = {"retryable": error.retryable} | ({} if ref is None else {"ref": ref})

    assert payload(wire.error_frame(error, ref, v1=True)) == {
        "type": "error",
        "code": error.code,
        "words": "words",
        **rest,
    }
    assert payload(wire.error_frame(error, ref, v1=False)) == {"error": error.code, "message": "words", **rest}


def test_a_gap_in_both_dialects_names_where_to_go_on() -> None:
    gap = Gap(EventId(5, 1), EventId(9, 0), "trimmed")

    assert payload(wire.gap_frame(gap, v1=True)) == {
        "type": "gap",
        "after": "5-1",
        "position": "9-0",
        "reason": "trimmed",
    }
    plain = payload(wire.gap_frame(gap, v1=False))
    assert (plain["error"], plain["position"], plain["retryable"]) == ("gap", "9-0", False)


def test_an_ack_and_a_page() -> None:
    assert payload(wire.ack_frame("a", EventId(9, 0))) == {"type": "ack", "ref": "a", "id": "9-0"}
    messages = [Event("lobby", EventId(n, 0), EventId(0, 0), MESSAGE, b'{"message":"%d"}' % n) for n in (7, 8)]
    page = payload(wire.history_frame(EventId(9, 0), messages, True))
    assert page == {
        "type": "history",
        "before": "9-0",
        "messages": [json.loads(wire.event_json(message)) for message in messages],
        "more": True,
    }
    assert payload(wire.history_frame(EventId(9, 0), [], False))["messages"] == []


def test_a_digest_tells_texts_apart() -> None:
    assert len(bodies.digest("hi")) == 8
    assert bodies.digest("hi") == bodies.digest("hi") != bodies.digest("hi ")
