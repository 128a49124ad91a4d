"""Writing: drafts, and what is completed while one types."""

from __future__ import annotations

from playwright.sync_api import Page, WebSocketRoute, expect

from tests.browser.chat_server import ChatServer
from tests.browser.conftest import Arrive
from tests.browser.visitor import wait_for_log

INPUT = "#chat-message-input"
CHOSEN = ".completions [aria-selected=true]"


def test_what_was_begun_is_there_again_in_its_room_until_it_is_sent(shared_server: ChatServer, arrive: Arrive) -> None:
    visitor = arrive(shared_server)
    page = visitor.enter("drafts")
    page.keyboard.insert_text("half a thou")
    visitor.enter("drafts elsewhere")
    expect(page.locator(INPUT)).to_have_value("")

    visitor.enter("drafts")
    expect(page.locator(INPUT)).to_have_value("half a thou")
    expect(page.locator(INPUT)).to_be_focused()
    page.keyboard.press("End")
    visitor.say("ght")
    wait_for_log(page, lambda text: text == "half a thought\n")
    page.reload()
    visitor.is_live()

    expect(page.locator(INPUT)).to_have_value("")


def test_names_and_emoji_are_completed_by_keyboard(shared_server: ChatServer, arrive: Arrive) -> None:
    ada, visitor = arrive(shared_server), arrive(shared_server)
    called(ada.page, shared_server, "Ada Lovelace")
    ada.enter("completing")
    page = visitor.enter("completing")
    expect(page.locator("#people-list")).to_contain_text("Ada Lovelace")

    page.keyboard.type("hi @love")
    expect(page.locator(CHOSEN)).to_have_text("Ada Lovelace")
    expect(page.locator(INPUT)).to_have_attribute("aria-activedescendant", "completion-0")
    page.keyboard.press("Enter")
    expect(page.locator(INPUT)).to_have_value("hi @Ada Lovelace ")
    page.keyboard.type(":thumb")
    expect(page.locator(CHOSEN)).to_contain_text("👍")
    page.keyboard.press("ArrowDown")
    expect(page.locator(CHOSEN)).to_contain_text("👎")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Tab")
    page.keyboard.insert_text(" :赞")
    expect(page.locator(CHOSEN)).to_contain_text("👍")
    page.keyboard.press("Escape")
    expect(page.locator(".completions")).to_be_hidden()
    page.keyboard.press("Enter")

    wait_for_log(page, lambda text: text == "hi @Ada Lovelace 👍 :赞\n")
    expect(ada.page.locator(".msg.mention .at.me")).to_have_text("@Ada Lovelace")
    expect(page.locator(".msg .at")).to_have_text("@Ada Lovelace")
    assert page.locator(".msg.mention").count() == 0


def test_a_face_typed_as_of_old_is_sent_as_it_is(shared_server: ChatServer, arrive: Arrive) -> None:
    visitor = arrive(shared_server)
    page = visitor.enter("colon and a letter")
    page.keyboard.type(":smile")
    expect(page.locator(CHOSEN)).to_contain_text("😄")  # what completes is here
    page.locator(INPUT).fill("")

    page.keyboard.type("see you :D")
    page.keyboard.press("Enter")

    wait_for_log(page, lambda text: text == "see you :D\n")


def test_what_is_not_sent_yet_can_be_read(shared_server: ChatServer, arrive: Arrive) -> None:
    visitor = arrive(shared_server)
    visitor.page.route_web_socket("**/ws/chat/**", without_echo)
    page = visitor.enter("half ink")
    visitor.say("hello")

    text = page.locator(".msg.pending .text")
    expect(text).to_have_css("opacity", "1")
    page.wait_for_function(
        "() => getComputedStyle(document.querySelector('.pending .text')).color === 'rgb(111, 104, 93)'"
    )


def without_echo(link: WebSocketRoute) -> None:
    """Nothing that is said reaches the server."""
    link.connect_to_server()
    link.on_message(lambda _: None)


def called(page: Page, server: ChatServer, name: str) -> None:
    """Whoever opens a room in *page* is called *name*."""
    page.goto(f"{server.address}/chat/")
    page.evaluate("name => localStorage.setItem('chat.name', JSON.stringify(name))", name)
