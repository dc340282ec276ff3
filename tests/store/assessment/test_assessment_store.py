"""The ledger's port: the same suite on the fake and on MongoDB."""

import itertools
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.assessment.domain.scorecard import scorecard
from services.assessment.ports import Confined, Wanted
from tests.support.ledgers import MemoryLedger
from tests.support.lifecycle import BUREAU, COUNTY, HEALTH, REGISTRAR, Story, accepted, at, settled

ALL = Confined()


async def listed(ledger: MemoryLedger, now: str, state: str | None = None, **more: Any) -> list[str]:
    rows = await ledger.store.page(Wanted(ALL, state, **more), at(now), size=100, after=None)
    return [r.obligation.code for r in rows]


async def test_what_is_kept_comes_back_the_same(ledger: MemoryLedger) -> None:
    s = accepted()
    s("extended", "2026-04-20")
    s("replied", "2026-05-10")
    s("evaluated", "2026-05-12", solved=False, satisfied=False)
    await ledger.take(*s.events)
    held = (await ledger.store.held(None, ["P1", "P2"]))["P1"]
    memory = MemoryLedger()
    await memory.take(*s.events)
    assert held == (await memory.store.held(None, ["P1"]))["P1"]
    assert await ledger.store.rows(None, held.owed) == await memory.store.rows(None, held.owed)
    assert len(held.owed) == 5


async def test_a_step_that_comes_again_changes_nothing(ledger: MemoryLedger) -> None:
    s = accepted()
    first = await ledger.take(*s.events)
    assert {e.data.obligation for e in first} == {"REG_TRANSFER", "NOTIFY"}
    assert await ledger.take(*s.events) == []
    assert await ledger.take(s.events[1], s.events[1]) == []
    assert len((await ledger.store.held(None, ["P1"]))["P1"].steps) == 3


async def test_steps_before_the_filing_are_kept_and_count_when_it_comes(ledger: MemoryLedger) -> None:
    s = accepted()
    assert await ledger.take(*s.events[1:]) == []
    assert await listed(ledger, "2026-03-04") == []
    assert {e.data.obligation for e in await ledger.take(s.events[0])} == {"REG_TRANSFER", "NOTIFY"}
    assert await listed(ledger, "2026-03-04", "pending") == ["HANDLE"]


async def test_the_clock_is_never_early_and_tells_once(ledger: MemoryLedger) -> None:
    s = accepted()
    await ledger.take(*s.events)
    assert await ledger.strike(at("2026-04-21 23:59:59")) == 0
    assert not await ledger.store.waiting(at("2026-04-21 23:59:59"))
    assert await ledger.strike(at("2026-04-22")) == 1
    assert await ledger.strike(at("2026-04-22")) == 0
    assert await ledger.strike(at("2026-05-02 23:59:59")) == 0
    assert await ledger.strike(at("2026-05-03")) == 1
    assert await ledger.strike(at("2027-01-01")) == 0
    told = [e for e in await ledger.published() if e.data.obligation == "HANDLE"]
    assert sorted((e.data.state, e.data.at) for e in told) == [
        ("breached", at("2026-05-03")),
        ("due_soon", at("2026-04-22")),
    ]
    breach = next(e for e in told if e.data.state == "breached")
    assert breach.time == breach.data.at
    assert breach.data.derivation == "accepted 03-03 + 60 d (Art. 34) → 05-02"
    assert breach.data.explanation.zh.startswith("受理 03-03 + 60日")
    assert breach.partitionkey == BUREAU


async def test_a_clock_that_was_away_tells_the_breach_alone(ledger: MemoryLedger) -> None:
    await ledger.take(*accepted().events)
    assert await ledger.strike(at("2026-07-01")) == 1
    assert [e.data.state for e in await ledger.published() if e.data.obligation == "HANDLE"] == ["breached"]


async def test_many_at_once_are_told_in_portions(ledger: MemoryLedger) -> None:
    stories = [Story(f"P{n}") for n in range(25)]
    await ledger.take(*(s.filed("2026-03-01") for s in stories))
    struck = [await ledger.strike(at("2026-03-17"), limit=10) for _ in range(4)]
    assert struck == [10, 10, 5, 0]
    assert len(await ledger.published()) == 25
    assert await listed(ledger, "2026-03-17", "breached") == ["REG_TRANSFER"] * 25


async def test_done_after_the_breach_is_told_as_met_late(ledger: MemoryLedger) -> None:
    s = accepted()
    await ledger.take(*s.events)
    await ledger.strike(at("2026-05-03"))
    (met,) = await ledger.take(s("replied", "2026-05-05"))
    assert (met.data.state, met.data.at > met.data.due) == ("met", True)
    assert await ledger.strike(at("2027-01-01")) == 0
    assert "HANDLE" in await listed(ledger, "2026-06-01", "met_late")


