"""The contract of reading: forwards, backwards, what is gone, and the lobby."""

from __future__ import annotations

import msgspec
import pytest

from chat_aiohttp.events import NOTHING, EventId
from tests.store.listener import (
    Clock,
    Reopen,
    Side,
    Start,
    amendment,
    delete,
    edit,
    eventually,
    ids,
    reaction,
    texts,
)

TRIMMED = 400  # so many messages make any store trim a room that keeps 50


class AfterContract:
    async def test_an_empty_room_has_an_empty_page(self, side: Side) -> None:
        page = await side.store.after("lobby", NOTHING, 10)

        assert (page.events, page.position, page.more, page.gap) == ([], NOTHING, False, None)

    async def test_after_an_id_comes_what_is_younger(self, side: Side) -> None:
        given = await side.say("lobby", "a", "b", "c")
        page = await side.store.after("lobby", given[0], 10)

        assert ids(page.events) == given[1:]
        assert (page.position, page.more, page.gap) == (given[2], False, None)

    async def test_pages_follow_each_other_without_a_hole(self, side: Side) -> None:
        given = await side.say("lobby", *map(str, range(25)))
        cursor = NOTHING
        seen: list[EventId] = []
        mores: list[bool] = []
        for _ in range(3):
            page = await side.store.after("lobby", cursor, 10)
            cursor, seen, mores = page.position, seen + ids(page.events), [*mores, page.more]

        assert seen == given
        assert mores == [True, True, False]
        assert cursor == given[-1]

    async def test_a_page_that_ends_with_the_log_has_no_more(self, side: Side) -> None:
        given = await side.say("lobby", *map(str, range(10)))
        page = await side.store.after("lobby", NOTHING, 10)

        assert (len(page.events), page.more, page.position) == (10, False, given[-1])

    async def test_after_the_last_id_is_nothing_and_no_gap(self, side: Side) -> None:
        given = await side.say("lobby", "a", "b")
        page = await side.store.after("lobby", given[-1], 10)

        assert (page.events, page.position, page.more, page.gap) == ([], given[-1], False, None)

    async def test_events_of_all_kinds_come_as_they_were_written(self, side: Side) -> None:
        (first,) = await side.say("lobby", "a")
        await side.append(edit("lobby", first, "b"), reaction("lobby", first, "🎉", "ben"))
        await side.one(amendment("lobby", "poll", first, {"type": "poll"}))
        events = (await side.all("lobby")).events

        assert [event.kind for event in events] == ["message", "edit", "reaction", "poll"]
        assert texts(events)[:2] == ["a", "b"]
        assert [event.target for event in events] == [None, first, first, first]

    async def test_an_id_that_was_never_given_is_a_gap(self, side: Side) -> None:
        given = await side.say("lobby", "a", "b")
        never = EventId(given[0].ms - 1, 7)
        page = await side.store.after("lobby", never, 10)

        assert page.gap is not None
        assert page.gap.after == never
        assert ids(page.events) == [one for one in given if one > page.gap.position]
        assert len(page.events) == 2

    async def test_an_id_between_two_others_is_a_gap(self, side: Side, clock: Clock) -> None:
        given = await side.say("lobby", "a")
        clock.now += 10
        given += await side.say("lobby", "b")
        never = EventId(given[0].ms + 5, 0)
        page = await side.store.after("lobby", never, 10)

        assert page.gap is not None
        assert (page.gap.after, page.gap.reason) == (never, "unknown")
        assert ids(page.events) == [one for one in given if one > page.gap.position]
        assert given[1] in ids(page.events)

    async def test_an_id_from_the_future_is_a_gap_with_a_lower_position(self, side: Side) -> None:
        given = await side.say("lobby", "a", "b")
        future = EventId(given[-1].ms + 10_000, 0)
        page = await side.store.after("lobby", future, 10)

        assert page.gap is not None
        assert (page.gap.after, page.gap.position) == (future, given[-1])
        assert page.gap.reason in ("lost", "unknown")
        assert (page.events, page.position) == ([], given[-1])

    async def test_any_id_in_a_room_nobody_wrote_to_is_a_gap(self, side: Side) -> None:
        page = await side.store.after("lobby", EventId(1_600_000_000_000, 0), 10)

        assert page.gap is not None
        assert (page.events, page.gap.position, page.position) == ([], NOTHING, NOTHING)

    async def test_a_trimmed_resume_says_gap(self, start: Start) -> None:
        side = await start(max_events=50)
        given = await side.say("lobby", *map(str, range(TRIMMED)))
        await trimmed(side, "lobby")
        page = await side.store.after("lobby", given[3], 1000)

        assert page.gap is not None
        assert (page.gap.after, page.gap.reason) == (given[3], "trimmed")
        assert ids(page.events) == [one for one in given if one > page.gap.position]
        assert page.events[0].prev == page.gap.position
        assert 50 <= len(page.events) < TRIMMED - 100

    async def test_a_resume_just_before_what_is_kept_is_no_gap(self, start: Start) -> None:
        side = await start(max_events=50)
        await side.say("lobby", *map(str, range(TRIMMED)))
        await trimmed(side, "lobby")
        kept = (await side.all("lobby")).events
        page = await side.store.after("lobby", kept[0].prev, 1000)

        assert page.gap is None
        assert page.events == kept

    async def test_everything_kept_is_no_gap_also_when_some_is_trimmed(self, start: Start) -> None:
        side = await start(max_events=50)
        given = await side.say("lobby", *map(str, range(TRIMMED)))
        await trimmed(side, "lobby")
        page = await side.all("lobby")

        assert page.gap is None
        assert ids(page.events) == given[-len(page.events) :]

    async def test_a_hole_that_a_delete_made_is_no_gap(self, side: Side) -> None:
        given = await side.say("lobby", "a", "secret", "c")
        gone = await side.one(delete("lobby", given[1]))

        for cursor, expected in [(given[0], [given[2], gone]), (given[1], [given[2], gone]), (given[2], [gone])]:
            page = await side.store.after("lobby", cursor, 10)
            assert page.gap is None
            assert ids(page.events) == expected
            assert page.position == gone

    async def test_deleting_twice_is_no_gap_either(self, side: Side) -> None:
        given = await side.say("lobby", "a", "secret", "c")
        gone = [await side.one(delete("lobby", given[1])) for _ in range(2)]
        page = await side.store.after("lobby", given[0], 10)

        assert page.gap is None
        assert ids(page.events)[0] == given[2]
        assert page.position == gone[1]

    async def test_a_deleted_text_is_in_no_page(self, side: Side) -> None:
        (first,) = await side.say("lobby", "secret")
        await side.append(edit("lobby", first, "secret too"), reaction("lobby", first, "🎉", "ben"))
        await side.one(delete("lobby", first))
        late = await side.one(edit("lobby", first, "secret again"))
        page = await side.all("lobby")

        assert [event.kind for event in page.events] == ["delete"]
        assert page.position == late
        assert await side.history("lobby") == []

    async def test_deleted_text_stays_away_after_a_restart(self, side: Side, reopen: Reopen) -> None:
        given = await side.say("lobby", "secret", "b")
        await side.one(edit("lobby", given[0], "secret too"))
        await side.one(delete("lobby", given[0]))
        side = await reopen(side)

        assert [event.kind for event in (await side.all("lobby")).events] == ["message", "delete"]
        assert await side.history("lobby") == ["b"]

    async def test_pages_count_what_they_show(self, side: Side) -> None:
        given = await side.say("lobby", *map(str, range(10)))
        await side.append(*(delete("lobby", one) for one in given[2:8]))
        page = await side.store.after("lobby", NOTHING, 3)

        assert ids(page.events) == [given[0], given[1], given[8]]
        assert (page.more, page.position) == (True, given[8])


