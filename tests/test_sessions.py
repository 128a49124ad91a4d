"""A session is derived one way, from secrets of different kinds in namespaces apart."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_aiohttp.errors import BadInput
from chat_aiohttp.sessions import cookie_session, public_id, query_session

SECRET = "Abcdefghijklmnopqrstu-_0123"

secrets = st.text("ABCXYZabcxyz0189-_", min_size=22, max_size=128)


@given(secrets, secrets)
def test_the_same_secret_is_the_same_session_and_another_is_another(one: str, other: str) -> None:
    assert query_session(one) == query_session(one)
    assert (query_session(one) == query_session(other)) == (one == other)
    assert len(query_session(one)) == 16


@given(secrets)
def test_a_cookies_secret_is_no_query_session(secret: str) -> None:
    assert cookie_session(secret) != query_session(secret)


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "x" * 21,
        "x" * 129,
        SECRET + "\n",
        "\n" + SECRET,
        SECRET + " ",
        SECRET + "ä",
        SECRET + "+",
        "٠" * 22,
        "x" * 22 + "\x00",
    ],
)
def test_what_cannot_hold_128_random_bits_is_refused(secret: str) -> None:
    with pytest.raises(BadInput) as raised:
        query_session(secret)

    assert raised.value.code == "bad_session"
    assert not secret or secret not in raised.value.words, "a secret is never shown"


@pytest.mark.parametrize("length", [22, 128])
def test_the_shortest_and_the_longest_secret(length: int) -> None:
    assert len(query_session("a" * length)) == 16


@given(st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16))
def test_the_public_id_is_12_characters_and_tells_sessions_apart(one: bytes, other: bytes) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]{12}", public_id(one))
    assert (public_id(one) == public_id(other)) == (one == other)


def test_ids_and_sessions_never_change() -> None:
    """They are in stored logs and in browsers: another derivation makes everybody a stranger to their words."""
    assert query_session(SECRET).hex() == "e60dff3b64e5d374fc3970445897cabf"
    assert cookie_session(SECRET).hex() == "4375a0740ed7eb749b02a0c94d30ee9d"
    assert public_id(bytes(range(16))) == "K8Ur9VHS5-mR"
