"""The page as a whole: what it weighs, what axe finds, right to left, installed, offline, in another site's frame."""

from __future__ import annotations

import http.server
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Page, Response, expect

from tests.browser.chat_server import ChatServer
from tests.browser.conftest import Arrive
from tests.browser.visitor import wait_for_log
from tests.test_docs import ROOT, blocks

MOST_BYTES = 60 * 1024  # of a room's first load, as they come over the wire


ORDER = """
    window.order = [];
    const noted = (name, real) => new Proxy(real, {
        construct(target, given, made) { window.order.push(name); return Reflect.construct(target, given, made); },
    });
    window.WebSocket = noted('socket', WebSocket);
    for (const name of ['Collator', 'DateTimeFormat', 'PluralRules']) Intl[name] = noted(name, Intl[name]);
    window.RegExp = noted('expression', RegExp);
"""


def test_the_socket_is_opened_before_anything_that_takes_long(shared_server: ChatServer, arrive: Arrive) -> None:
    visitor = arrive(shared_server)
    visitor.page.add_init_script(ORDER)

    page = visitor.enter("first of all")

    order = page.evaluate("window.order")
    assert order[0] == "socket"
    assert order.count("socket") == 1
    assert "PluralRules" in order  # "1 person": it does write down what it should


def test_a_rooms_first_load_is_light(shared_server: ChatServer, arrive: Arrive) -> None:
    visitor = arrive(shared_server)
    answers: list[Response] = []
    visitor.page.on("response", lambda answer: answers.append(answer))
    page = visitor.enter("weight")
    page.wait_for_load_state("load")

    weights = {answer.url: answer.request.sizes()["responseBodySize"] for answer in answers}

    assert len(weights) < 10, weights  # each costs a browser more than its bytes
    assert sum(weights.values()) < MOST_BYTES, sorted(weights.items(), key=lambda each: -each[1])[:8]
    kept = [answer for answer in answers if "/static/" in answer.url]
    assert all("immutable" in answer.headers["cache-control"] for answer in kept)


@pytest.mark.parametrize(("language", "scheme"), [("en-US", "light"), ("zh-CN", "dark")])
def test_axe_finds_nothing_serious(shared_server: ChatServer, arrive: Arrive, language: str, scheme: str) -> None:
    visitor = arrive(shared_server, locale=language, color_scheme=scheme, bypass_csp=True, reduced_motion="reduce")
    visitor.expected.append("status of 404")
    page = visitor.enter(f"axe {language} {scheme}")
    visitor.say("hello, see https://example.org")
    expect(page.locator(".msg.pending")).to_have_count(0)
    page.locator("#find").click()
    page.locator(".search input").fill("hello")
    expect(page.locator(".search mark")).to_have_count(1)
    found = _serious(page)
    page.keyboard.press("Escape")
    page.locator("#settings-toggle").click()
    expect(page.locator("#settings form[inert]")).to_have_count(0)
    found += _serious(page)
    page.keyboard.press("Escape")
    page.locator(".msg").hover()
    page.locator(".toolbar [data-act=more]").click()
    expect(page.locator(".picker input")).to_be_focused()
    found += _serious(page)
    for path in ("/chat/", "/nowhere", "/offline"):
        page.goto(shared_server.address + path)
        found += _serious(page)

    assert found == []


def _serious(page: Page) -> list[str]:
    """What axe-core calls serious or critical, with the first node of each."""
    violations: list[dict[str, Any]] = Axe().run(page).response["violations"]
    grave = [each for each in violations if each["impact"] in ("serious", "critical")]
    return [f"{page.url}: {each['id']}: {each['nodes'][0]['html'][:120]}" for each in grave]


