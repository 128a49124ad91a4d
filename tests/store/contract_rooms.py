"""The contract of the lobby: which rooms there are, how they are called, and what was said last."""

from __future__ import annotations

import msgspec

from tests.store.contract_follow import leases_when
from tests.store.listener import Clock, Reopen, Side, delete, edit, message, texts


class RoomsContract:
    async def test_no_rooms_at_first(self, side: Side) -> None:
        assert await side.store.rooms(10) == []

    async def test_a_room_is_shown_as_first_written(self, side: Side) -> None:
        first, second = message("lobby", "a"), message("lobby", "b")
        first.title, second.title = "Lobby", "LOBBY"
        await side.append(first)
        await side.append(second)
        (line,) = await side.store.rooms(10)

        assert (line.key, line.title, line.people, line.active_ms) == ("lobby", "Lobby", 0, second.id.ms)
        assert line.last is not None
        assert texts((await side.all("lobby")).events)[-1:] == ["b"]

    async def test_the_most_recently_active_come_first(self, side: Side, clock: Clock) -> None:
        for room in ("a", "b", "c", "a"):
            clock.now += 1
            await side.say(room, f"in {room}")

        assert [line.key for line in await side.store.rooms(10)] == ["a", "c", "b"]
        assert [line.key for line in await side.store.rooms(2)] == ["a", "c"]

    async def test_a_room_with_people_and_no_words_is_shown(self, side: Side) -> None:
        side.store.lease("lobby", "Lobby", 3, b"[]")
        await leases_when(side, "lobby", 1)
        (line,) = await side.store.rooms(10)
        side.store.lease("lobby", "Lobby", 0, None)
        await leases_when(side, "lobby", 0)

        assert (line.key, line.title, line.people, line.last) == ("lobby", "Lobby", 3, None)
        assert line.active_ms > 0
        assert await side.store.rooms(10) == []

    async def test_people_and_words_are_one_line(self, side: Side) -> None:
        await side.say("lobby", "hi")
        side.store.lease("lobby", "LOBBY", 3, b"[]")
        await leases_when(side, "lobby", 1)
        (line,) = await side.store.rooms(10)

        assert (line.title, line.people) == ("Lobby", 3)

    async def test_the_last_message_is_shown_as_it_is_now(self, side: Side) -> None:
        given = await side.say("lobby", "first", "second", "third")
        await side.append(delete("lobby", given[2]), edit("lobby", given[1], "second!"))
        (line,) = await side.store.rooms(10)

        assert line.last is not None
        assert msgspec.json.decode(line.last)["message"] == "second!"

    async def test_a_room_that_has_only_deleted_messages_has_no_last(self, side: Side) -> None:
        (first,) = await side.say("lobby", "oops")
        await side.one(delete("lobby", first))

        assert [line.last for line in await side.store.rooms(10)] in ([], [None])

    async def test_the_title_is_the_one_first_written(self, side: Side) -> None:
        before = await side.store.title("lobby")
        for title in ("Lobby", "LOBBY"):
            draft = message("lobby", "hi")
            draft.title = title
            await side.append(draft)

        assert before is None
        assert await side.store.title("lobby") == "Lobby"
        assert await side.store.title("den") is None

    async def test_titles_outlive_a_restart(self, side: Side, reopen: Reopen) -> None:
        await side.say("lobby", "hi")
        side = await reopen(side)

        assert await side.store.title("lobby") == "Lobby"
        assert [(line.key, line.title) for line in await side.store.rooms(10)] == [("lobby", "Lobby")]
