"""How drafts become a batch: ids, dedup and rows, in one pass in the loop's thread. Layer 2.

The ledger is what that takes: each written room's number and last id, and the last id and numbers given. It is a copy
of what the database says, right as long as every batch is committed; after one that was not it forgets everything and
is taught again. It does no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable

from chat_aiohttp.events import DELETE, MESSAGE, NOTHING, Draft, Event, EventId
from chat_aiohttp.store.local import REF_MEMORY_S, RecentRefs
from chat_aiohttp.store.sqlite_recall import Newest, Recalled
from chat_aiohttp.store.sqlite_rows import Rows


class Batch:
    """Drafts that are stored together or not at all."""

    __slots__ = ("drafts", "events", "has_deletes", "is_given_up", "since")

    def __init__(self, drafts: list[Draft], since: float) -> None:
        self.drafts = drafts
        self.since = since  # when the first of them was given, in the loop's time
        self.is_given_up = False  # its senders were told already that the outcome is not known
        self.events: list[Event] = []
        self.has_deletes = False


class Room:
    """A room that was written to lately. Its number is 0 while it isn't in the database."""

    __slots__ = ("number", "tail", "used")

    def __init__(self, number: int, tail: EventId, used: float) -> None:
        self.number = number
        self.tail = tail  # the last id given, be it committed or not
        self.used = used


class Ledger:
    """Gives ids and numbers. Its rooms must have been learnt (`missing`, `learn`) before a batch is formed."""

    def __init__(self, *, refs: RecentRefs, idle_room_s: int) -> None:
        self._refs = refs
        self._idle_room_s = idle_room_s
        self._rooms: dict[str, Room] = {}
        self._ms = self._seq = 0
        self._entry = self._room = 0
        self.forgets = 0  # how often everything was forgotten: what was read before that may be too old to be learnt

    def start(self, newest: Newest) -> None:
        self._ms, self._seq = newest.ms, newest.seq
        self._entry, self._room = newest.entry, newest.room

    def missing(self, keys: Iterable[str]) -> list[str]:
        """Those of the rooms *keys* that are not known here."""
        return list(set(keys).difference(self._rooms))

    def learn(self, keys: Iterable[str], recalled: Recalled, now: float) -> None:
        """Take in what the database *recalled* of *keys*. What is known by now is left as it is: it is younger."""
        fresh = {room.number: room.key for room in recalled.rooms if room.key not in self._rooms}
        for ref in recalled.refs:
            if (key := fresh.get(ref.number)) is not None:
                stored = (EventId(ref.ms, ref.seq), bytes.fromhex(ref.digest))
                self._refs.remember(key, bytes.fromhex(ref.session), ref.ref, stored, now)
        for room in recalled.rooms:
            self._rooms.setdefault(room.key, Room(room.number, EventId(room.ms, room.seq), now))
        for key in keys:
            self._rooms.setdefault(key, Room(0, NOTHING, now))

    def tail(self, key: str, now: float) -> EventId:
        """The last id given in *key*."""
        return self._find(key, now).tail

    def form(self, batch: Batch, now: float) -> Rows:
        """What is to be written for *batch*. Its drafts get their ids, those given now or those they have already."""
        if (ms := int(now * 1000)) > self._ms:  # else the clock stands or went back: ids grow nevertheless
            self._ms, self._seq = ms, -1
        rows = Rows(self._entry + 1)
        for draft in batch.drafts:
            if draft.ref is None or not self._refs.answers(draft):
                self._enter(draft, batch, rows, now)
        return rows

    def forget(self) -> None:
        """A batch failed: what is known here may be wrong."""
        self._rooms.clear()
        self._refs.clear()
        self.forgets += 1

    def expire(self, now: float) -> None:
        """Forget what was not used for so long that no ref in it counts."""
        self._refs.expire(now)
        for key, room in list(self._rooms.items()):
            if now - room.used > REF_MEMORY_S:
                del self._rooms[key]

    def _enter(self, draft: Draft, batch: Batch, rows: Rows, now: float) -> None:
        room = self._find(draft.room, now)
        if not room.number:
            self._room += 1
            room.number = self._room
            rows.rooms.append((room.number, draft.room, draft.title))
        self._seq += 1
        self._entry += 1
        prev, event_id = room.tail, EventId(self._ms, self._seq)
        room.tail, room.used = event_id, now
        session = digest = kind = target_ms = target_seq = None
        if draft.kind != MESSAGE:
            kind = draft.kind
        if draft.target is not None:
            target_ms, target_seq = draft.target
            rows.amendments += 1
            rows.deletes += draft.kind == DELETE
            batch.has_deletes |= draft.kind == DELETE
        if draft.ref is not None:
            session, digest = draft.session, draft.digest
            self._refs.remember(draft.room, session, draft.ref, (event_id, digest), now)
        rows.entries += (
            *(self._entry, room.number, self._ms, self._seq, prev.ms, prev.seq, kind, target_ms, target_seq),
            *(session, draft.ref, digest, draft.body),
        )
        draft.id = event_id
        batch.events.append(Event(draft.room, event_id, prev, draft.kind, draft.body, draft.target))

    def _find(self, key: str, now: float) -> Room:
        room = self._rooms[key]
        if self._idle_room_s and room.number and now - room.tail.ms / 1000 > self._idle_room_s:
            room = self._rooms[key] = Room(0, NOTHING, now)
        return room
