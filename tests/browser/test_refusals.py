"""What the server refuses or hangs up on: shown with what to do, and nothing behind it overtakes it."""

from __future__ import annotations

import json

from playwright.sync_api import WebSocketRoute, expect

from tests.browser.chat_server import ChatServer
from tests.browser.conftest import Arrive
from tests.browser.visitor import wait_for_log

MESSAGES = ".msg .text"


def test_a_refusal_is_shown_with_what_to_do(shared_server: ChatServer, arrive: Arrive) -> None:
    visitor = arrive(shared_server)

    def strict(link: WebSocketRoute) -> None:
        server = link.connect_to_server()

        def sent(text: str | bytes) -> None:
            if '"rude"' not in str(text):
                return server.send(text)
            ref = json.loads(text)["ref"]
            error = {"type": "error", "code": "not_kind", "words": "Be kind.", "retryable": False, "ref": ref}
            link.send(json.dumps(error))

        link.on_message(sent)

    visitor.page.route_web_socket("**/ws/chat/**", strict)
    page = visitor.enter("refusal")
    visitor.say("rude")
    expect(page.locator(".msg.failed .tail")).to_contain_text("Not sent. Be kind.")

    page.get_by_role("button", name="Discard").click()
    expect(page.locator(".msg")).to_have_count(0)
    expect(page.locator("#chat-log")).to_be_focused()


def test_nothing_overtakes_what_is_refused_while_its_refusal_is_on_the_way(
    shared_server: ChatServer, arrive: Arrive
) -> None:
    visitor = arrive(shared_server)
    sent: dict[str, str] = {}
    links: list[WebSocketRoute] = []

    def refuse(text: str, code: str) -> None:
        error = {"type": "error", "code": code, "words": "Not now.", "retryable": True, "ref": sent[text]}
        links[0].send(json.dumps(error))

    def slow(link: WebSocketRoute) -> None:
        server = link.connect_to_server()
        links.append(link)

        def said(text: str | bytes) -> None:
            frame = json.loads(text)
            if frame["type"] != "send" or len(sent) == 2:
                return server.send(text)
            sent[frame["message"]] = frame["ref"]
            if len(sent) == 2:
                refuse("first", "too_fast")

        link.on_message(said)

    visitor.page.route_web_socket("**/ws/chat/**", slow)
    page = visitor.enter("overtaking")
    visitor.say("first")
    visitor.say("second")
    expect(page.locator(".msg.pending")).to_have_count(2)
    visitor.say("third")

    page.wait_for_timeout(1_600)  # longer than the pause after a first refusal could be
    refuse("second", "held")

    wait_for_log(page, lambda text: text.count("\n") == 3)
    assert page.evaluate("document.querySelector('#chat-log').value") == "first\nsecond\nthird\n"


def test_what_has_to_wait_says_why_until_it_is_said(shared_server: ChatServer, arrive: Arrive) -> None:
    visitor = arrive(shared_server)
    codes = {"first": "log_away", "second": "held"}  # "held" is about the other one: it explains nothing

    def away(link: WebSocketRoute) -> None:
        server = link.connect_to_server()

        def said(text: str | bytes) -> None:
            frame = json.loads(text)
            code = codes.get(frame.get("message", ""))
            if code is None:
                return server.send(text)
            error = {"type": "error", "code": code, "words": "As a program has it.", "retryable": True}
            link.send(json.dumps({**error, "ref": frame["ref"]}))

        link.on_message(said)

    visitor.page.route_web_socket("**/ws/chat/**", away)
    page = visitor.enter("waiting")
    visitor.say("first")
    visitor.say("second")

    why = page.locator(".msg.pending .waits")
    expect(why).to_have_text(["The room's log doesn't answer. It goes by itself when it does."])
    expect(page.locator(".msg").first).to_contain_text("first")
    codes.clear()
    expect(page.locator(".msg.pending")).to_have_count(0)
    expect(page.locator(".waits")).to_have_count(0)
    wait_for_log(page, lambda text: text == "first\nsecond\n")


def test_what_the_server_hung_up_on_is_sent_again_only_by_hand(shared_server: ChatServer, arrive: Arrive) -> None:
    """And then with the ref it had: it may have been stored."""
    visitor = arrive(shared_server)
    refs: list[str] = []

    def touchy(link: WebSocketRoute) -> None:
        server = link.connect_to_server()

        def sent(text: str | bytes) -> None:
            if '"too much"' not in str(text):
                return server.send(text)
            refs.append(json.loads(text)["ref"])
            if len(refs) == 1:
                link.close(code=1009, reason="")
            else:
                server.send(text)

        link.on_message(sent)

    visitor.page.route_web_socket("**/ws/chat/**", touchy)
    page = visitor.enter("hung up")
    visitor.say("too much")
    expect(page.locator(".msg.failed")).to_contain_text("too much")

    page.reload()
    visitor.is_live()
    expect(page.locator(".msg.failed")).to_contain_text("too much")
    assert len(refs) == 1
    page.get_by_role("button", name="Send again").click()

    wait_for_log(page, lambda text: text == "too much\n")
    assert refs[1:] == refs[:1]


def test_half_a_character_is_sent_as_what_stands_for_none(shared_server: ChatServer, arrive: Arrive) -> None:
    page = arrive(shared_server).enter("half")

    page.evaluate(
        """() => {
        const input = document.getElementById('chat-message-input');
        input.value = 'half a smile: \\ud83d';
        input.form.requestSubmit();
    }"""
    )

    wait_for_log(page, lambda text: text == "half a smile: \ufffd\n")
    expect(page.locator(".msg.pending")).to_have_count(0)
