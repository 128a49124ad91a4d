"""What may be said: the text of a message, and the emoji of a reaction. Layer 0: pure.

Texts are NFC, without controls, with "\n" as their only line end; so everyone counts the same characters, and an edit
that changes nothing is no other text."""

from __future__ import annotations

import re
import unicodedata

from chat_aiohttp.errors import BadInput

_NOT_TEXT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_LINE_END = re.compile("\r\n?|[\u2028\u2029]")
# What shows nothing at all: a message of these alone is blank.
_INVISIBLE = re.compile(
    "[\\s\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0]*"
)


# UTS #51, 1.4.9: what an emoji looks like, by its code points. An emoji of next year is one today.
_ONE = (
    "(?:[\U0001f1e6-\U0001f1ff]{2}|[0-9#*]\ufe0f?\u20e3"
    "|[\u00a9\u00ae\u203c\u2049\u2122\u2139\u2194-\u21aa\u231a-\u23ff\u24c2\u25aa-\u27bf\u2934\u2935\u2b05-\u2b55"
    "\u3030\u303d\u3297\u3299\U0001f004-\U0001f1e5\U0001f200-\U0001faff]"
    "(?:\ufe0f|[\U0001f3fb-\U0001f3ff]|[\U000e0020-\U000e007e]{1,8}\U000e007f)?)"
)
_EMOJI = re.compile(f"{_ONE}(?:\u200d{_ONE}){{0,7}}")


def said(text: str, max_chars: int, ref: str | None) -> str:
    """*text* as it is stored. Raises BadInput: blank, or over *max_chars* code points after NFC."""
    if not text.isprintable() and _NOT_TEXT.search(text):  # the first is a fast scan, and true of most of what is said
        text = _NOT_TEXT.sub("", _LINE_END.sub("\n", text))
    is_ascii = text.isascii()
    if not is_ascii and not unicodedata.is_normalized("NFC", text):
        text = unicodedata.normalize("NFC", _stream_safe(text))
    if len(text) > max_chars:
        raise BadInput(
            "message_too_long", f"A message has at most {max_chars} characters; this one has {len(text)}.", ref
        )
    if not text.strip() or (not is_ascii and _INVISIBLE.fullmatch(text)):
        raise BadInput("message_empty", "There is nothing in this message to read.", ref)
    return text


def emoji(text: object, ref: str | None) -> str:
    """*text*, which is one emoji. Raises BadInput."""
    if isinstance(text, str) and len(text) <= 32 and _EMOJI.fullmatch(text):
        return text
    raise BadInput("bad_emoji", "“emoji” must be one emoji, such as 👍.", ref)


def _stream_safe(text: str) -> str:
    """*text* with a joiner after 30 combining marks in a row (UAX #15, D4), which nobody's language needs.

    Normalizing sorts each run of marks, in quadratic time: a single frame of them would stop the loop for seconds.
    """
    safe, run = [], 0
    for char in text:
        run = run + 1 if unicodedata.combining(char) else 0
        if run > 30:
            safe.append("\u034f")
            run = 1
        safe.append(char)
    return "".join(safe)
