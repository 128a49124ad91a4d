"""What Markdown in a message becomes: few kinds, safe addresses, and never other words than were written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chat_aiohttp.rich import ADDRESSES_MOST, DEPTH_MOST, LINES_MOST, MARKS_MOST, Node, tree

INLINE = {"b", "i", "s", "code", "a"}
BLOCKS = {"p", "pre", "quote", "ul", "ol"}
FENCE = "```"


@pytest.mark.parametrize(
    "text",
    [
        "hello",
        "小伟：看到了，漂亮。",
        "a\nb\n\n  c",
        "snake_case and __init__ and 2 * 3 = 6 = 1*2*3 and 2**8 - 2**7",
        "@Ada, see README.md (at 10:30)",
        "-",
        ">",
        "1.",
        "#room",
        ">5 people\n>:(\n>>> print(1)",
        "<b>bold</b> <script>alert(1)</script> <img src=x onerror=alert(1)>",
        "[a](javascript:alert(1)) [b](data:text/html,x) [c](//evil.example) [d](http:///etc) <vbscript:x>",
        "ftp://example.org javascript:alert(1) example.org",
        "---",
        "&lt;b&gt; &amp; &#42;",
    ],
)
def test_what_means_nothing_more_stays_text(text: str) -> None:
    assert tree(text) is None


@pytest.mark.parametrize(
    ("text", "nodes"),
    [
        ("a **b** c", ["a ", ["b", "b"], " c"]),
        ("*a* _b_ ~~c~~ `d`", [["i", "a"], " ", ["i", "b"], " ", ["s", "c"], " ", ["code", "d"]]),
        ("***a***", [["i", ["b", "a"]]]),
        ("请**注意：**明天", ["请", ["b", "注意："], "明天"]),
        ("**“好”**吗", [["b", "“好”"], "吗"]),
        ("__main__.py is *it*", ["__main__.py is ", ["i", "it"]]),
        ("# Head\nbody", [["p", ["b", "Head"]], ["p", "body"]]),
        (f"{FENCE}py\nif x:\n    y\n{FENCE}", [["pre", "py", "if x:\n    y"]]),
        (f"{FENCE}some words\ncode\n{FENCE}", [["pre", "", "some words\ncode"]]),
        ("> asked\nanswer", [["quote", ["p", "asked"]], ["p", "answer"]]),
        ("- a\n- b\nend", [["ul", ["li", 0, "a"], ["li", 0, "b"]], ["p", "end"]]),
        ("3. a\n7. b", [["ol", ["li", 3, "a"], ["li", 7, "b"]]]),
        ("x\n    y `z`", ["x\n    y ", ["code", "z"]]),
        ("[it](https://example.org/a)", [["a", "https://example.org/a", "it"]]),
        ("![it](http://example.org/a.png)", ["!", ["a", "http://example.org/a.png", "it"]]),
        ("https://example.org/%20a_(b).", [["a", "https://example.org/%20a_(b)", "https://example.org/%20a_(b)"], "."]),
        ("见https://example.org/a。好", ["见", ["a", "https://example.org/a", "https://example.org/a"], "。好"]),
        ("[a]: http://a.example", ["[a]: ", ["a", "http://a.example", "http://a.example"]]),
        ("ada@example.org", [["a", "mailto:ada@example.org", "ada@example.org"]]),
        ('[it](http://example.org "says") *x*', [["a", "http://example.org", "it"], " “says” ", ["i", "x"]]),
    ],
)
def test_what_means_more_becomes_a_tree(text: str, nodes: list[Node]) -> None:
    assert tree(text) == nodes


def test_more_than_anybody_writes_stays_text() -> None:
    assert tree("*a* " * (MARKS_MOST // 2)) is not None
    assert tree("*a* " * (MARKS_MOST // 2 + 1)) is None
    assert tree("*a*" + "\n" * (LINES_MOST + 1) + "b") is None
    assert tree("*a*" + "\n\nb" * MARKS_MOST) is None
    assert tree("http://a.example " * ADDRESSES_MOST) is not None
    assert tree("http://a.example " * (ADDRESSES_MOST + 1)) is None
    assert tree("> " * DEPTH_MOST + "a") is None  # the paragraph is one more
    assert tree("> " * (DEPTH_MOST - 1) + "a") is not None


def test_a_wall_of_code_is_code() -> None:
    code = "*p[i] = &a_b[c_d];\n" * 100

    assert tree(f"see\n{FENCE}c\n{code}{FENCE}") == [["p", "see"], ["pre", "c", code.rstrip("\n")]]


MARKS = "* ** _ __ ~~ ` ``` [ ]( ) ![ < > \\ | --- === \" ' &amp; <script> // data: mailto: https:// word 字 。"
ADDRESSES = (
    "http://a.example/ a@b.example javascript:alert(1) [x](javascript:alert(1)) [x](data:text/html,y) [x](http:y)"
)
MORE = ["\n", "\n\n", "- ", "1. ", "# ", "> ", "\t", "    ", "\u202e", "\u200b", "[x](//evil.example)", "<vbscript:x>"]
FRAGMENTS = st.sampled_from([*MARKS.split(), *ADDRESSES.split(), *MORE])
TEXTS = st.lists(st.one_of(FRAGMENTS, st.text(max_size=6)), max_size=40).map("".join)


@given(TEXTS)
@example("[a](http://a.example/ 'b')")
@example("- \n  - x")
def test_any_text_gives_known_kinds_safe_addresses_and_its_own_words(text: str) -> None:
    nodes = tree(text)
    if nodes is None:
        return

    for node in flat(nodes):
        if isinstance(node, str):
            continue
        assert node[0] in INLINE | BLOCKS | {"li"}
        if node[0] == "a":
            check_address(node[1])
    shown, kept = list(texts(nodes)), " ".join(attributes(nodes))
    assert [word for word in words(text) if word not in "".join(shown) + kept] == []
    assert [word for word in words(" ".join(shown)) if word not in text] == []


def check_address(address: str) -> None:
    parts = urlsplit(address)
    assert parts.scheme in ("http", "https", "mailto")
    assert parts.netloc or (parts.scheme == "mailto" and "@" in parts.path)
    assert not re.search(r"[\s\"<>\x00-\x20\x7f]", address)


def flat(nodes: list[Any]) -> Iterator[Any]:
    """Every node, at any depth."""
    for node in nodes:
        yield node
        if not isinstance(node, str):
            yield from flat(children(node))


def children(node: list[Any]) -> list[Any]:
    return node[{"a": 2, "li": 2, "pre": 2}.get(node[0], 1) :]


def texts(nodes: list[Any]) -> Iterator[str]:
    """What a reader sees."""
    for node in nodes:
        if isinstance(node, str):
            yield node
        else:
            yield from texts(children(node))


def attributes(nodes: list[Any]) -> Iterator[str]:
    """What of the text became an address, a language or a number; addresses with their escapes undone."""
    for node in flat(nodes):
        if isinstance(node, str):
            continue
        if node[0] == "a":
            host = urlsplit(node[1]).hostname or ""
            yield f"{unquote(node[1])} {host} {_unicode(host)}"
        elif node[0] in ("li", "pre"):
            yield str(node[1])


def _unicode(host: str) -> str:
    with suppress(UnicodeError):
        return host.encode("ascii").decode("idna")
    return ""


def words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text)
