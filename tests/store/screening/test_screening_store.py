"""Screening's port: the same suite on the fake and on MongoDB."""

from datetime import timedelta
from typing import Any

import pytest

from services.screening import codec
from services.screening.domain.petitions import Decision
from services.screening.handlers import NotFound, Refused
from services.screening.pipeline import keep_findings, keep_outcomes
from services.screening.ports import CountyWrites, Stale, Wanted
from shared.bus import Received
from shared.events import (
    Bilingual,
    ObligationBreached,
    ObligationWithdrawn,
    PetitionAccepted,
    WarningDiscarded,
    WarningVerified,
)
from shared.mongo import PyMongoError
from tests.support.petitions import COUNTY, START
from tests.support.screening import filed_event, later
from tests.support.screening_service import AFTER, LEADER, OFFICER, Service


async def test_a_restart_goes_on_where_it_was(service: Service) -> None:
    await service.take(*(filed_event(n, minutes=n) for n in range(3)))
    service.start()
    await service.screening.load([3])
    assert service.screening.held(COUNTY).newest == START + timedelta(minutes=2)
    made = await service.take(*(filed_event(n, minutes=n) for n in range(2, 5)))
    assert [e.type for e in made] == ["fengqiao.flag.raised.v1"]
    assert (await service.flags())["collective_risk"]["distinct"] == 5
    again = await service.take(*(filed_event(n, minutes=n) for n in range(5)))
    assert again == []


async def test_a_batch_that_was_not_committed_is_made_again_after_load(service: Service) -> None:
    await service.take(*(filed_event(n, minutes=n) for n in range(3)))
    more = [filed_event(n, minutes=n) for n in range(3, 6)]
    with pytest.raises(ConnectionError):
        await service.take(*more, commit=False)
    assert await service.flags() == {}
    with pytest.raises(Stale):
        await service.take(filed_event(9, minutes=9))
    await service.screening.load([3])
    made = [event for one in more for event in await service.take(one)]
    assert [e.data.distinct_petitioners for e in made] == [5]
    assert (await service.flags())["collective_risk"]["distinct"] == 6


async def test_another_owner_of_the_county_is_noticed(service: Service) -> None:
    other = Service(service.store)
    await service.take(filed_event(0))
    await other.screening.load([3])
    await other.take(filed_event(1, minutes=1))
    with pytest.raises(Stale):
        await service.take(filed_event(2, minutes=2))
    await service.screening.tick()
    assert await service.store.version(COUNTY) == 2


async def test_a_tick_waits_for_the_batch_that_is_on_its_way(service: Service) -> None:
    await service.take(*(filed_event(n, minutes=n) for n in range(5)))
    plan = await service.screening.prepare([Received("t", 3, 9, AFTER, None, filed_event(9, 1, minutes=9))])
    service.now = 40 * 86400
    await service.screening.tick()
    assert (await service.flags())["collective_risk"]["state"] == "open"
    await service.store.transaction(lambda tx: service.screening.write(tx, plan))
    service.now += 40 * 86400
    await service.screening.tick()
    assert (await service.flags())["collective_risk"]["reason"] == "window_passed"


async def test_when_the_newest_petition_came_is_kept_over_restarts(service: Service) -> None:
    await service.take(*(filed_event(n, minutes=n) for n in range(5)))
    for week in range(5):
        assert (await service.flags())["collective_risk"]["state"] == "open", week
        service.now += 7 * 86400
        await service.screening.tick()
        service.start()
        await service.screening.load([3])
    assert (await service.flags())["collective_risk"]["reason"] == "window_passed"


async def test_findings_wait_for_the_owner_and_count_once(service: Service) -> None:
    taken = PetitionAccepted(petition_id="run-p00000", jurisdiction=COUNTY, at=START, unit=f"{COUNTY}.office")
    await service.take(filed_event(0, petitioner="same"), later(taken, id="a", at=START))
    breach = ObligationBreached(
        petition_id="run-p00000",
        jurisdiction=COUNTY,
        unit=f"{COUNTY}.office",
        obligation="HANDLE",
        due=START,
        state="breached",
        basis="Art. 34",
        derivation="…",
        at=START + timedelta(days=61),
    )
    event = later(breach, id="b", at=START)
    for _ in range(2):
        await service.store.transaction(lambda tx: keep_findings(service.store, tx, [event, event]))
        await service.screening.tick()
    made = await service.take(filed_event(1, petitioner="same", at=START + timedelta(days=62)))
    assert {e.data.kind for e in made} == {"unanswered_repeat", "cross_level_risk"}
    service.start()
    await service.screening.load([3])
    state = service.screening.held(COUNTY).histories
    assert sum(len(h.state.repeats) for h in state.values() if h.state) == 1


