"""What the Django Channels tutorial asks of a chat, in its part 4, and the page it writes in its parts 1 and 2."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.chat_server import ChatServer
from tests.browser.conftest import Arrive
from tests.browser.visitor import Visitor, wait_for_log

LOG = "document.querySelector('#chat-log').value"


def enter_blind(visitor: Visitor, page: Page, name: str) -> None:
    """As the tutorial does: the name and Enter are typed where the focus happens to be."""
    page.goto(f"{visitor.server.address}/chat/")
    page.keyboard.type(name)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/{name}/")


def post_blind(page: Page, text: str) -> None:
    page.keyboard.type(text)
    page.keyboard.press("Enter")


@pytest.fixture(params=["sqlite", "valkey"])
def stored(request: pytest.FixtureRequest) -> ChatServer:
    """A server on a fresh store: kept history would make the first assertion pass by itself."""
    server: ChatServer = request.getfixturevalue(f"{request.param}_server")
    return server


def test_a_message_is_seen_by_everyone_in_the_room_and_by_nobody_else(stored: ChatServer, arrive: Arrive) -> None:
    visitor = arrive(stored)
    here, there, elsewhere = visitor.page, visitor.window(), visitor.window()
    enter_blind(visitor, here, "room_1")
    enter_blind(visitor, there, "room_1")
    enter_blind(visitor, elsewhere, "room_2")

    here.bring_to_front()
    post_blind(here, "hello")

    wait_for_log(here, lambda text: "hello" in text, 2)
    wait_for_log(there, lambda text: "hello" in text, 2)

    elsewhere.bring_to_front()
    post_blind(elsewhere, "world")

    assert "hello" not in wait_for_log(elsewhere, lambda text: "world" in text, 2)
    assert "world" not in here.evaluate(LOG)


# The tutorial's own page (its part 2), as it stands in a reader's project.
TUTORIAL_PAGE = """
    <textarea id="chat-log" cols="100" rows="20"></textarea><br/>
    <input id="chat-message-input" type="text" size="100"/><br/>
    <input id="chat-message-submit" type="button" value="Send"/>
"""
TUTORIAL_SCRIPT = """
    var roomName = 'tutorial';

    var chatSocket = new WebSocket(
        'ws://' + window.location.host +
        '/ws/chat/' + roomName + '/');

    chatSocket.onmessage = function(e) {
        var data = JSON.parse(e.data);
        var message = data['message'];
        document.querySelector('#chat-log').value += (message + '\\n');
    };

    chatSocket.onclose = function(e) {
        console.error('Chat socket closed unexpectedly');
    };

    document.querySelector('#chat-message-input').focus();
    document.querySelector('#chat-message-input').onkeyup = function(e) {
        if (e.keyCode === 13) {  // enter, return
            document.querySelector('#chat-message-submit').click();
        }
    };

    document.querySelector('#chat-message-submit').onclick = function(e) {
        var messageInputDom = document.querySelector('#chat-message-input');
        var message = messageInputDom.value;
        chatSocket.send(JSON.stringify({
            'message': message
        }));

        messageInputDom.value = '';
    };
"""


def test_the_tutorials_own_client_works_unchanged(shared_server: ChatServer, chromium: Browser, arrive: Arrive) -> None:
    ours = arrive(shared_server)
    ours.enter("tutorial")
    # Its page stands on our origin, and has no policy of ours, as in a reader's own project.
    context = chromium.new_context(bypass_csp=True)
    page = context.new_page()
    page.goto(f"{shared_server.address}/healthz")
    page.evaluate("html => { document.body.innerHTML = html; }", TUTORIAL_PAGE)
    page.evaluate(f"() => {{ {TUTORIAL_SCRIPT} window.chatSocket = chatSocket; }}")
    page.wait_for_function("() => chatSocket.readyState === WebSocket.OPEN")

    post_blind(page, "hello from the tutorial")
    ours.say("hello from the page")

    assert wait_for_log(page, lambda text: text.count("\n") == 2) == "hello from the tutorial\nhello from the page\n"
    wait_for_log(ours.page, lambda text: text == "hello from the tutorial\nhello from the page\n")
    context.close()


def test_both_inputs_have_the_focus_on_load(shared_server: ChatServer, arrive: Arrive) -> None:
    page = arrive(shared_server).page

    page.goto(f"{shared_server.address}/chat/")
    expect(page.locator("#room-name-input")).to_be_focused()

    page.goto(shared_server.room("focus"))
    expect(page.locator("#chat-message-input")).to_be_focused()


def test_history_is_there_after_a_restart(sqlite_server: ChatServer, arrive: Arrive, tmp_path: Path) -> None:
    visitor = arrive(sqlite_server)
    visitor.enter("会议室-7")
    visitor.say("kept")
    wait_for_log(visitor.page, lambda text: text == "kept\n")

    sqlite_server.stop()
    sqlite_server.start()
    visitor.enter("会议室-7")

    wait_for_log(visitor.page, lambda text: text == "kept\n")
