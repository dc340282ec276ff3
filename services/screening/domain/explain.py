"""The words of a flag, in Chinese for the duty officer and in English: what was counted, against what, what speaks against it."""

from __future__ import annotations

import re
from datetime import datetime
from operator import attrgetter
from typing import Final

from services.screening.domain.flags import MOST, Episode, Finding, Flag, Text, Transition
from services.screening.domain.history import History, episode_id
from services.screening.domain.petitions import Filing
from services.screening.domain.state import MatterState

PHRASES: Final[dict[str, Text]] = {
    "self_harm": ("流露轻生意图的表述", "words of an intention to harm oneself"),
    "farewell": ("绝望或诀别的表述", "words of despair or farewell"),
    "harm_to_others": ("伤害他人的威胁", "a threat of harm to others"),
    "higher_level": ("表示将到上级机关反映", "an announced step to a higher authority"),
    "capital": ("表示将进京反映", "an announced journey to the capital"),
    "collective": ("表示将多人共同走访", "an announced visit in a group"),
    "reprisal": ("反映因举报、投诉受到报复", "a complaint of reprisal for having complained"),
}
_AGAINST: Final[dict[str, Text]] = {
    "copies": ("另有{0:g}件文本完全相同，未计入人数", "{0:g} petitions with the very same text were not counted"),
    "beside": (
        "其中{0:g}件归在相近的其他事项，尚未并入，请核实是否为同一事项",
        "{0:g} of them belong to matters beside this one: check whether they are the same",
    ),
    "answered": ("其中{0:g}件已经答复且无异议", "{0:g} of them were answered and not contested"),
    "no_visit": (
        "目前均通过书信、网络、电话反映，没有走访",
        "all came by letter, web or telephone; nobody came in person",
    ),
    "not_climbed": ("尚未向上级提出", "it has not been presented at a higher level"),
}
_GROUNDS: Final[dict[str, Text]] = {
    "overdue": ("{0:g}件超期未答复", "{0:g} unanswered past the deadline"),
    "contested": ("{0:g}件答复后仍有异议", "{0:g} contested after the reply"),
    "announced": ("{0:g}件表示将向上级反映", "{0:g} announce a step to a higher level"),
    "climbed": ("{0:g}件已向上级提出", "{0:g} already presented at a higher level"),
    "repeated": ("重复反映{0:g}件次", "{0:g} repeats"),
}

_ORDER: Final = attrgetter("at", "id")


def explanation(found: Finding, distinct: int) -> Text:
    """One sentence for each language."""
    policy = f"（规则{found.rule.id} v{found.rule.version}，{basis_zh(found.rule.basis)}）"
    basis = f" (rule {found.rule.id} v{found.rule.version}, {found.rule.basis})"
    zh, en = _sentence(found, distinct)
    return zh + policy, en + basis


def _sentence(found: Finding, distinct: int) -> Text:
    n, limit = found.observed, found.threshold
    match found.kind:
        case "collective_visit":
            return (
                f"同一事项走访，一次最多到场{n:g}人，达到{limit:g}人",
                f"A visit on this matter with {n:g} people present; the threshold is {limit:g}",
            )
        case "collective_risk" if found.fact("chance"):
            chance, days = found.fact("chance"), found.fact("days")
            return (
                f"{days:g}天内{n:g}名不同信访人反映同一事项；按该事项以往（{found.fact('past'):g}件）和本县区平均水平，"
                f"出现这种情况的概率约为{chance:.1e}，低于{found.fact('false_alarm'):.0e}",
                f"{n:g} distinct petitioners on this matter within {days:g} days; its past ({found.fact('past'):g}) and the "
                f"county's rate give that a chance of {chance:.1e}, below {found.fact('false_alarm'):.0e}",
            )
        case "collective_risk" if found.fact("stands"):
            days = found.fact("days")
            return (
                f"{days:g}天内仍有{n:g}名不同信访人反映同一事项，少于{limit:g}名时解除",
                f"Still {n:g} distinct petitioners on this matter within {days:g} days; the flag ends below {limit:g}",
            )
        case "collective_risk":
            days = found.fact("days")
            return (
                f"{days:g}天内{n:g}名不同信访人反映同一事项，阈值为{limit:g}名",
                f"{n:g} distinct petitioners on this matter within {days:g} days; the threshold is {limit:g}",
            )
        case "over_representatives":
            return (
                f"走访现场代表{n:g}人，依法推选的代表不超过{limit - 1:g}人，请协助推选",
                f"{n:g} representatives at a visit; at most {limit - 1:g} are chosen: help them to choose",
            )
        case "cross_level_visit":
            return (
                f"走访接待层级高于有权处理机关{n:g}级（本级或上一级为宜），请引导到有权处理机关",
                f"A visit {n:g} levels above the competent body (its own level or one above is right): guide the visitors there",
            )
        case "cross_level_risk":
            grounds = [(key, value) for key, value in found.facts if value]
            return (
                "该事项存在越级反映苗头：" + "，".join(_GROUNDS[k][0].format(v) for k, v in grounds),
                "This matter may go to a higher level: " + ", ".join(_GROUNDS[k][1].format(v) for k, v in grounds),
            )
        case "pending_elsewhere":
            return (
                f"同一事项已有{n:g}件在下级机关办理期限内，上级机关不重复受理，请告知办理进度",
                f"{n:g} petitions on the same matter are in process below and in time: tell the petitioner where they stand",
            )
        case "unanswered_repeat":
            return (
                f"超期或未予答复后再次反映{n:g}件，计入责任单位，不计入信访人",
                f"{n:g} repeats after an overdue or missing reply: counted against the unit, not the petitioner",
            )
        case "life_safety":
            zh = "、".join(PHRASES[p][0] for p in found.phrases if p in PHRASES) or "涉及生命安全的表述"
            en = ", ".join(PHRASES[p][1] for p in found.phrases if p in PHRASES) or "words of danger to life"
            return f"文本中有{zh}，请立即核实并提供帮助", f"The text has {en}: check at once and offer help"
        case _:
            if found.fact("accused_handles"):
                return (
                    "被反映单位正在办理该事项，请改由其他机关办理",
                    "The accused unit handles the matter: give it to another authority",
                )
            return (
                "反映因举报、投诉受到报复，请由其他机关核查",
                "A complaint of reprisal for having complained: another authority should look into it",
            )


