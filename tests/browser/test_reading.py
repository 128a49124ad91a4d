"""Reading: ten thousand messages, places that hold still, what is new, and addresses of single messages."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chat_server import ChatServer
from tests.browser.conftest import Arrive
from tests.browser.library import LONG, write
from tests.browser.visitor import Visitor, wait_for_log

MESSAGES = ".msg .text"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChatServer]:
    """A server whose room “long” has ten thousand messages and “short” has sixty, a second apart, nobody there."""
    folder = tmp_path_factory.mktemp("library")
    asyncio.run(write(folder / "chat.db"))
    server = ChatServer(folder, f"sqlite://{folder}/chat.db").start()
    yield server
    server.stop()


def stretch(page: Page, how: str, until: str) -> dict[str, int]:
    """Scroll *how* ("-" up, "+" down) until the expression *until* holds: the most messages that were in the page at
    once, how many neighbours did not follow each other, and how far anything in sight moved by itself, px."""
    measured: dict[str, int] = page.evaluate(
        """async ([sign, until]) => {
        const log = document.getElementById('chat-log');
        const frame = () => new Promise(requestAnimationFrame);
        const done = new Function('log', `return ${until}`);
        const number = (row) => Number(/line (\\d+)/.exec(row.textContent)?.[1]);
        let most = 0, holes = 0, drift = 0;
        for (const end = performance.now() + 60_000; !done(log) && performance.now() < end;) {
            log.scrollTop += sign * 2_000;
            await frame();
            const row = [...log.querySelectorAll('.msg')].find((each) => each.getBoundingClientRect().top > 100);
            const before = row.getBoundingClientRect().bottom;
            await frame();
            if (row.isConnected) drift = Math.max(drift, Math.abs(row.getBoundingClientRect().bottom - before));
            const all = [...log.querySelectorAll('.msg')].map(number);
            most = Math.max(most, all.length);
            holes += all.slice(1).filter((each, i) => each !== all[i] + 1).length;
        }
        return { most, holes, drift: Math.round(drift), done: Number(done(log)) };
    }""",
        [-1 if how == "-" else 1, until],
    )
    return measured


def test_thousands_of_messages_are_read_in_a_bounded_page(library: ChatServer, arrive: Arrive) -> None:
    visitor = arrive(library, bypass_csp=True)
    page = visitor.enter("long")

    up = stretch(page, "-", "log.textContent.includes('line 8000')")  # all ten thousand: make frames

    assert up["done"]
    assert up["most"] < 600
    assert up["holes"] == 0
    assert up["drift"] <= 1
    page.get_by_role("button", name="To the newest").click()
    expect(page.locator(MESSAGES).last).to_have_text(f"line {LONG}")


def test_an_address_of_a_message_opens_far_back_and_one_reads_on_from_there(
    library: ChatServer, arrive: Arrive
) -> None:
    first = arrive(library, bypass_csp=True)
    page = first.enter("long")
    stretch(
        page,
        "-",
        "log.textContent.includes('line 9600')",
    )
    row = page.locator(".msg", has_text="line 9600").first
    address = row.locator(".permalink").first.evaluate("(link) => link.href")
    assert address.startswith(library.room("long") + "#")

    visitor = arrive(library, bypass_csp=True)
    page = visitor.page
    page.goto(address)
    visitor.is_live()

    shown = page.locator(".msg.shown")
    expect(shown).to_contain_text("line 9600")
    expect(shown).to_be_in_viewport()
    expect(page.locator("#chat-message-input")).to_be_focused()
    down = stretch(page, "+", f"log.lastElementChild.textContent.includes('line {LONG}')")
    assert down["done"]
    assert (down["holes"], down["drift"] <= 1) == (0, True)


def test_a_message_that_is_gone_leads_to_what_was_said_before_it(library: ChatServer, arrive: Arrive) -> None:
    visitor = arrive(library)
    visitor.page.goto(library.room("long") + "#9999999999999-0")
    visitor.is_live()

    expect(visitor.page.locator("#notice")).to_contain_text("That message is gone.")
    expect(visitor.page.locator(".msg.shown")).to_contain_text(f"line {LONG}")


def test_an_address_from_before_all_that_is_kept_hides_none_of_it(library: ChatServer, arrive: Arrive) -> None:
    visitor = arrive(library)
    page = visitor.page
    page.goto(library.room("long") + "#1-1")
    visitor.is_live()
    expect(page.locator("#notice")).to_contain_text("and so is all that was said before it")

    assert page.locator(".begin").count() == 0  # there are thousands before what is shown
    page.evaluate("document.getElementById('chat-log').scrollTop = 0")

    expect(page.locator(MESSAGES, has_text=f"line {LONG - 80}")).to_have_count(1)


def test_a_page_that_is_full_still_takes_what_was_asked_for(shared_server: ChatServer, arrive: Arrive) -> None:
    """A tab that was open for days drops its oldest as new ones come, but never what someone reads back."""
    page = arrive(shared_server).enter("full")

    held = page.evaluate(
        """async () => {
        const { Log } = (await import('chat/room')).$log;
        const log = new Log({ moved: () => {} });
        const message = (number) => ({ id: `${number}-0`, time: number, message: `line ${number}`, from: 'a' });
        for (let number = 101; number <= 30_000; number++) log.add(message(number));
        const full = log.items.length;
        const before = log.items[0].id;
        log.earlier(before, [message(1), message(2)], false);
        const found = [log.get('1-0'), log.get('2-0')].map((item) => item?.message);
        log.add(message(30_001));
        return { full, found, more: log.more, last: log.items.at(-1).id, count: log.items.length };
    }"""
    )

    assert held == {"full": 20_000, "found": ["line 1", "line 2"], "more": True, "last": "30001-0", "count": 20_002}


def test_what_is_in_sight_stays_when_something_above_it_grows(library: ChatServer, arrive: Arrive) -> None:
    page = arrive(library).enter("short")
    drift = page.evaluate(
        """async () => {
        const log = document.getElementById('chat-log');
        const frame = () => new Promise(requestAnimationFrame);
        log.scrollTop = 600;
        await frame(); await frame();
        const rows = [...log.querySelectorAll('.msg')];
        const seen = rows.find((row) => row.getBoundingClientRect().top > 150);
        const before = seen.getBoundingClientRect().top;
        rows[0].style.height = '400px';  // a picture that was loaded, a font that came
        await frame(); await frame();
        return Math.abs(seen.getBoundingClientRect().top - before);
    }"""
    )

    assert drift <= 1


def test_a_line_stands_before_what_came_while_one_was_away(shared_server: ChatServer, arrive: Arrive) -> None:
    one, other = arrive(shared_server), arrive(shared_server)
    one.enter("away")
    other.enter("away")
    other.say("before")
    wait_for_log(one.page, lambda text: text == "before\n")
    _leave(one)
    other.say("while away")
    other.say("and more")
    wait_for_log(other.page, lambda text: text.count("\n") == 3)

    page = one.enter("away")

    expect(page.locator(".new")).to_have_text("New since you left")
    assert page.locator(".new + .msg .text").all_text_contents() == ["while away"]


def test_one_begins_where_the_new_begins_if_it_is_out_of_sight(shared_server: ChatServer, arrive: Arrive) -> None:
    one, other = arrive(shared_server), arrive(shared_server)
    one.enter("much")
    other.enter("much")
    other.say("before")
    wait_for_log(one.page, lambda text: text == "before\n")
    _leave(one)
    for number in range(30):
        other.say(f"new {number}")
    wait_for_log(other.page, lambda text: text.count("\n") == 31)

    page = one.enter("much")

    expect(page.locator(".new")).to_be_in_viewport()
    expect(page.locator("#newest")).to_have_text("30 new messages")
    page.locator("#newest").click()
    expect(page.locator(MESSAGES).last).to_be_in_viewport()
    expect(page.locator(".new")).to_have_class("new read")


def test_the_time_of_a_message_is_its_address(shared_server: ChatServer, arrive: Arrive) -> None:
    visitor = arrive(shared_server, permissions=["clipboard-read", "clipboard-write"])
    page = visitor.enter("addresses")
    visitor.say("hello")
    expect(page.locator(".msg.pending")).to_have_count(0)

    page.locator(".permalink").click()

    expect(page.locator(".msg.shown")).to_contain_text("hello")
    expect(page.locator("#notice")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == page.url
    assert page.url.startswith(shared_server.room("addresses") + "#")


def _leave(visitor: Visitor) -> None:
    visitor.page.goto("about:blank")
