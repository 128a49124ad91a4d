"""The memory store keeps the contract."""

from __future__ import annotations

from collections.abc import Callable

from chat_aiohttp.events import EventId
from chat_aiohttp.store import Retention
from chat_aiohttp.store.memory import Log, MemoryStore
from tests.store.contract import StoreContract
from tests.store.listener import delete, edit, message, reaction


class TestMemory(StoreContract):
    outlives_close = False

    def build(self, place: object, retention: Retention, clock: Callable[[], float]) -> MemoryStore:
        return MemoryStore(retention=retention, clock=clock)


def test_what_is_trimmed_leaves_nothing_behind() -> None:
    log, target = Log("lobby", "Lobby"), EventId(1, 1)
    log.add(message("lobby", "hi"), target)
    log.add(reaction("lobby", target, "🎉", "ben"), EventId(1, 2))
    log.add(delete("lobby", EventId(1, 0)), EventId(1, 3))
    log.add(delete("lobby", target), EventId(1, 4))
    log.drop(4)

    assert (log.events, log.about, log.deleted) == ([], {}, set())


def test_a_late_edit_of_a_deleted_message_keeps_no_text() -> None:
    log, target = Log("lobby", "Lobby"), EventId(1, 1)
    log.add(message("lobby", "hi"), target)
    log.add(delete("lobby", target), EventId(1, 2))
    log.add(edit("lobby", target, "secret"), EventId(1, 3))

    assert not any(b"secret" in event.body for event in log.events)


def test_an_edit_of_a_deleted_message_stays_hidden_when_the_message_is_trimmed() -> None:
    log, target = Log("lobby", "Lobby"), EventId(1, 1)
    log.add(message("lobby", "hi"), target)
    log.add(edit("lobby", target, "secret"), EventId(1, 2))
    log.add(delete("lobby", target), EventId(1, 3))
    log.drop(1)

    assert [(event.id, log.is_shown(event)) for event in log.events] == [(EventId(1, 2), False), (EventId(1, 3), True)]
