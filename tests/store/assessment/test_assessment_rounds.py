"""What scorecards ask of the ledger: the same suite on the fake and on MongoDB."""

from typing import Any

import pytest

from services.assessment.ports import Confined
from services.assessment.store import INDEXES, PETITIONS
from shared import outbox
from shared.mongo import Mongo
from tests.support.ledgers import MemoryLedger, MongoLedger
from tests.support.lifecycle import BUREAU, HEALTH, Story, at, settled

ALL = Confined()


def settled_twice() -> Story:
    s = settled("P1", on="2026-03-20")
    s("evaluated", "2026-03-22", solved=False)
    s("reopened", "2026-03-25")
    s("accepted", "2026-03-26", unit=HEALTH, route="duty_performance")
    s("replied", "2026-07-20", unit=HEALTH)
    return s


async def test_rounds_are_of_their_unit_and_period(ledger: MemoryLedger) -> None:
    refused = Story("P2")
    refused.filed("2026-03-01")
    refused("not_accepted", "2026-03-05")
    await ledger.take(*settled_twice().events, *refused.events, Story("P3").filed("2026-03-01"))
    memory = MemoryLedger()
    await memory.take(*settled_twice().events, *refused.events)
    start, middle, end = at("2026-01-01"), at("2026-07-01"), at("2027-01-01")
    for units, since, until, rounds, decided in (
        (None, start, end, [("P1", BUREAU), ("P1", HEALTH), ("P2", BUREAU)], 3),
        ({BUREAU}, start, end, [("P1", BUREAU), ("P2", BUREAU)], 2),
        ({HEALTH}, start, middle, [], 1),
        ({HEALTH}, middle, end, [("P1", HEALTH)], 0),
        ({BUREAU}, middle, end, [], 0),
    ):
        confined = Confined(units=None if units is None else frozenset(units))
        found = await ledger.store.facts(confined, since, until)
        assert sorted((f.petition, f.unit) for f in found) == rounds
        assert sorted(found, key=str) == sorted(await memory.store.facts(confined, since, until), key=str)
        decisions = await ledger.store.decisions(confined, since, until)
        assert len(decisions) == decided
        assert sorted(decisions, key=str) == sorted(await memory.store.decisions(confined, since, until), key=str)
    assert {BUREAU, HEALTH} <= await ledger.store.units()


async def test_owed_in_a_period_are_the_exempt_too_and_extensions_of_what_was_due(ledger: MemoryLedger) -> None:
    away, longer = Story("P1"), Story("P2")
    for s, route in ((away, "duty_performance"), (longer, "petition_procedure")):
        s.filed("2026-03-01")
        s("accepted", "2026-03-03", route=route)
    longer("extended", "2026-04-20")

    async def owed(since: str, until: str) -> list[tuple[str, str]]:
        rows = await ledger.store.owed(ALL, at(since), at(until))
        codes = ((r.obligation.petition, r.obligation.code) for r in rows)
        return sorted(c for c in codes if c[1].startswith("HANDLE"))

    await ledger.take(*away.events, *longer.events)
    assert await owed("2026-03-03", "2026-03-04") == [("P1", "HANDLE")]
    assert await owed("2026-03-04", "2026-04-20") == []
    assert await owed("2026-05-01", "2026-05-10") == [("P2", "HANDLE"), ("P2", "HANDLE_EXT")]
    assert await owed("2026-05-20", "2026-06-10") == [("P2", "HANDLE_EXT")]
    assert await owed("2026-06-10", "2026-07-10") == []


@pytest.mark.stack
async def test_petitions_of_the_first_version_get_their_rounds(stack: Any, mongo_db_name: str) -> None:
    mongo = Mongo(stack.mongo, mongo_db_name, app_name="test")
    await mongo.ensure_indexes({**INDEXES, **outbox.INDEXES})
    ledger = MongoLedger(mongo)
    waiting = Story("P2")
    waiting.filed("2026-03-01")
    await ledger.take(*settled_twice().events, waiting("assigned", "2026-03-02"))
    document = await mongo[PETITIONS].find_one({"_id": "P1"})
    assert document is not None
    old = {"unit": HEALTH, "settled": at("2026-03-20"), "replied": at("2026-03-20"), "solved": False, "acts": 4}
    await mongo[PETITIONS].update_one({"_id": "P1"}, {"$set": old, "$unset": {"rounds": "", "decisions": ""}})
    assert [await ledger.store.renew(10) for _ in range(2)] == [1, 0]
    assert await mongo[PETITIONS].find_one({"_id": "P1"}) == document
    await mongo.close()
