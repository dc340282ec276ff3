"""A flag that was withdrawn as wrong stays so: its grounds count no more, neither here nor in the matter that takes them in."""

from datetime import timedelta

from services.screening.domain.petitions import Decision
from tests.support.petitions import DAY, START, county, feed, filed, flags, raised, step
from tests.unit.screening.test_restart_properties import Room

DOUBTED = ("accepted", "replied", "evaluated")


def withdraw(engine, kind, id="w"):
    [flag] = [flag for flag in flags(engine, kind) if flag.state == "open"]
    return engine.apply([Decision(id, "withdraw", START, flag.matter, "officer", "核实不成立", flag=flag.id)])


def merge(engine, kept, gone, id="m"):
    one, other = engine.placed[kept].matter, engine.placed[gone].matter
    return engine.apply([Decision(id, "merge", START, one, "officer", "同一事项", other=other)])


def contested(petition, day, id="c"):
    """It is answered, and its petitioner is not content."""
    at = [START + (day + n) * DAY for n in (-2, -1, 0)]
    return [step(f"{id}{n}", petition, kind, at[n], solved=False) for n, kind in enumerate(DOUBTED)]


def open_kinds(engine):
    return [flag.kind for flag in engine.flags() if flag.state == "open"]


# -- in its own matter ----------------------------------------------------------------------------------------------------


def climbing():
    """A contested reply, and somebody who went to the province."""
    first = filed(1)
    return feed(first, *contested(first, 5), filed(2, at=START + 10 * DAY, presented="province"))


def test_a_withdrawn_risk_of_going_higher_is_not_raised_again_by_the_grounds_it_had():
    engine = climbing()
    out = withdraw(engine, "cross_level_risk")
    assert [(n.what, n.flag.reason) for n in out.notices] == [("cleared", "contested")]
    engine.apply([filed(3, at=START + 11 * DAY), filed(4, 1, at=START + 12 * DAY)])
    assert open_kinds(engine) == []


def test_grounds_that_are_newer_raise_it_again_and_only_these_are_counted():
    engine = climbing()
    withdraw(engine, "cross_level_risk")
    second = filed(3, at=START + 20 * DAY)
    engine.apply([second, *contested(second, 25, "d")])
    assert open_kinds(engine) == [], "it has neither climbed nor been repeated since"
    [flag] = raised(engine.apply([filed(4, at=START + 26 * DAY, presented="province")]), "cross_level_risk")
    assert (flag.petitions, flag.number) == (("p00003", "p00004"), 2)
    assert "1 contested" in flag.explanation[1]
    assert "1 already presented" in flag.explanation[1]


def test_a_repeat_and_a_breach_after_the_withdrawal_are_newer_grounds():
    first, again = filed(1, petitioner="same"), filed(2, petitioner="same", at=START + 62 * DAY)
    late = step("b", first, "breached", START + 61 * DAY, breach="one")
    engine = feed(first, step("a", first, "accepted", START + DAY), late, again)
    withdraw(engine, "cross_level_risk")
    engine.apply([filed(3, petitioner="same", at=START + 63 * DAY)])
    assert "cross_level_risk" not in open_kinds(engine), "a repeat, but nothing new that is owed"
    [flag] = raised(engine.apply([step("c", first, "breached", START + 64 * DAY, breach="two")]), "cross_level_risk")
    assert "1 unanswered past the deadline, 1 repeats" in flag.explanation[1]


def test_the_days_of_the_law_that_run_out_after_the_withdrawal_are_a_newer_ground():
    first = filed(1)
    announced = filed(2, at=START + 2 * DAY, presented="province", signals=("announced_escalation:capital",))
    engine = feed(first, step("a", first, "accepted", START + DAY), announced)
    withdraw(engine, "cross_level_risk")
    engine.apply([filed(3, at=START + 61 * DAY, presented="province")])
    assert open_kinds(engine) == []
    assert raised(engine.apply([filed(4, at=START + 63 * DAY)]), "cross_level_risk")


def test_a_withdrawn_flag_still_says_what_it_counted():
    engine = feed(*(filed(n, minutes=n) for n in range(5)))
    [notice] = withdraw(engine, "collective_risk").notices
    [flag] = flags(engine, "collective_risk")
    for shown in (notice.flag, flag):
        assert (shown.distinct, len(shown.petitions), len(shown.evidence)) == (5, 5, 5)


# -- through a merge ------------------------------------------------------------------------------------------------------


def withdrawn_beside_another():
    """Five on the garage, whose flag was withdrawn, and one older petition on the wages."""
    engine = feed(filed(30, 1, minutes=0.5), *(filed(n, minutes=n) for n in range(1, 6)))
    withdraw(engine, "collective_risk")
    return engine


def test_a_withdrawn_flag_does_not_come_back_through_a_merge():
    engine = withdrawn_beside_another()
    assert raised(merge(engine, "p00030", "p00001")) == []


