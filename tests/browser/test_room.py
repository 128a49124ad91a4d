"""A room, as people use it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from tests.browser.chat_server import ChatServer
from tests.browser.conftest import Arrive
from tests.browser.visitor import Visitor, wait_for_log

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '<svg onload="alert(1)">',
    "javascript:alert(1) data:text/html,<script>alert(1)</script>",
    "{{7*7}} ${7*7} <%= 7*7 %>",
    "&lt;b&gt; &amp; </textarea></li>",
    "\u202egnp.exe \u2066x\u2069 \u200b",
    "\"'`--> ]]> \\u003c",
]
MESSAGES = ".msg .text"


def messages(page: Page) -> list[str]:
    return page.locator(MESSAGES).all_text_contents()


@pytest.mark.parametrize("name", ["会议室-7", "design reviews", "🎉 100%?&#+"])
def test_a_room_may_have_any_name(shared_server: ChatServer, arrive: Arrive, name: str) -> None:
    one, other = arrive(shared_server), arrive(shared_server)
    one.page.goto(f"{shared_server.address}/chat/")
    one.page.keyboard.insert_text(name)
    one.page.keyboard.press("Enter")
    one.is_live()
    other.enter(name)

    one.say("hello")

    wait_for_log(other.page, lambda text: text == "hello\n")
    expect(one.page.locator("#room-title")).to_have_text(name)
    assert one.page.url == other.page.url == shared_server.room(name)


def test_a_refused_name_says_why_in_place(shared_server: ChatServer, arrive: Arrive) -> None:
    visitor = arrive(shared_server)
    visitor.expected.append("status of 400")
    page = visitor.page
    page.goto(f"{shared_server.address}/chat/")
    page.keyboard.insert_text("a/b")

    with page.expect_navigation():
        page.keyboard.press("Enter")

    expect(page.get_by_role("alert")).to_contain_text("U+002F")
    expect(page.locator("#room-name-input")).to_have_value("a/b")


def test_what_one_sends_is_there_at_once_and_settles(shared_server: ChatServer, arrive: Arrive) -> None:
    visitor = arrive(shared_server)
    held: list[Callable[[], None]] = []

    def slow(link: WebSocketRoute) -> None:
        server = link.connect_to_server()
        server.on_message(lambda text: held.append(lambda: link.send(text)) if "hello" in text else link.send(text))

    visitor.page.route_web_socket("**/ws/chat/**", slow)
    page = visitor.enter("settles")
    visitor.say("hello")
    expect(page.locator(".msg")).to_have_class("msg first pending")
    assert messages(page) == ["hello"]
    assert page.evaluate("document.getElementById('chat-log').value") == ""
    row = page.locator(".msg").element_handle()

    held[0]()

    expect(page.locator(".msg")).to_have_class("msg first")
    assert messages(page) == ["hello"]
    assert row.get_attribute("data-id") != "", "it is the same row that settles, not another one"


def test_one_person_in_a_row_stands_under_one_name(shared_server: ChatServer, arrive: Arrive) -> None:
    one, other = arrive(shared_server), arrive(shared_server)
    one.enter("groups")
    other.enter("groups")
    one.say("first")
    one.say("second")
    wait_for_log(other.page, lambda text: text.count("\n") == 2)

    other.say("third")

    expect(one.page.locator(MESSAGES)).to_have_text(["first", "second", "third"])
    expect(one.page.locator(".msg.first .text")).to_have_text(["first", "third"])
    expect(one.page.locator(".day")).to_have_text(["Today"])


def test_hostile_text_stays_text(shared_server: ChatServer, arrive: Arrive) -> None:
    one, other = arrive(shared_server), arrive(shared_server)
    one.enter("hostile")
    other.enter("hostile")
    for text in HOSTILE:
        one.say(text)

    expect(other.page.locator(MESSAGES)).to_have_count(len(HOSTILE))
    assert [text.strip() for text in messages(other.page)] == HOSTILE
    assert other.page.locator(".text :is(script, img, iframe, object, a)").count() == 0


def test_addresses_become_links_and_nothing_else_does(shared_server: ChatServer, arrive: Arrive) -> None:
    visitor = arrive(shared_server)
    page = visitor.enter("links")

    visitor.say("see https://example.org/a_(b)?c=1. (and http://example.org/d) javascript:alert(1) ftp://example.org")

    links = page.locator(f"{MESSAGES} a")
    expect(links).to_have_text(["https://example.org/a_(b)?c=1", "http://example.org/d"])
    assert links.first.get_attribute("rel") == "noopener noreferrer nofollow ugc"


def test_enter_that_ends_a_composition_does_not_send(shared_server: ChatServer, arrive: Arrive) -> None:
    visitor = arrive(shared_server)
    page = visitor.enter("composition")
    devtools = visitor.context.new_cdp_session(page)
    devtools.send("Input.imeSetComposition", {"text": "nihao", "selectionStart": 5, "selectionEnd": 5})
    devtools.send("Input.dispatchKeyEvent", {"type": "rawKeyDown", "key": "Enter", "windowsVirtualKeyCode": 229})
    assert messages(page) == []

    devtools.send("Input.insertText", {"text": "你好"})
    page.keyboard.press("Enter")

    wait_for_log(page, lambda text: text == "你好\n")


def test_shift_and_enter_break_the_line(shared_server: ChatServer, arrive: Arrive) -> None:
    visitor = arrive(shared_server)
    page = visitor.enter("lines")
    page.keyboard.type("one")
    page.keyboard.press("Shift+Enter")

    visitor.say("two")

    expect(page.locator(MESSAGES)).to_have_text("one\ntwo", use_inner_text=True)


def test_a_message_that_is_too_long_is_not_sent_and_not_lost(shared_server: ChatServer, arrive: Arrive) -> None:
    visitor = arrive(shared_server)
    page = visitor.enter("long")

    visitor.say("x" * 4_003)

    expect(page.locator("#notice")).to_have_text("3 characters too many")
    expect(page.locator("#chat-message-input")).to_have_value("x" * 4_003)
    assert messages(page) == []


def test_scrolling_up_brings_what_is_older_and_keeps_the_place(shared_server: ChatServer, arrive: Arrive) -> None:
    visitor = arrive(shared_server)
    page = visitor.enter("paging")
    fill(page, "paging", 180)
    page.reload()
    visitor.is_live()
    expect(page.locator(MESSAGES).last).to_have_text("line 180")
    assert page.locator(MESSAGES).count() < 180

    drift = page.evaluate(
        """async () => {
        const log = document.getElementById('chat-log');
        const frame = () => new Promise(requestAnimationFrame);
        let worst = 0;
        for (let i = 0; i < 400 && !log.querySelector('.begin'); i++) {
            log.scrollTop = Math.max(0, log.scrollTop - 150);
            const row = [...log.querySelectorAll('.msg')].find((each) => each.getBoundingClientRect().top > 100);
            const before = row.getBoundingClientRect().top;
            await frame(); await frame();
            worst = Math.max(worst, Math.abs(row.getBoundingClientRect().top - before));
        }
        return worst;
    }"""
    )

    assert drift <= 1
    page.evaluate("document.getElementById('chat-log').scrollTop = 0")
    assert messages(page) == [f"line {number}" for number in range(1, 181)]


def test_the_page_holds_a_bounded_stretch_of_the_log(shared_server: ChatServer, arrive: Arrive) -> None:
    visitor = arrive(shared_server)
    page = visitor.enter("bounded")
    fill(page, "bounded", 560)
    wait_for_log(page, lambda text: text.count("\n") == 560)
    expect(page.locator(MESSAGES).last).to_have_text("line 560")
    assert page.locator(MESSAGES).count() <= 400

    page.evaluate(
        """async () => {
        const log = document.getElementById('chat-log');
        for (let i = 0; i < 400 && !log.querySelector('.begin'); i++) {
            log.scrollTop = 0;
            await new Promise(requestAnimationFrame);
        }
    }"""
    )
    assert messages(page)[0] == "line 1"
    assert page.locator(MESSAGES).count() <= 400

    page.get_by_role("button", name="To the newest").click()
    expect(page.locator(MESSAGES).last).to_have_text("line 560")


def test_reading_further_up_is_not_disturbed_by_what_is_new(shared_server: ChatServer, arrive: Arrive) -> None:
    one, other = arrive(shared_server), arrive(shared_server)
    page = one.enter("reading")
    fill(page, "reading", 60)
    wait_for_log(page, lambda text: text.count("\n") == 60)
    other.enter("reading")
    page.wait_for_function("() => document.getElementById('chat-log').scrollTop > 500")
    page.evaluate("document.getElementById('chat-log').scrollTop = 100")
    expect(page.locator("#newest")).to_be_visible()

    other.say("one")
    other.say("two")

    expect(page.locator("#newest")).to_have_text("Two new messages")
    assert page.evaluate("document.getElementById('chat-log').scrollTop") == 100
    page.locator("#newest").click()
    expect(page.locator(MESSAGES).last).to_be_in_viewport()
    expect(page.locator("#newest")).to_be_hidden()
    expect(page.locator("#chat-log")).to_be_focused()  # not nothing: the button had it


def test_who_is_here_and_who_types(shared_server: ChatServer, arrive: Arrive) -> None:
    one, other = arrive(shared_server), arrive(shared_server)
    page = one.enter("people")
    other.enter("people")
    expect(page.locator("#state")).to_have_text("Live · 2 people")
    expect(page.locator("#people-list li")).to_have_count(2)

    other.page.keyboard.type("hm")
    expect(page.locator("#typing")).to_contain_text("is typing…")
    other.page.keyboard.press("Enter")
    expect(page.locator("#typing")).to_be_empty()

    other.close()
    expect(page.locator("#state")).to_have_text("Live · 1 person")


def test_one_may_change_ones_name(shared_server: ChatServer, arrive: Arrive) -> None:
    one, other = arrive(shared_server), arrive(shared_server)
    one.enter("names")
    page = other.enter("names")
    page.get_by_role("button", name="Change your name").click()
    page.keyboard.insert_text("Mira")
    page.keyboard.press("Enter")
    expect(one.page.locator("#people-list")).to_contain_text("Mira")

    other.page.locator("#chat-message-input").focus()
    other.say("it's me")
    expect(one.page.locator(".msg .who")).to_have_text(["Mira"])

    page.reload()
    other.is_live()
    expect(page.locator("#people-list .me")).to_contain_text("Mira")


def test_whoever_changed_their_name_keeps_the_focus(shared_server: ChatServer, arrive: Arrive) -> None:
    page = arrive(shared_server).enter("renaming by keyboard")
    change = page.get_by_role("button", name="Change your name")
    change.press("Enter")
    page.keyboard.insert_text("Zoë")
    page.keyboard.press("Enter")

    expect(page.locator("#people-list .me")).to_contain_text("Zoë")
    expect(change).to_be_focused()


def test_a_refused_name_can_be_put_right(shared_server: ChatServer, arrive: Arrive) -> None:
    page = arrive(shared_server).enter("bad names")
    page.get_by_role("button", name="Change your name").click()
    page.keyboard.insert_text("a\u202eb")
    page.keyboard.press("Enter")

    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.locator("#people-list input")).to_be_focused()


def test_a_visited_room_is_in_the_list(shared_server: ChatServer, arrive: Arrive) -> None:
    visitor = arrive(shared_server)
    visitor.enter("one")

    page = visitor.enter("two")

    expect(page.locator("#rooms a")).to_have_text(["one", "two"])
    expect(page.locator("#rooms a[aria-current=page]")).to_have_text("two")


def fill(page: Page, room: str, count: int) -> None:
    """*count* lines from a bot, over a plain socket of its own, as fast as the limits allow."""
    page.evaluate(
        """async ([room, count]) => {
        const text = (number) => JSON.stringify({ message: `line ${number}` });
        let said = 0;
        while (said < count) {
            const socket = new WebSocket(`ws://${location.host}/ws/chat/${room}/`);
            await new Promise((done) => { socket.onopen = done; });
            const end = Math.min(count, said + 40);  // a connection's burst
            const heard = new Promise((done) => {
                socket.onmessage = (event) => JSON.parse(event.data).message === `line ${end}` && done();
            });
            while (said < end) socket.send(text(++said));
            await heard;
            socket.close();
        }
    }""",
        [room, count],
    )


def test_the_keyboard_reaches_everything(shared_server: ChatServer, arrive: Arrive) -> None:
    visitor: Visitor = arrive(shared_server)
    page = visitor.enter("keyboard")
    reached = set()
    for _ in range(20):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()"))

    assert {"people-toggle", "chat-log", "chat-message-submit", "Change your name", "settings-toggle"} <= reached
