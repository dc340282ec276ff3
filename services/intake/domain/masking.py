"""Masking of free text before it leaves the vault: numbers, names, plates and room numbers of people.

Names of estates, roads, villages, firms and buildings stay: linking lives on them. Everything that is not masked stays
byte for byte. Masking by pattern cannot be complete; `docs/intake.md` says what it does not find.
"""

from __future__ import annotations

import re
from typing import Final

from services.intake.domain.texts import half_width

_SURNAMES: Final = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪范金石"
    "廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤"
)
_COMPOUND: Final = "欧阳|上官|司马|诸葛|皇甫|尉迟|司徒|慕容|令狐|东方"
_NOT_IN_NAME: Final = "的是在有和与及就都要我你他她们这那了已被把从住家到去来为因于系,。、;:！？\\s\\d"
_NAME: Final = rf"(?:(?:{_COMPOUND})|[{_SURNAMES}])[^{_NOT_IN_NAME}\W]{{1,2}}"
_AFTER_NAME: Final = r"(?=[,。、;:!?()\s\d]|系|是|住|家住|身份证|电话|手机|联系|男|女|现|来自|$)"

_RULES: Final = tuple(
    (re.compile(pattern, re.IGNORECASE if label == "微信号" else 0), f"[{label}]")
    for pattern, label in (
        (r"(?<!\d)[1-9]\d{16}[\dXx](?![\dA-Za-z])", "证件号"),
        (r"(?<!\d)[1-9]\d{7}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}(?!\d)", "证件号"),
        (r"(?<!\d)\d(?:[ -]?\d){15,18}(?!\d)", "卡号"),
        (r"(?<![\d.])(?:\+?(?:00)?86[- ]?)?1[3-9]\d(?:[- ]?\d{4}){2}(?!\d)", "电话"),
        (r"(?<![\d.])(?:\+?(?:00)?86[- ]?)?\(?0\d{2,3}\)?[- ]?[2-8]\d{6,7}(?!\d)", "电话"),
        (r"(?<=电话|手机|座机|拨打|致电)[号码为是::]{0,3} ?[2-8]\d{6,7}(?!\d)", "电话"),
        (r"(?<![A-Za-z0-9_.+-])[A-Za-z0-9_.+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+", "邮箱"),
        (r"(?:(?<=qq)|(?<=vx)|(?<=微信))号?[码为是::]{0,2} ?[a-z0-9_-]{5,20}", "微信号"),
        (
            r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][A-HJ-NP-Z][·•. -]?"
            r"[A-HJ-NP-Z0-9]{4,5}[A-HJ-NP-Z0-9挂学警港澳](?![A-Za-z0-9])",
            "车牌",
        ),
        (r"(?<=单元)\d{3,4}(?:室|号|房)?(?!\d)", "室号"),
        (r"(?<!\d)\d{3,4}室(?!内|外)", "室号"),
        (rf"(?<=我叫|我名)(?:做)?{_NAME}", "姓名"),
        (
            rf"(?:(?<=姓名)|(?<=联系人)|(?<=经办人)|(?<=投诉人)|(?<=反映人)|(?<=举报人)|(?<=信访人))[::为是 ]{{1,2}}{_NAME}",
            "姓名",
        ),
        (rf"(?:(?<=本人)|(?<=我是)|(?<=联系人)){_NAME}{_AFTER_NAME}", "姓名"),
    )
)


_DIGITS: Final = re.compile(r"\d{3}")
_WORDY: Final = frozenset({"姓名", "邮箱", "微信号", "车牌"})
"""What may have no three digits in a row."""


def mask(text: str) -> str:
    """`text` with what identifies a person replaced by a label such as `[电话]`."""
    plain = half_width(text)
    has_digits = _DIGITS.search(plain) is not None
    spans: list[tuple[int, int, str]] = []
    for pattern, label in _RULES:
        if not has_digits and label[1:-1] not in _WORDY:
            continue
        for match in pattern.finditer(plain):
            start, end = match.span()
            if all(end <= a or start >= b for a, b, _ in spans):
                spans.append((start, end, label))
    if not spans:
        return text
    parts, at = [], 0
    for start, end, label in sorted(spans):
        parts += [text[at:start], label]
        at = end
    parts.append(text[at:])
    return "".join(parts)
