"""JSON bombs and other text nobody writes by hand: one error with a name, and the connection goes on."""

from __future__ import annotations

import pytest

from tests.web.chat_client import Server

SIZE = 60_000  # bytes: nearly the largest frame

# What is sent, and the code that a plain and a chat.v1 client are answered with; None: it is a message like any other.
HOSTILE: dict[str, tuple[bytes, str | None, str | None]] = {
    "deep arrays": (b'{"message":' + b"[" * SIZE, "not_json", "not_json"),
    "deep arrays, closed": (b'{"message":' + b"[" * 30_000 + b"]" * 30_000 + b"}", "not_json", "not_json"),
    "deep objects": (b'{"a":' * (SIZE // 5), "not_json", "not_json"),
    "a huge number": (b'{"type":"send","ref":"r","message":' + b"9" * SIZE + b"}", "not_json", "not_json"),
    "a huge exponent": (b'{"type":"history","before":"1-0","limit":1e999999}', "not_json", "not_json"),
    "a number that is none": (b'{"type":"history","before":"1-0","limit":NaN}', "not_json", "not_json"),
    "the same key twice": (b'{"message":"a","message":"b","type":"send","ref":"r"}', None, None),
    "the same key for ever": (b"{" + b'"message":"a",' * 4000 + b'"type":"send","ref":"s"}', None, None),
    "many keys": (b"{" + b",".join(b'"k%d":1' % n for n in range(5000)) + b"}", "message_missing", "unknown_type"),
    "half a pair": (rb'{"type":"send","ref":"r","message":"\ud800"}', "not_json", "not_json"),
    "half a pair in a ref": (rb'{"type":"send","ref":"\udc00","message":"x"}', "not_json", "not_json"),
    "half a pair in a key": (rb'{"\ud800":1,"type":"send","ref":"r","message":"x"}', "not_json", "not_json"),
    "a huge name": (b'{"type":"rename","name":"' + b"x" * SIZE + b'"}', "message_missing", "bad_name"),
    "a name of marks": (
        ('{"type":"rename","name":"' + "\u0301" * 29_000 + '"}').encode(), "message_missing", "bad_name"),
    "marks without end": (
        ('{"type":"send","ref":"r","message":"' + "\u0301\u0316" * 14_000 + '"}').encode(),
        "message_too_long", "message_too_long"),
    "a huge ref": (b'{"type":"send","message":"x","ref":"' + b"r" * SIZE + b'"}', "bad_ref", "bad_ref"),
    "a byte order mark": (b'\xef\xbb\xbf{"message":"x"}', "not_json", "not_json"),
    "nothing": (b"", "not_json", "not_json"),
    "zeros": (b"\x00" * SIZE, "not_json", "not_json"),
}  # fmt: skip


@pytest.mark.parametrize("dialect", ["plain", "chat.v1"])
@pytest.mark.parametrize(
    ("text", "ref"),
    [
        (rb'{"type":"send","ref":"r","message":"\ud800"}', "r"),
        (b'{"type":"send","message":"x","ref":"r","more":NaN}', "r"),
        (rb'{"type":"send","ref":"\udc00","message":"x"}', None),
        (b'{"type":"send","ref":5,"message":NaN}', None),
        (b'{"type":"send","ref":"r","message":"x"', None),
        (b'["ref", "r", NaN]', None),
    ],
)
async def test_whoever_sent_no_json_is_told_which_send_it_was_where_that_can_be_read(
    server: Server, dialect: str, text: bytes, ref: str | None
) -> None:
    member = await (server.plain() if dialect == "plain" else server.v1())

    await member.socket.send_str(text.decode())

    answer = await member.error()
    assert answer.get("error", answer.get("code")) == "not_json"
    assert answer.get("ref") == ref
    assert text[:20].decode() in answer["message" if dialect == "plain" else "words"]


@pytest.mark.parametrize("dialect", ["plain", "chat.v1"])
async def test_a_bomb_is_one_named_error_and_the_connection_goes_on(server: Server, dialect: str) -> None:
    """One connection meets them all: nothing of one is left for the next."""
    member = await (server.plain() if dialect == "plain" else server.v1())

    for name, (text, plain_code, v1_code) in HOSTILE.items():
        await member.socket.send_str(text.decode())
        expected = plain_code if dialect == "plain" else v1_code
        if expected is None:
            answer = await (member.get() if dialect == "plain" else member.next("message"))
            assert answer["type"] == "message", name
        else:
            answer = await member.error()
            assert answer.get("error", answer.get("code")) == expected, name
            assert not answer["retryable"], name
            assert len(str(answer)) < 600, "an error does not give the bomb back"

    await member.say("still here", "r9")
    while (answer := await member.get()).get("message") != "still here":
        assert answer["type"].startswith("presence")
