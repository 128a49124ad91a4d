"""Languages: which one is spoken, and that none of its words is missing."""

from __future__ import annotations

import gettext
import json
import re
from pathlib import Path

import jinja2
import pytest

from chat_aiohttp.assets import templates_dir
from chat_aiohttp.errors import NotAName
from chat_aiohttp.names import room_key
from chat_aiohttp.web import language

LOCALE = templates_dir() / "locale"
EN = json.loads((LOCALE / "en.json").read_bytes())
ZH = json.loads((LOCALE / "zh.json").read_bytes())
PO = (LOCALE / "zh" / "LC_MESSAGES" / "chat.po").read_text("utf-8")


@pytest.mark.parametrize(
    ("cookie", "accept", "chosen"),
    [
        (None, None, "en"),
        (None, "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        (None, "en;q=0.5, zh-Hant-TW;q=0.7", "zh"),
        (None, "fr, de;q=0.9", "en"),
        (None, "zh;q=0", "en"),
        (None, "*, ;;;q=x, \x00", "en"),
        ("zh", "en", "zh"),
        ("en", "zh", "en"),
        ("xx", "zh", "zh"),
    ],
)
def test_the_hand_wins_over_the_browser_and_the_browser_over_english(
    cookie: str | None, accept: str | None, chosen: str
) -> None:
    assert language.choose(cookie, accept) == chosen


# -- the modules' words


def braces(text: str | dict[str, str]) -> set[str]:
    texts = [text] if isinstance(text, str) else text.values()
    # "{count}" is "{n}" written as a word, where a language does that
    return {name.replace("count", "n") for one in texts for name in re.findall(r"\{(\w+)\}", one)}


def test_both_catalogues_have_the_same_keys_and_values() -> None:
    assert EN.keys() == ZH.keys()
    for key in EN.keys() - {"numbers"}:
        assert braces(EN[key]) == braces(ZH[key]), key


def test_every_word_a_module_says_is_there_and_every_word_is_said() -> None:
    source = "\n".join(path.read_text() for path in (templates_dir() / "static" / "js").glob("*.js"))
    said = set(re.findall(r'\bsay\("([\w.]+)"', source))
    families = {key.removesuffix(".") for key in re.findall(r"\bsay\(`([\w.]+)\$\{", source)}

    assert said <= EN.keys()
    assert {key for key in EN if key not in said and key.rpartition(".")[0] not in families} == {"numbers"}


# -- the templates' words


def entries(po: str) -> dict[str, str]:
    """msgid -> msgstr of a catalogue whose strings stand on one line each."""
    found = re.findall(r'^msgid "(.+)"\n(?:msgid_plural ".+"\n)?msgstr(?:\[0\])? "(.*)"$', po, re.MULTILINE)
    return {json.loads(f'"{english}"'): json.loads(f'"{chinese}"') for english, chinese in found}


def templates_words() -> set[str]:
    env = jinja2.Environment(extensions=["jinja2.ext.i18n"])
    words: set[str] = set()
    for template in templates_dir().glob("*.html"):
        for _, _, message in env.extract_translations(template.read_text("utf-8")):  # type: ignore[attr-defined]
            words.add(message if isinstance(message, str) else message[0])
    return words


def sources_words() -> set[str]:
    """What web/pages.py and web/lobby.py mark with _( ), or say."""
    folder = Path(language.__file__).parent
    source = "".join((folder / name).read_text("utf-8") for name in ("pages.py", "lobby.py"))
    return set(re.findall(r'\b(?:_|say|gettext)\(\s*"([^"]+)"', source))


def test_every_word_of_the_pages_is_translated_and_none_is_left_over() -> None:
    assert entries(PO).keys() == templates_words() | sources_words()
    assert all(entries(PO).values())


def test_the_compiled_catalogue_is_the_written_one() -> None:
    compiled = gettext.translation("chat", str(LOCALE), languages=["zh"])
    known = {key if isinstance(key, str) else key[0]: text for key, text in compiled._catalog.items()}  # type: ignore[attr-defined]

    assert {key: text for key, text in known.items() if key} == entries(PO)


def test_translations_fill_in_the_same_values() -> None:
    for english, chinese in entries(PO).items():
        assert set(re.findall(r"%\(\w+\)\w", english)) == set(re.findall(r"%\(\w+\)\w", chinese)), english


# -- refusals


@pytest.mark.parametrize(
    "name", ["", "..", "a/b", "a\\b", "x" * 65, "\u202ea", "a\x07b", "\u200b", "\ue000", "a\u2003b", "\u0301"]
)
def test_every_refusal_of_a_name_has_chinese_words(name: str) -> None:
    with pytest.raises(NotAName) as refused:
        room_key(name)

    words = language.refusal(refused.value.words, "zh")

    assert re.search(r"[\u4e00-\u9fff]", words), refused.value.words
    assert language.refusal(refused.value.words, "en") == refused.value.words
