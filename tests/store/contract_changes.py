"""The contract of changes as the wire writes them: what history shows of edits, deletes and reactions, also later."""

from __future__ import annotations

from typing import Any

import msgspec

from chat_aiohttp import bodies, commands
from chat_aiohttp.events import DELETE, EDIT, EMOJI_MOST, MESSAGE, REACTION, Draft
from tests.store.listener import ADA, Reopen, Side

KINDS = {commands.Edit: EDIT, commands.Delete: DELETE, commands.React: REACTION}


class ChangesContract:
    async def test_an_edit_brings_its_own_formatting_or_none(self, side: Side) -> None:
        one, two = await side.one(said("*a*")), await side.one(said("*b*"))
        await side.one(changed(commands.Edit(one, "c1", "**c**")))
        await side.one(changed(commands.Edit(two, "c2", "plain")))

        first, second = await shown(side)
        assert (first["message"], first["rich"]) == ("**c**", [["b", "c"]])
        assert (second["message"], "rich" in second) == ("plain", False)

    async def test_reactions_are_by_person_and_bounded(self, side: Side) -> None:
        one = await side.one(said("a"))
        reactions = [commands.React(one, f"a{n}", chr(0x1F600 + n), on=True) for n in range(EMOJI_MOST + 1)]
        await side.append(*(changed(reaction) for reaction in reactions))
        await side.append(changed(commands.React(one, "again", reactions[0].emoji, on=True)))
        await side.append(changed(commands.React(one, "off", reactions[1].emoji, on=False)))

        (body,) = await shown(side)
        expected = [reactions[0].emoji, *(reaction.emoji for reaction in reactions[2:EMOJI_MOST])]
        assert body["reactions"] == {emoji: ["ada"] for emoji in expected}

    async def test_all_of_it_is_there_after_a_restart(self, side: Side, reopen: Reopen) -> None:
        one, gone = await side.one(said("*a*")), await side.one(said("secret"))
        await side.one(changed(commands.Edit(one, "c1", "**b**")))
        await side.one(changed(commands.React(one, "c2", "🎉", on=True)))
        await side.one(changed(commands.Delete(gone, "c3")))
        before = await shown(side)

        side = await reopen(side)

        assert await shown(side) == before
        assert [body["message"] for body in before] == ["**b**"]
        assert before[0]["reactions"] == {"🎉": ["ada"]}
        repeat = changed(commands.Delete(gone, "c3"))
        await side.append(repeat)
        assert (repeat.repeated, repeat.error) == (True, None)

    async def test_one_message_is_found_by_the_id_just_behind_it(self, side: Side) -> None:
        """How changes.py looks a message up."""
        given = await side.say("lobby", "a", "b", "c")
        await side.one(changed(commands.Edit(given[1], "c1", "b!")))
        await side.one(changed(commands.Delete(given[2], "c2")))
        found = [await side.store.before("lobby", one.next(), 1) for one in given]

        assert [page.events[0].id for page in found] == [given[0], given[1], given[1]]
        assert msgspec.json.decode(found[1].events[0].body)["message"] == "b!"


async def shown(side: Side) -> list[dict[str, Any]]:
    """The messages of the lobby as history shows them."""
    return [msgspec.json.decode(event.body) for event in (await side.store.before("lobby", None, 100)).events]


def said(text: str) -> Draft:
    return Draft("lobby", "Lobby", MESSAGE, bodies.message_body(text, "ada", "Ada", None), session=ADA)


def changed(change: commands.Change) -> Draft:
    body, target = bodies.change_body(change, "ada", "Ada"), change.target
    kind, digest = KINDS[type(change)], bodies.change_digest(change)
    return Draft("lobby", "Lobby", kind, body, session=ADA, ref=change.ref, digest=digest, target=target)
