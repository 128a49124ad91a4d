"""Which language a page speaks, and its words. Layer 5, but pure: it is given headers and cookies, never a request.

Whoever chose by hand gets that (cookie ``lang``); else the browser's Accept-Language decides; else English. Pages take
their words from gettext (templates/locale/zh/LC_MESSAGES/chat.mo; English is the source), modules theirs from one JSON
catalogue per language, which the page carries as a data block.

Rejected: Babel at run time (33 MB of locale data for two languages whose dates the browser knows how to write).
"""

from __future__ import annotations

import gettext
import json
import re
from pathlib import Path
from typing import Any, Final, NamedTuple

COOKIE: Final = "lang"
COOKIE_MAX_AGE_S: Final = 400 * 86_400  # as long as browsers keep a cookie at all


class Language(NamedTuple):
    """A language and its words: *code* names it, HTML's ``lang`` gets *tag*, its speakers call it *own_name*."""

    code: str
    tag: str
    own_name: str
    gettext: gettext.NullTranslations
    words: dict[str, Any]  # for the modules


CODES: Final = {"en": ("en", "English"), "zh": ("zh-Hans", "中文")}
DEFAULT: Final = "en"


def load(templates: Path) -> dict[str, Language]:
    """All languages, by code. Raises OSError when a catalogue is missing: half a language is worse than no start."""
    return {code: _language(templates / "locale", code) for code in CODES}


def _language(folder: Path, code: str) -> Language:
    tag, own_name = CODES[code]
    words = json.loads((folder / f"{code}.json").read_bytes())
    translations = (
        gettext.NullTranslations() if code == DEFAULT else gettext.translation("chat", str(folder), languages=[code])
    )
    return Language(code, tag, own_name, translations, words)


def choose(cookie: str | None, accept: str | None) -> str:
    """The code of the language to speak."""
    if cookie in CODES:
        return cookie
    ranked = sorted(_ranges((accept or "")[:400]), key=lambda weighted: -weighted[0])
    return next((code for _, code in ranked if code in CODES), DEFAULT)


_RANGE: Final = re.compile(r"(?:^|,)\s*([A-Za-z]{1,8})(?:-[A-Za-z0-9-]*)?\s*(?:;\s*q=([01](?:\.\d{0,3})?))?\s*(?=,|$)")


def _ranges(accept: str) -> list[tuple[float, str]]:
    """The primary languages that *accept* wants, weighted (RFC 9110 section 12.5.4); nonsense is skipped."""
    weighted = [(float(weight or 1), code.lower()) for code, weight in _RANGE.findall(accept)]
    return [(weight, code) for weight, code in weighted if weight > 0]


# names.py says in English what is wrong with a name; these are its sentences, for the page that speaks Chinese.
_REFUSALS: Final = [
    (re.compile(pattern), chinese)
    for pattern, chinese in (
        (r"The name of .+ can't be empty\.", "名字不能是空的。"),
        (r"A room can't be called “(.+)”:.*", "房间不能叫“{0}”：在网址里它指的是别处。"),
        (r"The name of .+ can't contain “(.)” \((U\+\w+)\).*", "房间名里不能有“{0}”（{1}）：它在网址里用来分段。"),
        (r"The name of .+ can have (\d+) characters; this one has (\d+)\.", "名字最多 {0} 个字，这个有 {1} 个。"),
        (r"The name of .+ needs something that can be seen\.", "名字里总得有看得见的字。"),
        (r"The name of .+ can't contain (U\+\w+): it is a control character\.", "名字里不能有控制字符（{0}）。"),
        (r"The name of .+ can't contain (U\+\w+): it turns .+", "名字里不能有改变文字方向的字符（{0}）。"),
        (r"The name of .+ can't contain (U\+\w+): it is an unusual space\.", "名字里不能有特殊空格（{0}）。"),
        (r"The name of .+ can't contain (U\+\w+): it breaks the line\.", "名字里不能换行（{0}）。"),
        (r"The name of .+ can't contain (U\+\w+): it (?:is|means) .+", "名字里不能有看不见或无法辨认的字符（{0}）。"),
    )
]


def refusal(words: str, code: str) -> str:
    """Why a name was refused, in the language *code*; the English *words* where no translation is known."""
    if code != "zh":
        return words
    for pattern, chinese in _REFUSALS:
        if match := pattern.fullmatch(words):
            return chinese.format(*match.groups())
    return words