async def test_an_old_ledger_is_shown_and_counted_but_not_announced(ledger: MemoryLedger) -> None:
    old, late = Story("OLD"), Story("LATE")
    await ledger.take(old.filed("2012-06-01", recorded="2026-03-01"), late.filed("2026-03-01", recorded="2026-05-01"))
    assert await ledger.strike(at("2026-05-02")) == 1
    assert [e.data.petition_id for e in await ledger.published()] == ["LATE"]
    assert len(await listed(ledger, "2026-05-02", "breached")) == 2


async def test_states_as_questions(ledger: MemoryLedger) -> None:
    s = accepted()
    s("replied", "2026-05-05")
    other = Story("P2")
    other.filed("2026-04-28")
    other("assigned", "2026-04-29")
    await ledger.take(*s.events, *other.events)
    now = "2026-05-12"
    assert await listed(ledger, now, "met_late") == ["HANDLE"]
    assert sorted(await listed(ledger, now, "met")) == ["NOTIFY", "REG_TRANSFER", "REG_TRANSFER"]
    assert await listed(ledger, now, "due_soon") == ["NOTIFY"]
    assert await listed(ledger, "2026-05-15", "breached") == ["NOTIFY"]
    assert sorted(await listed(ledger, now, "excluded")) == ["OBJECT", "OBJECT"]
    assert await listed(ledger, "2026-05-02", "pending", code="NOTIFY") == ["NOTIFY"]
    assert sorted(await listed(ledger, now, petition="P2")) == ["NOTIFY", "OBJECT", "REG_TRANSFER"]
    assert await listed(ledger, now, petition="P") == []


async def test_pages_follow_each_other_without_gap_or_repetition(ledger: MemoryLedger) -> None:
    stories = [Story(f"P{n}") for n in range(7)]
    await ledger.take(*(s.filed(f"2026-03-0{n % 3 + 1}") for n, s in enumerate(stories)))
    await ledger.take(Story("X").filed("2026-03-01", channel="inspection"))
    for state, expected in ((None, 7), ("pending", 7), ("excluded", 1)):
        seen: list[str] = []
        after = None
        for _ in itertools.count():
            rows = await ledger.store.page(Wanted(ALL, state), at("2026-03-03"), size=2, after=after)
            if not rows:
                break
            seen += [r.obligation.id for r in rows]
            after = (rows[-1].obligation.breach_at, rows[-1].obligation.id)
        assert len(seen) == len(set(seen)) == expected


async def test_an_accusation_is_not_there_for_the_accused(ledger: MemoryLedger) -> None:
    named, unnamed = Story("A1"), Story("A2")
    await ledger.take(
        named.filed("2026-03-01", purpose="accusation", accused_unit=HEALTH),
        unnamed.filed("2026-03-01", purpose="accusation"),
        Story("P1").filed("2026-03-01"),
        named("replied", "2026-03-05"),
        unnamed("replied", "2026-03-05"),
    )
    accused = Confined(barred=frozenset({HEALTH, COUNTY}))
    anybody = Confined(no_unknown_accusations=True)
    now = at("2026-03-20")
    for confined, petitions in ((ALL, {"A1", "A2", "P1"}), (accused, {"A2", "P1"}), (anybody, {"A1", "P1"})):
        rows = await ledger.store.page(Wanted(confined), now, size=100, after=None)
        assert {r.obligation.petition for r in rows} == petitions
        owed = await ledger.store.owed(confined, at("2026-01-01"), at("2027-01-01"))
        assert {r.obligation.petition for r in owed} == petitions
        facts = await ledger.store.facts(confined, at("2026-01-01"), at("2027-01-01"))
        assert {f.petition for f in facts} == petitions - {"P1"}
        await ledger.strike(at("2026-03-14"))
    (count,) = await ledger.store.counts(Confined(barred=frozenset({HEALTH})), now)
    assert (count.unit, count.open, count.breached) == (REGISTRAR, 1, 1)


async def test_findings_about_an_accusation_say_so(ledger: MemoryLedger) -> None:
    await ledger.take(Story("A1").filed("2026-03-01", purpose="accusation", accused_unit=HEALTH))
    await ledger.strike(at("2026-03-17"))
    (event,) = await ledger.published()
    assert (event.data.restricted, event.data.accused_unit) == (True, HEALTH)


