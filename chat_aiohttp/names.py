"""What a room or a person may be called, and which shard a room lives in. Layer 0: pure.

One validator for the page, the socket, the API and the command line: a name that passes here needs no second look, and
what is refused is refused with the character and the reason, because whoever typed it can't see a zero-width space.

Any language is fine. Refused is what can't be seen, or makes one name look like another: controls, bidi controls,
private use, unassigned, invisible letters, odd spaces; joiners only where RFC 5892 A.1 and A.2 or an emoji sequence
want them. The rules are those of PRECIS (RFC 8264, 8266) without its exceptions for symbols: emoji are welcome.

A room has a *title*, the name as first written, and a *key*, by which names are compared: folded, and without emoji
variation selectors, since keyboards disagree about sending them. `room_key(key)` is `(key, key)`: a key is a name too.

Rejected: NFKC, which turns "²" into "2"; refusing confusables (Cyrillic "а" for "a"), which no rule gets right
everywhere. Names of people that look alike are told apart instead: looks.py.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from functools import lru_cache

import idna

from chat_aiohttp.errors import NotAName

ROOM_LIMIT = 64  # code points, of the title and of the key: "ß" counts twice, since it is compared as "ss"
PERSON_LIMIT = 32

_ZWNJ, _ZWJ = "\u200c", "\u200d"
_SELECTORS = "\ufe0e\ufe0f"  # "show the character before as text", "… as emoji"
_WITHOUT_SELECTORS = str.maketrans("", "", _SELECTORS)

# Letters and marks that show nothing, so their category alone would let them pass: Default_Ignorable, braille blank.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
# Pictographs, later Unicode versions' too: their places are reserved, and Python's tables are older than phones.
_PICTOGRAPH = re.compile(
    "[©®‼⁉™ℹ\u2190-\u21ff\u2300-\u23ff\u2460-\u27bf\u2900-\u297f\u2b00-\u2bff〰〽㊗㊙\U0001f000-\U0001faff]"
)
_FLAG = re.compile("\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f")  # Scotland's, say (UTS #51)
_KEYCAP = re.compile("[0-9#*]\ufe0f\u20e3")

_REASONS = {
    "Cc": "is a control character",
    "Cf": "is invisible",
    "Cn": "is not a character yet",
    "Co": "means something else on every computer",
    "Cs": "is half a character",
    "Zl": "breaks the line",
    "Zp": "breaks the line",
    "Zs": "is an unusual space",
}
_BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_SPACES = " \u3000"  # the ordinary one, and the one that Chinese and Japanese keyboards give


@lru_cache(maxsize=4096)  # a room's members come by the same name, and a name takes longer to look at than to remember
def room_key(name: str) -> tuple[str, str]:
    """The key and the title of the room called *name*. Raises NotAName with the reason."""
    title = _composed("a room", name, ROOM_LIMIT)
    _check("a room", title, ROOM_LIMIT)
    if title in (".", ".."):
        raise NotAName("bad_name", f"A room can't be called “{title}”: in an address that means another place.")
    if match := re.search(r"[/\\]", title):
        raise NotAName(
            "bad_name", f"The name of a room can't contain “{match[0]}” ({_code(match[0])}): it divides addresses."
        )
    key = unicodedata.normalize("NFC", title.translate(_WITHOUT_SELECTORS).casefold())
    if len(key) > ROOM_LIMIT:
        raise _too_long("a room", len(key), ROOM_LIMIT)
    return key, title


def person_name(name: str) -> str:
    """*name* as others see it: NFC, trimmed, runs of spaces as one. Raises NotAName with the reason.

    The slash is allowed here, unlike in rooms: no person's name stands in an address, and "Sam (they/them)" is one.
    """
    shown = " ".join(re.split("[ \u3000]+", _composed("a person", name, PERSON_LIMIT)))
    _check("a person", shown, PERSON_LIMIT)
    return shown


def shard_of(key: str, count: int) -> int:
    """The shard, 0 to *count* - 1, of the room with this *key*. Fixed for ever: stored logs are found by it."""
    return zlib.crc32(key.encode()) % count


def _composed(whose: str, name: str, limit: int) -> str:
    # No character decomposes into more than four. A longer name can't shrink to its limit, and must not be tried:
    # normalizing sorts a run of combining marks in quadratic time, seconds for what fits a frame.
    name = name.strip()
    if len(name) > 4 * limit:
        raise _too_long(whose, len(name), limit)
    return unicodedata.normalize("NFC", name).strip()


def _check(whose: str, name: str, limit: int) -> None:
    if not name:
        raise NotAName("bad_name", f"The name of {whose} can't be empty.")
    if len(name) > limit:
        raise _too_long(whose, len(name), limit)
    if not name.isprintable() or _INVISIBLE.search(name):  # all but a few names are done here
        _look_closely(whose, name)
    if not any(_shows(char) for char in name):
        raise NotAName("bad_name", f"The name of {whose} needs something that can be seen.")


def _look_closely(whose: str, name: str) -> None:
    for position in range(len(name)):
        if reason := _refusal(name, position):
            raise NotAName("bad_name", f"The name of {whose} can't contain {_code(name[position])}: it {reason}.")


def _refusal(name: str, position: int) -> str | None:
    """Why the character at *position* can't stand there, or None."""
    char = name[position]
    category = unicodedata.category(char)
    if char in _SPACES or (category[0] in "LMNPS" and not _INVISIBLE.match(char)):
        return None
    if _belongs_to_emoji(name, position):
        return None
    if char in (_ZWNJ, _ZWJ):
        return None if _joins_letters(name, position) else "is an invisible joiner with nothing to join"
    if _BIDI.match(char):
        return "turns the direction of the text around it"
    return _REASONS.get(category, "is invisible")


