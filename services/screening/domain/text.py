"""Petition text as the linker reads it: folded characters, and tables that tell where a name of a place ends.

A name (小区, 学院, 公司, 路 …) is recognised by its last characters, as no list of the names themselves can be complete.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LONGEST = 4000  # characters of a text that are read; what ties it to a matter stands before that

LETTER, STOP, DIGIT, LATIN, REGION = 1, 2, 4, 8, 16

# Heads of names. After the bar: those that belong to the name itself (丽发新城), so that they are kept with it.
_HEADS = (
    "小区 社区 街道 学院 学校 大学 中学 小学 幼儿园 技术学院 公司 集团 广场 医院 大厦 大道 工地 酒店 银行 项目 超市 市场 物业 "
    "车站 楼盘 号线 路口 中心 商铺 平台"
)
_KEPT = "花园 家园 公园 国际 新城 村 镇 乡 苑 园 城 路 街 巷 桥 湖 院 府 庭 湾 里 居 厂 站 馆 轩 郡 墅 组 河 山 岛 港"
# A head of one character does not end a name before these: 城市, 路边, 里面 …
_NOT_BEFORE = {
    "城": "市管区乡镇建里",
    "路": "边面口灯上线过人程段障政由",
    "里": "面的",
    "院": "长子",
    "园": "区内",
    "村": "民里委干",
    "站": "在台点出",
    "街": "上边道坊",
    "组": "织成合",
    "厂": "家",
    "桥": "梁",
    "居": "民住委然",
}
_STOPS = (
    "的了在是有与和及对为被把向从到于将我你他您这那该某就都也还很不没又让给请望求问要想能会得后前旁边附近周个每各本其"
)
# Words that stand before a name and are no part of it.
_CUTS = (
    "投诉 反映 关于 请问 咨询 建议 举报 希望 请求 强烈 严重 反对 要求 恳请 质疑 解决 位于 座落 坐落 开发商 居民 业主 领导 "
    "我们 再次 询问 一楼 底层"
)


class Tables(NamedTuple):
    """What the compiled code looks up: what a character is folded to (half-width, lower case, one for one), classes by
    folded character, heads and cuts by hash, forbidden pairs by hash.
    """

    folded: NDArray[np.uint32]
    classes: NDArray[np.uint8]
    words: NDArray[np.uint64]
    kinds: NDArray[np.uint8]


def codes(title: str, text: str) -> NDArray[np.uint32]:
    """The characters of both as numbers; at most `LONGEST` of each."""
    return np.frombuffer((title[:LONGEST] + text[:LONGEST]).encode("utf-32-le", "replace"), dtype=np.uint32)


def same_text(one: str, other: str) -> bool:
    """Whether two texts differ in spaces, punctuation and width only."""
    return one == other or letters(one) == letters(other)


def letters(text: str) -> str:
    """The letters and digits of a text, folded."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", text).lower()))


def word_hash(word: Iterable[int]) -> int:
    """The hash by which the compiled code finds a word of up to four characters."""
    value = 0
    for code in word:
        value = (value << 16) | (code & 0xFFFF)
    return value


HEAD, KEPT, CUT, PAIR = 1, 2, 4, 8
_SLOTS = 1024


def _folded() -> NDArray[np.uint32]:
    table = np.arange(0x10000, dtype=np.uint32)
    for code in range(0x10000):
        if not 0xD800 <= code < 0xE000:
            plain = unicodedata.normalize("NFKC", chr(code)).lower()
            if len(plain) == 1 and ord(plain) < table.size:
                table[code] = ord(plain)
    return table


def _tables() -> Tables:
    classes = np.zeros(0x10000, dtype=np.uint8)
    classes[0x3400:0xA000] = LETTER
    classes[0xF900:0xFB00] = LETTER
    for low, high, kind in (("0", "9", DIGIT), ("a", "z", LATIN)):
        classes[ord(low) : ord(high) + 1] = LETTER | kind
    for stop in _STOPS:
        classes[ord(stop)] |= STOP
    for region in "省市区县":
        classes[ord(region)] |= REGION
    words, kinds = np.zeros(_SLOTS, dtype=np.uint64), np.zeros(_SLOTS, dtype=np.uint8)
    entries = [(word, HEAD) for word in _HEADS.split()] + [(word, HEAD | KEPT) for word in _KEPT.split()]
    entries += [(word, CUT) for word in _CUTS.split()]
    entries += [(head + after, PAIR) for head, afters in _NOT_BEFORE.items() for after in afters]
    for word, kind in entries:
        key = word_hash(map(ord, word))
        at = ((key * 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF) >> 54
        while words[at] not in (0, key):
            at = (at + 1) % _SLOTS
        words[at], kinds[at] = key, kinds[at] | kind
    return Tables(_folded(), classes, words, kinds)


TABLES = _tables()
