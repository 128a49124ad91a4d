"""Searching a room, and the index while it is open."""

from __future__ import annotations

import re

from playwright.sync_api import Page, Route, expect

from tests.browser.chat_server import ChatServer
from tests.browser.conftest import Arrive
from tests.browser.visitor import wait_for_log


def test_a_search_marks_its_words_and_leads_to_the_message(shared_server: ChatServer, arrive: Arrive) -> None:
    visitor = arrive(shared_server)
    visitor.expected.append("status of 400")
    page = visitor.enter("searching")
    for text in ("The crème brûlée recipe", "something else", "会议室七楼"):
        visitor.say(text)
    wait_for_log(page, lambda text: text.count("\n") == 3)
    page.locator("#chat-log").focus()

    page.keyboard.press("/")
    expect(page.locator(".search input")).to_be_focused()
    page.keyboard.type("creme")
    page.keyboard.press("Enter")

    expect(page.locator(".search mark")).to_have_text(["crème"])
    expect(page.locator(".search .status")).to_have_text("1 message")
    page.keyboard.press("ArrowDown")
    expect(page.locator(".search li a")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".search")).to_be_hidden()
    expect(page.locator(".msg.shown")).to_contain_text("brûlée")

    _search(page, "议室")
    expect(page.locator(".search mark")).to_have_text(["议室"])
    _search(page, "!!")
    expect(page.locator(".search .status")).to_contain_text("Search for letters or digits")
    _search(page, "nowhere")
    expect(page.locator(".search .status")).to_have_text("Nothing found.")
    page.keyboard.press("Escape")
    expect(page.locator("#chat-message-input")).to_be_focused()


def test_a_search_says_how_far_it_looked_and_looks_further(shared_server: ChatServer, arrive: Arrive) -> None:
    """As over Redis, where one answer reads a part of the room only."""
    page = arrive(shared_server, timezone_id="UTC").enter("looked at in parts")
    part = {"found": [], "looked_to": "1700000000000-0", "complete": False}

    def answer(route: Route) -> None:
        route.fulfill(json={**part, "complete": "before=1700000000000-0" in route.request.url})

    page.route("**/search?*", answer)
    _search(page, "needle")
    status, further = page.locator(".search .status"), page.get_by_role("button", name="Look further back")
    expect(status).to_have_text(re.compile(r"^Nothing found\. Looked back to .*November 14, 2023"))

    further.press("Enter")

    expect(status).to_have_text("Nothing found.")
    expect(further).to_be_hidden()
    expect(page.locator(".search input")).to_be_focused()  # the button had it


def test_on_a_phone_no_keyboard_comes_over_what_was_found(shared_server: ChatServer, arrive: Arrive) -> None:
    visitor = arrive(shared_server, viewport={"width": 390, "height": 780}, has_touch=True, is_mobile=True)
    page = visitor.enter("found with a thumb")
    visitor.say("needle")
    expect(page.locator(".msg:not(.pending)")).to_have_count(1)
    page.locator("#find").tap()
    expect(page.locator(".search input")).to_be_focused()
    _search(page, "needle")

    page.locator(".search ol a").tap()

    expect(page.locator(".msg.shown")).to_have_text(re.compile("needle"))
    assert page.evaluate("document.activeElement.matches('input, textarea')") is False


def test_a_search_that_was_refused_is_asked_again(shared_server: ChatServer, arrive: Arrive) -> None:
    visitor = arrive(shared_server)
    visitor.expected.append("status of 429")
    page = visitor.enter("asked again")
    visitor.say("found at last")
    wait_for_log(page, lambda text: text == "found at last\n")
    refusal = {"error": "searching_too_fast", "message": "Wait.", "retryable": True}
    page.route("**/search?*", lambda route: route.fulfill(status=429, json=refusal), times=1)
    _search(page, "last")
    expect(page.locator(".search .status")).to_have_text("Too many searches. Wait a moment.")

    page.locator(".search input").press("Enter")

    expect(page.locator(".search mark")).to_have_text(["last"])


