"""Names to show, in Chinese and English."""

from __future__ import annotations

from typing import Final

from services.alerts.domain.silence import Silence
from services.alerts.domain.warning import Text, Warning
from shared.directory import Directory, Lang

KINDS: Final[dict[str, Text]] = {
    "collective_visit": Text("集体访", "collective visit"),
    "collective_risk": Text("集体访苗头", "risk of a collective visit"),
    "over_representatives": Text("代表超五人", "more than five representatives"),
    "cross_level_visit": Text("越级走访", "visit above the competent level"),
    "cross_level_risk": Text("越级走访苗头", "risk of a visit above the competent level"),
    "pending_elsewhere": Text("办理期内向上反映", "in process elsewhere"),
    "unanswered_repeat": Text("逾期未答复重复反映", "repeated because unanswered"),
    "life_safety": Text("生命安全", "life safety"),
    "reprisal_risk": Text("打击报复风险", "risk of reprisal"),
    "overdue": Text("超期", "overdue"),
    "near_deadline": Text("临期", "near the deadline"),
}
MEASURES: Final[dict[str, Text]] = {
    "collective_visit": Text("到场人数", "people present"),
    "collective_risk": Text("信访人数", "petitioners"),
    "over_representatives": Text("代表人数", "representatives"),
    "cross_level_visit": Text("高出级数", "levels above"),
    "cross_level_risk": Text("苗头项数", "grounds"),
    "unanswered_repeat": Text("重复件数", "repeats"),
    "": Text("件数", "petitions"),
}
"""What the observed number of a kind counts."""
COUNTED: Final[dict[str, Text]] = {
    "petitioners": Text(
        "本预警计入的不同信访人，同一人多次来件只计一名；按化名比对，不识别身份。",
        "Different petitioners that this warning counts, each once however often they write; compared by pseudonym.",
    ),
    "petitions": Text(
        "本预警所依据的信访件，最多列最近 200 件；同一人可有多件，所属事项的信访件可能更多。",
        "Petitions that this warning rests on, the latest 200 at most; one petitioner may have several, and the matter may "
        "have more.",
    ),
    "headcount": Text(
        "走访登记的到场人数，取最多的一次；多数人不另提交信访件，所以可大于信访人数。",
        "People present as the visit was registered, the largest visit; most file nothing themselves, so it may exceed "
        "the petitioners.",
    ),
    "matter": Text(
        "事项至今的全部信访件和不同信访人；预警只计其规则所依据的（如时间窗内、文本不重复的），所以可能更少。",
        "All petitions and different petitioners of the matter so far; a warning counts those that its rule rests on (in the "
        "window, a text once), so it may have fewer.",
    ),
    "episode": Text("本事项同类预警的第几次。", "Which warning of this kind it is on this matter."),
}
"""What the numbers of a warning count."""
SKIPPED: Final = Text("未经", "skipped")
"""A step that nobody took before the warning ended."""
OBLIGATIONS: Final[dict[str, Text]] = {
    "REG_TRANSFER": Text("登记转送", "register and transfer"),
    "NOTIFY": Text("受理告知", "written notice"),
    "HANDLE": Text("办理答复", "written opinion"),
    "HANDLE_EXT": Text("延期办理答复", "written opinion after an extension"),
}
LEVELS: Final[dict[str, Text]] = {
    "I": Text("紧急（I）", "urgent (I)"),
    "II": Text("预警（II）", "warning (II)"),
    "III": Text("提醒（III）", "reminder (III)"),
    "IV": Text("关注（IV）", "watch (IV)"),
}
STATES: Final[dict[str, Text]] = {
    "raised": Text("待签收", "raised"),
    "verified": Text("已核实", "verified"),
    "acknowledged": Text("已签收", "acknowledged"),
    "assigned": Text("已交办", "assigned"),
    "planned": Text("已有方案", "planned"),
    "on_scene": Text("已到场", "on the scene"),
    "settled": Text("已了结", "settled"),
    "discarded": Text("已排除", "discarded"),
    "cancelled": Text("已撤销", "cancelled"),
}
ACTIONS: Final[dict[str, Text]] = {
    "raise": Text("发出预警", "raised"),
    "update": Text("情况更新", "updated"),
    "verify": Text("核实", "verify"),
    "discard": Text("排除", "discard"),
    "acknowledge": Text("签收", "acknowledge"),
    "assign": Text("交办", "assign"),
    "plan": Text("制定专门工作方案", "adopt a work plan"),
    "on_scene": Text("到场", "on the scene"),
    "settle": Text("了结", "settle"),
    "cancel": Text("撤销", "cancel"),
    "silence": Text("静默", "silence"),
    "escalate": Text("逐级呼叫", "escalated"),
    "lapse": Text("签收失效", "acknowledgement lapsed"),
    "miss": Text("未按时完成", "not done in time"),
    "attach_plan": Text("启动应急预案", "follow an emergency plan"),
    "tick": Text("完成预案事项", "tick a line of the plan"),
    "step_done": Text("完成事项", "step done"),
}
WHY: Final[dict[str, Text]] = {
    "escalate": Text("仍无人签收，已呼叫下一级", "nobody has acknowledged; the next in the chain is called"),
    "lapse": Text("到时无人确认仍在处置，重新呼叫", "nobody confirmed that it is in hand; the calls start again"),
    "heard_again": Text("静默提前结束", "the silence was ended early"),
}
"""Why the system itself did something."""
CLEARED: Final[dict[str, Text]] = {
    "answered_or_moved": Text("所涉信访件均已办结或转出", "every one of these petitions has been answered or moved on"),
    "withdrawn": Text("最后一件不再计期", "the last of these petitions is not owed any more"),
    "answered": Text("已答复或不再逾期，研判撤销", "answered, or not overdue any more: the flag was cleared"),
    "below": Text("人数低于阈值，研判撤销", "fewer than the threshold: the flag was cleared"),
    "contested": Text("异议成立，研判撤销", "a contest was found right: the flag was cleared"),
    "merged": Text("并入其他事项，研判撤销", "merged into another matter: the flag was cleared"),
    "merged_into_discarded": Text(
        "并入预警已被排除的事项：本预警尚无人查看，予以保留",
        "merged into a matter whose warning was discarded: nobody has looked at this one, so it stays",
    ),
    "split": Text("有关信访件已拆分到其他事项", "its petitions were split off into another matter"),
    "window_passed": Text("研判时限已过", "the time of the flag has passed"),
}
"""Why what a warning stood on fell away; the slugs are screening's."""
_LAWS: Final = (
    Text("信访工作条例", "Regulations on Petition Work"),
    Text("信访条例", "Petition Regulations"),
    Text("应急预案", "Emergency Plan"),
    Text("内部做法", "internal practice"),
)
"""What a flag's basis is written with, as policies write it; the longer name first."""
_FELL_AWAY: Final = Text("研判依据已消失", "what it stood on fell away")
INTERNAL: Final = Text("内部风险提示，不对外发布", "Internal risk notice, not for publication")
EXERCISE: Final = Text("演练", "Exercise")


