"""What the contract suite holds in its hands: a recording listener, a clock to turn, drafts, and a store with both."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from hashlib import blake2b

import msgspec

from chat_aiohttp.events import DELETE, EDIT, MESSAGE, REACTION, Draft, Event, EventId, Gap, Page
from chat_aiohttp.store import Store

DEADLINE_S = 20.0  # for whatever a test waits for
ADA = b"ada-ada-ada-ada-"
BEN = b"ben-ben-ben-ben-"


class Clock:
    """A clock that a test turns: seconds since 1970."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Recorder:
    """A Listener that writes down what it is told, and lets a test wait for it."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.drafts: list[Draft] = []
        self.ended: set[int] = set()
        self.signals: list[tuple[str, bytes]] = []
        self.gaps: list[tuple[str, Gap]] = []
        self._changed = asyncio.Event()

    def stored(self, events: Sequence[Event]) -> None:
        self.events.extend(events)
        self._changed.set()

    def settled(self, drafts: Sequence[Draft]) -> None:
        self.drafts.extend(drafts)
        self.ended.update(map(id, drafts))
        self._changed.set()

    def signalled(self, room: str, body: bytes) -> None:
        self.signals.append((room, body))
        self._changed.set()

    def gap(self, room: str, gap: Gap) -> None:
        self.gaps.append((room, gap))
        self._changed.set()

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait until *is_so*; looked at whenever something was told."""
        async with asyncio.timeout(DEADLINE_S):
            while not is_so():
                self._changed.clear()
                await self._changed.wait()


async def eventually(is_so: Callable[[], Awaitable[bool]] | Callable[[], bool]) -> None:
    """Wait until *is_so*, for what nothing tells about: it is asked again and again until the deadline."""
    async with asyncio.timeout(DEADLINE_S):
        while not (await so if isinstance(so := is_so(), Awaitable) else so):
            await asyncio.sleep(0.01)


def message(room: str, text: str, *, session: bytes = ADA, ref: str | None = None) -> Draft:
    body = msgspec.json.encode({"type": "message", "message": text, "from": session[:3].decode()})
    return Draft(room, room.title(), MESSAGE, body, session=session, ref=ref, digest=digest(text))


def edit(room: str, target: EventId, text: str) -> Draft:
    return amendment(room, EDIT, target, {"type": "edit", "target": str(target), "message": text})


def reaction(room: str, target: EventId, emoji: str, who: str, *, on: bool = True) -> Draft:
    body = {"type": "reaction", "target": str(target), "emoji": emoji, "from": who, "on": on}
    return amendment(room, REACTION, target, body)


def delete(room: str, target: EventId) -> Draft:
    return amendment(room, DELETE, target, {"type": "delete", "target": str(target)})


def amendment(room: str, kind: str, target: EventId, body: dict[str, object]) -> Draft:
    return Draft(room, room.title(), kind, msgspec.json.encode(body), session=ADA, target=target)


def digest(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=8).digest()


def text_of(body: bytes) -> str:
    return str(msgspec.json.decode(body).get("message"))


def texts(events: Sequence[Event]) -> list[str]:
    return [text_of(event.body) for event in events]


def ids(events: Sequence[Event]) -> list[EventId]:
    return [event.id for event in events]


Start = Callable[..., Awaitable["Side"]]  # opens one more store, with this retention
Reopen = Callable[["Side"], Awaitable["Side"]]  # closes a store and opens its log again


class Side:
    """One store with its recorder: one instance's side of the log."""

    def __init__(self, store: Store, recorder: Recorder) -> None:
        self.store = store
        self.recorder = recorder

    async def append(self, *drafts: Draft) -> list[Draft]:
        """Give *drafts* in one turn and wait until all have settled."""
        for draft in drafts:
            self.store.append(draft)
        await self.settled(*drafts)
        return list(drafts)

    async def say(self, room: str, *words: str) -> list[EventId]:
        """The ids under which *words* were stored, each a message of its own."""
        drafts = await self.append(*(message(room, text) for text in words))
        assert all(draft.error is None and not draft.repeated for draft in drafts), [draft.error for draft in drafts]
        return [draft.id for draft in drafts]

    async def one(self, draft: Draft) -> EventId:
        """The id under which *draft* was stored."""
        await self.append(draft)
        assert draft.error is None
        return draft.id

    async def settled(self, *drafts: Draft) -> None:
        wanted = {id(draft) for draft in drafts}
        await self.recorder.until(lambda: wanted <= self.recorder.ended)

    async def told(self, room: str, count: int) -> list[Event]:
        """What was told about *room*, once it is at least *count* events."""
        await self.recorder.until(lambda: len(self.told_of(room)) >= count)
        return self.told_of(room)

    def told_of(self, room: str) -> list[Event]:
        return [event for event in self.recorder.events if event.room == room]

    async def all(self, room: str) -> Page:
        """Everything that is kept of *room*, of all kinds."""
        return await self.store.after(room, EventId(0, 0), 1000)

    async def history(self, room: str) -> list[str]:
        """The texts of the room's kept messages, as history shows them."""
        return texts((await self.store.before(room, None, 1000)).events)
