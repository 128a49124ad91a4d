"""The checker convicts every kind of broken history, and acquits whole ones: each test breaks one thing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.torture.breaks import BREAKS, COUNT, Case, case, seen, sent
from tests.torture.evidence import LOSSY, Loss
from tests.torture.history import Acked, Closed, Connect, Gap, Line, Seen, Sent


def test_a_whole_history_is_acquitted() -> None:
    findings = case().judge()

    assert findings.violations == []
    assert findings.figures["acked"] == COUNT
    assert findings.figures["deliveries"] == 2 * COUNT


def test_a_repeat_answered_with_the_original_is_no_double() -> None:
    repeated = case()
    repeated.ben.insert(sent(repeated.ben, 1), Sent(2.9, "ben.3", "text 3"))
    original = repeated.ben[seen(repeated.ben, 3)]
    repeated.ben.insert(seen(repeated.ben, 5), original)

    assert repeated.judge().violations == []

    repeated.ben.insert(seen(repeated.ben, 5), original)
    assert repeated.judge().kinds == {"again": 1}


def test_the_answer_to_a_repeat_is_no_place_in_the_live_stream() -> None:
    """Ben joined live after his first message had been stored by a connection that broke, and was told of it."""
    late = case()
    index = seen(late.ben, 7)
    first: list[Line] = [
        Sent(1.1, "ben.1", "text 1"),
        Closed(1.5, 1006),
        Connect(6.9, 0, None),
        Sent(7.0, "ben.1", "text 1"),
    ]
    others = [
        line for line in late.ben[:index] if isinstance(line, Sent | Acked) and line.ref not in ("ben.1", "ben.7")
    ]
    answer = Seen(7.1, "1001-1", "ben.1", "B", "text 1")
    late.ben[1:index] = [Connect(0.0, 0, None), *first[:1], *others, *first[1:], answer]
    late.ben.insert(late.ben.index(answer) + 1, Acked(7.1, "ben.1", "1001-1"))
    late.ben.insert(late.ben.index(answer), Sent(7.05, "ben.7", "text 7"))

    assert late.judge().violations == []


@pytest.mark.parametrize(("break_it", "kind"), BREAKS, ids=lambda value: getattr(value, "__name__", value))
def test_a_broken_history_is_convicted(break_it: Callable[[Case], None], kind: str) -> None:
    broken = case()

    break_it(broken)

    findings = broken.judge()
    assert kind in findings.kinds, findings.violations
    assert all(violation.words for violation in findings.violations)


# -- rooms that may lose


def robbed(*, gap: bool, at: float = 4.5) -> Case:
    """The first five messages were taken from the log while Ben was away; he came back to the rest."""
    it = case(LOSSY)
    it.losses.append(Loss(at, LOSSY, (1004, 1)))
    del it.log[:5]
    first = seen(it.ben, 2)
    del it.ben[first : seen(it.ben, 5)]
    it.ben[first:first] = [
        Closed(4.0, 1006),
        Connect(4.7, 0, "1001-1"),
        *([Gap(4.8, "1004-1")] if gap else []),
        Sent(3.1, "ben.3", "text 3"),
        Acked(3.3, "ben.3", "1003-0"),
        Sent(5.1, "ben.5", "text 5"),
    ]
    return it


def test_a_gap_over_what_was_taken_is_justified() -> None:
    findings = robbed(gap=True).judge()

    assert findings.violations == []
    assert findings.figures["gaps justified"] == 1


def test_a_missing_gap_is_convicted() -> None:
    assert "lost" in robbed(gap=False).judge().kinds


def test_a_gap_before_anything_was_taken_is_convicted() -> None:
    assert "false gap" in robbed(gap=True, at=30.0).judge().kinds


def test_a_gap_over_what_was_kept_is_convicted() -> None:
    it = robbed(gap=True)
    it.ben[it.ben.index(Gap(4.8, "1004-1"))] = Gap(4.8, "1005-2")
    del it.ben[seen(it.ben, 2)]

    assert "false gap" in it.judge().kinds


def test_two_messages_under_one_id_are_convicted_where_the_log_is_gone() -> None:
    it = robbed(gap=True)
    it.ada[seen(it.ada, 0)] = Seen(0.2, "1000-0", "ada.0", "A", "text 1")
    it.ben[seen(it.ben, 0)] = Seen(0.2, "1000-0", "ada.0", "A", "text 0")

    assert "one order" in it.judge().kinds