def test_what_comes_after_the_withdrawal_counts_with_what_the_other_matter_had():
    engine = withdrawn_beside_another()
    merge(engine, "p00030", "p00001")
    for n in range(6, 9):
        assert not raised(engine.apply([filed(n, minutes=n)]))
    [flag] = raised(engine.apply([filed(9, minutes=9)]))
    assert (flag.observed, flag.distinct) == (5, 5)
    assert flag.petitions == ("p00030", *(f"p{n:05d}" for n in range(6, 10)))
    engine.advance(START + 31 * DAY)
    assert flags(engine, "collective_risk")[-1].closed_at == START + timedelta(minutes=8) + 30 * DAY


def test_one_of_them_who_writes_again_counts():
    engine = withdrawn_beside_another()
    merge(engine, "p00030", "p00001")
    engine.apply([filed(10 + n, minutes=10 + n, petitioner=f"who{n}") for n in range(1, 4)])
    assert open_kinds(engine) == []
    [flag] = raised(engine.apply([filed(14, minutes=14, petitioner="who4")]))
    assert flag.distinct == 5


def test_a_flag_of_the_matter_that_stays_stands_though_one_of_the_other_was_withdrawn():
    engine = feed(*(filed(30 + n, 1, minutes=n / 10) for n in range(5)), *(filed(n, minutes=n) for n in range(1, 6)))
    [gone] = [flag for flag in flags(engine, "collective_risk") if "p00001" in flag.petitions]
    engine.apply([Decision("w", "withdraw", START, gone.matter, "officer", "不成立", flag=gone.id)])
    merge(engine, "p00030", "p00001")
    [flag] = [flag for flag in flags(engine, "collective_risk") if flag.state == "open"]
    assert (flag.observed, flag.distinct) == (5, 5)


def test_it_does_not_come_back_through_two_merges_nor_a_visit_or_the_grounds_of_a_risk():
    first = filed(1, minutes=1)
    visit = filed(2, minutes=2, channel="visit", headcount=9, presented="prefecture")
    engine = feed(filed(40, 2, minutes=0.2), filed(30, 1, minutes=0.5), first, visit, *contested(first, 5))
    engine.apply([filed(50, 3, at=START + 6 * DAY)])  # staff decide after it
    for n, kind in enumerate(("collective_visit", "cross_level_risk")):
        withdraw(engine, kind, f"w{n}")
    assert raised(merge(engine, "p00030", "p00001", "m1")) == []
    assert raised(merge(engine, "p00040", "p00001", "m2")) == []
    engine.apply([filed(3, 2, at=START + 7 * DAY, petitioner="who1")])
    assert open_kinds(engine) == []


def test_a_split_takes_out_what_was_covered():
    engine = withdrawn_beside_another()
    merge(engine, "p00030", "p00001")
    matter = engine.placed["p00030"].matter
    engine.apply([Decision("s", "split", START, matter, "officer", "不同", petitions=("p00001", "p00002"))])
    assert {p for h in engine.histories.values() for p in h.state.waived.get("collective_risk", ())} == {
        "p00003",
        "p00004",
        "p00005",
    }


def test_a_restart_knows_what_a_merge_brought_with_it_as_of_then():
    room = Room()

    def do(*items):
        room.keep(room.engine.apply(list(items)))

    for n in range(1, 6):
        do(filed(n, minutes=n))
    do(filed(30, 1, minutes=6))
    [flag] = flags(room.engine, "collective_risk")
    do(Decision("w", "withdraw", START, flag.matter, "officer", "不成立", flag=flag.id))
    do(Decision("m", "merge", START, room.engine.placed["p00030"].matter, "officer", "同一", other=flag.matter))
    do(Decision("v", "withdraw", START, flag.matter, "officer", "不成立", flag=flag.id))
    for n in range(6, 10):
        do(filed(n, minutes=n))
    engine, told = room.restarted()
    assert engine.flags() == room.engine.flags()
    assert (told.notices, told.flags) == ([], {})


def test_a_restart_takes_over_repeats_as_they_were_at_the_merge():
    room = Room()

    def do(*items):
        room.keep(room.engine.apply(list(items)))

    first, again = filed(1, petitioner="same"), filed(2, petitioner="same", at=START + 62 * DAY)
    do(first, step("s1", first, "assigned", START + DAY, unit="379911.office"))
    do(step("s2", first, "breached", START + 61 * DAY, breach="x"))
    do(again)
    do(filed(3, 1, at=START + 63 * DAY))
    kept, gone = (room.engine.placed[p].matter for p in ("p00003", "p00001"))
    do(Decision("m", "merge", START, kept, "officer", "同一", other=gone))
    do(step("s3", first, "breach_withdrawn", START + 64 * DAY, breach="x"))
    assert [f.state for f in flags(room.engine, "unanswered_repeat")] == ["cleared", "cleared"]
    engine, told = room.restarted()
    assert engine.flags() == room.engine.flags()
    assert (told.notices, told.flags) == ([], {})


def test_nothing_withdrawn_costs_nothing():
    engine = county()
    engine.apply([filed(n, minutes=n) for n in range(5)])
    merge(engine, "p00000", "p00001")
    assert all(not h.state.waived for h in engine.histories.values() if h.state is not None)
