"""What waits to be written to Redis: how much of it goes as one batch, and whose turn it is."""

from __future__ import annotations

from chat_aiohttp.events import MESSAGE, Draft
from chat_aiohttp.store.redis_gather import ASIDE_BYTES, CALL_ITEMS, Aside, Batch, Gathered, Item


def test_what_fits_goes_as_one_batch_in_the_order_given() -> None:
    gathered = _given({3: [b"a", b"b"], 5: [b"c"], 1: [b"d"]})

    _, batch = gathered.take()

    assert {shard: _names(items) for shard, items in batch.items()} == {3: [b"a", b"b"], 5: [b"c"], 1: [b"d"]}
    assert not gathered.items
    assert not gathered.work.is_set()


def test_a_batch_full_of_asides_leaves_the_other_shards_to_the_next() -> None:
    gathered = _given({shard: [b"x"] for shard in range(8)}, size=ASIDE_BYTES // 3)

    batches, parted = [], []
    while gathered.work.is_set():
        batches.append(gathered.take()[1])
        parted.append(gathered.is_parted)

    assert [list(batch) for batch in batches] == [[0, 1, 2], [3, 4, 5], [6, 7]]
    assert parted == [True, True, False]


def test_messages_go_together_however_many_shards_they_are_of() -> None:
    gathered = Gathered()
    for shard in range(8):
        gathered.add(shard, Draft("lobby", "Lobby", MESSAGE, b"{}"), ASIDE_BYTES)

    assert [list(batch) for batch in _all(gathered)] == [list(range(8))]


def test_a_shard_with_more_than_its_share_holds_nobody_up() -> None:
    many = [b"%d" % number for number in range(3 * CALL_ITEMS)]
    gathered = _given({0: many, 1: [b"one"], 2: [b"two"]}, size=ASIDE_BYTES // CALL_ITEMS)

    batches = _all(gathered)

    assert [list(batch) for batch in batches] == [[0], [1, 2, 0], [0]]
    assert [name for batch in batches for name in _names(batch.get(0, []))] == many


def test_nothing_is_left_of_what_was_counted() -> None:
    gathered = _given({shard: [b"x"] * 200 for shard in range(4)}, size=1000)

    _all(gathered)

    assert not gathered.is_full
    assert (gathered.items, gathered._bytes) == (0, 0)


def _given(names: dict[int, list[bytes]], size: int = 1) -> Gathered:
    gathered = Gathered()
    for shard, of_shard in names.items():
        for name in of_shard:
            gathered.add(shard, Aside((name,)), size)
    return gathered


def _all(gathered: Gathered) -> list[Batch]:
    batches = []
    while gathered.work.is_set():
        batches.append(gathered.take()[1])
    return batches


def _names(items: list[Item]) -> list[bytes | str | int]:
    return [item.arguments[0] for item in items if isinstance(item, Aside)]
