"""Memory is the model: whatever is done to it and to another store, both say the same.

`make parity` searches longer, with other examples every time.
"""

from __future__ import annotations

import asyncio
import os
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar
from unittest.mock import patch

import msgspec
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from chat_aiohttp.events import DELETE, EDIT, MESSAGE, NOTHING, REACTION, Draft, Event, EventId, Gap, Page, RoomLine
from chat_aiohttp.store import (
    Retention,
    Store,
    sqlite_commits,
    sqlite_filing,
    sqlite_index,
    sqlite_indexing,
    sqlite_upkeep,
)
from chat_aiohttp.store.memory import MemoryStore
from chat_aiohttp.store.redis_streams import RedisStore
from chat_aiohttp.store.sqlite import SqliteStore
from tests.servers import start_server
from tests.store.contract_search import find
from tests.store.listener import ADA, BEN, Clock, Recorder, Side, amendment, edit, eventually, message, reaction

RETENTION = Retention(max_events=0, max_age_s=60, idle_room_s=200)
NAMES = ["lobby", "会议室-7", "den"]
ROOMS = st.sampled_from(NAMES)
KINDS = st.sampled_from([MESSAGE] * 4 + [EDIT, REACTION, DELETE, "poll"])
WORD = st.sampled_from(["a", "b"])
WRITING = st.tuples(ROOMS, KINDS, WORD, st.sampled_from([ADA, BEN]), st.none() | st.integers(0, 9), st.integers(0, 30))