async def test_a_breach_that_was_none_is_taken_back(service: Service) -> None:
    taken = PetitionAccepted(petition_id="run-p00000", jurisdiction=COUNTY, at=START, unit=f"{COUNTY}.office")
    await service.take(filed_event(0, petitioner="same"), later(taken, id="a", at=START))
    words: dict[str, Any] = {
        "petition_id": "run-p00000",
        "jurisdiction": COUNTY,
        "unit": f"{COUNTY}.office",
        "obligation": "HANDLE",
        "due": START,
        "basis": "Art. 34",
        "derivation": "…",
        "started_by": "a",
    }
    breach = ObligationBreached(**words, state="breached", at=START + timedelta(days=40))
    none = ObligationWithdrawn(
        **words, state="withdrawn", at=START + timedelta(days=42), reason=Bilingual(zh="已依法延期", en="extended")
    )
    findings = [later(breach, id="b", at=START), later(none, id="c", at=START)]
    await service.store.transaction(lambda tx: keep_findings(service.store, tx, findings[:1]))
    await service.screening.tick()
    await service.take(filed_event(1, petitioner="same", at=START + timedelta(days=41)))
    assert (await service.flags())["unanswered_repeat"]["state"] == "open"
    await service.store.transaction(lambda tx: keep_findings(service.store, tx, findings[1:]))
    await service.screening.tick()
    assert (await service.flags())["unanswered_repeat"]["state"] == "cleared"


async def test_outcomes_feed_the_precision_and_an_older_one_changes_nothing(service: Service) -> None:
    await service.take(*(filed_event(n, minutes=n) for n in range(5)))
    flag = (await service.flags())["collective_risk"]

    def outcome(kind: Any, version: int) -> Any:
        data = kind(
            warning_id="w1",
            version=version,
            kind="collective_risk",
            level="III",
            state="x",
            matter=flag["matter"],
            jurisdiction=COUNTY,
            flag_id=flag["_id"],
            at=START + timedelta(hours=version),
        )
        return later(data, id=f"w{version}", at=START)

    for events in ([outcome(WarningVerified, 3)], [outcome(WarningDiscarded, 2), outcome(WarningVerified, 3)]):
        await service.store.transaction(lambda tx, e=events: keep_outcomes(service.store, tx, e))
    [rule] = (await service.desk.precision(COUNTY, OFFICER))["rules"]
    assert (rule["flags"], rule["right"], rule["wrong"], rule["precision"], rule["unjudged"]) == (1, 1, 0, 1.0, 0)
    assert rule["interval_95"][0] < 0.5
    assert (await service.desk.precision("000000", OFFICER))["rules"] == []


async def test_a_contest_has_one_outcome_by_somebody_else_and_clears_a_wrong_flag(service: Service) -> None:
    await service.take(*(filed_event(n, minutes=n) for n in range(5)))
    id = (await service.flags())["collective_risk"]["_id"]
    with pytest.raises(Refused, match="no open contest"):
        await service.desk.resolve(id, "upheld", "没有异议", LEADER)
    await service.desk.contest(id, "同一人多号", OFFICER)
    with pytest.raises(Refused, match="already"):
        await service.desk.contest(id, "同一人多号", LEADER)
    with pytest.raises(Refused, match="somebody else"):
        await service.desk.resolve(id, "withdrawn", "成立", OFFICER)
    await service.desk.resolve(id, "withdrawn", "成立", LEADER)
    await service.screening.tick()
    row = (await service.flags())["collective_risk"]
    assert (row["state"], row["reason"], row["contest"]["state"]) == ("cleared", "contested", "withdrawn")
    [rule] = (await service.desk.precision(None, OFFICER))["rules"]
    assert rule["precision"] == 0.0
    with pytest.raises(NotFound):
        await service.desk.contest("none", "没有这个", OFFICER)