async def test_confined_to_units_and_county(ledger: MemoryLedger) -> None:
    await ledger.take(*accepted().events, Story("Q", county="379912").filed("2026-03-01"))
    now = at("2026-03-03")
    rows = await ledger.store.page(Wanted(Confined(units=frozenset({BUREAU}))), now, size=100, after=None)
    assert {r.obligation.unit for r in rows} == {BUREAU}
    rows = await ledger.store.page(Wanted(Confined(jurisdiction="379912")), now, size=100, after=None)
    assert {r.obligation.petition for r in rows} == {"Q"}
    assert {BUREAU, REGISTRAR, "379912.petition_bureau"} <= await ledger.store.units()


async def test_repeats_of_settled_petitions(ledger: MemoryLedger) -> None:
    await ledger.take(
        *settled("P1", on="2026-03-20").events,
        *settled("P4", on="2026-04-01", kind="closed").events,
        Story("P5").filed("2026-03-01"),
        Story("P2").filed("2026-04-02", joined="P1"),
        Story("P3").filed("2026-04-01", joined="P1"),
        Story("P6").filed("2026-04-01", joined="P4"),
        Story("P7").filed("2026-04-01", joined="P5"),
    )
    repeats = await ledger.store.repeats(["P1", "P4", "P5", "P9"])
    first = at("2026-04-01")
    assert repeats == {"P1": (first, at("2026-04-02")), "P4": (first,), "P5": (first,)}
    assert await ledger.store.repeats(["P4"]) == {"P4": (at("2026-04-01"),)}
    assert await ledger.store.repeats([]) == {}


async def test_who_joined_before_the_reply_does_not_hide_who_came_after_it(ledger: MemoryLedger) -> None:
    await ledger.take(
        *settled("P1", on="2026-03-20").events,
        Story("P2").filed("2026-03-05", joined="P1"),
        Story("P3").filed("2026-03-25", joined="P1"),
        *settled("P4", on="2026-03-20").events,
        Story("P5").filed("2026-03-05", joined="P4"),
    )
    repeats = await ledger.store.repeats(["P1", "P4"])
    assert repeats == {"P1": (at("2026-03-05"), at("2026-03-25")), "P4": (at("2026-03-05"),)}
    facts = await ledger.store.facts(ALL, at("2026-01-01"), at("2027-01-01"))
    made = scorecard(BUREAU, at("2026-01-01"), at("2027-01-01"), at("2027-01-01"), [], facts, repeats)
    figure = next(f for m in made.measures for f in m.beside if f.key == "repeated")
    assert (figure.numerator, figure.denominator) == (1, 2)


async def test_an_accusation_that_joined_is_no_repeat_for_anybody(ledger: MemoryLedger) -> None:
    """The accused unit would find it in its own scorecard (Art. 30)."""
    await ledger.take(
        *settled("P1", on="2026-03-20").events,
        Story("A1").filed("2026-03-23", joined="P1", purpose="accusation", accused_unit=BUREAU),
        Story("A2").filed("2026-03-24", joined="P1", purpose="accusation"),
    )
    assert await ledger.store.repeats(["P1"]) == {}
    await ledger.take(Story("P2").filed("2026-03-25", joined="P1"))
    assert await ledger.store.repeats(["P1"]) == {"P1": (at("2026-03-25"),)}


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_any_order_with_repetitions_ends_in_the_same_ledger(data: st.DataObject) -> None:
    s = accepted()
    s("objected", "2026-03-03 10:00")
    s("extended", "2026-04-20")
    s("replied", "2026-05-20")
    s("served", "2026-05-21")
    s("reopened", "2026-05-25")
    s("evaluated", "2026-05-26", solved=False)
    straight, mixed = MemoryLedger(), MemoryLedger()
    for event in s.events:
        await straight.take(event)
    order = data.draw(st.permutations(s.events))
    again = data.draw(st.lists(st.sampled_from(s.events), max_size=6))
    cuts = data.draw(st.lists(st.integers(0, len(order)), max_size=3))
    queue = [*order, *again]
    bounds = sorted({0, *cuts, len(queue)})
    for start, end in itertools.pairwise(bounds):
        await mixed.take(*queue[start:end])
    for ledger in (straight, mixed):
        await ledger.strike(at("2026-12-31") + timedelta(days=1))
    left, right = (
        {k: r.obligation for k, r in ledger.store.obligations.items() if not _superseded(r)}
        for ledger in (straight, mixed)
    )
    assert left == right
    assert straight.store.petitions["P1"].owed == mixed.store.petitions["P1"].owed[: len(left)]


def _superseded(row: Any) -> bool:
    return row.obligation.excluded is not None and "取代" in row.obligation.excluded.zh
