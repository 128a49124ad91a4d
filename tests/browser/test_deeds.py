"""What one does with a message: react, answer, edit, delete; with a mouse, a finger and the keyboard."""

from __future__ import annotations

import re
import secrets

import pytest
from playwright.sync_api import Locator, Page, WebSocketRoute, expect

from tests.browser.chat_server import ChatServer
from tests.browser.conftest import Arrive
from tests.browser.test_room import fill
from tests.browser.visitor import Visitor, wait_for_log

MESSAGES = ".msg .text"


def two(arrive: Arrive, server: ChatServer, room: str) -> tuple[Visitor, Visitor]:
    one, other = known(arrive(server)), known(arrive(server))
    one.enter(room)
    other.enter(room)
    return one, other


def known(visitor: Visitor) -> Visitor:
    """*visitor*, with a session that outlives its connections."""
    secret = secrets.token_urlsafe(32)
    visitor.context.add_cookies([{"name": "chat", "value": secret, "url": visitor.server.address}])
    return visitor


def toolbar(page: Page, row: int = -1) -> Locator:
    """The toolbar of a message, the last one."""
    page.locator(".msg").nth(row).hover()
    bar = page.get_by_role("toolbar")
    expect(bar).to_be_visible()
    return bar


def without_edits(link: WebSocketRoute) -> None:
    """No edit reaches the server."""
    server = link.connect_to_server()
    link.on_message(lambda text: None if '"type":"edit"' in str(text) else server.send(text))


def settled(page: Page, count: int) -> None:
    expect(page.locator(MESSAGES)).to_have_count(count)
    expect(page.locator(".msg.pending")).to_have_count(0)


def test_a_reaction_is_counted_shown_as_ones_own_and_taken_back(shared_server: ChatServer, arrive: Arrive) -> None:
    one, other = two(arrive, shared_server, "reactions")
    one.say("done")
    settled(other.page, 1)

    bar = toolbar(other.page)
    expect(bar.get_by_role("button", name=re.compile("Edit|Delete"))).to_have_count(0)  # it isn't theirs
    bar.get_by_role("button", name="React with 👍").click()

    pill = one.page.locator(".reactions button")
    expect(pill).to_have_text("👍 1")
    expect(pill).to_have_attribute("aria-pressed", "false")
    pill.click()
    expect(other.page.locator(".reactions button")).to_have_text("👍 2")
    expect(pill).to_have_class("mine")
    pill.click()
    expect(other.page.locator(".reactions button")).to_have_text("👍 1")
    other.page.reload()
    other.is_live()
    expect(other.page.locator(".reactions .mine")).to_have_text("👍 1")


def test_a_reaction_taken_back_leaves_the_focus_at_its_message(shared_server: ChatServer, arrive: Arrive) -> None:
    visitor = arrive(shared_server)
    page = visitor.enter("taken back")
    visitor.say("hello")
    settled(page, 1)
    toolbar(page).get_by_role("button", name="React with 👍").click()
    page.locator(".reactions button").press("Enter")

    expect(page.locator(".reactions")).to_have_count(0)
    expect(page.locator(".msg")).to_be_focused()


def test_more_emoji_are_in_a_picker(shared_server: ChatServer, arrive: Arrive) -> None:
    visitor = arrive(shared_server)
    page = visitor.enter("picker")
    visitor.say("done")
    settled(page, 1)

    toolbar(page).get_by_role("button", name="More emoji").click()
    picker = page.get_by_role("group", name="Emoji")
    expect(picker.get_by_role("searchbox", name="Find one")).to_be_focused()
    page.keyboard.type("roc")
    page.keyboard.press("Enter")
    expect(picker).to_have_count(0)
    expect(page.locator(".reactions button")).to_have_text("🚀 1")

    toolbar(page).get_by_role("button", name="More emoji").click()
    expect(picker.get_by_role("searchbox", name="Find one")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator(".reactions button")).to_have_text(["🚀 1", "😎 1"])


