"""What is said, as people see it: formatting from the server's tree, links that can be trusted, and hostile texts that
stay text."""

from __future__ import annotations

from playwright.sync_api import Page, WebSocketRoute, expect

from tests.browser.chat_server import ChatServer
from tests.browser.conftest import Arrive
from tests.browser.test_room import HOSTILE
from tests.browser.visitor import wait_for_log

TEXT = ".msg .text"


def test_formatting_is_shown_to_everybody(shared_server: ChatServer, arrive: Arrive) -> None:
    one, other = arrive(shared_server), arrive(shared_server)
    one.enter("formatting")
    page = other.enter("formatting")

    one.say("**bold** *italic* ~~struck~~ `code`\n> asked\nanswered\n\n2. two\n9. nine\n```py\nif x:\n    y\n```")

    text = page.locator(TEXT)
    for kind, shown in [("strong", "bold"), ("em", "italic"), ("s", "struck"), ("p code", "code")]:
        expect(text.locator(kind)).to_have_text(shown)
    expect(text.locator("blockquote")).to_have_text("asked")
    assert [item.get_attribute("value") for item in text.locator("ol > li").all()] == ["2", "9"]
    expect(text.locator("pre")).to_have_text("if x:\n    y")
    expect(text.locator(".code > div")).to_contain_text("py")
    assert "**bold**" in wait_for_log(page, bool)  # the tutorial's view has the text as it was written


def test_code_can_be_copied(shared_server: ChatServer, arrive: Arrive) -> None:
    visitor = arrive(shared_server, permissions=["clipboard-read", "clipboard-write"])
    page = visitor.enter("copy")
    visitor.say("```\n a <b>\n\tc\n```")

    page.get_by_role("button", name="Copy", exact=True).click()

    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == " a <b>\n\tc"


def test_a_link_that_looks_like_another_gives_itself_away(shared_server: ChatServer, arrive: Arrive) -> None:
    visitor = arrive(shared_server)
    page = visitor.enter("masks")

    visitor.say("[https://bank.example](https://evil.example/x) [fine](https://example.org/) http://b\u0430nk.example/")

    links = page.locator(f"{TEXT} a")
    expect(links).to_have_text(
        ["https://bank.example (evil.example)", "fine", "http://b\u0430nk.example/ (xn--bnk-6cd.example)"]
    )
    assert [link.get_attribute("rel") for link in links.all()] == ["noopener noreferrer nofollow ugc"] * 3
    assert {link.get_attribute("target") for link in links.all()} == {"_blank"}


def test_a_host_counts_only_where_an_address_has_it(shared_server: ChatServer, arrive: Arrive) -> None:
    page = arrive(shared_server).enter("bait")
    masks = [
        "https://bank.example/evil.example",
        "https://evil.example@bank.example",
        "bank.example/?u=https://evil.example",
        "https://bank\u3002example/evil.example",
    ]
    honest = ["https://evil.example/?u=bank.example", "EVIL.example", "http://evil.example:80/"]

    shown = page.evaluate(
        """async (labels) => {
        const { nodesOf } = (await import('chat/room')).$rich;
        return labels.map((label) => nodesOf([['a', 'https://evil.example/x', label]])[0].textContent);
    }""",
        [*masks, *honest],
    )

    assert shown == [*(f"{mask} (evil.example)" for mask in masks), *honest]


def test_hostile_text_stays_text(shared_server: ChatServer, arrive: Arrive) -> None:
    visitor = arrive(shared_server)
    page = visitor.enter("hostile kinds")
    kinds = [*HOSTILE, "😀" * 4000, "[a](javascript:alert(1))", "<svg/onload=alert(1)>**<img src=x onerror=alert(1)>**"]

    for text in kinds:
        visitor.say(text)

    expect(page.locator(TEXT)).to_have_count(len(kinds))
    expect(page.locator(".msg.pending")).to_have_count(0)
    assert page.locator(TEXT).all_text_contents() == [text.replace("**", "") for text in kinds]
    assert page.locator(f"{TEXT} :not(strong)").count() == 0


def test_a_hostile_tree_builds_nothing_but_known_nodes(shared_server: ChatServer, arrive: Arrive) -> None:
    """A log may hold what another version wrote: the page trusts the kinds it knows, and no address but safe ones."""
    visitor = arrive(shared_server)
    trees = (
        '["a ",["script","alert(1)"],["a","javascript:alert(1)","click"],["__proto__","x"],["constructor","y"],'
        '["b",["img","http://x/",["i","z"]]],["a","data:text/html,x","d"],["pre","<b>","c"]]'
    )
    visitor.page.route_web_socket("**/ws/chat/**", lambda link: _poison(link, trees))
    page = visitor.enter("trees")

    visitor.say("poison")

    expect(page.locator(TEXT)).to_contain_text("click")
    text = page.locator(TEXT)
    assert text.locator(":not(span, strong, em, div, pre, code, button)").count() == 0
    assert (text.text_content() or "").split() == ["a", "alert(1)", "clickx", "y", "http://x/z", "d<b>Copyc"]


def _poison(link: WebSocketRoute, tree: str) -> None:
    server = link.connect_to_server()
    server.on_message(
        lambda text: link.send(str(text).replace('"message":"poison"', f'"message":"poison","rich":{tree}'))
    )


def test_code_is_no_wider_than_a_phone(shared_server: ChatServer, arrive: Arrive) -> None:
    visitor = arrive(shared_server, viewport={"width": 320, "height": 568}, has_touch=True, is_mobile=True)
    page = visitor.enter("narrow")

    visitor.say("```\n" + "x" * 400 + "\n```")
    visitor.say("> " + "W" * 200 + "\n- `" + "y" * 200 + "`")

    expect(page.locator(TEXT)).to_have_count(2)
    expect(page.locator(".msg.pending")).to_have_count(0)
    assert _overflow(page) == 0


def _overflow(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))