class BeforeContract:
    async def test_an_empty_room_has_no_history(self, side: Side) -> None:
        page = await side.store.before("lobby", None, 10)

        assert (page.events, page.position, page.more, page.gap) == ([], NOTHING, False, None)

    async def test_the_newest_come_oldest_first(self, side: Side) -> None:
        given = await side.say("lobby", *map(str, range(20)))
        page = await side.store.before("lobby", None, 5)

        assert ids(page.events) == given[-5:]
        assert (page.position, page.more) == (given[-1], True)

    async def test_paging_back_reaches_everything_once(self, side: Side) -> None:
        given = await side.say("lobby", *map(str, range(25)))
        cursor: EventId | None = None
        seen: list[EventId] = []
        mores: list[bool] = []
        for _ in range(3):
            page = await side.store.before("lobby", cursor, 10)
            cursor, seen, mores = page.events[0].id, ids(page.events) + seen, [*mores, page.more]
            assert page.position == given[-1]

        assert seen == given
        assert mores == [True, True, False]

    async def test_a_page_that_begins_with_the_log_has_no_more(self, side: Side) -> None:
        await side.say("lobby", *map(str, range(10)))

        assert not (await side.store.before("lobby", None, 10)).more

    async def test_history_counts_messages_and_nothing_else(self, side: Side) -> None:
        given = await side.say("lobby", "a", "b", "c")
        await side.append(*(reaction("lobby", given[2], "🎉", f"fan {n}") for n in range(150)))
        last = await side.one(amendment("lobby", "poll", given[2], {"type": "poll"}))
        page = await side.store.before("lobby", None, 2)

        assert ids(page.events) == given[1:]
        assert (page.position, page.more) == (last, True)

    async def test_history_is_folded(self, side: Side) -> None:
        (first,) = await side.say("lobby", "hi")
        changed = await side.one(edit("lobby", first, "hi!"))
        await side.append(
            reaction("lobby", first, "🎉", "ben"),
            reaction("lobby", first, "👀", "ben"),
            reaction("lobby", first, "🎉", "eve"),
            reaction("lobby", first, "👀", "ben", on=False),
        )
        (event,) = (await side.store.before("lobby", None, 10)).events
        body = msgspec.json.decode(event.body)

        assert (event.id, event.kind, body["message"], body["edited"]) == (first, "message", "hi!", changed.ms)
        assert body["reactions"] == {"🎉": ["ben", "eve"]}

    async def test_an_old_page_shows_edits_younger_than_its_cursor(self, side: Side) -> None:
        given = await side.say("lobby", "a", "b", "c")
        await side.one(edit("lobby", given[0], "a!"))
        page = await side.store.before("lobby", given[1], 10)

        assert texts(page.events) == ["a!"]

    async def test_deleted_messages_are_not_counted(self, side: Side) -> None:
        given = await side.say("lobby", "a", "b", "c", "d")
        gone = await side.one(delete("lobby", given[2]))
        page = await side.store.before("lobby", None, 3)

        assert texts(page.events) == ["a", "b", "d"]
        assert (page.position, page.more) == (gone, False)

    async def test_after_a_history_page_goes_on_without_a_hole(self, side: Side) -> None:
        given = await side.say("lobby", "a", "b")
        await side.one(delete("lobby", given[1]))
        position = (await side.store.before("lobby", None, 10)).position
        (third,) = await side.say("lobby", "c")
        page = await side.store.after("lobby", position, 10)

        assert page.gap is None
        assert ids(page.events) == [third]

    async def test_history_before_any_id_at_all_is_allowed(self, side: Side) -> None:
        given = await side.say("lobby", "a", "b")
        future = await side.store.before("lobby", EventId(given[-1].ms + 10_000, 0), 10)

        assert ids(future.events) == given
        assert (await side.store.before("lobby", EventId(1, 0), 10)).events == []

    @pytest.mark.parametrize("limit", [1, 1000])
    async def test_limits_at_their_ends(self, side: Side, limit: int) -> None:
        given = await side.say("lobby", "a", "b")

        assert ids((await side.store.before("lobby", None, limit)).events) == given[-limit:]
        assert ids((await side.store.after("lobby", NOTHING, limit)).events) == given[:limit]

    async def test_trimmed_history_ends_where_the_log_does(self, start: Start) -> None:
        side = await start(max_events=50)
        given = await side.say("lobby", *map(str, range(TRIMMED)))
        await trimmed(side, "lobby")
        page = await side.store.before("lobby", None, 1000)

        assert not page.more
        assert ids(page.events) == given[-len(page.events) :]
        assert 50 <= len(page.events) < TRIMMED - 100


