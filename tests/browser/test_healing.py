"""What the room does when the server or the link is gone: nothing is lost, nothing is sent twice, nothing is hidden."""

from __future__ import annotations

import json
import re

from playwright.sync_api import WebSocketRoute, expect

from tests.browser.chat_server import ChatServer
from tests.browser.conftest import Arrive
from tests.browser.test_room import fill
from tests.browser.test_writing import called
from tests.browser.visitor import Visitor, wait_for_log

MESSAGES = ".msg .text"


def test_what_was_typed_while_the_server_was_dead_arrives_once(sqlite_server: ChatServer, arrive: Arrive) -> None:
    one, other = arrive(sqlite_server), arrive(sqlite_server)
    one.enter("healing")
    other.enter("healing")
    one.say("before")
    wait_for_log(other.page, lambda text: text == "before\n")

    sqlite_server.kill()
    one.say("first while dead")
    one.say("second while dead")
    expect(one.page.locator(".msg.pending")).to_have_count(2)
    expect(one.page.locator("#state")).to_have_text("Offline. Two messages wait here.")
    sqlite_server.start()

    everything = "before\nfirst while dead\nsecond while dead\n"
    wait_for_log(one.page, lambda text: text == everything)
    wait_for_log(other.page, lambda text: text == everything)
    expect(one.page.locator(MESSAGES)).to_have_count(3)
    expect(one.page.locator(".msg.pending")).to_have_count(0)


def test_a_message_whose_echo_was_lost_is_stored_once(shared_server: ChatServer, arrive: Arrive) -> None:
    one, other = arrive(shared_server), arrive(shared_server)
    other.enter("echo")
    links: list[WebSocketRoute] = []

    def deaf_at_first(link: WebSocketRoute) -> None:
        server = link.connect_to_server()
        links.append(link)
        if len(links) == 1:  # the first link loses every echo, then breaks
            server.on_message(lambda text: None if '"message":"hello"' in str(text) else link.send(text))

    one.page.route_web_socket("**/ws/chat/**", deaf_at_first)
    one.enter("echo")
    one.say("hello")
    wait_for_log(other.page, lambda text: text == "hello\n")
    expect(one.page.locator(".msg.pending")).to_have_count(1)
    links[0].close(code=1012, reason="come back in 1 ms")

    wait_for_log(one.page, lambda text: text == "hello\n")
    expect(one.page.locator(".msg.pending")).to_have_count(0)
    assert other.page.evaluate("document.querySelector('#chat-log').value") == "hello\n"


def test_an_outage_costs_nobody_their_name(shared_server: ChatServer, arrive: Arrive) -> None:
    """After some tries in vain the page leaves the name out, lest it was why; the next link has to give it back."""
    one, other = arrive(shared_server), arrive(shared_server)
    links = failing_links(one, broken=range(1, 6))
    called(one.page, shared_server, "Mira")
    one.enter("outage")
    other.enter("outage")

    links[-1].close(code=1012, reason="come back in 1 ms")
    one.say("still me")

    wait_for_log(other.page, lambda text: text == "still me\n")
    assert "name=" not in links[-1].url
    expect(other.page.locator(".msg .who")).to_have_text(["Mira"])
    expect(one.page.locator("#people-list .me bdi")).to_have_text("Mira")


def test_a_name_that_kept_one_out_is_said_to_be_why(shared_server: ChatServer, arrive: Arrive) -> None:
    visitor = arrive(shared_server)
    called(visitor.page, shared_server, "a\u202eb")
    page = visitor.page
    failing_links(visitor, broken=range(3))  # as the server breaks them for the name, without the waits

    visitor.enter("kept out")

    expect(page.get_by_role("alert")).to_have_text("Nobody can be called that.")
    assert page.evaluate("localStorage.getItem('chat.name')") == '""'


def failing_links(visitor: Visitor, broken: range) -> list[WebSocketRoute]:
    """The page's sockets; those whose numbers are in *broken* break before the server is reached."""
    links: list[WebSocketRoute] = []

    def watch(link: WebSocketRoute) -> None:
        links.append(link)
        if len(links) - 1 in broken:
            link.close(code=1012, reason="come back in 1 ms")
        else:
            link.connect_to_server()

    visitor.page.route_web_socket("**/ws/chat/**", watch)
    return links


def test_nobody_else_can_settle_what_one_sent(shared_server: ChatServer, arrive: Arrive) -> None:
    one, other = arrive(shared_server), arrive(shared_server)
    refs: list[str] = []

    def swallowing(link: WebSocketRoute) -> None:
        server = link.connect_to_server()
        link.on_message(lambda text: refs.append(json.loads(text)["ref"]) if "mine" in str(text) else server.send(text))

    one.page.route_web_socket("**/ws/chat/**", swallowing)
    one.enter("forged")
    other.enter("forged")
    one.say("mine")
    expect(one.page.locator(".msg.pending")).to_have_text(re.compile("mine"))

    other.page.evaluate(
        """ref => new Promise((done) => {
        const socket = new WebSocket(`ws://${location.host}/ws/chat/forged/`);
        socket.onopen = () => socket.send(JSON.stringify({ message: 'not yours', ref }));
        socket.onmessage = done;
    })""",
        refs[0],
    )

    wait_for_log(one.page, lambda text: text == "not yours\n")
    expect(one.page.locator(".msg.pending")).to_have_text(re.compile("mine"))


