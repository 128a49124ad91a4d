"""Presence over instances: rosters are leases, people are persons, and what members were told adds up to what is."""

from __future__ import annotations

import json

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from chat_aiohttp import store
from chat_aiohttp.presence import (
    BELIEVED_S,
    LEASE_S,
    LINGER_S,
    RENEW_EVERY_S,
    SHOWN_PEOPLE,
    TELL_EVERY_S,
    People,
    RoomPresence,
    Roster,
    Typist,
    decode_signal,
    encode_typing,
)
from tests.frame_bytes import server_frames

ADA: People = {"ada": "Ada"}
BEN: People = {"ben": "Ben"}


def heard(frame: bytes | None) -> dict[str, object] | None:
    if frame is None:
        return None
    [(_, text)] = server_frames(frame)
    fields = json.loads(text)
    assert isinstance(fields, dict)
    return fields


def roster(instance: str, people: People) -> Roster:
    told = decode_signal(RoomPresence(instance).roster(people))
    assert isinstance(told, Roster)
    return told


def crowd(size: int, prefix: str = "p") -> People:
    return {f"{prefix}{number}": f"Person {number}" for number in range(size)}


def listed(fields: dict[str, object] | None, name: str) -> set[str]:
    assert fields is not None
    people = fields[name]
    assert isinstance(people, list)
    return {person["id"] for person in people}


def test_signals_travel_there_and_back() -> None:
    assert decode_signal(encode_typing("ada", 'A"da')) == Typist("ada", 'A"da')
    assert decode_signal(RoomPresence("one").roster(ADA)) == Roster("one", 1, ADA)
    assert decode_signal(RoomPresence("one").roster({})) == Roster("one", 0, {})


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b'{"typing": 5}', b'{"typing', b"\xff", b'{"instance": "x"}', b'{"poll": 1}']
)
def test_a_signal_this_version_does_not_know_is_none(body: bytes) -> None:
    assert decode_signal(body) is None


def test_a_newcomer_is_told_everybody_on_all_instances_once_each() -> None:
    here = RoomPresence("here")
    here.hear(roster("there", {**BEN, **ADA}), 0.0)
    here.diff_frame(ADA, 0.0)

    assert heard(here.state_frame()) == {
        "type": "presence",
        "count": 2,
        "people": [{"id": "ada", "name": "Ada"}, {"id": "ben", "name": "Ben"}],
    }


def test_who_came_and_went_between_two_differences_leaves_no_ghost_with_a_newcomer() -> None:
    here = RoomPresence("here")
    here.diff_frame(ADA, 0.0)

    state = heard(here.state_frame())  # for Carl, while Ben, who came just now, was not told of yet
    diff = heard(here.diff_frame({**ADA, "carl": "Carl"}, 0.0))  # Ben has gone

    assert listed(state, "people") == {"ada"}
    assert (listed(diff, "joins"), listed(diff, "leaves")) == ({"carl"}, set())


def test_members_are_told_what_changed() -> None:
    here = RoomPresence("here")

    assert heard(here.diff_frame(ADA, 0.0)) == {
        "type": "presence-diff", "count": 1, "joins": [{"id": "ada", "name": "Ada"}], "leaves": [],
    }  # fmt: skip
    assert here.diff_frame(ADA, 0.0) is None
    here.hear(roster("there", BEN), 0.0)
    assert here.changed
    assert listed(heard(here.diff_frame(ADA, 0.0)), "joins") == {"ben"}
    assert here.diff_frame({}, 0.0) is None
    assert heard(here.diff_frame({}, LINGER_S)) == {
        "type": "presence-diff", "count": 1, "joins": [], "leaves": [{"id": "ada", "name": "Ada"}],
    }  # fmt: skip


def test_a_new_name_is_told_as_a_join() -> None:
    here = RoomPresence("here")
    here.diff_frame(ADA, 0.0)

    diff = heard(here.diff_frame({"ada": "Ada L."}, 0.0))

    assert diff is not None
    assert (diff["joins"], diff["leaves"]) == ([{"id": "ada", "name": "Ada L."}], [])


def test_a_person_on_two_instances_stays_until_the_last_is_gone() -> None:
    here = RoomPresence("here")
    here.hear(roster("there", ADA), 0.0)
    here.diff_frame(ADA, 0.0)

    assert here.diff_frame({}, 0.0) is None
    here.hear(roster("there", {}), 1.0)
    here.diff_frame({}, 1.0)
    assert listed(heard(here.diff_frame({}, 1.0 + LINGER_S)), "leaves") == {"ada"}


def test_who_is_back_soon_was_never_away() -> None:
    here = RoomPresence("here")
    here.diff_frame(ADA, 0.0)
    left = here.diff_frame({}, 1.0)
    looked_at_again = here.changed
    back = here.diff_frame(ADA, LINGER_S)

    assert (left, looked_at_again, back, here.changed) == (None, True, None, False)
    assert here.diff_frame({}, LINGER_S + 1.0) is None, "a second leaving begins anew"


def test_who_moves_to_another_instance_was_never_away() -> None:
    here = RoomPresence("here")
    here.diff_frame(ADA, 0.0)
    away = here.diff_frame({}, 1.0)
    here.hear(roster("there", ADA), 2.0)

    assert (away, here.diff_frame({}, LINGER_S + 1.0)) == (None, None)


def test_whoever_comes_is_told_at_once_while_another_lingers() -> None:
    here = RoomPresence("here")
    here.diff_frame(ADA, 0.0)

    diff = heard(here.diff_frame(BEN, 1.0))

    assert (listed(diff, "joins"), listed(diff, "leaves")) == ({"ben"}, set())
    assert diff is not None
    assert diff["count"] == 2
    assert listed(heard(here.diff_frame(BEN, 1.0 + LINGER_S)), "leaves") == {"ada"}