class Parity(RuleBasedStateMachine):
    """Does the same to both stores. Its steps span less than the ten minutes for which refs are kept."""

    @initialize()
    def start(self) -> None:
        self.runner = asyncio.Runner()
        self.clock = Clock()
        self.given: list[EventId] = [EventId(1, 0), EventId(2**52, 0)]
        self.targets = list(self.given)
        self.model = self.open(MemoryStore(retention=RETENTION, clock=self.clock))
        self.side = self.open(self.build())

    def build(self) -> Store:
        """The other store, on the data of this example."""
        raise NotImplementedError

    def theirs(self, given: EventId) -> EventId:
        """What the other store calls the model's id *given*."""
        return given

    def as_ours(self, found: Any) -> Any:
        """What the other store *found*, with the model's ids in it."""
        return found

    def open(self, store: Store) -> Side:
        recorder = Recorder()
        store.bind(recorder)
        self.runner.run(store.open())
        return Side(store, recorder)

    @rule(writings=st.lists(WRITING, min_size=1, max_size=8))
    def write(self, writings: list[Any]) -> None:
        expected = self.runner.run(self.model.append(*(self.draft(writing, lambda at: at) for writing in writings)))
        found = self.runner.run(self.side.append(*(self.draft(writing, self.theirs) for writing in writings)))
        self.written(expected, found)
        self.given += [draft.id for draft in expected]
        self.targets += [draft.id for draft in expected if self.may_be_target(draft)]

        assert [self.outcome(draft) for draft in found] == [outcome(draft, draft.id) for draft in expected]

    def written(self, expected: list[Draft], found: list[Draft]) -> None:
        """Both stores took a batch."""

    def may_be_target(self, draft: Draft) -> bool:
        """Whether amendments may be about *draft*: the hub allows messages only, but stores do more than that."""
        return True

    def outcome(self, draft: Draft) -> tuple[object, ...]:
        return outcome(draft, draft.id)

    def draft(self, writing: Any, name: Any) -> Draft:
        room, kind, word, session, ref, target = writing
        about = name(self.targets[-1 - target % len(self.targets)])
        if kind == EDIT:
            return edit(room, about, word)
        if kind == REACTION:
            return reaction(room, about, "🎉", word, on=bool(target % 3))
        if kind != MESSAGE:
            return amendment(room, kind, about, {"type": kind})
        return message(room, word, session=session, ref=None if ref is None else f"k{ref}")

    @rule(room=ROOMS)
    def attach(self, room: str) -> None:
        self.same(lambda side, name: side.store.attach(room))

    @rule(room=ROOMS)
    def detach(self, room: str) -> None:
        self.model.store.detach(room)
        self.side.store.detach(room)

    @rule(room=ROOMS, place=st.integers(0, 60), limit=st.integers(1, 9), step=st.integers(-1, 1))
    def read(self, room: str, place: int, limit: int, step: int) -> None:
        cursor = self.stepped(self.given[place % len(self.given)], step)
        self.same(lambda side, name: side.store.after(room, name(cursor), limit))
        self.same(lambda side, name: side.store.before(room, name(cursor), limit))
        self.same(lambda side, name: side.store.count_after({room: name(cursor)}, limit))

    def stepped(self, at: EventId, step: int) -> EventId:
        """An id beside *at*."""
        return EventId(at.ms, max(0, at.seq + step))

    @rule(room=ROOMS, word=st.sampled_from(["a", "b", "A b", "ab"]))
    def search(self, room: str, word: str) -> None:
        self.same(lambda side, name: find(side, word, room))

    @rule(room=ROOMS, session=st.sampled_from([ADA, BEN]), ref=st.integers(0, 9))
    def find_ref(self, room: str, session: bytes, ref: int) -> None:
        self.same(lambda side, name: side.store.find_ref(room, session, f"k{ref}"))

    @rule(room=ROOMS, people=st.integers(0, 2))
    def lease(self, room: str, people: int) -> None:
        for side in (self.model, self.side):
            side.store.lease(room, room.upper(), people, b"[]" if people else None)
        self.same(lambda side, name: side.store.leases(room))

    @rule()
    def close_and_open(self) -> None:
        """Who follows and who is there doesn't outlive it, so both forget that."""
        told = self.side.recorder.events
        for room in NAMES:
            for side in (self.model, self.side):
                side.store.detach(room)
                side.store.lease(room, room, 0, None)
        self.runner.run(self.side.store.close())
        self.side = self.open(self.build())
        self.side.recorder.events[:0] = told

    @invariant()
    def both_say_the_same(self) -> None:
        for room in NAMES:
            self.same(lambda side, name, room=room: side.store.after(room, NOTHING, 1000))
            self.same(lambda side, name, room=room: side.store.before(room, None, 3))
            self.same(lambda side, name, room=room: side.store.title(room))
        self.same(lambda side, name: side.store.rooms(500))
        assert self.as_ours(self.side.recorder.events) == self.model.recorder.events
        assert self.side.recorder.gaps == []

    def same(self, ask: Any) -> None:
        found = self.as_ours(self.runner.run(ask(self.side, self.theirs)))
        assert found == self.as_compared(self.runner.run(ask(self.model, lambda at: at)))

    def as_compared(self, expected: Any) -> Any:
        return expected

    def teardown(self) -> None:
        if hasattr(self, "side"):
            self.runner.run(self.side.store.close())
            self.runner.close()


class SqliteParity(Parity):
    def build(self) -> Store:
        if not hasattr(self, "folder"):
            self.folder = TemporaryDirectory()
        path = Path(self.folder.name) / "chat.db"
        return SqliteStore(path=path, synchronous="OFF", retention=RETENTION, clock=self.clock)

    @rule(seconds=st.sampled_from([0.001, 0.5, 20.0, -30.0]))
    def turn_the_clock(self, seconds: float) -> None:
        self.clock.now += seconds

    def teardown(self) -> None:
        super().teardown()
        if hasattr(self, "folder"):
            self.folder.cleanup()


