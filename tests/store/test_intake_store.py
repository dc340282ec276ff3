"""The intake's store: one suite for the fake and for MongoDB, and what only a database can show."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from services.intake.domain.identity import Identity
from services.intake.domain.petition import Refused
from services.intake.domain.steps import Step
from services.intake.handlers import Filed, Intake
from services.intake.ports import Filter, Reading, Record, Registration, Store
from services.intake.store import IDENTITIES, INDEXES, KEYS, PETITIONS, REQUESTS, MongoStore
from shared import audit, failpoint, outbox, signing
from shared.clock import FixedClock
from shared.events import decode
from shared.mongo import Document, DuplicateKeyError, Mongo, Session
from tests.support.intake import COUNTY, ID_NUMBER, INDEX_KEY, NOW, filing, fixed_clock, make_intake, vault
from tests.support.memory_intake import MemoryStore

UNIT = "379911.construction_bureau"
PERSON = Identity(name="王小明", phone="13800138000", id_number=ID_NUMBER, address="桂花巷7号", reference="A1")


@pytest.fixture
async def mongo(request: pytest.FixtureRequest) -> AsyncIterator[Mongo]:
    stack = request.getfixturevalue("stack")
    name = request.getfixturevalue("mongo_db_name")
    one = Mongo(stack.mongo, name, app_name="test-intake")
    await one.ensure_indexes({**outbox.INDEXES, **INDEXES})
    yield one
    await one.close()


def mongo_store(mongo: Mongo) -> MongoStore:
    return MongoStore(mongo, vault(), index_key=INDEX_KEY, lane="intake-0")


@pytest.fixture(params=["memory", pytest.param("mongo", marks=pytest.mark.stack)])
def store(request: pytest.FixtureRequest) -> Store:
    if request.param == "memory":
        return MemoryStore(vault(), INDEX_KEY)
    return mongo_store(request.getfixturevalue("mongo"))


@pytest.fixture
def intake(store: Store) -> Intake:
    return make_intake(store)


async def filed(intake: Intake, key: str = "k1", **changes: Any) -> Filed:
    return await intake.file(filing(**changes), key)


async def read(store: Store, one: Filed) -> Record:
    record = await store.record(one.petition_id)
    assert record is not None
    return record


async def test_what_was_registered_is_read_back(intake: Intake, store: Store) -> None:
    one = await filed(
        intake, topic="urban_construction", channel="visit", headcount=6, external_id="n1", identity=PERSON
    )
    record = await read(store, one)
    assert await store.by_receipt(one.receipt) == record
    assert (record.petition.headcount, record.petition.external_id, record.petition.received_at) == (6, "n1", NOW)
    assert (record.life.state, record.life.version, record.life.unit) == ("received", 1, UNIT)
    assert [entry.type for entry in record.history] == ["filed"]
    assert await store.record("nothing") is None
    assert await store.by_receipt("nothing") is None


async def test_repeats_conflicts_and_taken_numbers(intake: Intake) -> None:
    first = await filed(intake, external_id="n1")
    assert await filed(intake, external_id="n1") == Filed(
        first.petition_id, first.receipt, first.query_code, "received", replayed=True
    )
    with pytest.raises(Refused, match="another request"):
        await filed(intake, external_id="n1", title="别的")
    with pytest.raises(Refused, match="external_id"):
        await filed(intake, "k2", external_id="n1", title="别的")
    assert (await filed(intake, "k3", external_id="n1")).petition_id == first.petition_id


async def test_a_group_keeps_its_members_apart(intake: Intake, store: Store) -> None:
    await filed(intake, "k0", external_id="taken")
    jobs = [filed(intake, f"k{n}", external_id="taken" if n == 3 else None, title=f"第{n}件") for n in range(1, 30)]
    jobs += [filed(intake, "k5", title="第5件"), filed(intake, "k6", title="改了")]
    outcomes = await asyncio.gather(*jobs, return_exceptions=True)
    refused = [one.code for one in outcomes if isinstance(one, Refused)]
    assert sorted(refused) == ["external-id-taken", "idempotency-key-reused"]
    assert not [one for one in outcomes if isinstance(one, BaseException) and not isinstance(one, Refused)]
    assert len(await store.page(Filter(), size=100, after=None)) == 29


async def test_fifty_at_once_over_two_processes_are_one(store: Store) -> None:
    one, two = make_intake(store), make_intake(store)
    answers = await asyncio.gather(*(filed(which, identity=PERSON) for _ in range(25) for which in (one, two)))
    assert len({(a.petition_id, a.receipt, a.query_code, a.status) for a in answers}) == 1
    assert sum(not answer.replayed for answer in answers) == 1


async def test_the_vault_opens_and_forgets(intake: Intake, store: Store) -> None:
    one = await filed(intake, "k1", identity=PERSON, text="我叫王小明,停车难")
    two = await filed(intake, "k2", identity=PERSON, title="另一件")
    record, other = await read(store, one), await read(store, two)
    assert record.petition.petitioner == other.petition.petitioner
    held = await intake.identity(record, account="zhang.san", reason="核实")
    assert held == {**PERSON.given(), "text": "我叫王小明,停车难"}
    assert await intake.readers(record) == [Reading(NOW, "zhang.san", "核实")]
    assert await intake.readers(other) == []
    assert await intake.forget(record, account="li.si", reason="目的已达成")
    assert not await intake.forget(record, account="li.si", reason="目的已达成")
    assert await intake.identity(other, account="zhang.san", reason="核实") == {}
    again = await filed(intake, "k3", identity=PERSON, title="再来一件")
    assert (await intake.identity(await read(store, again), account="z", reason="核实"))["name"] == "王小明"


async def test_nothing_is_sealed_where_nothing_was_said(intake: Intake, store: Store) -> None:
    record = await read(store, await filed(intake))
    assert await intake.identity(record, account="zhang.san", reason="核实") == {}
    assert not await intake.forget(record, account="zhang.san", reason="核实")


def step(kind: str, **fields: Any) -> Step:
    return Step(kind, fields.pop("at", None), fields.pop("unit", UNIT), "zhang.san", fields)


async def test_steps_move_a_petition_on(intake: Intake, store: Store) -> None:
    one = await filed(intake)
    await intake.step(one.petition_id, step("accepted"), "s1", account="zhang.san")
    done = await intake.step(one.petition_id, step("replied", opinion="support"), "s2", account="zhang.san")
    assert (done.status, done.version) == ("replied", 3)
    again = await intake.step(one.petition_id, step("replied", opinion="support"), "s2", account="zhang.san")
    assert (again.version, again.replayed) == (3, True)
    record = await read(store, one)
    assert [entry.type for entry in record.history] == ["filed", "accepted", "replied"]
    assert record.history[2].fields == {"opinion": "support"}
    assert record.life.done == {"accepted", "replied"}


async def test_steps_at_once_come_one_after_the_other(intake: Intake, store: Store) -> None:
    one = await filed(intake)
    await intake.step(one.petition_id, step("accepted"), "s0", account="zhang.san")
    jobs = [intake.step(one.petition_id, step("met", meeting="handler"), f"s{n}", account="z") for n in range(1, 4)]
    done = await asyncio.gather(*jobs)
    assert sorted(one.version for one in done) == [3, 4, 5]
    assert (await read(store, one)).life.version == 5


async def test_lists_are_confined_and_filtered(intake: Intake, store: Store) -> None:
    assert isinstance(intake.clock, FixedClock)
    await filed(intake, "k1", topic="urban_construction")
    intake.clock.advance(timedelta(seconds=1))
    await filed(intake, "k2", channel="letter")
    await filed(intake, "k3", jurisdiction="430102")
    await filed(intake, "k4", purpose="accusation", accused_unit=UNIT)
    await filed(intake, "k5", purpose="accusation")

    async def count(**wanted: Any) -> int:
        return len(await store.page(Filter(**wanted), size=10, after=None))

    assert await count() == 5
    assert await count(jurisdiction=COUNTY) == 4
    assert await count(channel="letter") == 1
    assert await count(topic="urban_construction") == 1
    assert await count(status="received") == 5
    assert await count(status="closed") == 0
    assert await count(unit=UNIT) == 1
    assert await count(under=frozenset({UNIT})) == 1
    assert await count(barred=frozenset({UNIT})) == 4
    assert await count(barred=frozenset({UNIT}), hide_accusations_without_unit=True) == 3
    assert await count(since=NOW + timedelta(seconds=1)) == 4
    assert await count(until=NOW + timedelta(seconds=1)) == 1
    newest = await store.page(Filter(), size=2, after=None)
    last = newest[-1].petition
    rest = await store.page(Filter(), size=10, after=(last.received_at, last.petition_id))
    assert len({record.petition.petition_id for record in newest + rest}) == 5


async def test_the_same_words_are_counted(intake: Intake, store: Store) -> None:
    one = await filed(intake, "k1")
    await filed(intake, "k2")
    await filed(intake, "k3", jurisdiction="430102")
    accusation = await filed(intake, "k4", purpose="accusation", accused_unit=UNIT)
    await filed(intake, "k5", purpose="accusation")
    assert await store.same_text(await read(store, one)) == 1
    assert await store.same_text(await read(store, accusation)) == 0


# -- only in the database ---------------------------------------------------------------------------------------------


async def counts(mongo: Mongo) -> dict[str, int]:
    names = (PETITIONS, IDENTITIES, KEYS, REQUESTS, audit.ROWS, outbox.COLLECTION)
    return {name: await mongo[name].count_documents({}) for name in names}


@pytest.mark.stack
@pytest.mark.parametrize("point", ["intake.before_transaction", "intake.in_transaction", "mongo.before_commit"])
async def test_a_failure_before_the_commit_leaves_nothing(mongo: Mongo, point: str) -> None:
    intake = make_intake(mongo_store(mongo))
    failpoint.arm(f"{point}:1:raise")
    try:
        with pytest.raises(failpoint.FailpointError):
            await filed(intake, identity=PERSON)
        assert set((await counts(mongo)).values()) == {0}
        one = await filed(intake, identity=PERSON)
    finally:
        failpoint.arm("")
    assert not one.replayed
    assert set((await counts(mongo)).values()) == {1}


@pytest.mark.stack
async def test_a_failure_after_the_commit_is_answered_by_the_repeat(mongo: Mongo) -> None:
    intake = make_intake(mongo_store(mongo))
    failpoint.arm("intake.after_commit:1:raise")
    try:
        with pytest.raises(failpoint.FailpointError):
            await filed(intake, identity=PERSON)
        one = await filed(intake, identity=PERSON)
    finally:
        failpoint.arm("")
    assert one.replayed
    assert set((await counts(mongo)).values()) == {1}


@pytest.mark.stack
async def test_rows_hold_no_clear_identity_and_the_audit_chain_holds(mongo: Mongo) -> None:
    intake = make_intake(mongo_store(mongo), fixed_clock())
    one = await filed(intake, identity=PERSON, text="我叫王小明,电话13800138000,停车难")
    await intake.step(one.petition_id, step("accepted"), "s1", account="zhang.san")
    await asyncio.gather(*(filed(intake, f"m{n}", title=f"第{n}件") for n in range(20)))
    everything = ""
    for name in (PETITIONS, IDENTITIES, KEYS, REQUESTS, audit.ROWS, outbox.COLLECTION):
        rows = [row async for row in mongo[name].find({})]
        everything += repr(rows) + "".join(bytes(row["value"]).decode() for row in rows if "value" in row)
    for canary in ("王小明", "13800138000", ID_NUMBER[:14], "桂花巷", one.query_code):
        assert canary not in everything
    report = await audit.verify(mongo)
    assert report.ok, report.findings
    assert report.rows == 22


@pytest.mark.stack
async def test_the_outbox_holds_one_valid_event_for_each_change(mongo: Mongo) -> None:
    intake = make_intake(mongo_store(mongo))
    one = await filed(intake, channel="visit", headcount=6, level_presented="province")
    await intake.step(one.petition_id, step("accepted"), "s1", account="zhang.san")
    rows = [row async for row in mongo[outbox.COLLECTION].find({}).sort([("at", 1), ("n", 1)])]
    events = [decode(bytes(row["value"])) for row in rows]
    assert [event.sequence for event in events] == [1, 2]
    assert {bytes(row["key"]) for row in rows} == {COUNTY.encode()}
    assert events[0].data.headcount == 6
    assert str(events[0].id) == rows[0]["_id"] == events[1].causationid


@pytest.mark.stack
async def test_two_processes_with_one_new_person_make_one_key(mongo: Mongo) -> None:
    one, two = (
        make_intake(mongo_store(mongo)),
        make_intake(MongoStore(mongo, vault(), index_key=INDEX_KEY, lane="intake-1")),
    )
    jobs = [filed(which, f"{n}-{id(which)}", identity=PERSON) for n in range(10) for which in (one, two)]
    await asyncio.gather(*jobs)
    assert await mongo[KEYS].count_documents({}) == 1
    assert await mongo[PETITIONS].count_documents({}) == 20
    assert (await audit.verify(mongo)).ok


class LateStore(MongoStore):
    """Lets another process be first: between the look for a petitioner's key and its own write of one."""

    def __init__(self, mongo: Mongo, times: int) -> None:
        super().__init__(mongo, vault(), index_key=INDEX_KEY, lane="intake-1")
        self.times, self.turns = times, 0

    async def _seal(self, session: Session, todo: list[Registration]) -> list[Document]:
        self.turns += 1
        if self.turns <= self.times:
            subject = todo[0].petition.petitioner
            made = {"_id": subject, **vault().new_key(subject)[1]}
            await self._mongo[KEYS].insert_one(made, session=session)  # as if it had not been there to be read
        return await super()._seal(session, todo)


