"""Signals in the words of a petition: danger to life, an announced step to a higher level, reprisal.

Pure functions over masked text. A signal is about what the text says, never about who wrote it: it names the class of
phrase, quotes nothing, and asks for help to come sooner. Idioms (跳楼价, 气死人), negations (不会自杀) and reports of the
past are left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

LIFE_SAFETY: Final = "life_safety"
ANNOUNCED_ESCALATION: Final = "announced_escalation"
REPRISAL: Final = "reprisal"


@dataclass(frozen=True, slots=True)
class Signal:
    """`slug` is life_safety, announced_escalation or reprisal; `phrase` the class of words that gave it, fit for an explanation."""

    slug: str
    phrase: str


PHRASES: Final[dict[str, tuple[str, str]]] = {
    "self_harm": ("流露轻生意图的表述", "words of an intention to harm oneself"),
    "farewell": ("绝望或诀别的表述", "words of despair or farewell"),
    "harm_to_others": ("伤害他人的威胁", "a threat to harm others"),
    "higher_level": ("表示将到上级机关反映", "an announced step to a higher authority"),
    "capital": ("表示将进京反映", "an announced journey to the capital"),
    "collective": ("表示将多人共同走访", "an announced visit in a group"),
    "reprisal": ("反映因举报、投诉受到报复", "a complaint of reprisal for having complained"),
}
"""Chinese and English names of the classes of phrase."""

_ACT = (
    r"(?:跳楼|跳桥|跳江|跳河|跳湖|跳下去|自杀|自焚|自尽|自残|轻生|寻死|寻短见|上吊|割腕|喝农药|喝药自|服毒|卧轨|撞死在"
    r"|一死了之|结束(?:自己的?|我的?|这条|这)?生命|了结(?:自己|此生|余生)|以死(?:抗争|明志|相逼|相争|证|鸣冤|谢罪)|死给.{0,6}看|去死(?!角))"
)
_INTENT = (
    r"(?:我.{0,2}想|真想|只想|很想|都想|想要|想着|想过|想|就要|真要|将要|要去|要|准备|打算|决定|只能|只好|只有|唯有"
    r"|不如|宁愿|宁可|会去|就去|就|逼.{0,6}去?|扬言)"
)
_SELF: Final = re.compile(_INTENT + r"(?:从.{0,6}|去|在.{0,6}|选择|用)?" + _ACT)
_FAREWELL: Final = re.compile(
    r"(?:我|我们|本人|一家|全家|真的|实在|已经?)[^,。!?;]{0,4}(?:不想活(?!动)|活够了|没有?活下去的|无法活下去|没法活(?!动)|活不成了)"
    r"|不想活了|生无可恋|(?:写好|留下|留了|这是).{0,3}遗书|来世再(?:见|报)|永别了"
)
_OTHERS: Final = re.compile(
    r"同归于尽|报复社会|血债血偿|(?:扬言|威胁|恐吓).{0,10}(?:杀|砍|捅|弄死|打死|整死|灭口|(?<!轰)炸(?!锅)|烧死)"
    r"|(?:我|我们|要|就|想|会)(?:去)?(?:杀了|砍死|捅死|弄死|炸了|炸掉|炸毁|烧了)(?:他|她|你|它|他们|你们|全家|政府|工厂|单位|办公)"
)
_SPEECH = r"(?:上访|走访|信访|反映|讨(?:个|要)?说法|告状|申诉|投诉|举报|请愿|控告|找.{0,4}(?:领导|部门))"
_WILL = r"(?:要|会|将|准备|打算|计划|只能|只好|只有|不得不|必(?:须|将)|一定|坚决|否则|不然|就|继续|再|明天|后天|下周|下个?月)"
_NEAR = r"[^,。!?;]"
_HIGHER: Final = re.compile(
    rf"{_WILL}{_NEAR}{{0,8}}(?:去|到|上|赴|往|向|至){_NEAR}{{0,3}}"
    rf"(?:省(?:里|城|委|政府|厅|级|纪)|市(?:里|委|政府)|上级|更高|上一级){_NEAR}{{0,8}}{_SPEECH}"
    rf"|{_WILL}{_NEAR}{{0,4}}(?:去|到|上|赴|找)(?:省|市|国家)信访"
    rf"|{_WILL}{_NEAR}{{0,4}}(?:越级上访|赴省上访|去省里|上省里|到省里|往上告|告到(?:省|市|上面))"
)
_CAPITAL: Final = re.compile(
    rf"{_WILL}{_NEAR}{{0,6}}(?:进京|赴京|(?:去|到|上|往|赴)(?:北京|中央|国务院|国家信访局)){_NEAR}{{0,8}}{_SPEECH}"
    rf"|{_WILL}{_NEAR}{{0,4}}告到(?:北京|中央)|{_WILL}{_NEAR}{{0,4}}(?:找|去|到)国家信访"
)
_PLACES = r"(?:去|到|在)(?:市|区|县|省|镇)?政府"
_TOGETHER: Final = re.compile(
    rf"{_WILL}{_NEAR}{{0,8}}(?:集体|联名|组织|联合|一起|共同|几百人|上百人|全体|所有){_NEAR}{{0,8}}"
    rf"(?:上访|走访|请愿|静坐|拉横幅|堵(?:门|路)|{_PLACES})"
)
_REPRISAL: Final = re.compile(
    r"(?:遭|受|被|进行|实施|对我.{0,4}|对举报人.{0,4})[^,。!?;]{0,8}(?:打击报复|报复陷害|穿小鞋|秋后算账)"
    r"|(?:因为?|由于|就因)[^,。!?;]{0,6}(?:举报|投诉|上访|信访|反映|控告)[^,。!?;]{0,12}"
    r"(?:被|遭)[^,。!?;]{0,6}(?:开除|辞退|解雇|殴打|恐吓|威胁|停职|调岗|停发|扣发|断水|断电|拘留)"
    r"|(?:举报|投诉|上访|信访|控告)(?:后|之后|了以后)[^,。!?;]{0,10}(?:遭|被|受到)[^,。!?;]{0,6}(?:威胁|恐吓|殴打|报复|骚扰|开除|辞退)"
)

_NEGATED: Final = re.compile(
    r"(?:不会|不想|不愿|不要|不能|不敢|没有?|未|别|莫|并非|不是|避免|防止|以免|禁止|劝|请勿|而不|从未|绝不|谁)[^,。!?;]{0,4}$"
)
_PAST: Final = re.compile(
    r"(?:曾经?|以前|之前|过去|上次|去年|前年|当年|听说|新闻|报道|据说|案例|假如|如果不是)[^,。!?;]{0,12}$"
)
_FEARED: Final = re.compile(r"(?:怕|担心|恐(?!吓)|惧|冒着?|以防|防止|避免|免|会不会)[^。!?;]{0,12}$")
_IDIOM: Final = re.compile(
    r"跳楼(?:价|大甩卖|甩卖|货|机)|自杀式|拼命|要命|(?:气|急|吵|热|冷|累|饿|笑|烦|熏|闷|臭|憋|羡慕|堵)死|想死你|去死角|死去"
)
_GATES: Final = {
    "self_harm": (
        "跳",
        "自杀",
        "自焚",
        "自尽",
        "自残",
        "轻生",
        "短见",
        "寻死",
        "上吊",
        "割腕",
        "药",
        "服毒",
        "卧轨",
        "死",
        "生命",
        "了结",
    ),
    "farewell": ("想活", "活够", "活下去", "活", "生无可恋", "遗书", "来世", "永别"),
    "harm_to_others": (
        "归于尽",
        "报复社会",
        "血债",
        "扬言",
        "威胁",
        "恐吓",
        "杀",
        "砍死",
        "捅死",
        "弄死",
        "炸",
        "烧了",
    ),
    "higher_level": ("省", "市委", "市里", "市政府", "市信访", "上级", "更高", "上一级", "上访", "上告", "告到"),
    "capital": ("京", "中央", "国务院", "国家信访"),
    "collective": ("访", "请愿", "静坐", "横幅", "堵门", "堵路", "政府"),
    "reprisal": ("报复", "小鞋", "算账", "举报", "投诉", "上访", "信访", "控告", "反映"),
}
"""Words without which a class cannot be there: most petitions are done after these."""
_PUNCTUATION: Final = (
    ("，", ","),
    ("！", "!"),
    ("？", "?"),
    ("；", ";"),
    ("、", ","),
    ("…", "。"),
    ("：", ","),
    (":", ","),
)


def find(title: str, text: str) -> tuple[Signal, ...]:
    """Signals of one petition, life safety first; each class of phrase at most once."""
    words = "".join(f"{title}。{text}".split())
    for mark, plain in _PUNCTUATION:
        words = words.replace(mark, plain)
    calm = _IDIOM.sub("。", words) if "死" in words or "跳楼" in words or "命" in words or "自杀式" in words else words
    found = []
    for phrase, (slug, pattern, unless) in _CLASSES.items():
        if any(gate in calm for gate in _GATES[phrase]) and _says(pattern, unless, calm):
            found.append(Signal(slug, phrase))
    return tuple(found)


def slugs(title: str, text: str) -> tuple[str, ...]:
    """The slugs of `find`, without repeats, in order."""
    return tuple(dict.fromkeys(signal.slug for signal in find(title, text)))


def encode(signals: tuple[Signal, ...]) -> tuple[str, ...]:
    """`slug:phrase` strings, the form in which signals travel where no text does."""
    return tuple(f"{signal.slug}:{signal.phrase}" for signal in signals)


def _says(pattern: re.Pattern[str], unless: tuple[re.Pattern[str], ...], words: str) -> bool:
    for match in pattern.finditer(words):
        before = words[max(0, match.start() - 16) : match.start()]
        if not any(exception.search(before) for exception in unless):
            return True
    return False


_CLASSES: Final = {
    "self_harm": (LIFE_SAFETY, _SELF, (_NEGATED, _PAST)),
    "farewell": (LIFE_SAFETY, _FAREWELL, (_NEGATED, _PAST)),
    "harm_to_others": (LIFE_SAFETY, _OTHERS, (_NEGATED, _PAST)),
    "higher_level": (ANNOUNCED_ESCALATION, _HIGHER, (_NEGATED, _PAST)),
    "capital": (ANNOUNCED_ESCALATION, _CAPITAL, (_NEGATED, _PAST)),
    "collective": (ANNOUNCED_ESCALATION, _TOGETHER, (_NEGATED, _PAST)),
    "reprisal": (REPRISAL, _REPRISAL, (_FEARED,)),
}
