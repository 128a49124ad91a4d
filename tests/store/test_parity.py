"""Memory is the model: whatever is done to it and to SQLite, both say the same."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from chat_aiohttp.events import DELETE, EDIT, MESSAGE, REACTION, Draft, EventId
from chat_aiohttp.store import Retention, Store, sqlite, sqlite_writer
from chat_aiohttp.store.memory import MemoryStore
from chat_aiohttp.store.sqlite import SqliteStore
from tests.store.listener import ADA, BEN, Clock, Recorder, Side, amendment, edit, message, reaction

RETENTION = Retention(max_events=0, max_age_s=60, idle_room_s=200)
ROOMS = st.sampled_from(["lobby", "会议室-7", "den"])
KINDS = st.sampled_from([MESSAGE] * 4 + [EDIT, REACTION, DELETE, "poll"])
WORD = st.sampled_from(["a", "b"])
WRITING = st.tuples(ROOMS, KINDS, WORD, st.sampled_from([ADA, BEN]), st.none() | st.integers(0, 9), st.integers(0, 30))


class Parity(RuleBasedStateMachine):
    """Does the same to both stores. Its steps span less than the ten minutes for which refs are kept."""

    @initialize()
    def start(self) -> None:
        self.runner = asyncio.Runner()
        self.folder = TemporaryDirectory()
        self.clock = Clock()
        self.given: list[EventId] = [EventId(1, 0), EventId(2**52, 0)]
        self.model = self.open(MemoryStore(retention=RETENTION, clock=self.clock))
        self.reopen()

    def open(self, store: Store) -> Side:
        recorder = Recorder()
        store.bind(recorder)
        self.runner.run(store.open())
        return Side(store, recorder)

    def reopen(self) -> None:
        path = Path(self.folder.name) / "chat.db"
        self.side = self.open(SqliteStore(path=path, synchronous="OFF", retention=RETENTION, clock=self.clock))

    @rule(writings=st.lists(WRITING, min_size=1, max_size=8))
    def write(self, writings: list[Any]) -> None:
        expected = self.runner.run(self.model.append(*map(self.draft, writings)))
        found = self.runner.run(self.side.append(*map(self.draft, writings)))
        self.given += [draft.id for draft in expected]

        assert [outcome(draft) for draft in found] == [outcome(draft) for draft in expected]

    def draft(self, writing: Any) -> Draft:
        room, kind, word, session, ref, target = writing
        about = self.given[-1 - target % len(self.given)]
        if kind == EDIT:
            return edit(room, about, word)
        if kind == REACTION:
            return reaction(room, about, "🎉", word, on=bool(target % 3))
        if kind != MESSAGE:
            return amendment(room, kind, about, {"type": kind})
        return message(room, word, session=session, ref=None if ref is None else f"k{ref}")

    @rule(seconds=st.sampled_from([0.001, 0.5, 20.0, -30.0]))
    def turn_the_clock(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule(room=ROOMS)
    def attach(self, room: str) -> None:
        self.same(lambda store: store.attach(room))

    @rule(room=ROOMS)
    def detach(self, room: str) -> None:
        self.model.store.detach(room)
        self.side.store.detach(room)

    @rule(room=ROOMS, place=st.integers(0, 60), limit=st.integers(1, 9), step=st.integers(-1, 1))
    def read(self, room: str, place: int, limit: int, step: int) -> None:
        ms, seq = self.given[place % len(self.given)]
        cursor = EventId(ms, max(0, seq + step))
        self.same(lambda store: store.after(room, cursor, limit))
        self.same(lambda store: store.before(room, cursor, limit))

    @rule(room=ROOMS, people=st.integers(0, 2))
    def lease(self, room: str, people: int) -> None:
        for side in (self.model, self.side):
            side.store.lease(room, room.upper(), people, b"[]" if people else None)
        self.same(lambda store: store.leases(room))

    @rule()
    def close_and_open(self) -> None:
        """SQLite only. Who follows and who is there doesn't outlive it, so both forget that."""
        told = self.side.recorder.events
        for room in ("lobby", "会议室-7", "den"):
            self.model.store.detach(room)
            self.model.store.lease(room, room, 0, None)
        self.runner.run(self.side.store.close())
        self.reopen()
        self.side.recorder.events[:0] = told

    @invariant()
    def both_say_the_same(self) -> None:
        for room in ("lobby", "会议室-7", "den"):
            self.same(lambda store, room=room: store.after(room, EventId(0, 0), 1000))
            self.same(lambda store, room=room: store.before(room, None, 3))
            self.same(lambda store, room=room: store.title(room))
        self.same(lambda store: store.rooms(500))
        assert self.side.recorder.events == self.model.recorder.events

    def same(self, ask: Any) -> None:
        found, expected = self.runner.run(ask(self.side.store)), self.runner.run(ask(self.model.store))
        assert found == expected

    def teardown(self) -> None:
        if hasattr(self, "side"):
            self.runner.run(self.side.store.close())
            self.runner.close()
            self.folder.cleanup()


def outcome(draft: Draft) -> tuple[object, ...]:
    return draft.id, draft.repeated, draft.error and draft.error.code


def test_sqlite_says_what_the_model_says() -> None:
    examples = os.environ.get("PARITY_EXAMPLES")  # a longer search, with other examples every time
    how = settings(
        max_examples=int(examples or 25),
        derandomize=examples is None,
        stateful_step_count=15,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
        phases=[Phase.generate],  # shrinking takes minutes, and a failure prints its steps in any case
    )
    # Filed every few entries, so that rooms lie in both parts most of the time.
    with patch.object(sqlite_writer, "FILE_AT", 6), patch.object(sqlite, "REST_S", 0.0):
        run_state_machine_as_test(Parity, settings=how)
