"""Words as search sees them: what a text is made of, and whether a query is in it. Layer 0: pure.

Case, accents and the width of letters don't count: “ÉCOLE”, “école” and “ecole” are one word. Scripts that are written
without spaces (Chinese, Japanese, Thai, Khmer, …), and Korean, whose words carry their endings, are taken character by
character, so that any two characters that stand together are found. A query's words must all be there; what is written
together in it ("foo-bar", 会议室) must stand together; its last word may be the beginning of a longer one.

This is the one judge of what is a hit, for every store. An index may only choose what is shown to it, and must get its
words from here. Rejected: a tokenizer of the database's own (unicode61 makes one word of a Chinese sentence, trigram
needs three characters), because stores would differ and a new Unicode version would need a new SQLite.
"""

from __future__ import annotations

import re
import unicodedata

from chat_aiohttp.errors import BadInput

QUERY_CHARS = 200  # longer queries are refused
QUERY_WORDS = 16  # the same for words: each costs a look-up
PREFIX_CHARS = 2  # letters the last word needs to stand for longer ones: one would stand for too much

_ASCII_WORD = re.compile(r"[0-9a-z]+")
# Thai, Lao, Tibetan, Myanmar, Hangul jamo, Khmer; Kana, Bopomofo, Han, Yi, Hangul and the supplementary ideographs.
_ALONE = "\u0e00-\u0fff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3021-\u30ff\u3100-\ua4cf"
_ALONE += "\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\U0001b000-\U0001b2ff\U00020000-\U0003ffff"
# The signs of the scripts of India are part of their words, but no letters to Python's \w; dandas are full stops.
_WORD = re.compile(rf"(?:(?![{_ALONE}])(?:[^\W_]|[\u0900-\u0963\u0966-\u0dff]))+|(?:(?!_)[{_ALONE}])")
_IS_ALONE = re.compile(rf"[{_ALONE}]")
# Accents, and the vowel points of Hebrew and Arabic, which are mostly left out.
_MARKS = re.compile("[\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u064b-\u065f\u0670\ufe00-\ufe0f]+")
_LETTERS = str.maketrans({"đ": "d", "ø": "o", "ł": "l", "æ": "ae", "œ": "oe", "ð": "d", "þ": "th", "ħ": "h", "ı": "i"})


def words_of(text: str) -> list[str]:
    """The words of *text* in their order, each as it is compared."""
    if text.isascii():
        return _ASCII_WORD.findall(text.lower())
    folded = unicodedata.normalize("NFKD", text.casefold()).casefold()
    folded = unicodedata.normalize("NFC", _MARKS.sub("", folded)).translate(_LETTERS)
    return _WORD.findall(folded)


class Query:
    """What someone looks for. Raises BadInput (``bad_query``) when there is nothing to look for, or too much."""

    __slots__ = ("_needles", "is_prefix", "phrases")

    def __init__(self, text: str) -> None:
        if len(text) > QUERY_CHARS:
            raise BadInput("bad_query", f"Search for at most {QUERY_CHARS} characters; these are {len(text)}.")
        # Words that must stand together, in their order; no word is empty.
        self.phrases = [words for part in text.split() if (words := words_of(part))]
        if not self.phrases:
            raise BadInput("bad_query", "There is no letter and no digit to search for.")
        if sum(map(len, self.phrases)) > QUERY_CHARS or len(self.phrases) > QUERY_WORDS:
            raise BadInput("bad_query", f"Search for at most {QUERY_WORDS} words.")
        last = self.phrases[-1][-1]
        self.is_prefix = len(last) >= PREFIX_CHARS and not _IS_ALONE.match(last)
        self._needles = [f" {' '.join(words)} " for words in self.phrases]
        if self.is_prefix:
            self._needles[-1] = self._needles[-1][:-1]

    def matches(self, text: str) -> bool:
        """Whether everything that is looked for is in *text*."""
        hay = f" {' '.join(words_of(text))} "
        return all(needle in hay for needle in self._needles)
