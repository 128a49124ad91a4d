"""Text in, commands out: what can't be accepted says why, and nothing a client writes does more than that."""

from __future__ import annotations

import json
import time
import unicodedata

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chat_aiohttp import bodies, commands, wire
from chat_aiohttp.commands import History, Ping, Rename, Send, Typing, decode_plain, decode_v1
from chat_aiohttp.errors import BadInput
from chat_aiohttp.events import EventId
from tests.frame_bytes import payload

MAX = 4000
DECODERS = [decode_plain, decode_v1]


def send(message: object, **fields: object) -> bytes:
    """A send that both dialects understand."""
    return json.dumps({"type": "send", "message": message, "ref": "k3v9x2", **fields}, ensure_ascii=False).encode()


def refusal(text: bytes, *, v1: bool = True) -> BadInput:
    with pytest.raises(BadInput) as raised:
        (decode_v1 if v1 else decode_plain)(text, MAX)
    return raised.value


# -- what is understood


def test_a_plain_send() -> None:
    assert decode_plain(b'{"message": "hi"}', MAX) == Send("hi")
    assert decode_plain(b'{"message": "hi", "ref": "a"}', MAX) == Send("hi", "a")
    assert decode_plain(b'{"ref": null, "message": "hi", "extra": [1, {"a": null}]}', MAX) == Send("hi")


def test_every_command_of_v1() -> None:
    assert decode_v1(b'{"type": "send", "message": "hi", "ref": "a"}', MAX) == Send("hi", "a")
    assert decode_v1(b'{"ref": "a", "message": "hi", "type": "send"}', MAX) == Send("hi", "a")
    assert decode_v1(b'{"type": "typing"}', MAX) == Typing()
    assert decode_v1(b'{"type": "ping"}', MAX) == Ping()
    assert decode_v1(b'{"type": "typing", "message": "unfinished", "ref": 5}', MAX) == Typing()
    assert decode_v1(b'{"type": "rename", "name": "Ada L."}', MAX) == Rename("Ada L.")
    assert decode_v1(b'{"type": "rename", "name": "A", "message": "x"}', MAX) == Rename("A")
    assert decode_v1(b'{"type": "history", "before": "5-1", "limit": 100}', MAX) == History(EventId(5, 1), 100)
    assert decode_v1(b'{"type": "history", "before": "5-1"}', MAX) == History(EventId(5, 1), 50)
    assert decode_v1(b'{"type": "history", "after": "5-1"}', MAX) == History(EventId(5, 1), 50, forward=True)


@pytest.mark.parametrize("decode", DECODERS)
@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("e\u0301", "é"),
        ("\u1112\u1161\u11ab", "한"),
        ("a\r\nb\rc\nd", "a\nb\nc\nd"),
        ("a\u2028b\u2029c", "a\nb\nc"),
        ("tab\there", "tab\there"),
        ("\x00a\x07b\x1b[0m\x7f\x85", "ab[0m"),
        ("e\x00\u0301", "é"),
        ("  kept  ", "  kept  "),
        ("👩\u200d👩\u200d👧 ❤\ufe0f", "👩\u200d👩\u200d👧 ❤\ufe0f"),
        ("شكراً\u200cها", "شكراً\u200cها"),
    ],
)
def test_a_text_is_kept_as_it_reads(decode: object, said: str, kept: str) -> None:
    assert decode(send(said), MAX).message == kept  # type: ignore[operator]


@pytest.mark.parametrize(
    "said", ["x" * MAX, "e\u0301" * MAX, "\u1112\u1161\u11ab" * MAX, "🎉" * MAX, "a\r\n" * (MAX // 2)]
)
def test_the_limit_counts_code_points_as_they_are_kept(said: str) -> None:
    assert len(decode_v1(send(said), MAX).message) == MAX  # type: ignore[union-attr]
    assert refusal(send(said + "x")).code == "message_too_long"


def test_a_ref_has_one_to_64_characters() -> None:
    for ref in ("a", "x" * 64, "🎉" * 64):
        assert decode_v1(send("hi", ref=ref), MAX) == Send("hi", ref)


# -- what is not


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"", "not_json"),
        (b"hello", "not_json"),
        (b"{", "not_json"),
        (b'{"message": "hi"} trailing', "not_json"),
        (b"{'message': 'hi'}", "not_json"),
        (b'{"message": "\\ud800"}', "not_json"),
        (b'{"message": NaN}', "not_json"),
        (b"[" * 30_000, "not_json"),
        (b'{"message": "hi", "x": ' + b"[" * 20_000 + b"]" * 20_000 + b"}", "not_json"),
        (b"[]", "not_an_object"),
        (b'"hi"', "not_an_object"),
        (b"null", "not_an_object"),
        (b"5", "not_an_object"),
    ],
)
def test_what_cannot_be_understood_in_either_dialect(text: bytes, code: str) -> None:
    assert refusal(text, v1=True).code == code
    assert refusal(text, v1=False).code == code


