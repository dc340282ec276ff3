"""The words of the pages, Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "title": ("督办考核", "Assessment"),
    "lead": (
        "每一个期限怎么来的、由谁负责、是否守住。仅供内部督办使用。",
        "How each deadline came about, who owes it, whether it was kept. For internal supervision only.",
    ),
    "demo": ("演示环境:已自动以“{role}”身份登录。切换:", "Demo: signed in automatically as “{role}”. Switch to:"),
    "duty_officer": ("值班员", "duty officer"),
    "leader": ("领导", "leader"),
    "auditor": ("审计", "auditor"),
    "unit": ("承办单位", "handling unit"),
    "other": ("English", "中文"),
    "open": ("在办期限", "open"),
    "due_soon": ("临期", "due soon"),
    "breached": ("超期", "breached"),
    "pending": ("未到期", "pending"),
    "met": ("按期", "met"),
    "met_late": ("逾期办结", "met late"),
    "excluded": ("不计", "excluded"),
    "by_unit": ("各单位在办期限", "Open deadlines by unit"),
    "by_unit_text": (
        "每行一个单位,依次为超期、临期、未到期的期限数",
        "one bar a unit: breached, due soon, not yet near",
    ),
    "breached_list": ("超期事项", "Breached"),
    "soon_list": ("临期事项", "Due soon"),
    "all_list": ("全部期限", "All deadlines"),
    "none": ("没有。", "None."),
    "petition": ("信访事项", "petition"),
    "unit_col": ("责任单位", "unit"),
    "duty": ("期限", "deadline of"),
    "due": ("截止", "due"),
    "state": ("状态", "state"),
    "derivation": ("怎么来的", "how it came about"),
    "basis": ("依据", "basis"),
    "more": ("只列最早的 {n} 项;全部见接口 /v1/obligations", "the {n} earliest; all of them: /v1/obligations"),
    "scorecard": ("考核表", "Scorecard"),
    "period": ("{a} 至 {b}", "{a} to {b}"),
    "units": ("单位考核表", "Scorecards of units"),
    "beside": ("对照", "beside it"),
    "beside_why": (
        "每个指标旁边是能看出“做数据”的指标。不设总分,不排名。",
        "Beside each figure stand those that would betray gaming it. There is no total and no rank.",
    ),
    "not_due": ("未到期 {n}", "{n} not due yet"),
    "no_answer": ("未参评 {n}", "{n} did not answer"),
    "exclusions": ("不计:", "excluded: "),
    "nothing": ("期内无", "nothing in the period"),
    "back": ("返回总览", "back to the overview"),
    "export": ("导出全部考核表(CSV)", "export all scorecards (CSV)"),
    "historic": ("历史台账", "old ledger"),
    "subtree": ("含下属单位", "with the units under it"),
    "own": ("仅本单位", "this unit only"),
    "approver": ("批准人 {who}", "approved by {who}"),
    "REG_TRANSFER": ("登记转送", "registration and transfer"),
    "NOTIFY": ("书面告知", "written notice"),
    "OBJECT": ("提出异议", "objection"),
    "HANDLE": ("办理", "handling"),
    "HANDLE_EXT": ("延期办理", "extended handling"),
    "REVIEW_ASK": ("申请复查", "asking for a review"),
    "no_unit": ("没有这个单位", "There is no such unit"),
    "updated": ("截至 {at}", "as of {at}"),
}
LANGS: Final = ("zh", "en")


class Words:
    """Words in one language: `w("due")`, `w("not_due", n=3)`."""

    def __init__(self, lang: str) -> None:
        self.lang = lang if lang in LANGS else "zh"
        self._index = LANGS.index(self.lang)

    def __call__(self, key: str, **values: object) -> str:
        """One text, its places filled."""
        text = _WORDS[key][self._index]
        return text.format(**values) if values else text