class RedisParity(Parity):
    """The server has a clock of its own, so both stores give other ids, and nothing gets too old here."""

    url: ClassVar[str]
    examples = count()

    def build(self) -> Store:
        if not hasattr(self, "prefix"):
            self.prefix = f"parity{next(self.examples)}"
            self.names: dict[EventId, EventId] = {}  # what the server calls the model's ids
            self.ours: dict[EventId, EventId] = {}
        # One shard, so that an id is given once.
        return RedisStore(url=self.url, prefix=self.prefix, shards=1, instance="one")

    def theirs(self, given: EventId) -> EventId:
        return self.names.get(given, given)

    def stepped(self, at: EventId, step: int) -> EventId:
        return at

    def written(self, expected: list[Draft], found: list[Draft]) -> None:
        for draft, same in zip(expected, found, strict=True):
            if draft.error is None and not draft.repeated:
                assert (
                    same.id > max(self.ours, default=NOTHING) or same.room != draft.room or draft.id not in self.names
                )
                self.names[draft.id], self.ours[same.id] = same.id, draft.id
        self.runner.run(eventually(lambda: len(self.side.recorder.events) >= len(self.model.recorder.events)))

    def may_be_target(self, draft: Draft) -> bool:
        """What amends an amendment of something deleted is kept by the model and blanked by Redis."""
        return draft.kind == MESSAGE

    def outcome(self, draft: Draft) -> tuple[object, ...]:
        return outcome(draft, self.ours.get(draft.id, draft.id))

    def as_ours(self, found: Any) -> Any:
        if isinstance(found, EventId):
            return self.ours.get(found, found)
        if isinstance(found, list):
            return self.as_compared([self.as_ours(one) for one in found])
        if isinstance(found, Page):
            events, gap = [self.as_ours(event) for event in found.events], self.as_ours(found.gap)
            return self.as_compared(Page(events, self.as_ours(found.position), found.more, gap))
        if isinstance(found, Event):
            target = self.as_ours(found.target)
            body = msgspec.json.decode(found.body)
            if "target" in body and target is not None:
                body["target"] = str(target)
            if "edited" in body:
                body["edited"] = 0
            places = self.as_ours(found.id), self.as_ours(found.prev)
            return Event(found.room, *places, found.kind, msgspec.json.encode(body), target)
        if isinstance(found, Gap):
            return Gap(self.as_ours(found.after), self.as_ours(found.position), found.reason)
        return found

    def as_compared(self, expected: Any) -> Any:
        """Without what goes by the clock: when a room was active, and when something was edited."""
        if isinstance(expected, list) and expected and isinstance(expected[0], RoomLine):
            lines = [(line.key, line.title, line.people, undated(line.last)) for line in expected]
            return sorted(lines, key=lambda line: line[0])
        if isinstance(expected, Page):
            events = [msgspec.structs.replace(event, body=undated(event.body)) for event in expected.events]
            return Page(events, expected.position, expected.more, expected.gap)
        return expected

    def same(self, ask: Any) -> None:
        """What a lease changes shows a moment later."""
        expected = self.as_compared(self.runner.run(ask(self.model, lambda at: at)))

        async def is_same() -> bool:
            return bool(self.as_ours(await ask(self.side, self.theirs)) == expected)

        try:
            self.runner.run(eventually(is_same))
        except TimeoutError:
            assert self.as_ours(self.runner.run(ask(self.side, self.theirs))) == expected


def undated(body: bytes | None) -> bytes:
    fields = msgspec.json.decode(body or b"{}")
    if "edited" in fields:
        fields["edited"] = 0
    return msgspec.json.encode(fields)


def outcome(draft: Draft, at: EventId) -> tuple[object, ...]:
    return at, draft.repeated, draft.error and draft.error.code


def run(machine: type[Parity], short: int) -> None:
    examples = os.environ.get("PARITY_EXAMPLES")
    how = settings(
        max_examples=int(examples or short),
        derandomize=examples is None,
        stateful_step_count=15,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
        phases=[Phase.generate],  # shrinking takes minutes, and a failure prints its steps in any case
    )
    run_state_machine_as_test(machine, settings=how)


def test_sqlite_says_what_the_model_says() -> None:
    # Filed and indexed every few entries, so that rooms lie in all parts most of the time.
    with (
        patch.object(sqlite_filing, "FILE_AT", 6),
        patch.object(sqlite_commits, "REST_S", 0.0),
        patch.object(sqlite_index, "SLICE", 4),
        patch.object(sqlite_indexing, "PURGE_AFTER_S", 0.001),
        patch.object(sqlite_upkeep, "QUIET_S", 0.005),
    ):
        run(SqliteParity, 25)


def test_redis_says_what_the_model_says(tmp_path: Path) -> None:
    with start_server(tmp_path) as server:
        RedisParity.url = server.url
        run(RedisParity, 12)
