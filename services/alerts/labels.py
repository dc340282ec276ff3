"""Names to show, in Chinese and English."""

from __future__ import annotations

from typing import Final

from services.alerts.domain.warning import Text

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
INTERNAL: Final = Text("内部风险提示，不对外发布", "Internal risk notice, not for publication")
EXERCISE: Final = Text("演练", "Exercise")


def name(table: dict[str, Text], slug: str, lang: str = "zh") -> str:
    """The name of a slug; the slug itself where it has none."""
    text = table.get(slug)
    return slug if text is None else text.zh if lang == "zh" else text.en
