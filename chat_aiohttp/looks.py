"""Which names look alike. Layer 0: pure.

Anybody may be called anything (names.py), also what somebody else is called: a socket is never refused for its name.
What a page can do is to mark names that can be mistaken for one another with a piece of their owners' ids, and for that
it must know which those are. Two names look alike if they have a look in common:

* as nicknames are compared (RFC 8266 section 2.4): spaces, width and case make no difference; folded rather than
  lowered, since lowering gives a sigma two forms;
* as a skeleton (UTS #39 section 4): letters of other alphabets count as the Latin letter they are drawn like.

Both are needed: "IRIS" is "iris" by case, and "lris" by its looks. A name of plain ASCII is looked at by the page
itself (templates/static/js/looks.js); the looks of any other travel with it.

Rejected: the whole of Unicode's confusables (a megabyte for alphabets that no impostor of a Latin, Greek or Cyrillic
name needs), confusable_homoglyphs (that megabyte, and no skeletons), ICU (30 MB).
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Final

LONGEST: Final = 64  # code points of a look; a few characters normalize to eighteen others

# What is drawn like the first of each row, in common typefaces: Greek, Cyrillic, Armenian, and Latin's own odd ones.
# NFKC has dealt with full-width and mathematical letters already.
_ALIKE: Final = """
    a αаɑ   b Ь   c сϲᴄ   d ԁ   e еҽ   f ƒք   g ɡցƍ   h һհ   i іıιɩӏ   j јϳ   k кκĸ   l ǀӀ|1IІΙ   n ո
    o оοσօᴏ0О   p рρ   q ԛզ   r гᴦ   s ѕꜱ   t тτ   u υսᴜʋ   v νѵᴠ   w ԝաѡᴡω   x хχ   y уγყү   z ᴢʐ
    A АΑ   B ВΒ   C СϹ   D Ԁ   E ЕΕ   F Ϝ   G Ԍ   H НΗ   J ЈͿ   K КΚ   L Լ   M МΜϺ   N ΝͶ   O ΟՕ   P РΡ   Q Ԛ
    S ЅՏ   T ТΤ   U Ս   V Ѵ   W Ԝ   X ХΧ   Y УΥҮ   Z Ζ   3 ЗӠƷȜ   6 б   8 Ȣȣ
"""


def _table() -> dict[int, str]:
    words = _ALIKE.split()
    pairs = zip(words[::2], words[1::2], strict=True)
    return {ord(char): letter for letter, chars in pairs for char in chars}


_LETTERS: Final = _table()


@lru_cache(maxsize=4096)  # a name is looked at once, not with every message
def looks_of(name: str) -> tuple[str, ...]:
    """The one or two looks of a person's *name*, each at most LONGEST code points."""
    spaced = " ".join(name.split())
    nickname = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", spaced).casefold())
    drawn = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", spaced)).translate(_LETTERS)
    skeleton = unicodedata.normalize("NFC", drawn.casefold().replace("m", "rn"))
    return tuple(dict.fromkeys((nickname[:LONGEST], skeleton[:LONGEST])))