@pytest.mark.stack
async def test_the_first_filings_of_a_new_person_at_once_are_both_filed(mongo: Mongo) -> None:
    late = LateStore(mongo, times=3)
    one = await filed(make_intake(mongo_store(mongo)), "k1", identity=PERSON)
    two = await filed(make_intake(late), "k2", identity=PERSON, title="另一件")
    assert late.turns == 4
    assert one.petition_id != two.petition_id
    assert not two.replayed
    assert await mongo[KEYS].count_documents({}) == 1
    subjects = {row["subject"] async for row in mongo[IDENTITIES].find({})}
    assert subjects == {row["_id"] async for row in mongo[KEYS].find({})}
    held = await make_intake(late).identity(await read(late, two), account="z", reason="核实")
    assert held["name"] == "王小明"
    assert (await audit.verify(mongo)).ok


@pytest.mark.stack
async def test_a_collision_without_end_is_an_error_not_a_loop(mongo: Mongo) -> None:
    await filed(make_intake(mongo_store(mongo)), "k1", identity=PERSON)
    with pytest.raises(DuplicateKeyError):
        await filed(make_intake(LateStore(mongo, times=100)), "k2", identity=PERSON, title="另一件")
    assert await mongo[PETITIONS].count_documents({}) == 1


@pytest.mark.stack
async def test_a_nonce_of_a_key_is_new_once_however_many_ask(mongo: Mongo) -> None:
    await mongo.ensure_indexes(signing.INDEXES)
    nonces = signing.MongoNonces(mongo)
    asked = [nonces.first("hotline-1", "nonce-001", NOW) for _ in range(10)]
    assert sorted(await asyncio.gather(*asked)) == [*[False] * 9, True]
    assert await nonces.first("letter-1", "nonce-001", NOW)
