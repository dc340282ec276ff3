"""What was announced and is owed no more is taken back, with the reason; whoever follows the findings ends where the ledger is."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from services.alerts.domain.findings import FindingRow, placed
from services.alerts.signals import _finding
from services.assessment.domain.rules import WINDOWS
from services.assessment.handlers import keep, let_strike, read
from services.assessment.policy import load_rules
from shared.events import Event
from tests.support.lifecycle import BUREAU, HEALTH, Story, accepted, at
from tests.support.memory_assessment import MemoryStore

BOOK = load_rules()
END = at("2026-12-31")


class Ledger:
    """A ledger, and its findings in the order in which they were published."""

    def __init__(self) -> None:
        self.store = MemoryStore()

    async def take(self, *events: Event) -> list[tuple[str, str]]:
        """New steps; gives what was published of them."""
        made = await keep(self.store, None, read(events), BOOK)
        assert not {str(e.id) for e in made} & self.store.events.keys(), "an id is given once"
        await self.store.enqueue(made)
        return told(made)

    async def strike(self, when: str) -> list[tuple[str, str]]:
        """The clock strikes; gives what was published."""
        before = len(self.store.events)
        assert await let_strike(self.store, None, at(when), 500) == len(self.store.events) - before
        return told(list(self.store.events.values())[before:])

    @property
    def published(self) -> list[Event]:
        return list(self.store.events.values())


def told(events: Sequence[Event]) -> list[tuple[str, str]]:
    return [(e.data.obligation, e.data.state) for e in events]


async def test_an_extension_takes_the_near_deadline_back() -> None:
    ledger, s = Ledger(), accepted()
    await ledger.take(*s.events)
    assert await ledger.strike("2026-04-23") == [("HANDLE", "due_soon")]
    assert await ledger.take(s("extended", "2026-04-24", recorded="2026-04-25")) == [("HANDLE", "withdrawn")]
    event = ledger.published[-1]
    assert (event.data.reason.zh, event.data.reason.en) == ("已依法延期", "extended under Art. 34")
    assert event.data.at == at("2026-04-25")
    assert str(event.causationid) == str(s.events[-1].id)
    assert event.type == "fengqiao.obligation.withdrawn.v1"
    assert await ledger.take(s("met", "2026-04-26")) == []
    assert ("HANDLE_EXT", "breached") in await ledger.strike("2026-07-01")


async def test_what_was_never_announced_is_not_taken_back() -> None:
    ledger, s = Ledger(), accepted()
    await ledger.take(*s.events)
    assert await ledger.take(s("extended", "2026-03-20")) == []


async def test_an_earlier_step_takes_the_later_start_back_and_its_own_clock_is_announced() -> None:
    ledger, s = Ledger(), Story()
    await ledger.take(s.filed("2026-03-01"), s("assigned", "2026-03-02"), s("accepted", "2026-03-10"))
    await ledger.strike("2026-05-09 12:00")
    found = await ledger.take(s("accepted", "2026-03-03", recorded="2026-05-09 13:00"))
    assert ("HANDLE", "withdrawn") in found
    assert [e.data.reason.en for e in ledger.published if e.data.state == "withdrawn"] == [
        "an earlier step starts this clock"
    ]
    assert await ledger.strike("2026-05-09 14:00") == [("HANDLE", "breached")]


async def test_another_unit_takes_the_duty_and_is_told_of_it() -> None:
    ledger, s = Ledger(), accepted()
    await ledger.take(*s.events)
    await ledger.strike("2026-05-03")
    assert await ledger.take(s("accepted", "2026-05-05", unit=HEALTH)) == [("HANDLE", "withdrawn")]
    assert ledger.published[-1].data.unit == BUREAU
    assert await ledger.strike("2026-05-06") == [("HANDLE", "breached")]
    again = ledger.published[-1]
    assert (again.data.unit, again.data.renewal) == (HEALTH, 1)
    assert len({str(e.id) for e in ledger.published}) == len(ledger.published)


async def test_what_was_told_as_met_and_is_not_owed_is_taken_back_too() -> None:
    ledger, s = Ledger(), Story()
    first = [s.filed("2026-03-01"), s("assigned", "2026-03-02"), s("accepted", "2026-03-10", unit=HEALTH)]
    assert ("NOTIFY", "met") in await ledger.take(*first)
    assert ("NOTIFY", "withdrawn") in await ledger.take(s("assigned", "2026-03-09", unit=HEALTH))


async def test_a_duty_whose_end_falls_away_is_announced_again() -> None:
    ledger, s = Ledger(), Story()
    first = [s.filed("2026-03-01"), s("assigned", "2026-03-02"), s("accepted", "2026-03-20", unit=HEALTH)]
    assert ("NOTIFY", "met") in await ledger.take(*first)
    assert ("NOTIFY", "withdrawn") in await ledger.take(s("assigned", "2026-03-19", unit=HEALTH))
    assert [e.data.reason.en for e in ledger.published if e.data.state == "withdrawn"] == [
        "the step that ended it does not any more"
    ]
    assert ("NOTIFY", "breached") in await ledger.strike("2026-03-21")
    assert [
        e.data.renewal for e in ledger.published if (e.data.obligation, e.data.state) == ("NOTIFY", "breached")
    ] == [1]


async def test_a_duty_that_was_met_and_turns_out_to_have_been_due_earlier_is_shown_as_met() -> None:
    ledger, s = Ledger(), Story()
    await ledger.take(s.filed("2026-03-01"), s("assigned", "2026-03-02"), s("accepted", "2026-03-20"))
    await ledger.take(s("extended", "2026-04-25"))
    assert await ledger.strike("2026-06-17") == [("HANDLE_EXT", "due_soon")]
    earlier = s("accepted", "2026-03-03", recorded="2026-06-17 13:00")
    assert await ledger.take(earlier, s("replied", "2026-06-17 14:00")) == [("HANDLE_EXT", "met")]
    heard: tuple[FindingRow, ...] = ()
    for event in ledger.published:
        if event.data.obligation == "HANDLE_EXT":
            heard = placed(heard, _finding(event.data)) or heard
    assert [row.state for row in heard] == ["met"]


KINDS = ("accepted", "accepted", "assigned", "assigned", "extended", "replied", "objected", "reopened", "not_accepted")
DAYS = (1, 2, 10, 18, 55, 62, 70)
STRIKES = (13, 20, 57, 64, 75, 97)


def day(number: int) -> str:
    return (at("2026-03-01") + timedelta(days=number)).date().isoformat()


@st.composite
def lives(draw: st.DrawFn) -> list[tuple[list[Event], int]]:
    """Batches of steps in any order, and the day on which the clock strikes after each."""
    s = Story()
    s.filed(day(0))
    for _ in range(draw(st.integers(2, 8))):
        s(draw(st.sampled_from(KINDS)), day(draw(st.sampled_from(DAYS))), unit=draw(st.sampled_from([BUREAU, HEALTH])))
    order = draw(st.one_of(st.permutations(s.events), st.just(sorted(s.events, key=lambda e: e.time))))
    cuts = sorted({0, len(order), *draw(st.lists(st.integers(1, len(order)), min_size=2, max_size=5))})
    strikes = sorted(draw(st.lists(st.sampled_from(STRIKES), min_size=len(cuts) - 1, max_size=len(cuts) - 1)))
    return [(list(order[a:b]), strike) for (a, b), strike in zip(itertools.pairwise(cuts), strikes, strict=True)]


@settings(max_examples=400, deadline=None)
@given(life=lives(), data=st.data())
async def test_the_findings_lead_to_where_the_ledger_is(
    life: list[tuple[list[Event], int]], data: st.DataObject
) -> None:
    ledger = Ledger()
    for batch, strike in life:
        await ledger.take(*batch)
        await ledger.strike(day(strike))
    while await ledger.store.waiting(END):
        await let_strike(ledger.store, None, END, 500)
    units = sorted({e.partitionkey for e in ledger.published})
    late = data.draw(st.permutations(units))  # findings of one unit stay in order, those of several do not
    heard: dict[str, tuple[FindingRow, ...]] = {}
    for event in sorted(ledger.published, key=lambda e: late.index(e.partitionkey)):
        row = _finding(event.data)
        heard[row.id] = placed(heard.get(row.id, ()), row) or heard[row.id]
    rows = [r for r in ledger.store.obligations.values() if r.obligation.code not in WINDOWS]
    for code in {r.obligation.code for r in rows}:
        owed = [r for r in rows if r.obligation.code == code and r.obligation.state(END) != "excluded"]
        last = max(owed, key=lambda r: (r.obligation.due, r.obligation.started), default=None)
        shown = heard.get(f"P1/{code}")
        if last is None:
            assert shown is None or shown[0].state == "withdrawn"
            continue
        assert shown is not None
        state = last.obligation.state(END)
        assert shown[0].state == ("met" if state.startswith("met") else state)
        if state == "breached":
            assert shown[0].unit == last.obligation.unit