def title(warning: Warning, lang: str = "zh") -> str:
    """What a warning is about: the petitioners' own words, or what the system itself wrote, in the language of the page."""
    flag = warning.flag
    own = flag.title_en if lang == "en" and flag.title_en else flag.title
    return own or name(KINDS, warning.kind, lang)


def actor(who: str | None, units: Directory, lang: Lang = "zh") -> str:
    """Whoever does something, by name: a role, a unit, the head of a unit, else the account id."""
    if not who or who == "system":
        return "系统" if lang == "zh" else "system"
    if who == "duty_officer":
        return "值班员" if lang == "zh" else "duty officer"
    if who.startswith("unassigned"):
        return "待明确单位" if lang == "zh" else "unit not named yet"
    code, head, _ = who.partition("#")
    unit = units.name(code, lang)
    return f"{unit}{'主要负责人' if lang == 'zh' else ', its head'}" if head else unit


def basis(written: str, lang: str = "zh") -> str:
    """The legal basis of a flag in the language of the page; an article that is not in the table stays as it is written."""
    for law in _LAWS:
        written = written.replace(*((law.en, law.zh) if lang == "zh" else (law.zh, law.en)))
    return written if lang == "zh" else written.replace("《", "").replace("》(", " (").replace("》", "")


def cleared_text(slug: str) -> Text:
    """Why a flag was cleared; `merged:ID` names the matter that took it in."""
    return CLEARED.get(slug.partition(":")[0], _FELL_AWAY)


def muted(silence: Silence, units: Directory, lang: Lang = "zh", about: str = "") -> str:
    """What a silence is about, the narrowest first; `about` is the title of the one warning, where it is about one."""
    zh = lang == "zh"
    if (
        silence.warning_id is not None
    ):  # its kind and county are written beside it, and would read as if all of that were muted
        only = "仅一条预警" if zh else "one warning only"
        return f"{only}{'：' if zh else ': '}{about}" if about else only
    parts = [(f"仅事项 {silence.matter}" if zh else f"matter {silence.matter} only")] if silence.matter else []
    parts += [name(KINDS, kind, lang) for kind in silence.kinds]
    parts += [units.name(code, lang) for code in (silence.unit, silence.jurisdiction) if code]
    return " · ".join(parts) or ("全部（受保护类除外）" if zh else "everything but what is protected")


def missed(step: Text) -> Text:
    """Why a missed step is in the log."""
    return Text(f"“{step.zh}”未按时完成", f"“{step.en}” was not done in time")


def reason(said: str | None, why: Text | None, lang: str = "zh") -> str:
    """A reason as people read it: in the language of the page where the system speaks, else as somebody wrote it."""
    return (said or "") if why is None else why.zh if lang == "zh" else why.en


def name(table: dict[str, Text], slug: str, lang: str = "zh") -> str:
    """The name of a slug; the slug itself where it has none."""
    text = table.get(slug)
    return slug if text is None else text.zh if lang == "zh" else text.en
