"""Names that look alike have a look in common; names that don't, have none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_aiohttp.bodies import message_body
from chat_aiohttp.looks import LONGEST, looks_of
from chat_aiohttp.wire import person


def alike(one: str, other: str) -> bool:
    return not set(looks_of(one)).isdisjoint(looks_of(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ada", "ADA"),
        ("Ada", "Аdа"),  # Cyrillic
        ("Ada", "Αda"),  # Greek capital
        ("Ada", "Ａｄａ"),  # full-width
        ("Ada", "𝐀𝐝𝐚"),  # mathematical
        ("Iris", "lris"),
        ("Lia 1", "Lia l"),
        ("Bob", "B0b"),
        ("Sam", "Sarn"),
        ("Nora", "Νοra"),  # Greek N, which is drawn v when small
        ("Björn", "Bjo\u0308гn"),
        ("Вова", "ВОВА"),
        ("Вова", "Boвa"),
        ("ΝΊΚΟΣ", "Νίκοσ"),
        ("IRIS", "iris"),
        ("Ada Ｌ.", "ada L."),
        ("小 伟", "小\u3000伟"),
    ],
)
def test_names_that_can_be_mistaken_look_alike(one: str, other: str) -> None:
    assert alike(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ada", "Ida"),
        ("Van", "Nan"),
        ("Björn", "Bjorn"),
        ("小伟", "小玮"),
        ("Вова", "Вера"),
        ("Ada", "Adaa"),
        ("Sunny Otter", "Sunny Osprey"),
    ],
)
def test_other_names_do_not(one: str, other: str) -> None:
    assert not alike(one, other)


@given(st.text(min_size=1, max_size=32))
def test_looks_are_bounded_and_never_nothing_of_a_name_that_shows(name: str) -> None:
    looks = looks_of(name)

    assert 1 <= len(looks) <= 2
    assert all(len(look) <= LONGEST for look in looks)
    assert alike(name, name)


@given(st.text("АВЕКМНОРСТХаеорсухΑΒΕabehIl10mw ", min_size=1, max_size=8))
def test_case_makes_no_difference(name: str) -> None:
    assert alike(name, name.lower())
    assert alike(name, name.upper())


def test_looks_travel_with_names_that_a_page_cannot_look_at_itself() -> None:
    assert person("k3", "Ada") == {"id": "k3", "name": "Ada"}
    assert person("k3", "Аda") == {"id": "k3", "name": "Аda", "looks": ("аda", "ada")}
    assert b"looks" not in message_body("hi", "k3", "Ada", None)
    assert '"name":"小伟","looks":["小伟"]' in message_body("hi", "k3", "小伟", None).decode()
