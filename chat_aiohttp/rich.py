"""Markdown, made into a small tree of nodes once, when a message is written. Layer 0: pure. The page: docs/protocol.md.

A node is a text, or a list whose first item is its kind. The kinds are all there is: what isn't bold, italic, struck,
code, a quotation, a list or a link stays the text it was, HTML and images above all. So a page builds its nodes from an
allowlist, and no string of a message is ever parsed as anything again. Line breaks stay line breaks in the text.

    inline   ["b", …]  ["i", …]  ["s", …]  ["code", text]  ["a", address, …]
    blocks   ["p", …]  ["pre", language, text]  ["quote", …]  ["ul", item…]  ["ol", item…]
    item     ["li", number, …]   number: what was written before it in an "ol", else 0

Plain text is the common case and pays for a scan or two. Parsing is bounded by the message's length, its marks,
lines and addresses outside of code (MARKS_MOST, LINES_MOST, ADDRESSES_MOST) and its depth (DEPTH_MOST); beyond those it
stays text.

Rejected: Markdown in the browser. Every reader would parse what one writer wrote, each with its own bugs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from markdown_it.token import Token

from chat_aiohttp.dialect import MARKDOWN

Node = str | list[Any]

MARKS_MOST: Final = 240  # characters that could mean something; with more of them nobody wrote it as a message
LINES_MOST: Final = 300
ADDRESSES_MOST: Final = 24  # they cost the most to find
DEPTH_MOST: Final = 6  # lists and quotations in each other
LABEL_MOST: Final = 24  # characters of a code block's language

# What may mean something, in a line or at its beginning. The first is a set of characters and nothing else, so that
# plain text is searched in one fast scan.
_CHARACTERS = re.compile(r"[*_~`@\]:]")
_IN_LINE = re.compile(r"[*_~`]|\]\(|://|(?<=[^\s@])@")
_AT_LINE = re.compile(r"(?:\A|\n) {0,3}(?:> |#{1,6} |[-+] |[0-9]{1,9}[.)] )")
_MARKS = re.compile(r"[*_~`\[\]<>\\]|(?:\A|\n)[ \t]*[-+#0-9\n]")  # an empty line begins a paragraph
_ADDRESSES = re.compile(r"\]\(|://|(?<=[^\s@])@|mailto:", re.IGNORECASE)
_LABEL = re.compile(rf"[\w.+#-]{{1,{LABEL_MOST}}}")

_MARKED: Final = {"strong_open": "b", "em_open": "i", "s_open": "s"}
_BLOCKS: Final = {"blockquote_open": "quote", "bullet_list_open": "ul", "ordered_list_open": "ol"}


def tree(text: str) -> list[Node] | None:
    """What *text* says beyond its letters, or None: there is nothing but letters. Never raises."""
    if _is_plain(text) or (_is_too_much(text) and _is_too_much(_outside_code(text))):
        return None
    nodes = _Walk(MARKDOWN.parse(text)).nodes()
    if nodes is None or all(isinstance(node, str) for node in nodes):
        return None
    return nodes


def _is_plain(text: str) -> bool:
    return (_CHARACTERS.search(text) is None or _IN_LINE.search(text) is None) and (
        _AT_LINE.match(text) is None and ("\n" not in text or _AT_LINE.search(text) is None)
    )


def _is_too_much(text: str) -> bool:
    return (
        text.count("\n") > LINES_MOST
        or len(_MARKS.findall(text)) > MARKS_MOST
        or len(_ADDRESSES.findall(text)) > ADDRESSES_MOST
    )


def _outside_code(text: str) -> str:
    """*text* without its code blocks: whatever is in there, it costs nothing."""
    lines, inside = [], False
    for line in text.split("\n"):
        if line.startswith("```") and (line.rstrip() == "```" if inside else "`" not in line[3:]):
            inside = not inside
        elif not inside:
            lines.append(line)
    return "\n".join(lines)


class _Walk:
    """From markdown-it's flat list of tokens to a tree."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = iter(tokens)
        self._depth = 0
        self._is_whole = True  # does the tree say all that the text says?

    def nodes(self) -> list[Node] | None:
        """The tree; None if the text says more than it."""
        found = list(self._blocks())
        if len(found) == 1 and found[0][0] == "p":
            found = found[0][1:]  # the usual message: one paragraph, which needs no wrapping
        return found if self._is_whole else None

    def _blocks(self) -> Iterator[Any]:
        for token in self._tokens:
            if token.type in _BLOCKS:
                yield self._filled([_BLOCKS[token.type], *self._inside()], 1)
            elif token.type == "list_item_open":
                yield self._filled(["li", int(token.info or 0), *self._inside()], 2)
            elif token.type == "fence":
                yield _fence(token)
            elif token.type == "inline":
                yield from self._inline(token.children or [])
            elif token.type == "heading_open":
                yield ["p", self._filled(["b", *self._inside()], 1)]
            elif token.type == "paragraph_open" and not token.hidden:
                yield self._filled(["p", *self._inside()], 1)
            elif token.nesting < 0 and not token.hidden:
                return

    def _inside(self) -> Iterator[Any]:
        """What is in the block that was just opened, up to its end."""
        self._depth += 1
        self._is_whole = self._is_whole and self._depth <= DEPTH_MOST
        yield from self._blocks()
        self._depth -= 1

    def _filled(self, node: list[Any], head: int) -> list[Any]:
        """*node*, if there is something in it: the mark of an empty block is all that someone wrote."""
        self._is_whole = self._is_whole and len(node) > head
        return node

    def _inline(self, tokens: list[Token]) -> list[Node]:
        heads: list[list[Any]] = []
        nodes: list[list[Node]] = [[]]  # the children of each that is open
        for token in tokens:
            if token.nesting > 0:
                heads.append(_head(token))
                nodes.append([])
            elif token.nesting < 0:
                _join(nodes, self._closed(heads.pop(), nodes.pop()))
            elif token.type == "code_inline":
                nodes[-1].append(["code", token.content])
            else:
                _join(nodes, [token.content])
        return nodes[0]

    def _closed(self, head: list[Any], children: list[Node]) -> list[Node]:
        match head:
            case ["__"]:  # Python's, not somebody's emphasis
                return ["__", *children, "__"]
            case ["a", address, title]:
                return [self._filled(["a", address, *children], 2), *([f" “{title}”"] if title else [])]
        return [[*head, *children]]


def _head(token: Token) -> list[Any]:
    """The beginning of the inline node that *token* opens."""
    if token.type == "link_open":
        return ["a", str(token.attrs["href"]), token.attrs.get("title")]
    return ["__"] if token.markup == "__" else [_MARKED[token.type]]


def _join(nodes: list[list[Node]], more: list[Node]) -> None:
    """Put *more* behind the innermost open node's children, texts together."""
    children = nodes[-1]
    for node in more:
        if isinstance(node, str) and children and isinstance(children[-1], str):
            children[-1] += node
        elif node != "":
            children.append(node)


def _fence(token: Token) -> Node:
    label = token.info.strip()
    if label and not _LABEL.fullmatch(label):
        return ["pre", "", f"{label}\n{token.content}".rstrip("\n")]
    return ["pre", label, token.content.rstrip("\n")]
