"""Noticing what is said while one looks elsewhere; and what is behind the bell."""

from __future__ import annotations

from playwright.sync_api import Page, Route, expect

from tests.browser.chat_server import ChatServer
from tests.browser.conftest import Arrive
from tests.browser.test_writing import called
from tests.browser.visitor import Visitor, wait_for_log

# A page that can be left and looked at again, that writes down what it sounds and shows instead of doing it.
STAGE = """
    window.away = false;
    Object.defineProperty(Document.prototype, 'hidden', { get: () => window.away });
    Document.prototype.hasFocus = () => !window.away;
    window.sounds = 0;
    OscillatorNode.prototype.start = () => { window.sounds++; };
    OscillatorNode.prototype.stop = () => {};
    window.shown = [];
    window.asked = 0;
    window.Notification = class {
        static permission = 'default';
        static async requestPermission() { window.asked++; return this.permission = 'granted'; }
        constructor(title, { body }) { window.shown.push(`${title}: ${body}`); }
        close() {}
    };
"""


def staged(visitor: Visitor) -> Page:
    visitor.page.add_init_script(STAGE)
    return visitor.page


def look(page: Page, *, away: bool) -> None:
    page.evaluate(
        "away => { window.away = away; document.dispatchEvent(new Event('visibilitychange')); }",
        away,
    )


def test_the_title_and_the_icon_count_what_is_new_and_what_is_for_oneself(
    shared_server: ChatServer, arrive: Arrive
) -> None:
    ada, ben = arrive(shared_server), arrive(shared_server)
    page = staged(ada)
    called(page, shared_server, "Ada")
    ada.enter("title")
    ben.enter("title")
    expect(page).to_have_title("title · 127.0.0.1:" + str(shared_server.port))
    ben.say("while she looks")
    wait_for_log(page, lambda text: text.count("\n") == 1)
    look(page, away=True)

    ben.say("one")
    ben.say("@ada: two")
    ben.say("mail ada@ada.example, @Adam")

    expect(page).to_have_title("(@1 · 3) title · 127.0.0.1:" + str(shared_server.port))
    expect(page.locator("link[rel=icon]")).to_have_attribute("data-shows", "@3")
    page.wait_for_function("() => document.querySelector('link[rel=icon]').href.startsWith('data:image/png')")
    look(page, away=False)
    expect(page).to_have_title("title · 127.0.0.1:" + str(shared_server.port))
    page.wait_for_function("() => document.querySelector('link[rel=icon]').href.endsWith('.svg')")


def test_sound_and_notifications_come_when_they_were_asked_for(shared_server: ChatServer, arrive: Arrive) -> None:
    ada, ben = arrive(shared_server), arrive(shared_server)
    page = staged(ada)
    called(page, shared_server, "Ada")
    called(ben.page, shared_server, "Ben")
    ada.enter("bell")
    ben.enter("bell")
    look(page, away=True)
    ben.say("unheard")
    expect(page).to_have_title("(1) bell · 127.0.0.1:" + str(shared_server.port))
    look(page, away=False)
    page.locator("#settings-toggle").click()
    page.get_by_role("switch", name="Sound").check()
    page.wait_for_function("() => window.sounds === 2")  # so that one knows how it sounds
    assert page.evaluate("window.asked") == 0
    page.get_by_role("group", name="Desktop notifications").get_by_role("radio", name="Mentions").check()
    page.wait_for_function("() => window.asked === 1")
    page.keyboard.press("Escape")
    look(page, away=True)

    ben.say("not for her")
    ben.say("@Ada, for you")

    page.wait_for_function("() => window.shown.length === 1")
    assert page.evaluate("window.shown") == ["\u2068Ben\u2069 in \u2068bell\u2069: @Ada, for you"]
    assert page.evaluate("window.sounds") > 2
    page.reload()
    page.locator("#settings-toggle").click()
    expect(page.get_by_role("switch", name="Sound")).to_be_checked()