def _search(page: Page, words: str) -> None:
    if page.locator(".search").is_hidden():
        page.locator("#find").click()
    page.locator(".search input").fill(words)
    page.locator(".search input").press("Enter")


def test_a_slash_in_a_message_is_a_slash(shared_server: ChatServer, arrive: Arrive) -> None:
    visitor = arrive(shared_server)
    page = visitor.enter("slash")
    page.keyboard.type("/me waves")

    expect(page.locator("#chat-message-input")).to_have_value("/me waves")
    expect(page.locator(".search")).to_have_count(0)


def test_a_slash_in_an_edited_message_is_a_slash(shared_server: ChatServer, arrive: Arrive) -> None:
    visitor = arrive(shared_server)
    page = visitor.enter("slash in the log")
    visitor.say("and")
    expect(page.locator(".msg:not(.pending)")).to_have_count(1)
    page.keyboard.press("ArrowUp")
    editor = page.locator(".editor textarea")
    expect(editor).to_be_focused()

    page.keyboard.type("/or")

    expect(editor).to_have_value("and/or")
    expect(page.locator(".search")).to_have_count(0)


def test_an_open_index_follows_what_is_said(shared_server: ChatServer, arrive: Arrive) -> None:
    reader, writer = arrive(shared_server), arrive(shared_server)
    page = reader.page
    page.clock.install()
    page.goto(f"{shared_server.address}/chat/")
    writer.enter("a lively room")
    writer.say("first words")
    wait_for_log(writer.page, lambda text: text == "first words\n")

    row = page.locator("#live a", has_text="a lively room")
    for _ in range(100):  # the server gives a list out for two seconds, and its people are told once a second
        page.clock.run_for(15_000)
        if row.locator(".dot").count():
            break
        page.wait_for_timeout(250)

    expect(row.locator(".said")).to_contain_text("first words")
    expect(row.locator(".n")).to_contain_text("1 person here")


def test_a_room_that_moves_in_the_index_keeps_the_focus(shared_server: ChatServer, arrive: Arrive) -> None:
    page = arrive(shared_server).page
    rooms = [{"title": name, "path": f"/chat/{name}/", "people": 0, "name": "", "said": "", "at": 1} for name in "ab"]
    page.route("**/chat/rooms", lambda route: route.fulfill(json={"rooms": rooms, "away": False}))
    page.clock.install()
    page.goto(f"{shared_server.address}/chat/")
    row = page.locator("#live a", has_text="b")
    row.focus()

    rooms.reverse()
    page.clock.run_for(15_000)

    expect(page.locator("#live b")).to_have_text(["b", "a"])
    expect(row).to_be_focused()


def test_a_name_is_judged_while_it_is_typed(shared_server: ChatServer, arrive: Arrive) -> None:
    page = arrive(shared_server).page
    page.goto(f"{shared_server.address}/chat/")
    page.keyboard.type("a/b")
    expect(page.get_by_role("alert")).to_contain_text("U+002F")

    page.keyboard.press("Backspace")
    page.keyboard.press("Backspace")

    expect(page.locator("#refusal")).to_be_hidden()


def test_the_index_remembers_where_one_has_been(shared_server: ChatServer, arrive: Arrive) -> None:
    visitor = arrive(shared_server)
    visitor.enter("been there")
    other = arrive(shared_server)
    visitor.page.evaluate(
        "localStorage.setItem('chat.rooms', JSON.stringify([{key:'gone',title:'gone',path:'/chat/gone/',at:1}]))"
    )

    visitor.page.goto(f"{shared_server.address}/chat/")
    expect(visitor.page.locator("#visited a")).to_have_text(["gone"])

    other.page.goto(f"{shared_server.address}/chat/")
    expect(other.page.locator("#visited")).to_be_hidden()
