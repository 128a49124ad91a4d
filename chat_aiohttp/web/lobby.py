"""A room as one line of the index: its name, what was said last, and when, and how many are there. Layer 5, pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, NamedTuple

import msgspec
from yarl import URL

from chat_aiohttp.events import RoomLine
from chat_aiohttp.web.language import Language

SAID_CHARS: Final = 160  # of the last message; the style sheet cuts it to one line anyway


class Line(NamedTuple):
    """What the template shows of a room."""

    title: str
    url: URL
    people: int
    name: str  # who said the last thing,
    said: str  # and what
    ago: str
    iso: str


class _Said(msgspec.Struct):
    message: str
    name: str = ""


def line(room: RoomLine, language: Language, url: URL, now_ms: float) -> Line:
    """*room* as people who speak *language* read it, at *now_ms*."""
    last = _said(room.last)
    text = " ".join(last.message.split())[:SAID_CHARS]
    iso = datetime.fromtimestamp(room.active_ms / 1000, UTC).isoformat(timespec="seconds")
    return Line(room.title, url, room.people, last.name, text, _ago(language, now_ms - room.active_ms), iso)


def fields(room: RoomLine, path: str) -> dict[str, object]:
    """*room* for a page's module, which says how long ago in its own words."""
    last = _said(room.last)
    said = " ".join(last.message.split())[:SAID_CHARS]
    line = {"title": room.title, "path": path, "people": room.people, "name": last.name, "said": said}
    return {**line, "at": room.active_ms}


def _said(body: bytes | None) -> _Said:
    """The last message; an empty one when there is none, or when it is of a kind that is new to us."""
    try:
        return msgspec.json.decode(body or b'{"message":""}', type=_Said)
    except msgspec.DecodeError:
        return _Said("")


def _ago(language: Language, elapsed_ms: float) -> str:
    """How long ago, roughly: what the page shows until its script says it in the browser's own words."""
    say = language.gettext.ngettext
    minutes = int(elapsed_ms // 60_000)
    if minutes < 1:
        return language.gettext.gettext("now")
    if minutes < 60:
        return say("%(n)d min ago", "%(n)d min ago", minutes) % {"n": minutes}
    if (hours := minutes // 60) < 24:
        return say("%(n)d h ago", "%(n)d h ago", hours) % {"n": hours}
    return say("%(n)d day ago", "%(n)d days ago", hours // 24) % {"n": hours // 24}