def test_rooms_visited_say_how_much_is_unread(shared_server: ChatServer, arrive: Arrive) -> None:
    ada, ben = arrive(shared_server, viewport={"width": 320, "height": 640}), arrive(shared_server)
    page = ada.enter("first room")
    ben.enter("first room")
    ben.say("read")
    wait_for_log(page, lambda text: text == "read\n")
    page.wait_for_function("() => (localStorage.getItem('chat.read') ?? '').includes('first room')")
    ada.enter("second room")
    ben.say("unread")
    ben.say("unread too")
    wait_for_log(ben.page, lambda text: text.count("\n") == 3)

    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")

    expect(page.locator("#rooms-toggle.has-new")).to_be_visible()
    page.locator("#rooms-toggle").click()
    expect(page.get_by_role("link", name="first room 2 unread")).to_be_visible()
    page.get_by_role("link", name="first room").click()
    ada.is_live()
    ada.enter("second room")
    expect(page.locator("#rooms .count")).to_have_count(0)


def test_the_rooms_column_comes_and_goes_on_a_phone(shared_server: ChatServer, arrive: Arrive) -> None:
    page = arrive(shared_server, viewport={"width": 320, "height": 640}).enter("column")
    expect(page.locator("#rooms-nav")).to_be_hidden()
    page.locator("#rooms-toggle").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#rooms-nav a").first).to_be_focused()
    expect(page.locator("#rooms-toggle")).to_have_attribute("aria-expanded", "true")

    page.keyboard.press("Escape")

    expect(page.locator("#rooms-nav")).to_be_hidden()
    expect(page.locator("#rooms-toggle")).to_be_focused()


def test_the_peoples_column_comes_and_goes_by_keyboard(shared_server: ChatServer, arrive: Arrive) -> None:
    page = arrive(shared_server, viewport={"width": 800, "height": 600}).enter("people by keyboard")
    toggle, people = page.locator("#people-toggle"), page.locator("#people")
    toggle.press("Enter")
    expect(page.get_by_role("button", name="Change your name")).to_be_focused()

    page.keyboard.press("Escape")
    expect(people).to_be_hidden()
    expect(toggle).to_be_focused()

    toggle.press("Enter")
    page.locator("#chat-message-input").focus()
    expect(people).to_be_hidden()  # it would lie over what has the focus


def test_the_room_one_is_in_is_in_sight_in_a_long_list(shared_server: ChatServer, arrive: Arrive) -> None:
    visitor = arrive(shared_server, viewport={"width": 1100, "height": 500})
    page = visitor.page
    page.goto(f"{shared_server.address}/chat/")
    rooms = [{"key": f"r{n}", "title": f"r{n}", "path": f"/chat/r{n}/", "at": n} for n in range(25)]
    page.evaluate("rooms => localStorage.setItem('chat.rooms', JSON.stringify(rooms))", rooms)

    visitor.enter("the last")

    expect(page.locator("#rooms [aria-current]")).to_be_in_viewport(ratio=0.9)


def test_colours_are_chosen_by_hand_and_stay(shared_server: ChatServer, arrive: Arrive) -> None:
    visitor = arrive(shared_server, color_scheme="light")
    page = visitor.enter("colours")
    page.locator("#settings-toggle").click()
    page.get_by_role("radio", name="Dark").check()
    expect(page.locator("body")).to_have_css("background-color", "rgb(23, 21, 19)")

    page.goto(f"{shared_server.address}/chat/")

    expect(page.locator("body")).to_have_css("background-color", "rgb(23, 21, 19)")
    visitor.enter("colours")
    page.locator("#settings-toggle").click()
    expect(page.get_by_role("radio", name="Dark")).to_be_checked()
    page.get_by_role("radio", name="Auto").check()
    expect(page.locator("body")).to_have_css("background-color", "rgb(250, 248, 244)")


def test_behind_the_bell_nothing_can_be_chosen_before_it_counts(shared_server: ChatServer, arrive: Arrive) -> None:
    visitor = arrive(shared_server, color_scheme="light")
    held: list[Route] = []
    visitor.page.route("**/settings.js", lambda route: held.append(route))
    page = visitor.enter("too early")
    dark = page.locator("#settings input[value=dark]")
    page.locator("#settings-toggle").click()
    box = page.locator("#settings label", has_text="Dark").bounding_box()
    assert box is not None
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    page.mouse.click(*middle)

    expect(dark).not_to_be_checked()
    held[0].continue_()
    expect(page.get_by_role("radio", name="Auto")).to_be_checked()
    page.wait_for_function("() => !document.querySelector('#settings form').inert")
    page.mouse.click(*middle)
    expect(dark).to_be_checked()
    expect(page.locator("body")).to_have_css("background-color", "rgb(23, 21, 19)")