def test_an_answer_shows_what_it_answers_and_leads_there(shared_server: ChatServer, arrive: Arrive) -> None:
    one, other = two(arrive, shared_server, "answers")
    one.say("*which* one?")
    settled(other.page, 1)
    toolbar(other.page).get_by_role("button", name="Reply").click()
    expect(other.page.locator(".answer")).to_be_visible()
    other.page.keyboard.press("Escape")
    expect(other.page.locator(".answer")).to_have_count(0)
    toolbar(other.page).get_by_role("button", name="Reply").click()
    expect(other.page.locator(".answer")).to_contain_text("which one?")
    expect(other.page.locator("#chat-message-input")).to_be_focused()

    other.say("this one")

    expect(other.page.locator(".answer")).to_have_count(0)
    quote = one.page.locator(".quote")
    expect(quote).to_contain_text("which one?")
    quote.click()
    expect(one.page.locator(".msg.shown")).to_contain_text("which one?")

    one.page.keyboard.press("Escape")
    toolbar(one.page, 0).get_by_role("button", name="Edit").click()
    one.page.keyboard.press("End")
    one.page.keyboard.type(" really?")
    one.page.keyboard.press("Enter")
    expect(other.page.locator(".quote")).to_contain_text("which one? really?")


def test_up_in_an_empty_line_edits_what_one_said_last(shared_server: ChatServer, arrive: Arrive) -> None:
    one, other = two(arrive, shared_server, "last words")
    one.say("first")
    one.say("secnod")
    other.say("mine")
    settled(one.page, 3)

    one.page.keyboard.press("ArrowUp")
    editor = one.page.get_by_role("textbox", name="Edit the message")
    editor.fill("otherwise")
    one.page.keyboard.press("Escape")
    expect(one.page.locator(MESSAGES).nth(1)).to_have_text("secnod")
    one.page.keyboard.press("ArrowUp")
    expect(editor).to_have_value("secnod")
    editor.fill("**second**")
    one.page.keyboard.press("Enter")

    expect(one.page.locator("#chat-message-input")).to_be_focused()
    for page in (one.page, other.page):
        expect(page.locator(MESSAGES).nth(1).locator("strong")).to_have_text("second")
        expect(page.locator(".edited")).to_have_text("edited")
    assert re.search(r"\d{2}:\d{2}", other.page.locator(".edited").get_attribute("title") or "")
    wait_for_log(other.page, lambda text: text == "first\n**second**\nmine\n")


def test_an_edit_that_is_too_long_stays_to_be_shortened(shared_server: ChatServer, arrive: Arrive) -> None:
    visitor = arrive(shared_server)
    page = visitor.enter("long edit")
    visitor.say("short")
    settled(page, 1)
    page.keyboard.press("ArrowUp")
    editor = page.get_by_role("textbox", name="Edit the message")
    editor.fill("x" * 4_003)

    page.keyboard.press("Enter")

    expect(page.locator("#notice")).to_have_text("3 characters too many")
    expect(editor).to_have_value("x" * 4_003)
    editor.fill("x" * 4_000)
    page.keyboard.press("Enter")
    expect(editor).to_have_count(0)
    expect(page.locator("#notice")).to_have_text("")
    wait_for_log(page, lambda text: text == "x" * 4_000 + "\n")


def test_what_is_being_edited_stays_in_sight_in_a_busy_room(shared_server: ChatServer, arrive: Arrive) -> None:
    one, other = two(arrive, shared_server, "busy")
    one.say("mine")
    settled(one.page, 1)
    one.page.keyboard.press("ArrowUp")
    editor = one.page.get_by_role("textbox", name="Edit the message")
    editor.fill("still mine")

    fill(other.page, "busy", 160)  # more than the page holds while it follows

    wait_for_log(one.page, lambda text: text.count("\n") == 161)
    expect(editor).to_have_value("still mine")
    expect(editor).to_be_in_viewport()
    expect(one.page.locator("#newest")).to_be_visible()
    one.page.keyboard.press("Enter")
    wait_for_log(other.page, lambda text: text.startswith("still mine\n"))


