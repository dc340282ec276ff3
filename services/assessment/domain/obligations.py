"""Obligations: pure functions of a petition's life and the rules of the day on which each clock starts.

Decisions that the regulation leaves open, and why, are in docs/clocks.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from services.assessment.domain.handling import handling
from services.assessment.domain.life import Life, Step, day_of
from services.assessment.domain.obligation import Obligation, exempt, first_after, rules_of, running
from services.assessment.domain.rules import NOTIFY, OBJECT, REG_TRANSFER, REVIEW_ASK, Rulebook, Rules, Text

_NOTICES: Final = frozenset({"accepted", "not_accepted", "replied"})
_OWN_NOTICE: Final = Text("按纪检监察、政法机关的规定告知", "told by the organ's own provisions (Art. 23 para. 4)")
_TRANSFERS: Final = frozenset({"assigned", "accepted", "not_accepted", "replied"})


def obligations(life: Life, book: Rulebook) -> tuple[Obligation, ...]:
    """Every obligation of a petition, in the order in which the clocks started. The same steps in any order: the same result."""
    found = [*_transfer(life, book), *_notices(life, book), *handling(life, book), *_reviews(life, book)]
    places = {step.id: step.place for step in life.steps}
    return tuple(sorted(found, key=lambda o: (o.started, o.code, places[o.cause])))


def _direct(rules: Rules, filed: Step) -> bool:
    """The unit itself received it (Art. 23 para. 2). Where none is named somebody has to find it, as for any petition."""
    return filed.channel in rules.direct_channels and bool(filed.unit)


# -- registration and transfer (Art. 22) -------------------------------------------------------------------------------


def _transfer(life: Life, book: Rulebook) -> Iterator[Obligation]:
    filed = life.filed
    rules = None if filed is None else rules_of(book, life, filed)
    clock = None if rules is None else rules.clocks.get(REG_TRANSFER)
    if filed is None or rules is None or clock is None or _direct(rules, filed):
        return
    unit = f"{life.jurisdiction}.{rules.registrar}"
    if filed.channel in rules.not_petitions:
        reason = Text("排查发现，非信访人提出", "found by officials, submitted by nobody")
        yield exempt(life, REG_TRANSFER, clock, filed, unit, reason)
        return
    first = next((s for s in life.steps if s.kind in _TRANSFERS), None)
    yield running(life, book, REG_TRANSFER, clock, filed, "received", unit, first)


# -- notice and objection (Art. 23), a clock for each unit the matter comes to -----------------------------------------


def _notices(life: Life, book: Rulebook) -> Iterator[Obligation]:
    hops = list(_hops(life, book))
    for number, hop in enumerate(hops):
        rules = rules_of(book, life, hop)
        if rules is None:
            continue
        nxt = hops[number + 1] if number + 1 < len(hops) else None
        objected = first_after([s for s in life.steps if s.unit == hop.unit], hop, frozenset({"objected"}))
        if objected is not None and nxt is not None and objected.place > nxt.place:
            objected = None
        taken = _before(first_after(life.steps, hop, _NOTICES), nxt)
        notice = _before(first_after([s for s in life.steps if s.notice_given], hop, _NOTICES), nxt)
        window = _objection(life, book, rules, hop, nxt, objected, taken)
        if window is not None:
            yield window
        in_time = objected is not None and window is not None and not window.late
        refused = objected is not None and _sent_back(life, hop, objected, nxt)
        owed = _notice(life, book, rules, hop, nxt, notice, objected_in_time=in_time and not refused)
        if owed is not None:
            yield owed if taken is None or taken.notice_given else _with_void_notice(owed, taken)


def _before(step: Step | None, nxt: Step | None) -> Step | None:
    """The step, unless the matter had gone to the next unit by then."""
    return None if step is not None and nxt is not None and step.place > nxt.place else step


def _hops(life: Life, book: Rulebook) -> Iterator[Step]:
    """The receipts by units: the filing where the unit received it directly, and each assignment to another unit.

    Assigning to the unit that has it already starts nothing: the first receipt counts. But where that unit had given its
    notice (by refusing, say) and the matter was reopened, the next assignment is a new receipt: nothing else would run.
    """
    holder, told = "", False
    for step in life.steps:
        told = told or (step.kind in _NOTICES and step.notice_given)
        if step.kind == "filed":
            rules = rules_of(book, life, step)
            if rules is not None and _direct(rules, step):
                holder, told = step.unit, False
                yield step
        elif step.kind == "assigned" and step.unit != holder:
            holder, told = step.unit, False
            yield step
        elif step.kind == "reopened" and told:
            holder = ""
        elif step.kind == "accepted":
            holder = step.unit


def _sent_back(life: Life, hop: Step, objected: Step, nxt: Step | None) -> bool:
    """The sender did not agree: assigned to the same unit again after its objection, with no other unit between."""
    return any(
        s.kind == "assigned"
        and s.unit == hop.unit
        and s.place > objected.place
        and (nxt is None or s.place < nxt.place)
        for s in life.steps
    )


def _objection(
    life: Life, book: Rulebook, rules: Rules, hop: Step, nxt: Step | None, objected: Step | None, taken: Step | None
) -> Obligation | None:
    clock = rules.clocks.get(OBJECT)
    if clock is None or hop.kind == "filed":
        return None
    window = running(life, book, OBJECT, clock, hop, "transferred", hop.unit, objected)
    if objected is None and taken is not None:
        return replace(window, excluded=Text("已作为本单位事项办理", "the unit took the matter as its own"))
    if objected is None and nxt is not None:
        return replace(window, excluded=Text("已改派其他单位", "assigned to another unit"))
    return window


def _notice(
    life: Life,
    book: Rulebook,
    rules: Rules,
    hop: Step,
    nxt: Step | None,
    notice: Step | None,
    *,
    objected_in_time: bool,
) -> Obligation | None:
    direct = hop.kind == "filed"
    clock = rules.clocks.get("NOTIFY_DIRECT" if direct else "NOTIFY_TRANSFERRED")
    if clock is None:
        return None
    waivers = [w for w in rules.own_notice if hop.unit.partition(".")[2] in w.units]
    filed = life.filed
    if filed is not None and any(w.of_matter(filed.purpose, filed.topic) for w in waivers):
        return exempt(life, NOTIFY, clock, hop, hop.unit, _OWN_NOTICE)
    owed = running(life, book, NOTIFY, clock, hop, "received" if direct else "transferred", hop.unit, notice)
    if any(_accepted_by(life, hop, nxt, w.routes) for w in waivers):
        return replace(owed, excluded=_OWN_NOTICE)  # the clock ran until the route was known, and keeps its date
    if notice is not None:
        return owed
    if objected_in_time:
        return replace(owed, excluded=Text("期限内提出异议", "objected in time"))
    if nxt is not None and owed.due is not None and day_of(nxt.at) <= owed.due:
        return replace(owed, excluded=Text("期限内已改派其他单位", "assigned to another unit in time"))
    return owed


def _accepted_by(life: Life, hop: Step, nxt: Step | None, routes: frozenset[str]) -> bool:
    """Whether the unit of the hop accepted by one of these routes of Art. 31 while it had the matter."""
    own = [s for s in life.steps if s.unit == hop.unit and s.route in routes]
    return _before(first_after(own, hop, frozenset({"accepted"})), nxt) is not None


def _with_void_notice(owed: Obligation, taken: Step) -> Obligation:
    assert taken.notified is not None  # else it counts
    dated = day_of(taken.notified).isoformat()
    void = Text(
        f"；告知日期 {dated} 晚于录入时间，不计", f"; the notice dated {dated}, after its entry, does not count"
    )
    return owed if owed.due is None else replace(owed, derivation=owed.derivation + void)


# -- the petitioner's time to ask for a review (Art. 35) ---------------------------------------------------------------


def _reviews(life: Life, book: Rulebook) -> Iterator[Obligation]:
    asked: set[str] = set()
    for served in life.steps:
        if served.kind != "served":
            continue
        replied = next((s for s in reversed(life.steps) if s.kind == "replied" and s.place < served.place), None)
        rules = rules_of(book, life, served)
        clock = None if rules is None else rules.clocks.get(REVIEW_ASK)
        if replied is None or replied.id in asked or clock is None:
            continue
        asked.add(replied.id)
        yield running(life, book, REVIEW_ASK, clock, served, "served", replied.unit)
