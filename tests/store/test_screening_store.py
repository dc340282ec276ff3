"""Screening's port: the same suite on the fake and on MongoDB."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from services.screening import codec
from services.screening.domain.petitions import Decision
from services.screening.handlers import NotFound, Refused
from services.screening.pipeline import keep_findings, keep_outcomes
from services.screening.ports import CountyWrites, Stale, Wanted
from services.screening.store import INDEXES, MongoStore
from shared import outbox
from shared.bus import Received
from shared.events import (
    Bilingual,
    ObligationBreached,
    ObligationWithdrawn,
    PetitionAccepted,
    WarningDiscarded,
    WarningVerified,
)
from shared.mongo import Mongo, PyMongoError
from tests.support.memory_screening import MemoryStore
from tests.support.petitions import COUNTY, START
from tests.support.screening import filed_event, later
from tests.support.screening_service import AFTER, LEADER, OFFICER, Service


@pytest.fixture(params=["memory", pytest.param("mongo", marks=pytest.mark.stack)])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    if request.param == "memory":
        yield MemoryStore()
        return
    stack = request.getfixturevalue("stack")
    mongo = Mongo(stack.mongo, request.getfixturevalue("mongo_db_name"), app_name="test")
    await mongo.ensure_indexes({**INDEXES, **outbox.INDEXES})
    yield MongoStore(mongo)
    await mongo.close()


@pytest.fixture
async def service(store: Any) -> Service:
    return Service(store)


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


async def quiet_and_newer(service: Service) -> tuple[str, str]:
    """A matter of the garage in which nothing happens any more, and one of wages, of 200 days later."""
    days = 24 * 60
    await service.take(*(filed_event(n, minutes=n) for n in range(3)))
    for day in (200, 202, 204):  # once a day of the county's time, quiet matters leave memory
        await service.take(filed_event(day, 1, minutes=day * days))
    place = {row["_id"]: row["matter"] for row in (await service.store.county(COUNTY, 1000)).petitions}
    return place["run-p00000"], place["run-p00200"]


async def rows_of(service: Service, *ids: str) -> list[Any]:
    return sorted(await service.store.named(ids), key=lambda row: str(row["_id"]))


async def test_a_matter_that_left_memory_is_neither_merged_nor_split_nor_offered(service: Service) -> None:
    quiet, newer = await quiet_and_newer(service)
    before = await rows_of(service, quiet, newer)
    assert quiet not in service.screening.held(COUNTY).histories
    for deciding in (
        service.desk.merge(newer, quiet, "同一件事", OFFICER),
        service.desk.merge(quiet, newer, "同一件事", OFFICER),
        service.desk.split(quiet, ["run-p00000"], "不同的事", OFFICER),
    ):
        with pytest.raises(Refused, match=f"{quiet} for 180 days") as refused:
            await deciding
        assert refused.value.code == "matter-inactive"
    for id in (quiet, newer):
        assert (await service.desk.near(id, OFFICER))["items"] == []
    await service.screening.tick()
    assert await rows_of(service, quiet, newer) == before


async def test_a_matter_that_is_about_to_leave_memory_is_refused_already(service: Service) -> None:
    await service.take(filed_event(0), filed_event(1, 1, minutes=179.5 * 24 * 60))
    one, other = (placed.matter for placed in service.screening.held(COUNTY).placed.values())
    with pytest.raises(Refused, match="newer matter"):
        await service.desk.merge(one, other, "同一件事", OFFICER)


async def test_a_decision_on_what_left_memory_meanwhile_says_that_it_came_to_nothing(service: Service) -> None:
    quiet, newer = await quiet_and_newer(service)
    before = await rows_of(service, quiet, newer)
    decisions = [
        Decision("d1", "merge", AFTER, newer, "officer", "同一件事", other=quiet),
        Decision("d2", "merge", AFTER, quiet, "officer", "同一件事", other=newer),
        Decision("d3", "split", AFTER, quiet, "officer", "不同的事", other="new", petitions=("run-p00000",)),
        Decision("d4", "split", AFTER, newer, "officer", "不同的事", other="new", petitions=("run-p00000",)),
    ]
    for decision in decisions:
        row = codec.decision_document(COUNTY, decision)
        await service.store.transaction(lambda tx, r=row: service.store.put_decision(tx, r))
    for _ in range(2):
        await service.screening.tick()
        shown = [line for id in (quiet, newer) for line in (await service.desk.matter(id, OFFICER))["decisions"]]
        assert {line["id"]: line["refused"] for line in shown} == {
            "d1": "matter-inactive",
            "d2": "matter-inactive",
            "d3": "matter-inactive",
            "d4": "not-members",
        }
        assert await service.store.inbox([COUNTY]) == {}
        assert await rows_of(service, quiet, newer) == before
        service.start()
        await service.screening.load([3])
        assert (await service.store.county(COUNTY, 180)).decisions == []


async def test_what_was_split_off_does_not_write_the_quiet_rest_anew(service: Service) -> None:
    days = 24 * 60
    await service.take(*(filed_event(n, minutes=n) for n in range(6)), filed_event(10, 1, minutes=9))
    places = {pid: placed.matter for pid, placed in service.screening.held(COUNTY).placed.items()}
    old, wages = places["run-p00000"], places["run-p00010"]
    await service.desk.split(old, ["run-p00000"], "其实是欠薪", OFFICER)
    await service.screening.tick()
    off = service.screening.held(COUNTY).placed["run-p00000"].matter
    await service.desk.merge(wages, off, "同一件事", OFFICER)
    await service.screening.tick()
    for day in (60, 120, 180, 240, 242):
        await service.take(filed_event(day, 1, minutes=day * days))
    before = [await rows_of(service, old), await service.flags()]
    assert before[1]["collective_risk"]["state"] == "cleared"
    assert old not in service.screening.held(COUNTY).histories
    accepted = PetitionAccepted(petition_id="run-p00000", jurisdiction=COUNTY, at=AFTER, unit=f"{COUNTY}.office")
    await service.take(later(accepted, id="a", at=AFTER))
    for more in range(2):
        assert [await rows_of(service, old), await service.flags()] == before
        service.start()
        await service.screening.load([3])
        await service.take(filed_event(300 + more, 1, minutes=(243 + more) * days))


async def test_what_took_in_the_home_of_a_petition_is_fetched_with_what_was_split_off_it(service: Service) -> None:
    days = 24 * 60
    await service.take(*(filed_event(10 * matter + n, matter, minutes=n) for matter in range(3) for n in range(3)))
    places = {pid: placed.matter for pid, placed in service.screening.held(COUNTY).placed.items()}
    garage, wages, land = (places[f"run-p{10 * n:05d}"] for n in range(3))
    await service.desk.merge(garage, land, "同一件事", OFFICER)
    await service.screening.tick()
    await service.desk.split(garage, ["run-p00020"], "其实是欠薪", OFFICER)
    await service.screening.tick()
    off = service.screening.held(COUNTY).placed["run-p00020"].matter
    await service.desk.merge(wages, off, "同一件事", OFFICER)
    await service.screening.tick()
    for n in range(12):
        await service.take(filed_event(100 + n, 1, minutes=(40 + 40 * n) * days))
    held = service.screening.held(COUNTY)
    assert garage not in held.histories
    members = [member.filing.id for member in held.histories[wages].members()]
    before = await rows_of(service, garage, wages)
    service.start()
    await service.screening.load([3])
    held = service.screening.held(COUNTY)
    assert held.placed["run-p00020"].matter == wages
    assert [member.filing.id for member in held.histories[wages].members()] == members
    assert {p for p, placed in held.placed.items() if placed.matter == garage} == {
        *(f"run-p{n:05d}" for n in (0, 1, 2, 21, 22))
    }
    accepted = PetitionAccepted(petition_id="run-p00020", jurisdiction=COUNTY, at=AFTER, unit=f"{COUNTY}.office")
    await service.take(later(accepted, id="a", at=AFTER))
    assert (await rows_of(service, garage))[0] == before[0]


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