async def test_merge_and_split_are_kept_with_reason_and_survive_a_restart(service: Service) -> None:
    await service.take(*(filed_event(n, minutes=n) for n in range(3)), filed_event(10, 1, minutes=4))
    places = {p: placed.matter for p, placed in service.screening.held(COUNTY).placed.items()}
    one, two = places["run-p00000"], places["run-p00010"]
    assert one != two
    assert {row["id"] for row in (await service.desk.near(two, OFFICER))["items"]} == {one}
    await service.desk.merge(one, two, "同一承包商", OFFICER)
    await service.screening.tick()
    matter = await service.desk.matter(one, OFFICER)
    assert len(matter["members"]) == 4
    assert [(d["kind"], d["reason"], d["applied"]) for d in matter["decisions"]] == [("merge", "同一承包商", True)]
    there = await service.desk.matter(two, OFFICER)
    assert there["merged_into"] == one
    assert [d["subject"]["petitioners"] for d in (*matter["decisions"], *there["decisions"])] == [1, 3]
    with pytest.raises(Refused, match="merged"):
        await service.desk.merge(one, two, "再来一次", OFFICER)
    await service.desk.split(one, ["run-p00001"], "另一栋楼", OFFICER)
    await service.screening.tick()
    [off] = [d["subject"] for d in (await service.desk.matter(one, OFFICER))["decisions"] if d["kind"] == "split"]
    assert (off["petitions"], off["petitioners"]) == (1, 1)
    [back] = (await service.desk.matter(off["matter"], OFFICER))["decisions"]
    assert (back["subject"]["matter"], back["subject"]["petitions"]) == (one, 4)
    service.start()
    await service.screening.load([3])
    held = service.screening.held(COUNTY)
    now = {p: placed.matter for p, placed in held.placed.items()}
    assert now["run-p00001"] not in (one, two)
    assert {now[p] for p in ("run-p00000", "run-p00002", "run-p00010")} == {one}
    assert len(await service.store.matters(Wanted())) >= 2


async def test_pages_of_flags_follow_each_other(service: Service) -> None:
    visits = [filed_event(n, n % 4, minutes=n, channel="visit", representatives=6, headcount=7) for n in range(6)]
    await service.take(*visits)
    found: list[str] = []
    after = None
    for _ in range(20):
        page = await service.store.flags(Wanted(kind="over_representatives", limit=2, after=after))
        if not page:
            break
        found += [row["_id"] for row in page]
        after = (page[-1]["at"], page[-1]["_id"])
    assert len(found) == len(set(found)) == 6


async def test_a_decision_for_what_is_gone_is_taken_off_the_list(service: Service) -> None:
    await service.take(filed_event(0))
    row = {"_id": "d", "county": COUNTY, "applied": False, "petitions": []}
    row |= {
        k: getattr(Decision("d", "withdraw", START, "gone", "a", "b", flag="f"), k)
        for k in ("kind", "at", "matter", "actor", "reason", "other", "flag")
    }
    await service.store.transaction(lambda tx: service.store.put_decision(tx, row))
    await service.screening.tick()
    assert await service.store.inbox([COUNTY]) == {}


async def test_a_late_petition_that_is_linked_again_is_noted_once_and_stops_nothing(service: Service) -> None:
    await service.take(*(filed_event(n, minutes=n * 10) for n in range(5)), filed_event(50, minutes=600))
    await service.take(filed_event(90, minutes=100))
    await service.take(filed_event(91, minutes=590))  # a little out of order: the late one is linked again behind it
    assert {"run-p00090", "run-p00091"} <= await service.store.known({"run-p00090", "run-p00091"})


async def test_nothing_is_stored_twice_under_one_id(service: Service) -> None:
    await service.take(filed_event(0))
    decision = codec.decision_document(COUNTY, Decision("d", "withdraw", START, "gone", "a", "b", flag="f"))
    await service.store.transaction(lambda tx: service.store.put_decision(tx, decision))
    petition = {"_id": "run-p00000", "county": COUNTY, "joined_at": START, "matter": "m"}
    writes = CountyWrites(COUNTY, 1, {"version": 2, "partition": 3, "newest": START}, petitions=[petition])
    for again in (
        lambda tx: service.store.put_decision(tx, decision),
        lambda tx: service.store.write(tx, writes),
    ):
        with pytest.raises(PyMongoError):
            await service.store.transaction(again)
    assert await service.store.version(COUNTY) == 1
