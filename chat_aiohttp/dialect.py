"""The Markdown that messages are written in: CommonMark, less what nobody means in a chat. Layer 0: pure.

A message is read by people who didn't mean Markdown, too. Where CommonMark would lose or change what they wrote, it
stays text: an indented line, a number of a list, a line below a quotation, "__init__", 2*3*4, ">5", a "-" by itself.
And Chinese has no spaces around **emphasis**, nor behind an address.
"""

from __future__ import annotations

import re
from typing import Final
from unicodedata import east_asian_width

from linkify_it import LinkifyIt  # type: ignore[import-untyped]
from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock, blockquote
from markdown_it.rules_inline import StateInline
from markdown_it.rules_inline.state_inline import Delimiter

NESTED_MOST: Final = 16  # markdown-it leaves out what is deeper: rich.py takes less than that

_ADDRESS = re.compile(
    r"https?://[^\s/?#\"<>\\^`{|}]+(?:[/?#][^\s\"<>]*)?|mailto:[^\s\"<>@]+@[^\s\"<>@]+", re.IGNORECASE
)
_CLOSES_ADDRESS = re.compile("[\u3000-\u303f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65\u2018-\u201f\u2026]")


def _quotation(state: StateBlock, line: int, end: int, silent: bool) -> bool:
    """As CommonMark's, but its mark is "> ": ">5", ">:(" and ">>> print()" are what they are."""
    at = state.bMarks[line] + state.tShift[line] + 1
    return state.src[at : at + 1] in (" ", "\n", "") and blockquote(state, line, end, silent)


def _quotation_ends(state: StateBlock, line: int, _: int, silent: bool) -> bool:
    """CommonMark goes on with a quotation or a list's item in a line that has no mark; in a chat that is the answer."""
    return silent and (state.parentType == "blockquote" or state.sCount[line] < state.blkIndent)


def _emphasis(state: StateInline, silent: bool) -> bool:
    """As CommonMark's; but between letters or digits a "*" is one ("2*3*4"), and beside a wide letter, which needs no
    space, it counts as if there were one."""
    marker = state.src[state.pos]
    if silent or marker not in "*_":
        return False
    start = state.pos
    found = state.scanDelims(start, canSplitWord=False)
    can_open, can_close = found.can_open, found.can_close
    if marker == "*" and not (can_open and can_close):
        before = state.src[start - 1 : start]
        after = state.src[start + found.length : start + found.length + 1]
        if _is_wide(before) or _is_wide(after):
            can_open, can_close = not after.isspace() and after != "", not before.isspace() and before != ""
    for _ in range(found.length):
        state.push("text", "", 0).content = marker
        delimiter = Delimiter(ord(marker), found.length, len(state.tokens) - 1, -1, can_open, can_close)
        state.delimiters.append(delimiter)
    state.pos += found.length
    return True


def _is_wide(char: str) -> bool:
    return char != "" and east_asian_width(char) in "WF"


class _Addresses(LinkifyIt):  # type: ignore[misc]  # it has no types
    """Finds addresses that say what they are. Rejected: guessing ("README.md" is a name in Moldova)."""

    def __init__(self) -> None:
        super().__init__(options={"fuzzy_link": False, "fuzzy_email": True})
        self.add("ftp:", None).add("//", None)

    def _validate_http(self, text: str, pos: int) -> int:
        """How long the address is. Chinese goes on after it without a space: its punctuation ends it, too."""
        length = int(super()._validate_http(text, pos))
        end = _CLOSES_ADDRESS.search(text, pos, pos + length)
        return length if end is None else end.start() - pos


def _parser() -> MarkdownIt:
    markdown = MarkdownIt("zero", {"linkify": True, "maxNesting": NESTED_MOST})
    markdown.enable(["fence", "blockquote", "list", "heading", "linkify"])
    markdown.enable(["escape", "backticks", "strikethrough", "emphasis", "link", "autolink"])
    # "newline" stays off: it would take the spaces away that a line begins with.
    markdown.inline.ruler.at("emphasis", _emphasis)
    markdown.block.ruler.at("blockquote", _quotation, {"alt": ["paragraph", "blockquote", "list"]})
    markdown.block.ruler.before("paragraph", "quotation_ends", _quotation_ends, {"alt": ["blockquote", "paragraph"]})
    markdown.linkify = _Addresses()
    markdown.validateLink = lambda url: _ADDRESS.fullmatch(url) is not None  # type: ignore[method-assign]
    markdown.normalizeLinkText = lambda link: link  # type: ignore[method-assign]  # shown as it was written
    return markdown


MARKDOWN: Final = _parser()
