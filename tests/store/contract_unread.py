"""The contract of what is unread: how many messages came after an id."""

from __future__ import annotations

from chat_aiohttp.events import NOTHING, EventId
from tests.store.listener import Clock, Side, Start, delete, edit, reaction


class UnreadContract:
    async def test_messages_after_an_id_are_counted_room_by_room(self, side: Side) -> None:
        lobby = await side.say("lobby", "a", "b", "c")
        den = await side.say("den", "d")
        cursors = {"lobby": lobby[0], "den": den[-1], "nowhere": NOTHING}

        assert await side.store.count_after(cursors, 100) == {"lobby": 2, "den": 0, "nowhere": 0}
        assert await side.store.count_after({}, 100) == {}

    async def test_only_messages_count_and_none_that_was_deleted(self, side: Side) -> None:
        first, second, third = await side.say("lobby", "a", "b", "c")
        await side.append(edit("lobby", first, "a!"), reaction("lobby", second, "🎉", "ben"), delete("lobby", third))

        assert await side.store.count_after({"lobby": first}, 100) == {"lobby": 1}
        assert await side.store.count_after({"lobby": NOTHING}, 100) == {"lobby": 2}

    async def test_no_more_are_counted_than_asked_for(self, side: Side) -> None:
        await side.say("lobby", *map(str, range(12)))

        assert await side.store.count_after({"lobby": NOTHING}, 5) == {"lobby": 5}
        assert await side.store.count_after({"lobby": NOTHING}, 12) == {"lobby": 12}

    async def test_an_id_beyond_the_log_has_nothing_after_it(self, side: Side) -> None:
        (last,) = await side.say("lobby", "a")

        assert await side.store.count_after({"lobby": EventId(last.ms + 10**9, 0)}, 100) == {"lobby": 0}

    async def test_what_is_too_old_to_be_shown_is_not_unread(self, start: Start, clock: Clock) -> None:
        side = await start(max_age_s=60)
        await side.say("lobby", "old")
        clock.now += 61
        await side.say("lobby", "new")

        assert await side.store.count_after({"lobby": NOTHING}, 100) == {"lobby": 1}
