"""Masking of free text before it leaves the vault: numbers, names, plates and room numbers of people.

Names of estates, roads, villages, firms and buildings stay: linking lives on them. Everything that is not masked stays
byte for byte. Masking by pattern cannot be complete; `docs/intake.md` says what it does not find. Every repetition in a
pattern is bounded and none stands in another of the same characters: time grows with the length of the text alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from services.intake.domain.person_names import CALLED, COMPOUND, NO_NAME, NO_NAME_ENDS, NOBODY, SURNAMES
from services.intake.domain.texts import half_width

_HAN: Final = "〇\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U000323af"
_END: Final = rf"(?![{_HAN}A-Za-z·])"
_SELF: Final = (
    "系|是|住(?![户宅房院建]|居民)|家住|现|身份证|公民身份|证件|电话|手机|联系|男|女|来自|今年|年龄|举报|反映"
)
_MORE: Final = (
    "被|投诉|控告|实名|强烈|要求|等|同志|先生|女士|的|性别|住址|地址|日期|时间|微信|在|因|已|就|对|向|于\\d|二[〇零○]|(?i:tel|qq)"
    "|一家|所在|出具|有关|提出|表示|说|称|认为|多次|再次|参加"
)
_GIVEN: Final = rf"[{_HAN}](?:(?!家住|现住|现居|现年|身份证|联系|电话|日期|等\d|二[〇零○])[{_HAN}])?"
_SURNAME: Final = rf"(?:{COMPOUND}|[{SURNAMES}])"
_FULL: Final = (  # the second has a foreign form (买买提·吐尔逊), the third two surnames (张王佳怡)
    rf"(?:{_SURNAME}{_GIVEN}(?:{_END}|(?={_SELF}|{_MORE}))|[{_HAN}]{{2,8}}·[{_HAN}]{{2,8}}{_END}"
    rf"|[{SURNAMES}]{{2}}[{_HAN}]{{2}}{_END})"
)
_ANY: Final = rf"[{_HAN}]{{2,3}}(?<![{NO_NAME_ENDS}会方部处众长室]){_END}"
_SURE: Final = rf"(?!{NO_NAME}){_SURNAME}{_GIVEN}(?<![{NO_NAME_ENDS}])"
_OLD_STYLE: Final = (
    rf"[{SURNAMES}](?:[^的是在有和与及就都要我你他她们这那了已被把从住家到去来为因于系\WA-Za-z\d_]){{1,2}}"
)
_ROLE: Final = "联系人|经办人|投诉人|反映人|反应人|举报人|信访人|上访人|来信人|控告人|报告人|求助人|申请人"
_WHO: Final = rf"{_ROLE}|姓名|诉求人|发帖人|户主|当事人|署名|具名"

_SEP: Final = "[-—–.· ]"
_MONTH_DAY: Final = r"(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
_86: Final = r"(?:\+?(?:00)?86[- ]?)?"
_MONEY: Final = "(?![元万亿])"

_CARD_SHAPE: Final = r"\d{16,19}|\d{4}(?: \d{4}){3}(?: \d{1,3})?|\d{4}(?:-\d{4}){3}(?:-\d{1,3})?|\d{6} \d{10,13}"
_CARD: Final = re.compile(_CARD_SHAPE)
_CARD_WORD: Final = re.compile("卡|账号|帐号|账户|帐户|户头|银行|存折|建行|工行|农行|中行|汇款|转账")
_DATES: Final = re.compile(rf"(?:19|20)\d\d[-]?{_MONTH_DAY}[ -](?:19|20)\d\d[-]?{_MONTH_DAY}")
_YEARS: Final = re.compile(r"(?:(?:19|20)\d\d[ -]?){4}")
_ROUND: Final = re.compile(r"(?:\d{1,2}00[ -]?){4}")


def _luhn(digits: str) -> bool:
    total = 0
    for place, char in enumerate(reversed(digits)):
        digit = int(char) * (1 + place % 2)
        total += digit - 9 * (digit > 9)
    return total % 10 == 0


def _is_card(match: re.Match[str]) -> bool:
    """Whether a long number is one of a bank: said so just before, or issued in China (62), or with a right check digit."""
    shown = match.group()
    if any(shape.fullmatch(shown) for shape in (_DATES, _YEARS, _ROUND)):
        return False
    digits = re.sub(r"[ -]", "", shown)
    if _CARD_WORD.search(match.string[max(0, match.start() - 14) : match.start()]):
        return True
    return _CARD.fullmatch(shown) is not None and (digits.startswith("62") or (digits[0] in "34569" and _luhn(digits)))


_Rule = tuple[re.Pattern[str], str, Callable[[re.Match[str]], bool] | None]


def _rules() -> Iterator[_Rule]:
    for label, pattern, flags in (
        ("证件号", r"(?<!\d)[1-9]\d{16}[\dXx](?![\dA-Za-z])", 0),
        (
            "证件号",
            rf"(?<!\d)[1-9]\d{{5}}{_SEP}{{0,2}}(?:19|20)\d\d{_SEP}?{_MONTH_DAY}{_SEP}{{0,2}}\d{{3}}[\dXx](?![\dA-Za-z])",
            0,
        ),
        ("证件号", rf"(?<!\d)[1-9]\d{{5}}{_SEP}{{0,2}}\d\d{_MONTH_DAY}{_SEP}{{0,2}}\d{{3}}(?!\d)", 0),
        ("证件号", r"(?<!\d)(?<!\d )[1-9](?: \d){14}(?:(?: \d){2} [\dXx])?(?! ?\d)", 0),
        ("卡号", rf"(?<!\d)(?:{_CARD_SHAPE})(?!\d)", 0),
        ("卡号", r"(?<!\d)\d(?:[ -]?\d){15,18}(?!\d)", 0),
        (
            "电话",
            rf"(?<!\d)(?<![^\d]0\.){_86}1[3-9](?:\d{_SEP}{{0,2}}\d{{4}}{_SEP}{{0,2}}\d{{4}}|\d{{3}} \d{{6}}"
            rf"|\d\d[- ]\d{{3}}[- ]\d{{4}}|\d[- ]\d{{3}}[- ]\d{{5}})(?!\d){_MONEY}",
            0,
        ),
        ("电话", r"(?<!\d)(?<!\d )1 [3-9](?: \d){9}(?! ?\d)", 0),
        (
            "电话",
            rf"(?<!\d)(?<!\d\.){_86}\(?0(?:10|2\d|[3-9]\d\d)\)?{_SEP}{{0,2}}[2-8]\d{{2,3}}{_SEP}?\d{{4}}(?!\d)",
            0,
        ),
        (
            "电话",
            rf"(?:电话|手机|座机|拨打|致电|传真|(?<![a-z])tel)[号码为是:. ]{{0,6}}"
            rf"((?!(?:19|20)\d\d-?{_MONTH_DAY}(?!\d))[2-8]\d{{2,3}}[- ]?\d{{4}})(?!\d)",
            re.IGNORECASE,
        ),
        ("邮箱", r"(?<![A-Za-z0-9_.+-])[A-Za-z0-9_.+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+", 0),
        (
            "微信号",
            r"(?:(?<![a-z0-9@.])(?:qq|vx)|微信|扣扣)[号码账群为是:. ]{0,6}([a-z0-9_-]{5,20})(?!班)",
            re.IGNORECASE,
        ),
        ("微信号", r"(?<![a-z0-9])(?:wx|weixin)[号码为是: ]{1,5}([a-z0-9_-]{5,20})", re.IGNORECASE),
        (
            "车牌",
            r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼] ?[A-HJ-NP-Z][·•. -]?"
            r"(?=[A-Z]{0,3}\d[A-Z]{0,2}\d[A-Z]{0,2}\d)[A-HJ-NP-Z0-9]{4,5}[A-HJ-NP-Z0-9挂学警港澳](?![A-Za-z0-9])",
            re.IGNORECASE,
        ),
        ("室号", r"单元 ?(\d{3,4}(?:号房|室|号|房)?)(?![\d户人多余元个家名位套层平米年万间])", 0),
        ("室号", r"(?<!\d)\d{3,4}室(?![内外])", 0),
        ("姓名", rf"(?:我名?叫|我名|我的?名字[叫是为:])[做作是为: ]{{0,2}}((?!{CALLED}){_FULL})", 0),
        ("姓名", rf"(?:我名?叫|我的?名字[叫是为:])[做作是为: ]{{0,2}}((?!{CALLED}|{NO_NAME}){_ANY})", 0),
        ("姓名", rf"(?:我名?叫|我的?名字叫?),({_SURE}{_END})", 0),
        ("姓名", rf"本人[叫名]({_SURE})", 0),
        ("姓名", rf"名字叫[做作 ]?({_SURE}{_END})", 0),
        ("姓名", rf"我名?叫[做作: ]{{0,2}}((?!{CALLED}|{NO_NAME}){_OLD_STYLE})", 0),
        ("姓名", rf"(?:{_WHO}) ?:{{1,2}} ?((?!{NOBODY}|(?:{_WHO}))(?:{_FULL}|{_ANY}))", 0),
        ("姓名", rf"(?:{_WHO})[为是叫 ]{{1,2}}((?!{NOBODY}|{NO_NAME}|(?:{_WHO})){_FULL})", 0),
        ("姓名", rf"(?:{_WHO}) ?:{{1,2}} ?((?!{NOBODY}|{NO_NAME}|[{_HAN}]{{2,8}}[镇村区园苑厂司院体]){_OLD_STYLE})", 0),
        ("姓名", rf"(?:姓名|{_ROLE}),?({_SURE}(?:{_END}|(?={_SELF}|{_MORE})))", 0),
        ("姓名", rf"(?:本人|我是|我系)[: ]?({_SURE}(?:{_END}|(?={_SELF})))", 0),
    ):
        yield re.compile(pattern, flags), f"[{label}]", _is_card if label == "卡号" else None


_RULES: Final = tuple(_rules())
_AND: Final = re.compile(rf"、({_SURE}{_END})")
"""Another name after one that was found: 投诉人：张三、李四."""

_DIGITS: Final = re.compile(r"\d{3}|\d \d")
_WORDY: Final = frozenset({"[姓名]", "[邮箱]", "[微信号]", "[车牌]"})
"""What may have no three digits in a row."""


def _spans(plain: str) -> Iterator[tuple[int, int, str]]:
    has_digits = _DIGITS.search(plain) is not None
    for pattern, label, holds in _RULES:
        if not has_digits and label not in _WORDY:
            continue
        for match in pattern.finditer(plain):
            if holds is not None and not holds(match):
                continue
            found: re.Match[str] | None = match
            while found is not None:
                start, end = found.span(found.lastindex or 0)
                yield start, end, label
                found = _AND.match(plain, end) if label == "[姓名]" else None


def mask(text: str) -> str:
    """`text` with what identifies a person replaced by a label such as `[电话]`."""
    spans: list[tuple[int, int, str]] = []
    taken = bytearray(len(text))
    for start, end, label in _spans(half_width(text)):
        if not any(taken[start:end]):
            taken[start:end] = b"\1" * (end - start)
            spans.append((start, end, label))
    if not spans:
        return text
    parts, at = [], 0
    for start, end, label in sorted(spans):
        parts += [text[at:start], label]
        at = end
    parts.append(text[at:])
    return "".join(parts)
