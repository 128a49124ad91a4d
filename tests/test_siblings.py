"""Workers that ask each other: everybody's answer, in bounded time, whoever is stuck."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from chat_aiohttp.siblings import Answer, Sibling, Siblings
from tests.peers import DEADLINE_S


def saying(words: bytes) -> Answer:
    async def answer() -> bytes:
        return words

    return answer


async def never() -> bytes:
    await asyncio.Event().wait()
    return b""


async def failing() -> bytes:
    raise ValueError("nothing to say")


def _sockets() -> set[str]:
    """The sockets of this process, by what the kernel calls them: others may end meanwhile."""
    found = set()
    for descriptor in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # the one that lists them
            found.add(os.readlink(f"/proc/self/fd/{descriptor}"))
    return {name for name in found if name.startswith("socket:")}


@pytest.fixture
async def three() -> AsyncIterator[list[Sibling]]:
    """Three workers, none of which listens; none may keep a descriptor."""
    siblings = Siblings(3)
    members = [siblings.member(number) for number in range(3)]
    before = _sockets()
    yield members
    for member in members:
        await member.stop()
    left = _sockets()
    siblings.close()
    assert left <= before


async def test_everybody_else_is_asked_and_large_answers_come_whole(three: list[Sibling]) -> None:
    large = os.urandom(500_000)
    three[1].listen(saying(b"one"))
    three[2].listen(saying(large))

    assert await three[0].ask() == {1: b"one", 2: large}


async def test_questions_at_once_have_an_answer_each(three: list[Sibling]) -> None:
    for number, sibling in enumerate(three):
        sibling.listen(saying(b"%d" % number))

    first, again, other = await asyncio.gather(three[0].ask(), three[0].ask(), three[1].ask())

    assert first == again == {1: b"1", 2: b"2"}
    assert other == {0: b"0", 2: b"2"}


async def test_who_is_stuck_or_fails_is_missing_and_the_others_are_there(
    three: list[Sibling], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("chat_aiohttp.siblings.ANSWER_S", 0.05)
    three[1].listen(never)
    three[2].listen(failing)

    async with asyncio.timeout(DEADLINE_S):
        assert await three[0].ask() == {1: None, 2: None}

    assert "could not be answered" in caplog.text


async def test_a_box_that_is_full_keeps_nobody_waiting_and_is_emptied_by_a_successor(
    three: list[Sibling], monkeypatch: pytest.MonkeyPatch
) -> None:
    three[2].listen(saying(b"two"))
    with monkeypatch.context() as patient:
        patient.setattr("chat_aiohttp.siblings.ANSWER_S", 0.01)
        async with asyncio.timeout(DEADLINE_S):
            for _ in range(30):
                answers = await asyncio.gather(*(three[0].ask() for _ in range(20)))  # more than a kernel keeps
                assert {answer[1] for answer in answers} == {None}
    three[1].listen(saying(b"one"))  # started again, it finds questions of those who wait no longer

    async with asyncio.timeout(DEADLINE_S):
        while await three[0].ask() != {1: b"one", 2: b"two"}:
            pass