def test_the_page_can_be_read_from_right_to_left(shared_server: ChatServer, arrive: Arrive) -> None:
    visitor = arrive(shared_server, viewport={"width": 1280, "height": 700})
    page = visitor.enter("غرفة")
    visitor.say("مرحبا بالجميع")
    expect(page.locator(".msg.pending")).to_have_count(0)
    assert page.evaluate("getComputedStyle(document.querySelector('.msg .text')).direction") == "rtl"

    page.evaluate("document.documentElement.dir = 'rtl'")

    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    nav, people = page.locator(".rooms").bounding_box(), page.locator(".people").bounding_box()
    assert nav is not None
    assert people is not None
    assert nav["x"] > people["x"]


PHONE = {"viewport": {"width": 320, "height": 640}, "has_touch": True, "is_mobile": True}


def test_the_composer_stays_in_sight_over_a_phones_keyboard(shared_server: ChatServer, arrive: Arrive) -> None:
    visitor = arrive(shared_server, **PHONE)
    page = visitor.page
    page.add_init_script("Object.defineProperty(visualViewport, 'height', { get: () => window.seen ?? innerHeight })")
    visitor.enter("a phone's keyboard")
    for number in range(30):
        visitor.say(f"line {number}")
    expect(page.locator(".msg.pending")).to_have_count(0)

    page.evaluate(
        """() => {
        document.getElementById('chat-log').scrollTop -= 1;  // as when a message comes in the same frame
        window.seen = 340;
        visualViewport.dispatchEvent(new Event('resize'));
    }"""
    )

    composer = page.locator("#composer").bounding_box()
    assert composer is not None
    assert composer["y"] + composer["height"] <= 340
    expect(page.locator(".msg").last).to_be_in_viewport()
    assert page.locator(".msg").last.evaluate("(row) => row.getBoundingClientRect().bottom") <= composer["y"] + 1


def test_whatever_a_finger_is_for_is_large_enough(shared_server: ChatServer, arrive: Arrive) -> None:
    visitor = arrive(shared_server, **PHONE)
    page = visitor.enter("fingers")
    page.locator("#find").click()
    page.locator("#people-toggle").click()
    small = _small(page)
    page.goto(f"{shared_server.address}/chat/")
    small += _small(page)

    assert small == []


