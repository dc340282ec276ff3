"""One county's messages through linking and rules on event time: the engine that screening runs, without Kafka and MongoDB.

This is what each process of a replay loads, so it knows the engine and nothing of the service around it.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from time import perf_counter
from typing import Any, Final

from services.screening.domain.engine import County
from services.screening.domain.flags import Flag
from services.screening.domain.outcome import Filed, Notice
from services.screening.domain.petitions import RANK, Filing, moment
from services.screening.domain.policy import Policies
from services.screening.domain.warming import warm_up
from shared import signals
from shared.messagerows import BadRow, Message

BATCH = 200
COUNTS: Final = ("headcount", "representatives")
MOST_PEOPLE: Final = 100_000
"""As the intake takes it."""
DIGITS: Final = 9


@dataclass(frozen=True)
class Told:
    """One transition of a flag, as the live pipeline would have published it."""

    what: str
    at: datetime
    flag: Flag

    def line(self, numbers: frozenset[str] = frozenset()) -> dict[str, Any]:
        """The line of the output file; ids that the file has as numbers are numbers again."""
        return {
            "at": self.at.isoformat(),
            "kind": self.flag.kind,
            "matter": self.flag.matter,
            "ids": [int(p) if p in numbers else p for p in self.flag.petitions],
            "level": self.flag.level,
            "rule": f"{self.flag.rule}@{self.flag.rule_version}",
        }


@dataclass
class Run:
    """What came of a replay. `matters`: petition → the matter it ends in. `merged`: a matter that another took in → that which it
    ends in. `seconds`: of the engine alone, by county.
    """

    told: list[Told] = field(default_factory=list)
    matters: dict[str, str] = field(default_factory=dict)
    merged: dict[str, str] = field(default_factory=dict)
    late: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    wall: float = 0.0

    @property
    def raised(self) -> list[Told]:
        """Flags when they were first raised, in the order of time."""
        return [told for told in self.told if told.what == "raised"]


def filed(message: Message, county: str) -> Filed:
    """A row as a petition. Columns beyond the five are used where they say something: channel, headcount, levels, topic."""
    more = message.more
    filing = Filing(
        id=message.id,
        county=message.jurisdiction or county,
        petitioner=message.petitioner or f"?{message.id}",
        at=moment(message.submitted_at),
        channel=more.get("channel") or "web_portal",
        title=message.title,
        cause=message.id,
        topic=more.get("topic") or None,
        headcount=_number(more.get("headcount")),
        representatives=_number(more.get("representatives")),
        presented=_level(more.get("level_presented")),
        competent=_level(more.get("level_competent")) or "county",
        signals=signals.encode(signals.find(message.title, message.text)),
    )
    return Filed(filing, message.text)


def unusable(message: Message) -> BadRow | None:
    """Why a row cannot be replayed: a count of people that no petition has, as the import of a ledger refuses it."""
    for name in COUNTS:
        cell = message.more.get(name)
        if cell and cell.isdecimal() and (len(cell) > DIGITS or int(cell) > MOST_PEOPLE):
            return BadRow(message.row, f"{name}-invalid", f"{name} is a whole number of at most {MOST_PEOPLE}")
    return None


def _number(text: str | None) -> int | None:
    """A count of people; None where the cell says none."""
    number = int(text) if text and text.isdecimal() and len(text) <= DIGITS else 0
    return number if 0 < number <= MOST_PEOPLE else None


def _level(text: str | None) -> str | None:
    return text if text in RANK else None


def play(county: str, items: Sequence[Filed], policies: Policies, tick: Callable[[int], None] | None = None) -> Run:
    """One county's petitions in the order of event time, linked by the policy in force at the newest of them."""
    run = Run()
    rows = sorted(items, key=lambda item: (item.filing.at, item.filing.id))
    engine = County(county, policies, at=rows[-1].filing.at if rows else None)
    started = perf_counter()
    merged: dict[str, str] = {}
    with uncollected():
        for start in range(0, len(rows), BATCH):
            out = engine.apply(rows[start : start + BATCH])
            run.told += _told(out.notices)
            run.late += len(out.late)
            for pid in (*out.filed, *out.moved):
                if (placed := engine.placed.get(pid)) is not None:
                    run.matters[pid] = placed.matter
            merged |= {merge.gone: merge.kept for merge in out.merges}
            if tick is not None:
                tick(min(BATCH, len(rows) - start))
        run.told += _told(engine.advance(engine.newest).notices)
    run.seconds[county] = perf_counter() - started
    run.merged = {gone: _last(gone, merged) for gone in merged}
    run.matters = {pid: _last(matter, merged) for pid, matter in run.matters.items()}
    return run


@contextmanager
def uncollected() -> Iterator[None]:
    """Without the collector of cycles: rows and engine make none, and would be searched for them again and again."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _told(notices: Iterable[Notice]) -> list[Told]:
    return [Told(notice.what, notice.at, notice.flag) for notice in notices]


def _last(matter: str, merged: Mapping[str, str]) -> str:
    seen = {matter}
    while (matter_to := merged.get(matter)) is not None and matter_to not in seen:
        matter = matter_to
        seen.add(matter)
    return matter


def work(county: str, messages: list[Message], policies: Policies) -> Run:
    """`play` in a process of its own."""
    warm_up(policies)
    return play(county, [filed(m, county) for m in messages], policies)
