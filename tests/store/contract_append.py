"""The contract of appending: ids, order, settling, and repeats."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from chat_aiohttp.errors import BadInput
from chat_aiohttp.events import MESSAGE, NOTHING, Draft
from tests.store.listener import ADA, BEN, DEADLINE_S, Clock, Reopen, Side, Start, delete, ids, message, texts


class AppendContract:
    async def test_ids_of_a_room_grow_in_the_order_given(self, side: Side) -> None:
        drafts = await side.append(*(message("lobby", str(n)) for n in range(200)))

        assert all(a.id < b.id for a, b in pairwise(drafts))
        assert texts((await side.all("lobby")).events) == [str(n) for n in range(200)]

    async def test_the_order_holds_over_many_turns(self, side: Side) -> None:
        drafts = [message("lobby", str(n)) for n in range(300)]
        for n, draft in enumerate(drafts):
            side.store.append(draft)
            if n % 7 == 0:
                await asyncio.sleep(0)
        await side.settled(*drafts)

        assert texts((await side.all("lobby")).events) == [str(n) for n in range(300)]

    async def test_every_draft_settles_exactly_once(self, side: Side) -> None:
        drafts = [message(f"room {n % 5}", str(n)) for n in range(500)]
        for draft in drafts:
            side.store.append(draft)
        await side.store.drain()
        await side.store.drain()

        assert sorted(map(id, side.recorder.drafts)) == sorted(map(id, drafts))
        assert all(draft.error is None and not draft.repeated and draft.id > NOTHING for draft in drafts)

    async def test_append_tells_nothing_before_its_turn_has_ended(self, side: Side) -> None:
        side.store.append(message("lobby", "hi"))

        assert side.recorder.drafts == []

    async def test_drain_with_nothing_under_way_returns_at_once(self, side: Side) -> None:
        await asyncio.wait_for(side.store.drain(), DEADLINE_S)

    async def test_a_body_comes_back_byte_for_byte(self, side: Side) -> None:
        body = '{"message": "tab\\t “quotes” \\u0000 会议室 👩‍💻\\ud83d\\ude00", "n": 1.50,  "a":[1, 2]}'.encode()
        await side.append(Draft("lobby", "Lobby", MESSAGE, body))

        assert (await side.all("lobby")).events[0].body == body

    async def test_each_event_names_the_one_before_it(self, side: Side) -> None:
        given = await side.say("lobby", "a", "b", "c")
        events = (await side.all("lobby")).events

        assert [event.prev for event in events] == [NOTHING, *given[:-1]]

    async def test_rooms_are_logs_of_their_own(self, side: Side) -> None:
        await side.append(message("会议室-7", "hier"), message("design reviews", "there"), message("{x}:*", "odd"))

        assert await side.history("会议室-7") == ["hier"]
        assert await side.history("design reviews") == ["there"]
        assert await side.history("{x}:*") == ["odd"]
        assert await side.history("lobby") == []

    async def test_ids_grow_after_the_newest_was_deleted(self, side: Side) -> None:
        (first,) = await side.say("lobby", "a")
        gone = await side.one(delete("lobby", first))
        (second,) = await side.say("lobby", "b")

        assert first < gone < second

    async def test_ids_grow_when_the_clock_goes_back(self, side: Side, clock: Clock) -> None:
        (first,) = await side.say("lobby", "a")
        clock.now -= 3600
        (second,) = await side.say("lobby", "b")
        clock.now += 7200
        (third,) = await side.say("lobby", "c")

        assert first < second < third
        assert third.ms == int(clock.now * 1000)

    async def test_ids_grow_over_a_restart_with_the_clock_set_back(
        self, side: Side, clock: Clock, reopen: Reopen
    ) -> None:
        (first,) = await side.say("lobby", "a")
        clock.now -= 3600
        side = await reopen(side)
        (second,) = await side.say("lobby", "b")

        assert first < second
        assert (await side.all("lobby")).events[1].prev == first

    async def test_what_was_appended_outlives_a_restart(self, side: Side, reopen: Reopen) -> None:
        before = [*await side.say("lobby", "a", "b"), *await side.say("den", "c")]
        side = await reopen(side)

        assert ids((await side.all("lobby")).events) == before[:2]
        assert await side.history("den") == ["c"]

    async def test_close_settles_what_is_under_way(self, side: Side) -> None:
        drafts = [message("lobby", str(n)) for n in range(50)]
        for draft in drafts:
            side.store.append(draft)
        await side.store.close()

        assert sorted(map(id, side.recorder.drafts)) == sorted(map(id, drafts))


class DedupContract:
    async def test_a_repeat_stores_nothing_and_gives_the_first_id(self, side: Side) -> None:
        await side.store.attach("lobby")
        first = message("lobby", "hi", ref="k1")
        again = message("lobby", "hi", ref="k1")
        await side.append(first)
        await side.append(again)

        assert (again.error, again.repeated, again.id) == (None, True, first.id)
        assert (first.error, first.repeated) == (None, False)
        assert await side.history("lobby") == ["hi"]
        assert len(await side.told("lobby", 1)) == 1

    async def test_a_repeat_in_the_same_turn_stores_nothing(self, side: Side) -> None:
        first, again = await side.append(message("lobby", "hi", ref="k1"), message("lobby", "hi", ref="k1"))

        assert (first.repeated, again.repeated, again.id) == (False, True, first.id)
        assert await side.history("lobby") == ["hi"]

    async def test_a_ref_with_another_text_is_refused_for_good(self, side: Side) -> None:
        _, other = await side.append(message("lobby", "hi", ref="k1"), message("lobby", "ho", ref="k1"))

        assert isinstance(other.error, BadInput)
        assert (other.error.code, other.error.ref, other.error.retryable) == ("ref_reused", "k1", False)
        assert await side.history("lobby") == ["hi"]

    async def test_what_comes_behind_a_reused_ref_is_stored(self, side: Side) -> None:
        drafts = await side.append(
            message("lobby", "a", ref="k1"), message("lobby", "b", ref="k1"), message("lobby", "c", ref="k2")
        )

        assert drafts[2].error is None
        assert await side.history("lobby") == ["a", "c"]

    async def test_the_same_ref_of_another_session_is_another_message(self, side: Side) -> None:
        await side.append(message("lobby", "hi", ref="k1", session=ADA), message("lobby", "hi", ref="k1", session=BEN))

        assert await side.history("lobby") == ["hi", "hi"]

    async def test_the_same_ref_in_another_room_is_another_message(self, side: Side) -> None:
        await side.append(message("lobby", "hi", ref="k1"), message("den", "hi", ref="k1"))

        assert await side.history("lobby") == ["hi"]
        assert await side.history("den") == ["hi"]

    async def test_without_a_ref_nothing_is_a_repeat(self, side: Side) -> None:
        await side.append(message("lobby", "hi"), message("lobby", "hi"))

        assert await side.history("lobby") == ["hi", "hi"]

    async def test_a_ref_is_found_where_it_was_stored(self, side: Side) -> None:
        (first,) = await side.append(message("lobby", "hi", ref="k1"))

        assert await side.store.find_ref("lobby", ADA, "k1") == first.id
        assert await side.store.find_ref("lobby", ADA, "k2") is None
        assert await side.store.find_ref("lobby", BEN, "k1") is None
        assert await side.store.find_ref("den", ADA, "k1") is None

    async def test_a_ref_is_found_after_a_restart(self, side: Side, reopen: Reopen) -> None:
        (first,) = await side.append(message("lobby", "hi", ref="k1"))
        side = await reopen(side)

        assert await side.store.find_ref("lobby", ADA, "k1") == first.id

    async def test_128_refs_of_a_session_are_remembered(self, side: Side) -> None:
        first = await side.append(*(message("lobby", str(n), ref=f"k{n}") for n in range(328)))
        again = await side.append(*(message("lobby", str(n), ref=f"k{n}") for n in range(200, 328)))

        assert all(draft.repeated for draft in again)
        assert [draft.id for draft in again] == [draft.id for draft in first[200:]]

    async def test_a_repeat_after_a_restart_is_one(self, side: Side, reopen: Reopen) -> None:
        (first,) = await side.append(message("lobby", "hi", ref="k1"))
        side = await reopen(side)
        again, other = await side.append(message("lobby", "hi", ref="k1"), message("lobby", "ho", ref="k1"))

        assert (again.repeated, again.id) == (True, first.id)
        assert isinstance(other.error, BadInput)
        assert await side.history("lobby") == ["hi"]

    async def test_a_deleted_message_is_not_stored_again_by_a_repeat(self, side: Side) -> None:
        (first,) = await side.append(message("lobby", "hi", ref="k1"))
        await side.one(delete("lobby", first.id))
        (again,) = await side.append(message("lobby", "hi", ref="k1"))

        assert (again.repeated, again.id) == (True, first.id)
        assert await side.history("lobby") == []

    async def test_a_repeat_of_a_trimmed_message_is_still_one(self, start: Start) -> None:
        side = await start(max_events=5)
        (first,) = await side.append(message("lobby", "hi", ref="k1", session=BEN))
        await side.append(*(message("lobby", str(n)) for n in range(400)))
        (again,) = await side.append(message("lobby", "hi", ref="k1", session=BEN))

        assert (again.repeated, again.id) == (True, first.id)
