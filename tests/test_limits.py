"""A bucket never lets more through than its rate, and never less."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chat_aiohttp.limits import Intake, IntakeRules, Rate, TokenBucket

steps = st.lists(st.tuples(st.floats(0, 5), st.floats(0, 3)), max_size=60)


@given(st.floats(0.1, 100), st.floats(1, 50), steps)
def test_no_stretch_of_time_lets_more_through_than_the_rate(
    per_second: float, burst: float, steps: list[tuple[float, float]]
) -> None:
    bucket = TokenBucket(Rate(per_second, burst), 100.0)
    now = 100.0
    taken: list[tuple[float, float]] = []

    for pause, cost in steps:
        now += pause
        if bucket.take(cost, now):
            taken.append((now, cost))

    for first, (start, _) in enumerate(taken):
        for last in range(first, len(taken)):
            spent = sum(cost for _, cost in taken[first : last + 1])
            assert spent <= burst + per_second * (taken[last][0] - start) + 1e-6


@given(st.floats(0.1, 100), st.floats(1, 50))
def test_whoever_keeps_to_the_rate_is_never_refused(per_second: float, burst: float) -> None:
    bucket = TokenBucket(Rate(per_second, burst), 0.0)

    assert all(bucket.take(1, beat * 1.001 / per_second) for beat in range(200))


def test_a_burst_then_nothing_then_one_by_one() -> None:
    bucket = TokenBucket(Rate(2.0, 3), 0.0)

    assert [bucket.take(1, 0.0) for _ in range(4)] == [True, True, True, False]
    assert bucket.wait(1, 0.0) == 0.5
    assert not bucket.take(1, 0.49)
    assert bucket.take(1, 0.5)
    assert bucket.wait(0, 0.5) == 0.0


def test_a_refusal_costs_nothing() -> None:
    bucket = TokenBucket(Rate(1.0, 2), 0.0)

    assert not bucket.take(3, 0.0)
    assert bucket.take(2, 0.0)


def test_a_clock_that_goes_back_gives_nothing_and_takes_nothing() -> None:
    bucket = TokenBucket(Rate(1.0, 2), 100.0)

    assert bucket.take(1, 50.0)
    assert bucket.take(1, 100.0)
    assert not bucket.take(1, 100.0)


def test_what_can_never_be_paid_waits_for_ever() -> None:
    assert TokenBucket(Rate(1.0, 2), 0.0).wait(3, 0.0) == float("inf")


def test_what_has_happened_is_paid_into_debt_and_worked_off() -> None:
    bucket = TokenBucket(Rate(2.0, 4), 0.0)

    assert bucket.spend(4, 0.0) == 0.0
    assert bucket.spend(6, 0.0) == 3.0
    assert not bucket.take(0.5, 3.0)
    assert bucket.spend(1, 4.0) == 0.0
    assert bucket.is_full(100.0)


def test_a_connection_is_overdrawn_from_its_first_debt_until_its_account_is_full_again() -> None:
    intake = Intake(IntakeRules(empty_frames=Rate(10, 20)), 0.0)

    assert intake.charge_frames(20, 0.0) == 0.0
    assert intake.overdrawn_s(5.0) == 0.0
    assert intake.charge_frames(30, 1.0) == 2.0
    for second in range(2, 60):
        intake.charge_frames(10, float(second))  # just what it may, but never a quiet moment
    assert intake.overdrawn_s(60.0) == 59.0
    assert not intake.is_fresh(60.0)

    intake.charge_frames(1, 70.0)

    assert intake.overdrawn_s(70.0) == 0.0
    assert intake.is_fresh(71.0)


def test_who_was_not_read_has_had_no_quiet_moment() -> None:
    intake = Intake(IntakeRules(empty_frames=Rate(10, 20)), 0.0)
    assert intake.charge_frames(30, 0.0) == 1.0

    intake.read_again(60.0)  # it was held for long, since the server was busy

    assert intake.charge_frames(10, 60.0) == 1.0, "no new burst"
    assert intake.overdrawn_s(60.0) == 60.0
