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
    "demo": ("演示环境：已自动以“{role}”身份登录。切换：", "Demo: signed in automatically as “{role}”. Switch to:"),
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
        "每行一个单位，条形和右侧数字依次为超期 / 临期 / 未到期的期限数；只列超期最多的15个单位",
        "one bar a unit; bar and numbers: breached / due soon / not due yet; the 15 units with most breached ones",
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
    "more": ("只列最早的 {n} 项；全部见接口 /v1/obligations", "the {n} earliest; all of them: /v1/obligations"),
    "scorecard": ("考核表", "Scorecard"),
    "period": ("{a} 至 {b}", "{a} to {b}"),
    "units": ("单位考核表", "Scorecards of units"),
    "beside": ("对照", "beside it"),
    "beside_why": (
        "每个指标旁边是能看出“做数据”的指标。不设总分，不排名。",
        "Beside each figure stand those that would betray gaming it. There is no total and no rank.",
    ),
    "not_due": ("未到期 {n}", "{n} not due yet"),
    "no_answer": ("未参评 {n}", "{n} did not answer"),
    "exclusions": ("不计：", "excluded: "),
    "nothing": ("期内无", "nothing in the period"),
    "back": ("返回总览", "back to the overview"),
    "export": ("导出全部考核表（CSV）", "export all scorecards (CSV)"),
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
    "and": ("；", "; "),
    "legend": ("各栏和状态的含义", "What the columns and states mean"),
    "units_text": (
        "点开可看该单位近90天的考核表、超期和临期事项。",
        "Each opens the unit's scorecard of the last 90 days, what is breached and what is due soon.",
    ),
    "figure": ("指标", "figure"),
    "rate": ("比率", "rate"),
    "parts": ("件数", "counts"),
    "parts_text": (
        "“甲 / 乙”：乙为计入的件数，甲为其中符合该指标的件数；“—”为没有可计的，或件数太少不予显示。",
        "“a / b”: b were counted, a of them are what the figure names; “—”: nothing to count, or too few to be shown.",
    ),
    "figures": ("各指标的算法", "How each figure is counted"),
    "col_due": (
        "最后一天（北京时间），当天24时前办结为按期",
        "the last day, Beijing time; done before it ends is in time",
    ),
    "col_state": ("查看页面时的状态，各状态见下", "as it stands when the page is read; the states are below"),
    "col_duty": ("依条例应在期限内完成的事", "what the regulation wants done by then"),
    "col_unit": ("应当完成的单位", "who owes it"),
    "col_petition": ("信访事项编号，点开可看它的全部期限", "its number; opens every deadline of it"),
    "col_derivation": (
        "起算日 + 天数（条文，顺延、不计等说明）→ 截止日；延期的批准人、不计的原因也写在这里",
        "start + length (article, days moved or not counted) → deadline; who approved an extension and why one is excluded",
    ),
    "col_basis": ("规定该期限的法规和条文", "the regulation and article that set it"),
    "is_breached": ("已过截止日仍未完成", "the last day has passed and it is not done"),
    "is_due_soon": (
        "未过截止日，已到提醒天数（内部做法，非法定）",
        "not passed, but within the days of notice, which are internal practice and not law",
    ),
    "is_pending": ("未完成，还没有到提醒天数", "not done, and not within the days of notice yet"),
    "is_met": ("截止日内完成", "done by the last day"),
    "is_met_late": ("截止日后才完成", "done after the last day"),
    "is_excluded": ("不计入考核，原因写在“怎么来的”一栏", "counts for nothing; “how it came about” says why"),
    "is_open": ("未完成的全部期限：超期、临期、未到期之和", "all that is not done: breached, due soon and not due yet"),
    "is_historic": (
        "录入时早已过期的旧账，列出但不再提醒",
        "had passed long before it was entered: listed, not announced",
    ),
    "how_transfer_on_time": (
        "期内到期的登记转送中，按期完成的",
        "of the registrations and transfers due in the period, those done in time",
    ),
    "how_notice_on_time": (
        "期内到期的书面告知中，按期完成的",
        "of the written notices due in the period, those given in time",
    ),
    "how_reply_on_time": (
        "期内到期的办理（含延期）中，按期答复的",
        "of the petitions due in the period, extended ones too, those answered in time",
    ),
    "how_solved": (
        "期内办结（含不予受理）并由信访人回答的事项中，信访人最后一次说已解决的；办结多次的事项计一件",
        "of the petitions settled in the period (refused ones too) whose petitioner answered, those called solved in the"
        " last answer; one settled several times counts once",
    ),
    "how_satisfied": (
        "期内办结（含不予受理）并由信访人评价的事项中，信访人最后一次评价满意的；办结多次的事项计一件",
        "of the petitions settled in the period (refused ones too) whose petitioner rated them, those rated satisfied in"
        " the last answer; one settled several times counts once",
    ),
    "how_transfer_entered_later": ("完成后超过一天才录入系统的", "entered more than a day after they were done"),
    "how_notice_entered_later": ("告知后超过一天才录入系统的", "entered more than a day after they were given"),
    "how_reply_entered_later": (
        "期内到期的办理中，答复或延期决定之后超过一天才录入系统的，每次录入计一次",
        "of the replies and extensions of what was due in the period, those entered more than a day after they were made",
    ),
    "how_turned_away": (
        "期内作出的受理决定和不予受理决定中，不予受理或按第31条导入其他程序的；这些事项不适用60日期限",
        "of the decisions on acceptance made in the period, refusals and those by another procedure of Art. 31: no 60 days run",
    ),
    "how_objected": (
        "期内办结的事项中，承办单位提出过异议的",
        "of the petitions settled in the period, those a unit objected to",
    ),
    "how_contested": (
        "期内每次办结（含不予受理）后的回答中，说没有解决的；重新办理后再次办结的另计一次",
        "of the answers to each settlement of the period (refusals too), those that say it is not solved; a settlement after"
        " reopening is another one",
    ),
    "how_repeated": (
        "期内每次办结（含不予受理）中，其后30日内又重复反映（检举控告不计）或重新办理的",
        "of the settlements of the period (refusals too), those followed within 30 days by a repeated petition (accusations do"
        " not count) or by reopening",
    ),
    "how_extended": ("期内办结的事项中，延过期的", "of the petitions settled in the period, those extended"),
    "how_no_reply": (
        "期内每次办结（含不予受理）中，既没有答复也没有作出不予受理决定就办结的",
        "of the settlements of the period (refusals too), those closed without a reply or a refusal",
    ),
    "how_last_days": (
        "期内每次办结（含不予受理）中，在期末最后三天办结的",
        "of the settlements of the period (refusals too), those in its last three days",
    ),
    "how_participation": (
        "期内办结的事项中，信访人作出回答的",
        "of the petitions settled in the period, those whose petitioner answered",
    ),
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