class AgeContract:
    async def test_what_is_too_old_is_not_shown(self, start: Start, clock: Clock) -> None:
        side = await start(max_age_s=60)
        await side.say("lobby", "old")
        clock.now += 50
        await side.say("lobby", "young")
        clock.now += 15
        page = await side.store.before("lobby", None, 10)

        assert texts(page.events) == ["young"]
        assert not page.more
        assert texts((await side.all("lobby")).events) == ["young"]

    async def test_an_aged_resume_says_gap(self, start: Start, clock: Clock) -> None:
        side = await start(max_age_s=60)
        old = await side.say("lobby", "a", "b")
        clock.now += 50
        young = await side.say("lobby", "c")
        clock.now += 15
        page = await side.store.after("lobby", old[0], 10)

        assert page.gap is not None
        assert (page.gap.position, page.gap.reason) == (old[1], "trimmed")
        assert ids(page.events) == young
        assert (await side.store.after("lobby", old[1], 10)).gap is None

    async def test_when_everything_aged_the_last_id_is_still_no_gap(self, start: Start, clock: Clock) -> None:
        side = await start(max_age_s=60)
        given = await side.say("lobby", "a", "b")
        clock.now += 3600
        await side.say("elsewhere", "the world goes on")
        at_last = await side.store.after("lobby", given[1], 10)
        at_first = await side.store.after("lobby", given[0], 10)

        assert (at_last.events, at_last.position, at_last.gap) == ([], given[1], None)
        assert at_first.gap is not None
        assert (at_first.gap.position, at_first.position) == (given[1], given[1])
        assert (await side.all("lobby")).gap is None
        assert await side.store.attach("lobby") == given[1]

    async def test_an_idle_room_vanishes(self, start: Start, clock: Clock) -> None:
        side = await start(max_age_s=0, idle_room_s=3600)
        (old,) = await side.say("lobby", "a")
        clock.now += 3599
        still = await side.history("lobby")
        clock.now += 2
        await side.say("elsewhere", "the world goes on")

        assert still == ["a"]
        assert await side.history("lobby") == []
        assert [line.key for line in await side.store.rooms(10)] == ["elsewhere"]
        assert (await side.store.after("lobby", old, 10)).gap is not None
        assert (await side.say("lobby", "again"))[0] > old


async def trimmed(side: Side, room: str) -> None:
    """Wait until the room was trimmed: it may happen a little later than the writing."""

    async def is_trimmed() -> bool:
        return len((await side.all(room)).events) <= TRIMMED - 100

    await eventually(is_trimmed)