def test_our_own_roster_that_comes_back_is_not_heard() -> None:
    here = RoomPresence("here")

    here.hear(roster("here", BEN), 0.0)

    assert not here.changed
    assert here.everyone(ADA) == (1, ADA)


def test_a_roster_that_only_renews_changes_nothing() -> None:
    here = RoomPresence("here")
    here.hear(roster("there", BEN), 0.0)
    here.diff_frame({}, 0.0)

    here.hear(roster("there", BEN), RENEW_EVERY_S)

    assert not here.changed
    here.expire(LEASE_S)
    assert here.everyone({}) == (1, BEN)


def test_an_instance_that_does_not_renew_leaves_no_ghosts() -> None:
    here = RoomPresence("here")
    here.hear(roster("there", BEN), 0.0)
    here.diff_frame({}, 0.0)

    here.expire(LEASE_S - 0.1)
    unchanged = not here.changed
    here.expire(LEASE_S)

    assert unchanged
    assert here.changed
    here.diff_frame({}, LEASE_S)
    assert listed(heard(here.diff_frame({}, LEASE_S + LINGER_S)), "leaves") == {"ben"}
    assert RENEW_EVERY_S * 3 <= LEASE_S == store.LEASE_S, "two renewals may be lost"


def test_nobody_who_died_is_shown_for_a_minute() -> None:
    """Not even to who comes last and finds a lease that is about to end."""
    assert RENEW_EVERY_S < BELIEVED_S, "a lease that is still held is renewed in time"
    assert LEASE_S + BELIEVED_S + LINGER_S + 2 * TELL_EVERY_S < 60


def test_too_many_people_are_a_count_and_become_a_list_again() -> None:
    here = RoomPresence("here")
    many = crowd(SHOWN_PEOPLE + 1)

    assert listed(heard(here.diff_frame(crowd(SHOWN_PEOPLE), 0.0)), "joins") == set(crowd(SHOWN_PEOPLE))
    assert heard(here.diff_frame(many, 0.0)) == {"type": "presence", "count": SHOWN_PEOPLE + 1}
    assert here.diff_frame(many, 0.0) is None
    assert heard(here.state_frame()) == {"type": "presence", "count": SHOWN_PEOPLE + 1}
    back = heard(here.diff_frame(crowd(SHOWN_PEOPLE), 0.0))
    assert back is not None
    assert back["type"] == "presence"
    assert listed(back, "people") == set(crowd(SHOWN_PEOPLE))


def test_many_people_here_and_there_are_counted_together() -> None:
    here = RoomPresence("here")
    there = roster("there", crowd(SHOWN_PEOPLE + 50, "q"))

    assert there.people is None
    here.hear(there, 0.0)

    assert here.everyone(ADA) == (SHOWN_PEOPLE + 51, None)
    here.hear(roster("there", crowd(SHOWN_PEOPLE, "q")), 0.0)
    assert here.everyone(ADA) == (SHOWN_PEOPLE + 1, None)


class WhatMembersKnow(RuleBasedStateMachine):
    """Someone who was told the state once and then every diff knows exactly who is there."""

    @initialize()
    def begin(self) -> None:
        self.presence = RoomPresence("here")
        self.here: People = {}
        self.now = 0.0
        self.known: dict[str, str] | None = {}
        self.count = 0

    @rule(people=st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["X", "Y"]), max_size=4))
    def here_are(self, people: People) -> None:
        self.here = people

    @rule(
        instance=st.sampled_from(["one", "two"]),
        people=st.dictionaries(st.sampled_from("cdef"), st.sampled_from(["X", "Y"]), max_size=4),
    )
    def there_are(self, instance: str, people: People) -> None:
        self.presence.hear(roster(instance, people), self.now)

    @rule()
    def crowd_there(self) -> None:
        self.presence.hear(roster("one", crowd(SHOWN_PEOPLE + 1)), self.now)

    @rule(seconds=st.sampled_from([1.0, LEASE_S]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.presence.expire(self.now)

    @rule()
    def tell(self) -> None:
        self.learn(heard(self.presence.diff_frame(self.here, self.now)))
        count, people = self.presence.everyone(self.here)
        assert self.count >= count
        if people is not None:
            assert self.known is not None
            assert self.known.items() >= people.items()

    @rule()
    def tell_when_nobody_lingers(self) -> None:
        self.tell()
        self.now += LINGER_S
        self.tell()
        count, people = self.presence.everyone(self.here)
        assert (self.count, self.known) == (count, people)

    @rule()
    def newcomer_is_told(self) -> None:
        self.learn(heard(self.presence.state_frame()))

    def learn(self, fields: dict[str, object] | None) -> None:
        if fields is None:
            return
        self.count = int(str(fields["count"]))
        if fields["type"] == "presence":
            people = fields.get("people")
            self.known = {p["id"]: p["name"] for p in people} if isinstance(people, list) else None
        else:
            known = self.known = dict(self.known or {})
            assert isinstance(fields["leaves"], list)
            assert isinstance(fields["joins"], list)
            for person in fields["leaves"]:
                known.pop(person["id"], None)
            known.update((person["id"], person["name"]) for person in fields["joins"])

    @invariant()
    def counts_are_not_negative(self) -> None:
        assert self.count >= 0


TestWhatMembersKnow = WhatMembersKnow.TestCase
TestWhatMembersKnow.settings = settings(max_examples=100, stateful_step_count=20, deadline=None)