@pytest.mark.parametrize(
    ("fields", "code", "ref"),
    [
        ({}, "message_missing", None),
        ({"ref": "a"}, "message_missing", "a"),
        ({"ref": 5}, "message_missing", None),
        ({"msg": "hi", "ref": "a"}, "message_missing", "a"),
        ({"message": None, "ref": "a"}, "message_not_text", "a"),
        ({"message": 5, "ref": "a"}, "message_not_text", "a"),
        ({"message": ["hi"], "ref": "x" * 65}, "message_not_text", None),
        ({"message": "", "ref": "a"}, "message_empty", "a"),
        ({"message": " \n\t\u3000", "ref": "a"}, "message_empty", "a"),
        ({"message": "\u200b\u2060\ufeff\u00ad", "ref": "a"}, "message_empty", "a"),
        ({"message": "\x00\x07\r", "ref": "a"}, "message_empty", "a"),
        ({"message": "x" * 4001, "ref": "a"}, "message_too_long", "a"),
        ({"message": "hi", "ref": ""}, "bad_ref", None),
        ({"message": "hi", "ref": "x" * 65}, "bad_ref", None),
        ({"message": "hi", "ref": 5}, "bad_ref", None),
        ({"message": "hi", "ref": ["a"]}, "bad_ref", None),
    ],
)
def test_a_send_that_cannot_be_accepted(fields: dict[str, object], code: str, ref: str | None) -> None:
    plain = refusal(json.dumps(fields).encode(), v1=False)
    v1 = refusal(json.dumps({"type": "send", **fields}).encode(), v1=True)

    assert (plain.code, plain.ref) == (v1.code, v1.ref) == (code, ref)
    assert not plain.retryable


@pytest.mark.parametrize(
    ("text", "code", "ref"),
    [
        (b"{}", "unknown_type", None),
        (b'{"message": "hi", "ref": "a"}', "unknown_type", "a"),
        (b'{"type": "shout", "message": "hi", "ref": "a"}', "unknown_type", "a"),
        (b'{"type": 5}', "unknown_type", None),
        (b'{"type": ["send"], "message": "hi"}', "unknown_type", None),
        (b'{"type": {"a": "' + b"x" * 5000 + b'"}}', "unknown_type", None),
        (b'{"type": null, "ref": "a"}', "unknown_type", "a"),
        (b'{"type": 1e308}', "unknown_type", None),
        (b'{"type": "send", "message": "hi"}', "ref_missing", None),
        (b'{"type": "send", "message": "hi", "ref": null}', "ref_missing", None),
        (b'{"type": "rename"}', "bad_name", None),
        (b'{"type": "rename", "name": 5}', "bad_name", None),
        (b'{"type": "history"}', "bad_id", None),
        (b'{"type": "history", "before": 5}', "bad_id", None),
        (b'{"type": "history", "before": "yesterday"}', "bad_id", None),
        (b'{"type": "history", "before": "01-1"}', "bad_id", None),
        (b'{"type": "history", "before": "5"}', "bad_id", None),
        (b'{"type": "history", "before": "-5-1"}', "bad_id", None),
        ('{"type": "history", "before": "٥-١"}'.encode(), "bad_id", None),
        (b'{"type": "history", "before": "99999999999999999-0"}', "bad_id", None),
        (b'{"type": "history", "before": "5-1", "limit": 0}', "bad_limit", None),
        (b'{"type": "history", "before": "5-1", "limit": 101}', "bad_limit", None),
        (b'{"type": "history", "before": "5-1", "limit": 1.5}', "bad_limit", None),
        (b'{"type": "history", "before": "5-1", "limit": "5"}', "bad_limit", None),
        (b'{"type": "history", "before": "5-1", "limit": true}', "bad_limit", None),
        (b'{"type": "history", "before": "5-1", "limit": null}', "bad_limit", None),
    ],
)
def test_a_command_that_cannot_be_obeyed(text: bytes, code: str, ref: str | None) -> None:
    error = refusal(text)

    assert (error.code, error.ref) == (code, ref)
    assert len(error.words) < 200, "the words must not repeat whatever length was sent"


