"""A small whole history, and every way to break it in one place: what the checker's own tests judge."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tests.torture.checker import judge
from tests.torture.evidence import Entry, Logs, Loss, as_id
from tests.torture.findings import Findings
from tests.torture.history import (
    Acked,
    Client,
    Closed,
    Connect,
    End,
    Gap,
    History,
    Joined,
    Line,
    Refused,
    Seen,
    Sent,
)

COUNT = 12  # messages a room has: of Ada and Ben in turn


class Case(NamedTuple):
    """A room with two clients, to be broken in one place. *ada* and *ben* are their histories."""

    room: str
    log: list[Entry]
    ada: list[Line]
    ben: list[Line]
    others: Logs
    losses: list[Loss]

    def judge(self) -> Findings:
        """What the checker says."""
        logs = {self.room: self.log, **self.others}
        return judge(logs, [History(self.ada), History(self.ben)], self.losses)


def case(room: str = "lobby") -> Case:
    """Ada speaks chat.v1, Ben plain; both hear everything, Ben over two connections."""
    log: list[Entry] = []
    ada: list[Line] = []
    ben: list[Line] = []
    ada += [Client("ada", room, "A", "v1"), Connect(0.0, 0, None), Joined(0.0, "0-0")]
    ben += [Client("ben", room, "B", "plain"), Connect(0.0, 0, "0-0")]
    for number in range(COUNT):
        mine, sender, name = ((ada, "A", "ada"), (ben, "B", "ben"))[number % 2]
        ref, event_id = f"{name}.{number}", f"{1000 + number}-{number % 3}"
        log.append(Entry(as_id(event_id), ref, sender, f"text {number}"))
        mine.append(Sent(number + 0.1, ref, f"text {number}"))
        for book in (ada, ben):
            book.append(Seen(number + 0.2, event_id, ref, sender, f"text {number}"))
        mine.append(Acked(number + 0.3, ref, event_id))
        if number == COUNT // 2:
            ben += [Closed(number + 0.4, 1006), Connect(number + 0.5, 1, event_id)]
    ada.append(End(99.0))
    ben.append(End(99.0))
    return Case(room, log, ada, ben, {}, [])


def seen(book: list[Line], number: int) -> int:
    """Where *book* says that the message *number* was seen."""
    return [index for index, line in enumerate(book) if isinstance(line, Seen)][number]


def sent(book: list[Line], number: int) -> int:
    return [index for index, line in enumerate(book) if isinstance(line, Sent)][number]


def drop_a_delivery(it: Case) -> None:
    del it.ada[seen(it.ada, 4)]


def drop_a_delivery_at_a_resume(it: Case) -> None:
    del it.ben[seen(it.ben, 7)]


def drop_the_first_delivery_after_a_welcome(it: Case) -> None:
    del it.ada[seen(it.ada, 0)]


def drop_the_last_delivery(it: Case) -> None:
    del it.ada[seen(it.ada, COUNT - 1)]


def swap_two_deliveries(it: Case) -> None:
    one, other = seen(it.ada, 4), seen(it.ada, 5)
    it.ada[one], it.ada[other] = it.ada[other], it.ada[one]


def deliver_twice(it: Case) -> None:
    it.ada.insert(seen(it.ada, 6), it.ada[seen(it.ada, 5)])


def deliver_ones_own_twice_without_a_repeat(it: Case) -> None:
    it.ben.insert(seen(it.ben, 6), it.ben[seen(it.ben, 5)])


def deliver_a_foreign_message(it: Case) -> None:
    it.others["elsewhere"] = [Entry((1005, 9), "cy.0", "C", "for others")]
    it.ada.insert(seen(it.ada, 6), Seen(5.5, "1005-9", "cy.0", "C", "for others"))


def deliver_what_is_not_in_the_log(it: Case) -> None:
    it.ada.insert(seen(it.ada, 6), Seen(5.5, "1005-9", "ben.9", "B", "text 9"))


def deliver_with_a_wrong_ref(it: Case) -> None:
    index = seen(it.ada, 5)
    it.ada[index] = Seen(5.2, "1005-2", "ben.7", "B", "text 5")


def deliver_another_text(it: Case) -> None:
    it.ada[seen(it.ada, 5)] = Seen(5.2, "1005-2", "ben.5", "B", "text 6")


def deliver_in_another_name(it: Case) -> None:
    it.ada[seen(it.ada, 5)] = Seen(5.2, "1005-2", "ben.5", "A", "text 5")


def lose_an_acknowledged_message(it: Case) -> None:
    del it.log[5]
    for book in (it.ada, it.ben):
        del book[seen(book, 5)]


def acknowledge_with_anothers_id(it: Case) -> None:
    index = it.ben.index(Acked(5.3, "ben.5", "1005-2"))
    it.ben[index] = Acked(5.3, "ben.5", "1004-1")


def store_twice(it: Case) -> None:
    it.log.append(it.log[-1]._replace(id=(2000, 0)))
    for book in (it.ada, it.ben):
        book.insert(-1, Seen(20.0, "2000-0", it.log[-1].ref, it.log[-1].sender, it.log[-1].text))


def store_what_nobody_sent(it: Case) -> None:
    it.log.append(Entry((2000, 0), "cy.0", "C", "boo"))
    for book in (it.ada, it.ben):
        book.insert(-1, Seen(20.0, "2000-0", "cy.0", "C", "boo"))


def store_another_text(it: Case) -> None:
    it.log[5] = it.log[5]._replace(text="text!")
    for book in (it.ada, it.ben):
        book[seen(book, 5)] = Seen(5.2, "1005-2", "ben.5", "B", "text!")


def send_in_another_order(it: Case) -> None:
    one, other = sent(it.ada, 1), sent(it.ada, 2)
    it.ada[one], it.ada[other] = it.ada[other], it.ada[one]


def send_after_what_is_behind_it(it: Case) -> None:
    index = sent(it.ada, 2)
    it.ada[index] = Sent(5.35, "ada.4", "text 4")  # its id is before ben.5's, which was acknowledged at 5.3


def announce_a_gap_for_nothing(it: Case) -> None:
    it.ada.insert(seen(it.ada, 5), Gap(5.0, "1004-1"))


def never_answer(it: Case) -> None:
    it.ada.insert(-1, Sent(50.0, "ada.50", "hello?"))


def refuse_for_good(it: Case) -> None:
    it.ada.insert(-1, Refused(50.0, "ada.50", "ref_reused", False))


def end_with_a_failure(it: Case) -> None:
    it.ben[it.ben.index(Closed(COUNT // 2 + 0.4, 1006))] = Closed(6.4, 1011)


def be_away_in_the_end(it: Case) -> None:
    del it.ada[-1]


def resume_from_elsewhere(it: Case) -> None:
    index = it.ben.index(Connect(COUNT // 2 + 0.5, 1, "1006-0"))
    it.ben[index] = Connect(6.5, 1, "1003-0")


def shuffle_the_log(it: Case) -> None:
    it.log[3], it.log[4] = it.log[4], it.log[3]


BREAKS: list[tuple[Callable[[Case], None], str]] = [
    (drop_a_delivery, "lost"),
    (drop_a_delivery_at_a_resume, "lost"),
    (drop_the_first_delivery_after_a_welcome, "lost"),
    (drop_the_last_delivery, "not converged"),
    (swap_two_deliveries, "again"),
    (deliver_twice, "again"),
    (deliver_ones_own_twice_without_a_repeat, "again"),
    (deliver_a_foreign_message, "foreign room"),
    (deliver_what_is_not_in_the_log, "not in the log"),
    (deliver_with_a_wrong_ref, "altered"),
    (deliver_another_text, "altered"),
    (deliver_in_another_name, "altered"),
    (lose_an_acknowledged_message, "unlogged"),
    (acknowledge_with_anothers_id, "unlogged"),
    (store_twice, "doubled"),
    (store_what_nobody_sent, "phantom"),
    (store_another_text, "altered"),
    (send_in_another_order, "sender order"),
    (send_after_what_is_behind_it, "real time"),
    (announce_a_gap_for_nothing, "false gap"),
    (never_answer, "unanswered"),
    (refuse_for_good, "refused"),
    (end_with_a_failure, "hung up"),
    (be_away_in_the_end, "not converged"),
    (resume_from_elsewhere, "the run itself"),
    (shuffle_the_log, "one order"),
]
