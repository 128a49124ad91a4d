"""People: told apart when they look alike, and not said to have left when they reload."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from chat_aiohttp.looks import looks_of
from tests.browser.chat_server import ChatServer
from tests.browser.conftest import Arrive
from tests.browser.test_writing import called
from tests.browser.visitor import wait_for_log


def test_an_impostor_has_another_face_and_both_are_marked(shared_server: ChatServer, arrive: Arrive) -> None:
    ada, impostor, ben = arrive(shared_server), arrive(shared_server), arrive(shared_server)
    called(ada.page, shared_server, "Ada")
    called(impostor.page, shared_server, "Аdа")  # two Cyrillic letters
    page = ben.enter("impostor")
    ada.enter("impostor")
    ada.say("it's me")
    wait_for_log(page, lambda text: "it's me" in text)
    expect(page.locator(".msg .tag")).to_have_count(0)

    impostor.enter("impostor")
    impostor.say("no, me")

    expect(page.locator(".msg .who")).to_have_text(["Ada", "Аdа"])
    expect(page.locator(".msg .tag")).to_have_text([re.compile("^·.{3,}$")] * 2)
    tags = page.locator(".msg .tag").all_text_contents()
    assert len(set(tags)) == 2
    expect(page.locator("#people-list .tag")).to_have_count(2)
    assert sorted(page.locator("#people-list .tag").all_text_contents()) == sorted(tags)
    expect(ada.page.locator("#people-list .me .tag")).to_have_text(tags[0])
    faces = page.locator(".msg .face").evaluate_all("faces => faces.map((face) => face.outerHTML)")
    assert len(set(faces)) == 2


def test_the_page_looks_at_plain_names_as_the_server_does(shared_server: ChatServer, arrive: Arrive) -> None:
    page = arrive(shared_server).enter("looks")
    names = ["Iris", "lris", "IRIS", "Sam", "Sarn", "B0b", "Bob", "|an", "Ian", "Ada L. 1", "ada l. I", "Tom"]
    alike = [[one, other] for one in names for other in names if one < other and {*looks_of(one)} & {*looks_of(other)}]

    found = page.evaluate(
        """async (names) => {
        const { markOf } = (await import('chat/room')).$looks;
        const pairs = names.flatMap((one) => names.filter((other) => one < other).map((other) => [one, other]));
        // Each pair in a room of its own: a word before the name that no other pair has.
        return pairs.filter(([one, other], n) => {
            markOf('first', `${n}x ${one}`);
            return markOf('second', `${n}x ${other}`) !== '';
        });
    }""",
        names,
    )

    assert sorted(found) == sorted(alike)
    assert ["IRIS", "Iris"] in alike


def test_a_reload_shows_nothing_to_others(shared_server: ChatServer, arrive: Arrive) -> None:
    one, other = arrive(shared_server), arrive(shared_server)
    page = one.enter("reloads")
    other.enter("reloads")
    expect(page.locator("#state")).to_have_text("Live · 2 people")
    page.evaluate(
        """() => {
        window.seen = new Set();
        const note = () => window.seen.add(document.getElementById('state').textContent);
        new MutationObserver(note).observe(document.getElementById('state'), { childList: true });
    }"""
    )
    third = arrive(shared_server)
    other.page.goto("about:blank")
    third.enter("reloads")  # whatever is told is told together with this
    expect(page.locator("#state")).to_have_text("Live · 3 people")
    other.enter("reloads")
    other.say("back")

    wait_for_log(page, lambda text: text == "back\n")
    assert page.evaluate("[...window.seen]") == ["Live · 3 people"]
    expect(page.locator("#people-list li")).to_have_count(3)