def render(history: History, state: MatterState, county: str, episode: Episode, at: Transition | None = None) -> Flag:
    """The flag as it is now, or as it was at one of its transitions."""
    found = at.finding if at else episode.finding
    seen = at.at if at and at.what != "cleared" else episode.seen_at
    cleared = at.what == "cleared" if at else episode.closed_at is not None
    if found.petitions is None:
        filings = state.counted(seen, found.window_days, found.kind)
        counted, petitions = filings, tuple(filing.id for filing in filings)
    else:
        petitions = found.petitions
        filings = [filing for p in petitions if (filing := state.filing(p)) is not None]
        counted = [filing for filing in filings if state.brings(filing.id)] or filings
    pseudonyms = tuple(dict.fromkeys(filing.petitioner for filing in reversed(counted)))
    subject = state.filing(found.scope) if found.scope else None
    lead = subject or _lead(found, filings, state, seen)
    restricted = subject.restricted if subject else any(filing.restricted for filing in filings)
    return Flag(
        id=episode_id(history.id, episode),
        kind=found.kind,
        matter=history.id,
        county=county,
        number=episode.number,
        level=found.level,
        state="cleared" if cleared else "open",
        rule=found.rule.id,
        rule_version=found.rule.version,
        policy=found.policy,
        basis=found.rule.basis,
        at=episode.log[0].at,
        seen_at=seen,
        expires_at=found.expires_at,
        closed_at=(at.at if at else episode.closed_at) if cleared else None,
        reason=(at.reason if at else episode.reason) if cleared else "",
        threshold=found.threshold,
        observed=found.observed,
        petitions=petitions[-MOST:],
        petitioners=pseudonyms[:MOST],
        distinct=len(pseudonyms),
        headcount=_headcount(filings, seen),
        explanation=explanation(found, len(pseudonyms)),
        against=tuple((_AGAINST[key][0].format(v), _AGAINST[key][1].format(v)) for key, v in found.against),
        evidence=tuple((filing.id, filing.at, filing.channel) for filing in filings[-MOST:]),
        phrases=tuple(PHRASES[p] for p in found.phrases if p in PHRASES),
        title=lead.title if lead else "",
        topic=lead.topic if lead else None,
        unit=found.authority or found.owing or (lead.unit if lead else None),
        town=lead.town if lead else None,
        restricted=restricted or found.kind == "reprisal_risk",
        accused_unit=lead.accused_unit if lead else None,
    )


def _lead(found: Finding, filings: list[Filing], state: MatterState, seen: datetime) -> Filing | None:
    """The petition whose title, topic, town and unit the flag has: the earliest that it counts. One that staff merged in
    renames nothing: the matter is called as by its own last petition, even where the flag counts none of its own any more.
    """
    own = [filing for filing in filings if filing.id in state.members]
    if state.came and found.kind != "unanswered_repeat":  # that one is counted against the unit of what it counts
        own = _own_counted(found, filings, state, seen) or state.own_filings() or own
    pool = own or filings or [member.filing for member in state.members.values()]
    return min(pool, key=_ORDER, default=None)


def _own_counted(found: Finding, filings: list[Filing], state: MatterState, seen: datetime) -> list[Filing]:
    own = {filing.id for filing in state.own_filings()}
    if own and found.petitions is None:
        last = max(state.members[petition].joined for petition in own)
        filings = state.counted(min(seen, last), found.window_days, found.kind)
    return [filing for filing in filings if filing.id in own]


def _headcount(filings: list[Filing], at: datetime) -> int:
    return max((filing.headcount or 0 for filing in filings if filing.at <= at), default=0)


_ARTICLES = re.compile(r" ?Art\. ([\d, ]*\d)")


def basis_zh(basis: str) -> str:
    """A rule's basis in Chinese words: a policy file names articles as `Art. 4, 27` and what has none `internal practice`."""
    words = basis.replace("internal practice", "内部做法").replace("; ", "；")
    return _ARTICLES.sub(lambda found: "第" + found[1].replace(", ", "、") + "条", words)