@pytest.mark.parametrize("marks", ["\u0301\u0316", "\u0301" * 99 + "\u0316" * 99])
def test_a_frame_full_of_combining_marks_is_cheap(marks: str) -> None:
    """Python normalizes such a run in quadratic time; 64 KB would hold up everybody for seconds."""
    text = "a" + marks * (32_000 // len(marks))
    worst = "a" + "\u0301" * 16_000 + "\u0316" * 16_000
    began = time.process_time()

    assert refusal(send(text)).code == refusal(send(worst)).code == "message_too_long"
    assert isinstance(decode_v1(send(text[:3000]), MAX), Send)
    assert time.process_time() - began < 0.5


def test_ordinary_marks_are_normalized_as_ever() -> None:
    vietnamese = unicodedata.normalize("NFD", "Tiếng Việt rất đẹp, và có nhiều dấu.")
    zalgo = "H\u0321" + "\u0316\u0301" * 14 + "i"

    assert decode_v1(send(vietnamese), MAX) == Send(unicodedata.normalize("NFC", vietnamese), "k3v9x2")
    assert decode_v1(send(zalgo), MAX) == Send(unicodedata.normalize("NFC", zalgo), "k3v9x2")


# -- anything at all

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=80),
    st.sampled_from(["send", "typing", "rename", "history", "5-1", "0-0", "", " ", "\u200b", "e\u0301", "\x00"]),
)  # fmt: skip
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)
objects = st.dictionaries(
    st.sampled_from(["type", "message", "ref", "name", "before", "limit", "x"]), anything, max_size=7
)


def check(text: bytes) -> None:
    for decode, v1 in ((decode_plain, False), (decode_v1, True)):
        try:
            command = decode(text, 50)
        except BadInput as error:
            check_error(error, v1=v1)
        else:
            check_command(command, v1=v1)


def check_error(error: BadInput, *, v1: bool) -> None:
    assert error.code.isidentifier()
    fields = payload(wire.error_frame(error, error.ref, v1=v1))
    assert fields["code" if v1 else "error"] == error.code
    assert fields["retryable"] is False
    assert len(str(fields["words" if v1 else "message"])) < 200


def check_command(command: commands.Command, *, v1: bool) -> None:
    if isinstance(command, Send):
        assert 0 < len(command.message) <= 50
        assert command.message.strip()
        assert unicodedata.is_normalized("NFC", command.message)
        assert not any(unicodedata.category(char) == "Cc" and char not in "\t\n" for char in command.message)
        assert command.ref is None or 0 < len(command.ref) <= 64
        assert command.ref is not None or not v1
        body = bodies.message_body(command.message, "me", "Me", command.ref)
        assert json.loads(body)["message"] == command.message
    elif isinstance(command, History):
        assert 1 <= command.limit <= 100


@given(st.binary(max_size=200))
def test_any_bytes_decode_or_are_bad_input(text: bytes) -> None:
    check(text)


@given(anything)
def test_any_json_decodes_or_is_bad_input(value: object) -> None:
    check(json.dumps(value).encode())


@given(objects, st.booleans())
@example({"message": "hi", "ref": "\ud800"}, True)
def test_any_object_with_our_fields_decodes_or_is_bad_input(fields: dict[str, object], ascii_only: bool) -> None:
    check(json.dumps(fields, ensure_ascii=ascii_only).encode(errors="surrogatepass"))


@given(st.text(), st.integers(0, 60))
def test_text_cut_anywhere_decodes_or_is_bad_input(message: str, cut: int) -> None:
    check(
        send(message.encode(errors="replace").decode())[:-cut]
        if cut
        else send(message.encode(errors="replace").decode())
    )


def test_the_common_case_is_one_typed_decode(monkeypatch: pytest.MonkeyPatch) -> None:
    def explain(_: bytes) -> dict[str, object]:
        raise AssertionError("looked at twice")

    monkeypatch.setattr(commands, "_object", explain)

    assert decode_plain(msgspec.json.encode({"message": "hi"}), MAX) == Send("hi")
    assert decode_v1(send("hi"), MAX) == Send("hi", "k3v9x2")
