"""When to come back, as a client works it out."""

from __future__ import annotations

from chat_aiohttp.closing import LONGEST_RETURN_S, SHORTEST_RETURN_S, invitation, invited_in_s, return_delay_s


def test_what_a_close_says_about_coming_back_is_understood() -> None:
    assert invited_in_s(invitation(1300)) == 1.3


def test_a_reason_that_says_nothing_about_it_leaves_it_open() -> None:
    for reason in ("", "restarting", "come back in a while", "come back in ٣ ms", "come back in " + "9" * 400 + " ms"):
        assert invited_in_s(reason) is None


def test_delays_are_full_jitter_under_a_ceiling_that_doubles() -> None:
    assert [return_delay_s(failures, 1.0) for failures in (1, 2, 3, 6, 7, 10**9)] == [1.0, 2.0, 4.0, 20.0, 20.0, 20.0]
    assert {return_delay_s(failures, 0.0) for failures in (1, 5, 50)} == {SHORTEST_RETURN_S}
    assert return_delay_s(6, 0.5) == (SHORTEST_RETURN_S + LONGEST_RETURN_S) / 2