def test_on_a_phone_the_rooms_name_is_whole_while_messages_wait(sqlite_server: ChatServer, arrive: Arrive) -> None:
    phone = {"width": 390, "height": 780}
    visitor = arrive(sqlite_server, viewport=phone, has_touch=True, is_mobile=True, locale="zh-CN")
    page = visitor.enter("大厅")
    sqlite_server.kill()
    expect(page.locator("#people-toggle")).to_have_attribute("data-state", "offline", timeout=10_000)
    visitor.say("隧道里说的第一句")
    expect(page.locator("#state")).to_contain_text("1 条消息")

    assert page.evaluate("(h1 => h1.scrollWidth - h1.clientWidth)(document.getElementById('room-title'))") == 0


def test_a_reload_keeps_what_is_not_sent_yet(sqlite_server: ChatServer, arrive: Arrive) -> None:
    visitor = arrive(sqlite_server)
    page = visitor.enter("reload")
    page.evaluate(
        "sessionStorage.setItem('chat.outbox.reload', JSON.stringify([{ref: 'r1', text: 'typed before', at: 1}]))"
    )

    page.reload()

    wait_for_log(page, lambda text: text == "typed before\n")
    assert page.evaluate("sessionStorage.getItem('chat.outbox.reload')") == "[]"


def test_a_first_history_that_broke_off_is_not_where_the_log_begins(shared_server: ChatServer, arrive: Arrive) -> None:
    filler, visitor = arrive(shared_server), arrive(shared_server)
    fill(filler.enter("broken off"), "broken off", 70)
    links: list[WebSocketRoute] = []
    came: list[str] = []

    def breaking_off(link: WebSocketRoute) -> None:
        server = link.connect_to_server()
        links.append(link)

        def pass_on(text: str | bytes) -> None:
            if '"type":"message"' in str(text):
                came.append(str(text))
            if len(came) < 20:
                link.send(text)
            elif len(came) == 20:
                link.close(code=1012, reason="come back in 1 ms")

        if len(links) == 1:
            server.on_message(pass_on)

    visitor.page.route_web_socket("**/ws/chat/**", breaking_off)
    page = visitor.enter("broken off")
    assert "after=" in links[1].url

    page.evaluate("document.querySelector('#chat-log').scrollTop = 0")

    wait_for_log(page, lambda text: text == lines(70))


def test_an_ack_from_far_back_hides_nothing_behind_it(shared_server: ChatServer, arrive: Arrive) -> None:
    """Its echo was lost, and by the time it comes again there is more behind it than a page reads at first."""
    page = arrive(shared_server).enter("far back")
    entry = "sessionStorage.setItem('chat.outbox.far back', JSON.stringify([{ref: 'r1', text: 'hello', at: 1}]))"
    page.evaluate(entry)
    page.reload()
    wait_for_log(page, lambda text: text == "hello\n")
    fill(page, "far back", 70)

    page.evaluate(entry)
    page.reload()
    page.wait_for_function("() => sessionStorage.getItem('chat.outbox.far back') === '[]'")
    wait_for_log(page, lambda text: text.endswith(lines(70)[-8:]))
    page.evaluate("document.querySelector('#chat-log').scrollTop = 0")

    wait_for_log(page, lambda text: text == "hello\n" + lines(70))


def lines(count: int) -> str:
    """What `fill` has said, as the log's `value` has it."""
    return "".join(f"line {number}\n" for number in range(1, count + 1))


def watched_links(visitor: Visitor) -> list[WebSocketRoute]:
    """The page's sockets as they open, each passed on to the server: a test can speak on them in the server's place."""
    links: list[WebSocketRoute] = []

    def watch(link: WebSocketRoute) -> None:
        link.connect_to_server()
        links.append(link)

    visitor.page.route_web_socket("**/ws/chat/**", watch)
    return links


def test_a_terminal_close_says_why_and_stays_away(shared_server: ChatServer, arrive: Arrive) -> None:
    visitor = arrive(shared_server)
    links = watched_links(visitor)
    page = visitor.enter("removed")
    links[0].close(code=4500, reason="")

    expect(page.locator("#state")).to_have_text("A moderator has removed you from this room.")
    page.wait_for_timeout(1_200)  # longer than the first wait before coming back could be
    assert len(links) == 1


def test_a_gap_is_a_line_in_the_log(shared_server: ChatServer, arrive: Arrive) -> None:
    visitor = arrive(shared_server)
    links = watched_links(visitor)
    page = visitor.enter("gap")
    visitor.say("before")
    wait_for_log(page, lambda text: text == "before\n")
    position = page.locator(".msg:not(.pending)").get_attribute("data-id")
    later = f"{int(str(position).split('-')[0]) + 60_000}-0"
    links[0].send(json.dumps({"type": "gap", "after": position, "position": later, "reason": "trimmed"}))

    expect(page.locator("#chat-log .gap")).to_have_text("Some messages from while you were away are no longer kept.")
    expect(page.locator("#chat-log > li").last).to_have_class("gap")


def test_a_room_that_lost_all_of_its_log_is_asked_for_it_once(shared_server: ChatServer, arrive: Arrive) -> None:
    visitor = arrive(shared_server)
    asked: list[str] = []
    links: list[WebSocketRoute] = []

    def listen(link: WebSocketRoute) -> None:
        server = link.connect_to_server()
        links.append(link)

        def pass_on(text: str | bytes) -> None:
            asked.append(str(text))
            server.send(text)

        link.on_message(pass_on)

    visitor.page.route_web_socket("**/ws/chat/**", listen)
    page = visitor.enter("nothing left")
    links[0].send(json.dumps({"type": "gap", "after": "1-0", "position": "5-0", "reason": "lost"}))
    expect(page.locator("#chat-log .gap")).to_have_count(1)
    visitor.say("still here")
    wait_for_log(page, lambda text: text == "still here\n")
    visitor.say("and on")
    wait_for_log(page, lambda text: text.endswith("and on\n"))

    assert len([text for text in asked if '"history"' in text]) == 1