def test_what_one_said_long_ago_is_gone_to_and_edited(shared_server: ChatServer, arrive: Arrive) -> None:
    visitor = arrive(shared_server)
    page = visitor.enter("long ago")
    visitor.say("mine")
    settled(page, 1)
    fill(arrive(shared_server).enter("long ago"), "long ago", 200)
    expect(page.locator(MESSAGES).last).to_have_text("line 200")
    expect(page.locator(MESSAGES, has_text="mine")).to_have_count(0)

    page.locator("#chat-message-input").press("ArrowUp")

    expect(page.locator(".editor textarea")).to_have_value("mine")
    expect(page.locator(".editor")).to_be_in_viewport()


def test_what_is_edited_twice_offline_goes_on_from_the_first_edit(shared_server: ChatServer, arrive: Arrive) -> None:
    visitor = arrive(shared_server)
    page = visitor.page
    page.route_web_socket("**/ws/chat/**", without_edits)
    visitor.enter("twice edited")
    visitor.say("one")
    settled(page, 1)
    page.locator("#chat-message-input").press("ArrowUp")
    page.locator(".editor textarea").fill("one two")
    page.keyboard.press("Enter")
    expect(page.locator(MESSAGES)).to_have_text("one two")

    page.locator("#chat-message-input").press("ArrowUp")

    expect(page.locator(".editor textarea")).to_have_value("one two")


def test_tab_stops_once_in_a_toolbar(shared_server: ChatServer, arrive: Arrive) -> None:
    visitor = arrive(shared_server)
    page = visitor.enter("one stop")
    visitor.say("hello")
    settled(page, 1)
    page.locator("#chat-log").focus()
    page.wait_for_function("() => import('chat/room/actions').then(() => true)")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("End")
    expect(page.get_by_role("button", name="Delete")).to_be_focused()
    page.keyboard.press("Home")
    expect(page.get_by_role("button", name="React with 👍")).to_be_focused()

    page.keyboard.press("Tab")

    expect(page.locator("#chat-message-input")).to_be_focused()


def test_a_delete_is_asked_about_once_and_leaves_a_quiet_mark(shared_server: ChatServer, arrive: Arrive) -> None:
    one, other = two(arrive, shared_server, "deletes")
    one.say("secret")
    settled(other.page, 1)
    toolbar(other.page).get_by_role("button", name="Reply").click()
    other.say("oh")
    settled(one.page, 2)

    toolbar(one.page, 0).get_by_role("button", name="Delete").click()
    one.page.get_by_role("button", name="Keep it").click()
    expect(one.page.locator(MESSAGES).first).to_have_text("secret")
    toolbar(one.page, 0).get_by_role("button", name="Delete").click()
    one.page.get_by_role("group", name="Delete this message").get_by_role("button", name="Delete").click()

    for page in (one.page, other.page):
        expect(page.locator(MESSAGES).first).to_have_text("Deleted")
        expect(page.locator(".quote")).to_have_text("Deleted message")
        wait_for_log(page, lambda text: text == "oh\n")
    other.page.reload()
    other.is_live()
    expect(other.page.locator(MESSAGES)).to_have_text("oh")
    expect(other.page.locator(".quote")).to_have_text("Deleted message")


def test_the_keyboard_does_all_of_it(shared_server: ChatServer, arrive: Arrive) -> None:
    visitor = arrive(shared_server)
    page = visitor.enter("hands off the mouse")
    for text in ("one", "two", "three"):
        visitor.say(text)
    settled(page, 3)
    page.locator("#chat-log").focus()
    page.wait_for_function("() => import('chat/room/actions').then(() => true)")

    page.keyboard.press("ArrowUp")
    expect(page.locator(".msg:focus")).to_contain_text("three")
    page.keyboard.press("ArrowUp")
    expect(page.locator(".msg:focus")).to_contain_text("two")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("button", name="React with 👍")).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator(".reactions button")).to_have_text("❤️ 1")
    page.keyboard.press("Escape")
    expect(page.locator(".msg:focus")).to_contain_text("two")
    page.keyboard.press("Delete")
    expect(page.get_by_role("group", name="Delete this message")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator(MESSAGES)).to_have_text(["one", "Deleted", "three"])

    page.keyboard.press("Control+/")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