def _small(page: Page) -> list[str]:
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll('button, input, textarea')].filter((each) => each.checkVisibility())
        .map((each) => [each.id || each.textContent, each.getBoundingClientRect()])
        .filter(([, { width, height }]) => width && (width < 44 || height < 44))
        .map(([name, { width, height }]) => `${name}: ${width} x ${height}`)"""
    )
    return found


def test_offline_the_worker_says_so_and_keeps_no_page(sqlite_server: ChatServer, arrive: Arrive) -> None:
    visitor = arrive(sqlite_server, service_workers="allow")
    visitor.expected += ["status of 504", "net::ERR"]
    page = visitor.enter("installed")
    visitor.say("nobody's to keep")
    page.wait_for_function("() => navigator.serviceWorker.ready.then(({active}) => active?.state === 'activated')")
    kept = page.evaluate(
        """async () => {
        const requests = await Promise.all((await caches.keys()).map(async (name) => (await caches.open(name)).keys()));
        return requests.flat().map(({ url }) => new URL(url).pathname);
    }"""
    )
    assert kept
    assert [path for path in kept if not path.startswith("/static/")] == ["/offline"]
    page.reload()  # from now on the worker answers
    visitor.is_live()

    sqlite_server.kill()
    page.goto(sqlite_server.room("installed"))

    expect(page.get_by_role("heading", name="You are offline.")).to_be_visible()
    expect(page.get_by_role("link", name="Try again")).to_be_visible()
    assert page.evaluate("getComputedStyle(document.body).fontFamily") != ""
    sqlite_server.start()
    page.get_by_role("link", name="Try again").click()
    visitor.is_live()


INSTALL = """async () => {
    const { installing } = await navigator.serviceWorker.register('/worker.js');
    const over = () => ['redundant', 'activated'].includes(installing.state);
    while (!over()) await new Promise((changed) => { installing.onstatechange = changed; });
    return installing.state;
}"""


@pytest.mark.parametrize(("behind", "state"), [("nothing", "activated"), ("pages/room.js", "redundant")])
def test_the_worker_keeps_no_file_of_another_version(
    shared_server: ChatServer, arrive: Arrive, behind: str, state: str
) -> None:
    """In a rolling restart an older instance may be asked for a file of the newer one; it answers with its own."""

    class Proxy(_Quiet):
        def do_GET(self) -> None:
            path = self.path
            if path.endswith(behind):
                path = path.replace(path.split("/")[2], "0" * 12)  # which is this file's hash to nobody
            with urlopen(shared_server.address + path) as answer:
                body = answer.read()
                self.send_response(answer.status)
                for name in ("Content-Type", "Cache-Control"):
                    self.send_header(name, answer.headers[name])
                self.end_headers()
                self.wfile.write(body)

    visitor = arrive(shared_server, bypass_csp=True, service_workers="allow")
    with _serving(Proxy) as address:
        visitor.faults = _Forgiving(address)
        visitor.page.goto(f"{address}/offline")

        assert visitor.page.evaluate(INSTALL) == state


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def other_site(tmp_path: Path) -> Iterator[str]:
    """Another origin, as docs.example.org is to chat.example.org: files of tmp_path/site."""
    (tmp_path / "site").mkdir()
    with _serving(partial(_Quiet, directory=str(tmp_path / "site"))) as address:
        yield address


@contextmanager
def _serving(handler: Callable[..., http.server.BaseHTTPRequestHandler]) -> Iterator[str]:
    """The address at which *handler* answers."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_another_sites_frame_shows_the_room_and_knows_nobody(
    tmp_path: Path, other_site: str, arrive: Arrive, monkeypatch: pytest.MonkeyPatch
) -> None:
    (documented,) = blocks(ROOT / "docs/embed.md", "html")
    origin = other_site  # the same site: a browser would send the cookie along
    monkeypatch.setenv("CHAT_SERVER_EMBED_ORIGINS", origin)
    server = ChatServer(tmp_path).start()
    try:
        visitor = arrive(server)
        visitor.expected += ["frame-ancestors", "status of 404"]
        visitor.faults = _Forgiving(origin)
        (tmp_path / "site" / "index.html").write_text(
            f"<!doctype html><title>Docs</title>{documented.replace('https://chat.example.org', server.address)}"
            f'<iframe src="{server.room("help")}"></iframe>'
        )
        page = visitor.enter("help")
        visitor.say("from the chat itself")
        page.goto(origin)
        frame = page.frame_locator("iframe").first
        expect(frame.locator(".msg .text")).to_have_text(["from the chat itself"])
        frame.locator("#chat-message-input").fill("from the frame")
        frame.locator("#chat-message-input").press("Enter")

        expect(frame.locator(".msg .text")).to_have_text(["from the chat itself", "from the frame"])
        expect(frame.locator(".msg.first")).to_have_count(2)  # somebody else, though it is the same browser
        frame.locator(".msg").last.hover()
        expect(frame.get_by_role("toolbar").get_by_role("button", name="Reply")).to_be_visible()
        expect(frame.get_by_role("button", name=re.compile("Edit|Delete"))).to_have_count(0)  # it would be refused
        frame.locator("#chat-message-input").press("ArrowUp")
        expect(frame.locator(".editor")).to_have_count(0)
        expect(page.frame_locator("iframe").last.locator("#chat-log")).to_have_count(0)  # the page itself: refused
        visitor.enter("help")
        wait_for_log(visitor.page, lambda text: text.endswith("from the frame\n"))
        framed = arrive(server, bypass_csp=True, reduced_motion="reduce")
        framed.page.goto(f"{server.address}/embed/help/")
        framed.is_live()
        assert _serious(framed.page) == []
    finally:
        server.stop()


class _Forgiving(list[str]):
    """Faults, but for asking *origin*, and for what stands in the second frame's place, which was refused."""

    def __init__(self, origin: str) -> None:
        super().__init__()
        self._origin = origin

    def append(self, fault: str) -> None:
        if self._origin not in fault and "chrome-error" not in fault:
            super().append(fault)
