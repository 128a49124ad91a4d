"""What counts as a word for search, and when a query is in a text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_aiohttp.errors import BadInput
from chat_aiohttp.words import Query, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Good morning!", ["good", "morning"]),
        ("snake_case v2.0", ["snake", "case", "v2", "0"]),
        ("ÉCOLE école e\u0301cole", ["ecole", "ecole", "ecole"]),
        ("Straße STRASSE", ["strasse", "strasse"]),
        ("Łódź smørrebrød İstanbul", ["lodz", "smorrebrod", "istanbul"]),
        ("ｆｕｌｌ　ｗｉｄｔｈ", ["full", "width"]),
        ("会议室B栋", ["会", "议", "室", "b", "栋"]),
        ("カフェで", ["カ", "フ", "ェ", "で"]),
        ("학교에서", ["학", "교", "에", "서"]),
        ("Привет, ёж", ["привет", "еж"]),
        ("हिन्दी भाषा।", ["हिन्दी", "भाषा"]),
        ("مُحَمَّد", ["محمد"]),
        ("🎉 !!", []),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert words_of(text) == words


@given(st.text(max_size=60))
def test_every_text_is_found_by_its_own_words(text: str) -> None:
    try:
        query = Query(text)
    except BadInput:
        return

    assert query.matches(text)
    assert query.matches(f"before {text} after")


@given(st.text(max_size=60))
def test_words_hold_nothing_that_an_index_would_take_apart(text: str) -> None:
    words = words_of(text)

    assert all(word and not any(char.isascii() and not char.isalnum() for char in word) for word in words)
    assert words_of(" ".join(words)) == words