@pytest.mark.parametrize("language", ["en-US", "zh-CN"])
def test_a_finger_taps_for_the_toolbar(shared_server: ChatServer, arrive: Arrive, language: str) -> None:
    phone = {"width": 320, "height": 568}
    visitor = arrive(shared_server, viewport=phone, locale=language, has_touch=True, is_mobile=True)
    page = visitor.enter(f"fingers {language}")
    visitor.say("touch me")
    settled(page, 1)

    page.locator(MESSAGES).tap()
    bar = page.get_by_role("toolbar")
    expect(bar).to_be_visible()
    sizes = bar.evaluate(
        "bar => [...bar.querySelectorAll('button')].map((each) => each.getBoundingClientRect().toJSON())"
    )
    assert all(size["width"] >= 44 and size["height"] >= 44 for size in sizes)
    assert all(size["right"] <= phone["width"] for size in sizes)
    bar.locator("[data-emoji]").first.tap()
    expect(page.locator(".reactions button")).to_have_text("👍 1")
    bar.locator("[data-act=more]").tap()
    page.locator(".picker div button").first.tap()
    expect(page.locator(".reactions button")).to_have_text(["👍 1", "😀 1"])
    page.locator(MESSAGES).tap()
    expect(bar).to_have_count(0)


def test_what_is_changed_offline_goes_when_the_link_is_back(sqlite_server: ChatServer, arrive: Arrive) -> None:
    visitor = known(arrive(sqlite_server))
    page = visitor.enter("tunnel")
    visitor.say("typo")
    visitor.say("secret")
    settled(page, 2)
    toolbar(page, 0)  # loaded while there is a link
    sqlite_server.kill()
    expect(page.locator("#people-toggle")).not_to_have_attribute("data-state", "live")

    page.locator("#chat-message-input").focus()
    toolbar(page, 0).get_by_role("button", name="Edit").click()
    page.get_by_role("textbox", name="Edit the message").fill("*no* typo")
    page.keyboard.press("Enter")
    expect(page.locator(MESSAGES).first).to_have_text("*no* typo")
    expect(page.locator(".msg.pending")).to_have_count(1)
    sqlite_server.start()
    visitor.is_live()

    expect(page.locator(".msg.pending")).to_have_count(0)
    expect(page.locator(MESSAGES).first.locator("em")).to_have_text("no")
    page.reload()
    visitor.is_live()
    expect(page.locator(MESSAGES)).to_have_text(["no typo", "secret"])
    expect(page.locator(".edited")).to_have_count(1)


def test_an_answer_to_what_is_far_back_is_looked_up(valkey_server: ChatServer, arrive: Arrive) -> None:
    visitor = arrive(valkey_server)
    page = visitor.enter("far back")
    visitor.say("the beginning")
    settled(page, 1)
    first = page.locator(".msg").first.get_attribute("data-id")
    page.evaluate(
        """async (reply) => {
        for (let round = 0; round < 2; round++) {
            const socket = new WebSocket(`ws://${location.host}/ws/chat/far%20back/`);
            await new Promise((done) => { socket.onopen = done; });
            const heard = new Promise((done) => {
                socket.onmessage = (event) => JSON.parse(event.data).message === `${round} 34` && done();
            });
            for (let n = 0; n < 35; n++) socket.send(JSON.stringify({ message: `${round} ${n}` }));
            await heard;
            if (round) socket.send(JSON.stringify({ message: "indeed", reply }));
        }
    }""",
        first,
    )

    page.reload()
    visitor.is_live()

    expect(page.locator(".quote")).to_contain_text("the beginning")

    page.locator(".quote").click()
    expect(page.locator(".msg.shown")).to_contain_text("the beginning")
