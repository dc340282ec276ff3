"""Between the values of the domain and the documents of the store."""

from __future__ import annotations

from dataclasses import asdict, fields
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from services.screening.domain.engine import County
from services.screening.domain.flags import Flag, Told
from services.screening.domain.history import History
from services.screening.domain.outcome import MatterMerge, Outcome, Placed, Stored
from services.screening.domain.petitions import PETITION_PROCEDURE, Decision, Filing, Step

Document = dict[str, Any]

_FILING: Final = tuple(f.name for f in fields(Filing) if f.name not in ("id", "lag", "signals"))
_FLAG_TUPLES: Final = ("petitions", "petitioners", "explanation", "against", "evidence", "phrases")


def petition(placed: Placed, text: str) -> Document:
    """A row of `petitions`: what was filed (masked), where it belongs, and what tied it there."""
    filing, link = placed.member.filing, placed.evidence
    row: Document = {name: getattr(filing, name) for name in _FILING}
    row |= {
        "_id": filing.id,
        "lag_s": filing.lag.total_seconds(),
        "signals": list(filing.signals),
        "text": text,
        "steps": [],
        **place(placed),
    }
    if link is not None:
        row |= {"score": round(link.score, 4), "shared": list(link.shared), "duplicate_of": link.duplicate_of}
    return row


def place(placed: Placed) -> Document:
    """Where a petition is now."""
    member = placed.member
    return {
        "home": placed.home,
        "matter": placed.matter,
        "link": placed.link,
        "joined_at": member.joined,
        "copy": member.copy,
        "weak": member.weak,
        "late": placed.evidence.late if placed.evidence else member.joined != member.filing.at,
        "core": placed.core,
        "beside": list(placed.beside),
    }


def stored(row: Document) -> Stored:
    """The petition of a row."""
    values: Document = {name: row.get(name) for name in _FILING}
    values["appeal"] = row.get("appeal", True)  # a row of before it was kept
    filing = Filing(**values, id=row["_id"], signals=tuple(row["signals"]), lag=timedelta(seconds=row.get("lag_s", 0)))
    return Stored(
        filing,
        row["text"],
        row["home"],
        row["matter"],
        row["link"],
        row["joined_at"],
        row["copy"],
        row["weak"],
        row["late"],
        tuple(step(s) for s in row["steps"]),
        row.get("core"),
        tuple(row.get("beside") or ()),
    )


def step_document(step: Step) -> Document:
    """A step as part of a petition's row, without what it leaves empty. Nor does it name the usual route, which rows of before
    routes were kept do not: a step that is heard again stays the same one.
    """
    row = {key: value for key, value in asdict(step).items() if value is not None and value != ""}
    if step.route == PETITION_PROCEDURE:
        del row["route"]
    return row


def step(row: Document) -> Step:
    """The step of a document. One without a route is of the petition procedure."""
    return Step(**{"solved": None, **{k: v for k, v in row.items() if k in _STEP}})


_STEP: Final = frozenset(f.name for f in fields(Step))


def matter(county: County, history: History) -> Document:
    """A row of `matters`, for the duty officer's list."""
    members = history.members()
    filings = [m.filing for m in members]
    first = min(history.naming(), key=lambda f: (f.at, f.id), default=None)
    newest = county.newest or datetime.now(UTC)
    last = history.last if history.inputs else newest  # nothing is left of it: its petitions were linked elsewhere
    state = history.state
    restricted = any(f.restricted for f in filings)
    return {
        "_id": history.id,
        "county": county.county,
        "state": "merged" if history.merged_into else "open" if members else "empty",
        "merged_into": history.merged_into,
        "title": first.title if first else "",
        "topic": first.topic if first else None,
        "unit": first.unit if first else None,
        "town": first.town if first else None,
        "opened_at": first.at if first else last,
        "last_at": max((f.at for f in filings), default=last),
        "active_at": last,
        "petitions": len(members),
        "petitioners": len({f.petitioner for f in filings}),
        "petitioners_30d": state.distinct(newest, 30, beside=False) if state else len(members),
        "headcount": max((f.headcount or 0 for f in filings), default=0),
        "flags": sorted({kind for kind, _ in state.open}) if state else [],
        "sequence": history.sequence,
        "restricted": restricted,
        "accused_unit": next((f.accused_unit for f in filings if f.accused_unit), None),
    }


def worth_a_row(history: History) -> bool:
    """A petition alone is its own row; a matter has one when there is more to say."""
    return len(history.inputs) > 1 or history.state is not None or history.sequence > 0


def flag_document(told: Told, raised: Flag | None = None) -> Document:
    """The fields of a row of `flags` that the engine sets; contests are others'. `raised`: the flag as it was when it was raised;
    what raised it is set once, with a new row.
    """
    row = asdict(told.flag)
    first = raised or told.flag
    row["raised_by"] = {"rule": first.rule, "rule_version": first.rule_version, "policy": first.policy}
    row["_id"] = row.pop("id")
    row["margin"] = told.flag.margin
    row["told"], row["turn"] = sorted(told.keys), told.turn
    row["retracted"] = told.retracted
    return row


def flag(row: Document) -> Flag:
    """The flag of a row."""
    values: Document = {f.name: row.get(f.name) for f in fields(Flag) if f.name != "id"}
    for name in _FLAG_TUPLES:
        values[name] = tuple(tuple(item) if isinstance(item, list) else item for item in values[name])
    return Flag(id=row["_id"], **values)


def told(row: Document) -> Told:
    """What was told of a flag, from its row."""
    found = flag(row)
    turn = row.get("turn", int(row["retracted"]))  # rows of before there were turns
    return Told(found, set(row["told"]), open=found.state == "open", turn=turn)


def merge_document(county: str, merge: MatterMerge) -> Document:
    """A row of `merges`."""
    row = asdict(merge)
    row["_id"] = row.pop("id")
    return row | {"county": county, "moved": list(merge.moved), "undone": False}


def merge(row: Document) -> MatterMerge:
    """The merge of a row."""
    values = {f.name: row[f.name] for f in fields(MatterMerge) if f.name not in ("id", "moved")}
    return MatterMerge(id=row["_id"], moved=tuple(row["moved"]), **values)


def decision_document(county: str, decision: Decision) -> Document:
    """A row of `decisions`; `applied` false until the county's owner took it up."""
    row = asdict(decision)
    row["_id"] = row.pop("id")
    del row["stood"]
    return row | {"county": county, "petitions": list(decision.petitions), "applied": False}


def taken_up(decision: Decision, out: Outcome) -> Document:
    """What is noted on a decision's row once it was taken up: since when it holds, what flag it withdrew, or the code that says
    why it came to nothing.
    """
    row: Document = {"applied": True, "at": decision.at}
    if (why := out.refused.get(decision.id)) is not None:
        row["refused"] = why
    if (stood := out.stood.get(decision.id)) is not None:
        row["stood"] = list(stood)
    return row


def decision(row: Document) -> Decision:
    """The decision of a row. One taken up before `stood` was noted has none."""
    values = {f.name: row[f.name] for f in fields(Decision) if f.name not in ("id", "petitions", "stood")}
    stood = tuple(row["stood"]) if "stood" in row else None
    return Decision(id=row["_id"], petitions=tuple(row["petitions"]), stood=stood, **values)