def _belongs_to_emoji(name: str, position: int) -> bool:
    char, before = name[position], name[position - 1] if position else ""
    if char in _SELECTORS:
        return bool(_PICTOGRAPH.match(before) or _KEYCAP.match(name, position - 1))
    if char == _ZWJ:
        return bool(_ends_pictograph(before) and _PICTOGRAPH.match(name, position + 1))
    if "\U000e0020" <= char <= "\U000e007f":
        return any(flag.start() < position < flag.end() for flag in _FLAG.finditer(name))
    return bool(_PICTOGRAPH.match(char))  # unassigned so far, else its category had let it pass


def _ends_pictograph(char: str) -> bool:
    return char in (*_SELECTORS, "\U000e007f") or bool(_PICTOGRAPH.match(char))


def _joins_letters(name: str, position: int) -> bool:
    """RFC 5892 A.1 and A.2. idna has the table of joining types; it wants assigned characters as neighbours."""
    try:
        return idna.valid_contextj(name, position)
    except ValueError:
        return False


def _shows(char: str) -> bool:
    return unicodedata.category(char)[0] in "LNPS" or bool(_PICTOGRAPH.match(char))


def _too_long(whose: str, length: int, limit: int) -> NotAName:
    return NotAName("bad_name", f"The name of {whose} can have {limit} characters; this one has {length}.")


def _code(char: str) -> str:
    return f"U+{ord(char):04X}"


def guest_name(public_id: str, language: str) -> str:
    """A friendly name for someone who gave none: always the same for one *public_id*, in the page's *language*."""
    lot = zlib.crc32(public_id.encode())
    if language.lower().startswith("zh"):
        return _ZH_MOODS[lot % 64] + "的" + _ZH_BEINGS[lot // 64 % 64]
    return f"{_MOODS[lot % 64]} {_BEINGS[lot // 64 % 64]}"


# 64 × 64 in each language: nothing that any pair could turn into a slight, no animal that stands for a fault.
_MOODS = """
    Able Airy Amber Autumn Balmy Blithe Bright Brisk Calm Candid Caring Cheery Clear Clever Cosy Crisp
    Daring Dawn Deft Eager Early Earnest Easy Fair Fleet Fond Frank Gentle Gifted Glad Golden Graceful
    Happy Hardy Hearty Hopeful Jolly Joyful Keen Kind Lively Lucid Lucky Mellow Merry Mild Nimble Noble
    Patient Placid Polite Quick Quiet Radiant Ready Serene Spry Steady Sunny Swift Tidy Warm Wise Witty
""".split()
_BEINGS = """
    Alder Albatross Aspen Avocet Badger Birch Bluebell Bumblebee Butterfly Cedar Cheetah Chickadee Clover Coral
    Cormorant Cricket Crane Cypress Dahlia Dolphin Dragonfly Egret Falcon Fern Finch Firefly Gazelle Gecko Goldfinch
    Hazel Hedgehog Heron Ibex Iris Jasmine Kestrel Kingfisher Koala Lark Lemur Linden Lynx Magnolia Maple Marten Martin
    Narwhal Nightingale Okapi Oriole Osprey Otter Panda Penguin Plover Puffin Robin Sparrow Starling Swallow Swan Tern
    Willow Wren
""".split()
_ZH_MOODS = """
    安静 温柔 快乐 勇敢 聪明 善良 友好 耐心 开朗 活泼 从容 优雅 灵巧 勤快 细心 热情
    诚恳 坦率 大方 谦和 沉稳 机敏 幸运 悠闲 自在 明亮 清新 晴朗 和气 体贴 乐观 坚定
    专注 好奇 认真 可靠 真诚 爽朗 敏捷 轻盈 欢喜 欢快 淡定 恬静 清澈 闪亮 金色 蔚蓝
    翠绿 雪白 早起 爱笑 爱唱歌 爱读书 会飞 远行 踏实 能干 豁达 宽厚 慷慨 博学 风趣 机智
""".split()
_ZH_BEINGS = """
    水獭 海豚 企鹅 熊猫 考拉 松鼠 刺猬 白鹭 仙鹤 天鹅 喜鹊 燕子 云雀 夜莺 黄鹂 百灵
    翠鸟 知更鸟 蜂鸟 孔雀 鸿雁 雨燕 海鸥 信天翁 蜻蜓 蝴蝶 萤火虫 蜜蜂 瓢虫 梅花鹿 驯鹿 麋鹿
    羚羊 骆驼 羊驼 大象 长颈鹿 斑马 骏马 雪豹 猎豹 猞猁 海豹 海星 海马 珊瑚 蓝鲸 白鲸
    锦鲤 银杏 枫树 白杨 垂柳 青松 翠竹 桂花 茉莉 玉兰 荷花 山茶 向日葵 蒲公英 三叶草 薰衣草
""".split()
