"""What waits to be written to Redis: given, not yet under way. Layer 2: no I/O here.

Shard by shard in the order given, bounded in number and in bytes. A batch takes of each shard as much as one call of
the script may hold, and of asides not much more than fits; what is left stays in front of what comes.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from time import monotonic
from typing import Final, NamedTuple

from chat_aiohttp.events import Draft

CALL_ITEMS: Final = 128  # in one call: Redis does nothing else meanwhile
CALL_BYTES: Final = 1_048_576
# Of asides in one batch, after which no further shard is begun: a beat of presence is about every room at once, and
# memory that was needed to pack it all together stays with the process. Messages of one turn go together, always: to
# part a thousand rooms' costs a tenth of what the server can deliver.
ASIDE_BYTES: Final = 131_072
GATHERED_ITEMS: Final = 20_000  # behind the batch under way; then drafts are refused and signals dropped
GATHERED_BYTES: Final = 33_554_432
ITEM_BYTES: Final = 200  # what an item weighs beside its body


class Aside(NamedTuple):
    """What rides along without an outcome: a signal, a lease or a wake-up, as the TURN script takes it."""

    arguments: tuple[bytes | str | int, ...]


Item = Draft | Aside
Batch = dict[int, list[Item]]  # by shard


class Gathered:
    """The queues of all shards. *work* is set while there is something in them."""

    def __init__(self) -> None:
        self.work = asyncio.Event()
        self.items = 0
        self.is_parted = False  # whether the batch taken last had to leave shards to the next
        self._bytes = 0
        self._queues: dict[int, deque[tuple[float, int, Item]]] = {}  # when it was given, what it weighs, and it

    @property
    def is_full(self) -> bool:
        """Whether nothing more should be added."""
        return self.items >= GATHERED_ITEMS or self._bytes >= GATHERED_BYTES

    def add(self, shard: int, item: Item, size: int) -> None:
        """Put *item*, whose body has *size* bytes, behind what *shard* has."""
        queue = self._queues.get(shard)
        if queue is None:
            queue = self._queues[shard] = deque()
        queue.append((monotonic(), size + ITEM_BYTES, item))
        self.items += 1
        self._bytes += size + ITEM_BYTES
        if self.items == 1:
            self.work.set()

    def take(self) -> tuple[float, Batch]:
        """The next batch, and when its oldest item was given. There must be work."""
        since, batch, aside = monotonic(), Batch(), 0
        left: dict[int, deque[tuple[float, int, Item]]] = {}
        for shard in self.shards():
            if aside >= ASIDE_BYTES:
                break
            queue = self._queues.pop(shard)
            since = min(since, queue[0][0])
            batch[shard], weight = self._cut(queue)
            aside += weight
            if queue:
                left[shard] = queue
        self.is_parted = bool(self._queues)
        self._queues |= left  # behind those that were not begun: each has its turn
        self._look()
        return since, batch

    def shards(self) -> list[int]:
        """The shards that have something waiting."""
        return list(self._queues)

    def withdraw(self, shard: int) -> list[Item]:
        """Take out all that waits for *shard*."""
        queue = self._queues.pop(shard, deque())
        self.items -= len(queue)
        self._bytes -= sum(size for _, size, _ in queue)
        self._look()
        return [item for _, _, item in queue]

    def _cut(self, queue: deque[tuple[float, int, Item]]) -> tuple[list[Item], int]:
        """As much as one call takes, and what the asides in it weigh."""
        taken: list[Item] = []
        weight = aside = 0
        while queue and len(taken) < CALL_ITEMS and weight < CALL_BYTES:
            _, size, item = queue.popleft()
            taken.append(item)
            weight += size
            if isinstance(item, Aside):
                aside += size
        self.items -= len(taken)
        self._bytes -= weight
        return taken, aside

    def _look(self) -> None:
        if not self.items:
            self.work.clear()


def drafts_of(items: Iterable[Item]) -> list[Draft]:
    """Those of *items* that want to know how they ended."""
    return [item for item in items if isinstance(item, Draft)]
