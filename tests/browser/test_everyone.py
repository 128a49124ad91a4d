"""The same pages for everybody: small screens, dark rooms, other languages, no script."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chat_server import ChatServer
from tests.browser.conftest import Arrive
from tests.browser.test_writing import called
from tests.browser.visitor import wait_for_log

PHONE = {"width": 320, "height": 568}
LONG_NAME = "a-room-with-a-name-that-is-as-long-as-a-name-may-be-" + "x" * 6


def overflow(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def brightness(page: Page) -> float:
    """Of the page's picture, 0 to 255, averaged by the browser itself."""
    return float(
        page.evaluate(
            """async (base64) => {
        const blob = await (await fetch('data:image/png;base64,' + base64)).blob();
        const bitmap = await createImageBitmap(blob);
        const canvas = new OffscreenCanvas(1, 1).getContext('2d');
        canvas.drawImage(bitmap, 0, 0, 1, 1);
        return canvas.getImageData(0, 0, 1, 1).data.slice(0, 3).reduce((a, b) => a + b) / 3;
    }""",
            _picture(page),
        )
    )


def _picture(page: Page) -> str:
    import base64

    return base64.b64encode(page.screenshot()).decode()


@pytest.mark.parametrize("language", ["en-US", "zh-CN"])
def test_nothing_is_wider_than_a_small_phone(shared_server: ChatServer, arrive: Arrive, language: str) -> None:
    visitor = arrive(shared_server, viewport=PHONE, locale=language, has_touch=True, is_mobile=True)
    visitor.expected.append("status of 404")
    page = visitor.page
    page.goto(f"{shared_server.address}/chat/")
    assert overflow(page) == 0

    visitor.enter(f"{LONG_NAME}{language}")
    visitor.say("W" * 300)
    visitor.say("https://example.org/" + "path/" * 60)
    expect(page.locator(".msg")).to_have_count(2)
    assert overflow(page) == 0

    page.locator("#people-toggle").click()
    expect(page.locator("#people")).to_be_visible()
    assert overflow(page) == 0

    page.goto(f"{shared_server.address}/nowhere")
    assert overflow(page) == 0


def test_to_a_finger_a_switch_is_a_switch_and_copy_covers_no_code(shared_server: ChatServer, arrive: Arrive) -> None:
    visitor = arrive(shared_server, viewport=PHONE, has_touch=True, is_mobile=True)
    page = visitor.enter("fingers")
    visitor.say("```\n" + "wide " * 40 + "\n```")
    code = page.locator(".code code").bounding_box()
    assert code is not None
    words = page.locator(".code button").evaluate(
        "button => { const range = new Range(); range.selectNodeContents(button);"
        " const { bottom, height } = range.getBoundingClientRect(); return { bottom, height }; }"
    )
    assert words["bottom"] <= code["y"] + 1
    assert words["height"] < 25  # on one line

    page.locator("#settings-toggle").tap()

    switch = page.get_by_role("switch", name="Sound").bounding_box()
    assert switch is not None
    assert switch["width"] > 1.5 * switch["height"]


def test_the_composer_does_not_make_a_phone_zoom_in(shared_server: ChatServer, arrive: Arrive) -> None:
    page = arrive(shared_server, viewport=PHONE).enter("zoom")

    size = page.evaluate("getComputedStyle(document.getElementById('chat-message-input')).fontSize")

    assert float(size.removesuffix("px")) >= 16


def test_chinese_for_whoever_reads_chinese(shared_server: ChatServer, arrive: Arrive) -> None:
    visitor = arrive(shared_server, locale="zh-CN")
    page = visitor.page
    page.goto(f"{shared_server.address}/chat/")
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    expect(page.locator("h1")).to_contain_text("给房间起个名")

    visitor.enter("大厅")

    expect(page.locator("#state")).to_have_text("已连接 · 1 人")
    expect(page.locator("#chat-message-input")).to_have_attribute("placeholder", "在“大厅”里说点什么")


def test_the_language_can_be_chosen_by_hand(shared_server: ChatServer, arrive: Arrive) -> None:
    visitor = arrive(shared_server)
    page = visitor.enter("language")

    page.locator("#settings-toggle").click()
    page.get_by_role("button", name="中文").click()

    visitor.is_live()
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    assert page.url == shared_server.room("language")


def test_the_index_needs_no_script(shared_server: ChatServer, arrive: Arrive) -> None:
    page = arrive(shared_server, java_script_enabled=False).page
    page.goto(f"{shared_server.address}/chat/")
    page.locator("#room-name-input").fill("会议室-7")

    page.locator("#room-name-submit").click()

    page.wait_for_url(shared_server.room("会议室-7"))


def test_the_log_is_a_log_to_a_screen_reader(shared_server: ChatServer, arrive: Arrive) -> None:
    visitor = arrive(shared_server)
    page = visitor.enter("reader")
    visitor.say("hello")

    log = page.get_by_role("log", name="reader")

    expect(log).to_have_attribute("aria-busy", "false")
    expect(log.get_by_role("article")).to_contain_text("hello")
    expect(page.get_by_role("textbox", name="Message reader")).to_be_focused()


def test_what_is_new_is_read_out_and_much_of_it_counted(shared_server: ChatServer, arrive: Arrive) -> None:
    """The log is silent itself: what is older, or drawn anew, is not news."""
    ada, visitor = arrive(shared_server), arrive(shared_server)
    called(ada.page, shared_server, "Ada")
    ada.enter("aloud")
    ada.say("before anybody came")
    expect(ada.page.locator(".msg:not(.pending)")).to_have_count(1)
    page = visitor.page
    page.clock.install()
    visitor.enter("aloud")
    heard = page.locator("#heard[aria-live=polite]")
    expect(page.locator("#chat-log")).to_have_attribute("aria-live", "off")
    expect(heard).to_be_empty()

    visitor.say("mine")
    ada.say("**hello**")
    expect(heard).to_have_text("Ada: hello")

    page.clock.pause_at(page.evaluate("Date.now() + 1_000"))
    for number in range(5):
        ada.say(f"line {number}")
    wait_for_log(page, lambda text: text.endswith("line 4\n"))
    page.clock.run_for(1_500)
    expect(heard).to_have_text("Five new messages")


def test_what_just_happened_is_said_for_a_while(shared_server: ChatServer, arrive: Arrive) -> None:
    visitor = arrive(shared_server, permissions=["clipboard-write"])
    page = visitor.page
    page.clock.install()
    visitor.enter("for a while")
    visitor.say("hello")
    line, said = page.locator("#notice"), page.get_by_role("status")
    page.locator(".msg:not(.pending) .permalink").click()
    expect(line).to_have_text("Copied")
    expect(said.filter(has_text="Copied")).to_have_count(1)

    page.clock.run_for(7_000)

    expect(line).to_be_empty()


@pytest.mark.parametrize("path", ["/chat/", "/chat/dark/"])
def test_dark_is_dark(shared_server: ChatServer, arrive: Arrive, path: str) -> None:
    seen = {}
    for scheme in ("light", "dark"):
        page = arrive(shared_server, color_scheme=scheme, bypass_csp=True).page
        page.goto(shared_server.address + path)
        seen[scheme] = brightness(page)

    assert seen["dark"] < 60
    assert seen["light"] > 200
