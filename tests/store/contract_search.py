"""The contract of search: what is found, in which order, how far it looked, and what is found no longer."""

from __future__ import annotations

import pytest

from chat_aiohttp.errors import BadInput
from chat_aiohttp.events import NOTHING, EventId, Found
from tests.store.listener import Clock, Reopen, Side, Start, amendment, delete, edit, eventually, ids, reaction, texts

SAID = ["Good morning", "the MEETING is at 9", "我们在会议室见", "Le café est à l'école", "meet-up: tomorrow"]


async def find(side: Side, query: str, room: str = "lobby") -> list[str]:
    """The texts of everything that is found, however many searches it takes."""
    lines, before = [], None
    for _ in range(100):
        found = await side.store.search(room, query, before=before, limit=3)
        lines += found.lines
        if found.complete:
            break
        before = found.scanned_to
    assert ids(lines) == sorted(ids(lines), reverse=True)
    return texts(lines)


class SearchContract:
    async def indexed(self, side: Side) -> None:
        """Wait until a store with an index has caught up."""

    @pytest.mark.parametrize(
        ("query", "places"),
        [
            ("good", [0]),
            ("GOOD MORNING", [0]),
            ("morning good", [0]),
            ("mee", [4, 1]),
            ("meeting", [1]),
            ("eeting", []),
            ("me is", []),
            ("9", [1]),
            ("会议", [2]),
            ("议室", [2]),
            ("会室", []),
            ("见", [2]),
            ("cafe ecole", [3]),
            ("CAFÉ", [3]),
            ("meet-up", [4]),
            ("up-meet", []),
            ("nothing", []),
        ],
    )
    async def test_words_are_found(self, side: Side, query: str, places: list[int]) -> None:
        await side.say("lobby", *SAID)
        await side.say("den", *SAID)
        at_once = await find(side, query)
        await self.indexed(side)

        assert at_once == [SAID[place] for place in places]
        assert await find(side, query) == at_once

    async def test_a_search_in_an_empty_room_is_complete(self, side: Side) -> None:
        assert await side.store.search("lobby", "hi", before=None, limit=5) == Found([], NOTHING, True)

    @pytest.mark.parametrize("query", ["", "  ", "?!", "🎉", "x" * 201, "a " * 17])
    async def test_a_query_for_nothing_or_too_much_is_refused(self, side: Side, query: str) -> None:
        with pytest.raises(BadInput) as caught:
            await side.store.search("lobby", query, before=None, limit=5)

        assert caught.value.code == "bad_query"

    async def test_the_newest_come_first_and_the_next_search_goes_on(self, side: Side) -> None:
        given = await side.say("lobby", *(f"word {n}" for n in range(7)))
        await self.indexed(side)
        first = await side.store.search("lobby", "word", before=None, limit=4)
        second = await side.store.search("lobby", "word", before=first.scanned_to, limit=4)

        assert ids(first.lines) == given[:2:-1]
        assert (first.scanned_to, first.complete) == (given[3], False)
        assert ids(second.lines) == given[2::-1]
        assert second.complete

    async def test_a_part_of_the_room_is_searched_at_a_time(self, side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("chat_aiohttp.store.search.SCAN_MOST", 20)
        monkeypatch.setattr("chat_aiohttp.store.search.SCAN_PAGE", 10)
        given = await side.say("lobby", "needle", *("hay" for _ in range(50)))
        found = await side.store.search("lobby", "needle", before=None, limit=5)

        assert found.complete or NOTHING < found.scanned_to < given[-1]
        assert await find(side, "needle") == ["needle"]

    async def test_an_edit_is_found_as_it_reads_now(self, side: Side) -> None:
        given = await side.say("lobby", "apple one", "apple two", "apple three")
        await self.indexed(side)
        await side.one(edit("lobby", given[0], "pear"))
        at_once = [await find(side, "apple"), await find(side, "pear")]
        await self.indexed(side)

        assert at_once == [["apple three", "apple two"], ["pear"]]
        assert [await find(side, "apple"), await find(side, "pear")] == at_once

    async def test_what_is_found_is_shown_as_history_shows_it(self, side: Side) -> None:
        (first,) = await side.say("lobby", "apple")
        await side.append(reaction("lobby", first, "🎉", "ben"), edit("lobby", first, "apple pie"))
        found = await side.store.search("lobby", "apple", before=None, limit=5)

        assert found.lines == (await side.store.before("lobby", None, 5)).events

    async def test_an_edit_to_another_text_back_and_forth_is_found_once(self, side: Side) -> None:
        (first,) = await side.say("lobby", "apple")
        for text in ("pear", "apple", "pear", "apple"):
            await side.one(edit("lobby", first, text))
            await self.indexed(side)

        assert await find(side, "apple") == ["apple"]
        assert await find(side, "pear") == []

    async def test_what_was_deleted_is_not_found(self, side: Side) -> None:
        given = await side.say("lobby", "apple one", "apple two", "apple three")
        await self.indexed(side)
        await side.one(edit("lobby", given[1], "apple four"))
        await side.append(delete("lobby", given[1]), delete("lobby", given[2]))
        at_once = await find(side, "apple")
        await self.indexed(side)

        assert at_once == ["apple one"]
        assert await find(side, "apple") == at_once

    async def test_other_kinds_are_not_found(self, side: Side) -> None:
        (first,) = await side.say("lobby", "hi")
        await side.one(amendment("lobby", "poll", first, {"type": "poll", "message": "apple"}))
        await self.indexed(side)

        assert await find(side, "apple") == []

    async def test_what_is_no_longer_kept_is_not_found(self, start: Start) -> None:
        side = await start(max_events=50)
        await side.say("lobby", "needle", *(f"hay {n}" for n in range(400)))
        await self.indexed(side)
        await eventually(lambda: find_nothing(side))

        assert await find(side, "399") == ["hay 399"]

    async def test_what_is_too_old_is_not_found(self, start: Start, clock: Clock) -> None:
        side = await start(max_age_s=60)
        await side.say("lobby", "needle")
        await self.indexed(side)
        clock.now += 100
        await side.say("lobby", "young needle")

        assert await find(side, "needle") == ["young needle"]

    async def test_a_search_goes_on_where_no_message_is(self, side: Side) -> None:
        given = await side.say("lobby", "word a", "word b")
        await self.indexed(side)
        beyond = EventId(given[1].ms, given[1].seq + 5)
        found = await side.store.search("lobby", "word", before=beyond, limit=5)
        early = await side.store.search("lobby", "word", before=given[0], limit=5)

        assert texts(found.lines) == ["word b", "word a"]
        assert early == Found([], NOTHING, True)

    async def test_search_outlives_a_restart(self, side: Side, reopen: Reopen) -> None:
        await side.say("lobby", "apple one")
        await self.indexed(side)
        await side.say("lobby", "apple two")
        side = await reopen(side)

        assert await find(side, "apple") == ["apple two", "apple one"]
        await self.indexed(side)
        assert await find(side, "apple") == ["apple two", "apple one"]


async def find_nothing(side: Side) -> bool:
    return await find(side, "needle") == []
