"""The spine on real parts: one effect a record, whatever is killed, doubled, paused or made anew."""

import asyncio
import signal
import subprocess
from datetime import UTC, datetime

import httpx
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

from shared.events import PETITIONS
from shared.progress import decide
from tests.support.spine import COUNTY, Spine, filed, read_all, send, send_events, until

pytestmark = pytest.mark.stack

N = 40


BOUNDARIES = [
    "consumer.before_transaction",
    "consumer.in_transaction",
    "mongo.before_commit",
    "consumer.after_commit",
    "relay.after_claim",
    "relay.after_publish",
    "relay.after_mark",
]


@pytest.mark.parametrize("points", [*([boundary] for boundary in BOUNDARIES), BOUNDARIES], ids="+".join)
async def test_one_effect_whatever_fails_at_a_boundary(spine: Spine, points: list[str]) -> None:
    """The process is killed at one of them; or each of them raises in its turn, and the process goes on."""
    action = "exit" if len(points) == 1 else "raise"
    process = spine.start(FAILPOINT=",".join(f"{point}:1:{action}" for point in points))
    await send_events(spine.stack.kafka, spine.petitions, [filed(n, run=spine.prefix) for n in range(N // 2)])
    if action == "exit":
        assert await asyncio.to_thread(process.wait, 30) == 137
        spine.start()
    await send_events(spine.stack.kafka, spine.petitions, [filed(n, run=spine.prefix) for n in range(N // 2, N)])
    await spine.drained(N)
    await spine.check_exact({f"{spine.prefix}-{n}" for n in range(N)})


async def test_a_record_published_twice_counts_once(spine: Spine) -> None:
    events = [filed(n, run=spine.prefix) for n in range(N)]
    spine.start()
    await send_events(spine.stack.kafka, spine.petitions, [*events, *events[: N // 2], *events])
    await send_events(spine.stack.kafka, spine.petitions, [filed(N, run=spine.prefix)])
    await spine.drained(N + 1)
    await spine.check_exact({f"{spine.prefix}-{n}" for n in range(N + 1)})


async def test_a_paused_owner_that_wakes_up_late_commits_nothing(spine: Spine) -> None:
    first = spine.start("counting-0", FAILPOINT="consumer.in_transaction:2:sleep")
    await send_events(spine.stack.kafka, spine.petitions, [filed(0, run=spine.prefix)])
    await spine.drained(1)
    await send_events(spine.stack.kafka, spine.petitions, [filed(n, run=spine.prefix) for n in range(1, N)])
    await until(lambda: _in_transaction(spine), what="a transaction of the first owner")
    first.send_signal(signal.SIGSTOP)
    spine.start("counting-1")
    await spine.drained(N)
    first.send_signal(signal.SIGCONT)
    await until(lambda: _fenced(spine), what="the late owner's fence")
    await send_events(spine.stack.kafka, spine.petitions, [filed(N, run=spine.prefix)])
    await spine.drained(N + 1)
    await spine.check_exact({f"{spine.prefix}-{n}" for n in range(N + 1)})


async def _in_transaction(spine: Spine) -> bool:
    mongo = spine.mongo()
    found = await mongo._client.admin.aggregate(
        [
            {"$currentOp": {"allUsers": True, "idleSessions": True}},
            {"$match": {"appName": f"{spine.prefix}counting-0", "transaction": {"$exists": True}}},
        ]
    ).to_list(None)
    await mongo.close()
    return bool(found)


async def _fenced(spine: Spine) -> bool:
    log = spine.log("counting-0")
    return '"fenced"' in log or "claimed" in log.rpartition("batch_falls_back")[2] or "Unavailable" in log


async def test_a_topic_made_anew_stops_the_consumer_and_names_the_command(spine: Spine) -> None:
    process = spine.start()
    await send_events(spine.stack.kafka, spine.petitions, [filed(n, run=spine.prefix) for n in range(N)])
    await spine.drained(N)
    process.send_signal(signal.SIGTERM)
    await asyncio.to_thread(process.wait, 30)
    admin = AIOKafkaAdminClient(bootstrap_servers=spine.stack.kafka)
    await admin.start()
    await admin.delete_topics([spine.petitions])

    async def made() -> bool:
        answer = await admin.create_topics([NewTopic(spine.petitions, 6, 1)])
        return all(error[1] == 0 for error in answer.topic_errors)

    await until(made, what="the topic made anew")
    await admin.close()
    # as many records as before and more: the stored offset exists, but belongs to another topic
    await send_events(spine.stack.kafka, spine.petitions, [filed(n, run=f"{spine.prefix}b") for n in range(N + 5)])
    spine.start()

    async def stopped() -> bool:
        try:
            return "fengqiao progress set" in str((await spine.health())["reasons"])
        except httpx.HTTPError:
            return False

    await until(stopped, what="the refusal to go on")
    health = await spine.health()
    assert health["code"] == 503
    await spine.check_exact({f"{spine.prefix}-{n}" for n in range(N)})


async def _stopped(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    await asyncio.to_thread(process.wait, 30)


async def test_a_restored_backup_is_caught_up_with_though_no_new_record_comes(spine: Spine) -> None:
    process = spine.start()
    await send_events(spine.stack.kafka, spine.petitions, [filed(n, run=spine.prefix) for n in range(N // 2)])
    await spine.drained(N // 2)
    await _stopped(process)
    mongo = spine.mongo()
    backup = {name: await mongo[name].find().to_list(None) for name in ("progress", "seen", "count", "outbox")}
    process = spine.start()
    await send_events(spine.stack.kafka, spine.petitions, [filed(n, run=spine.prefix) for n in range(N // 2, N)])
    await spine.drained(N)
    await _stopped(process)
    for name, rows in backup.items():
        await mongo[name].delete_many({})
        await mongo[name].insert_many(rows)
    process = spine.start()
    await spine.drained(N)
    await spine.check_exact({f"{spine.prefix}-{n}" for n in range(N)})
    await _stopped(process)

    # and a human's decision for the earliest offset: all of it again, and nothing twice
    [row] = await mongo["progress"].find({"next": N}).to_list(None)
    await decide(mongo, row["topic"], row["group"], row["partition"], 0, datetime.now(UTC))
    spine.start()

    async def again() -> bool:
        return await mongo["progress"].find_one({"_id": row["_id"], "next": N}) is not None

    await until(again, what="everything applied again")
    await mongo.close()
    await spine.check_exact({f"{spine.prefix}-{n}" for n in range(N)})
    assert (await spine.health())["code"] == 200


class NoText(str):
    """A header name of bytes that are no UTF-8: the client refuses the record, and no parser of ours ever sees it."""

    def encode(self, *_: str) -> bytes:
        return b"\xff\xfe"


async def test_a_record_that_the_client_cannot_read_is_passed_by_decision_and_never_forgotten(
    spine: Spine, monkeypatch: pytest.MonkeyPatch
) -> None:
    soon = {"FENGQIAO_STALLED_AFTER_S": "3"}
    key = COUNTY.encode()
    process = spine.start(**soon)
    await send_events(spine.stack.kafka, spine.petitions, [filed(0, run=spine.prefix)])
    await spine.drained(1)
    with monkeypatch.context() as patch:
        for module in ("producer", "message_accumulator"):
            patch.setattr(f"aiokafka.producer.{module}.DefaultRecordBatchBuilder", _DefaultRecordBatchBuilderPy)
        await send(spine.stack.kafka, spine.petitions, [(key, b"{}", [(NoText("name"), b"v")])])
    await send_events(spine.stack.kafka, spine.petitions, [filed(1, run=spine.prefix)])

    async def troubled() -> bool:
        return "behind by 2 and not moving" in await _reasons(spine)

    await until(troubled, what="the record that stops the partition in /health")
    await _stopped(process)
    process = spine.start(**soon)
    await until(troubled, what="the same after a restart")
    await _stopped(process)
    mongo = spine.mongo()
    [row] = await mongo["progress"].find({"next": 1}).to_list(None)
    await decide(mongo, row["topic"], row["group"], row["partition"], 2, datetime.now(UTC))
    await mongo.close()
    spine.start(**soon)
    await spine.drained(2)
    await spine.check_exact({f"{spine.prefix}-{n}" for n in (0, 1)})
    assert (await spine.health())["code"] == 200


async def _reasons(spine: Spine) -> str:
    try:
        return str((await spine.health())["reasons"])
    except httpx.HTTPError:
        return ""


async def test_a_fresh_service_with_empty_topics_is_healthy_and_stays_so(spine: Spine) -> None:
    spine.start(FENGQIAO_STALLED_AFTER_S="1")

    async def ready() -> bool:
        return await _reasons(spine) == "[]"

    await until(ready, what="the start")
    for _ in range(40):
        assert await ready()
        await asyncio.sleep(0.1)
    assert spine.log().count('"claimed"') == 6


async def test_it_starts_without_kafka_and_mongo_and_goes_on_when_they_are_there(spine: Spine) -> None:
    spine.stack.kafka_process.kill()
    spine.stack.mongo_process.kill()
    try:
        process = spine.start()
        await until(lambda: _says(spine, "waiting_for"), what="a line that says what is missing")
        assert process.poll() is None
    finally:
        await asyncio.to_thread(spine.stack.mongo_process.restart)
        await asyncio.to_thread(spine.stack.kafka_process.restart)
    await send_events(spine.stack.kafka, spine.petitions, [filed(n, run=spine.prefix) for n in range(N)])
    await spine.drained(N)
    assert (await spine.health())["code"] == 200


async def _says(spine: Spine, word: str) -> bool:
    return word in spine.log()


async def test_killing_broker_and_mongod_under_load_loses_and_doubles_nothing(spine: Spine) -> None:
    spine.start()
    count = 0
    for part in (spine.stack.kafka_process, spine.stack.mongo_process):
        await send_events(
            spine.stack.kafka, spine.petitions, [filed(n, run=spine.prefix) for n in range(count, count + N)]
        )
        count += N
        part.kill()
        await asyncio.to_thread(part.restart)
    await send_events(spine.stack.kafka, spine.petitions, [filed(n, run=spine.prefix) for n in range(count, count + N)])
    await spine.drained(count + N)
    await spine.check_exact({f"{spine.prefix}-{n}" for n in range(count + N)})
    assert await read_all(spine.stack.kafka, spine.dlq) == []


async def test_sigterm_under_load_ends_in_time_and_loses_nothing(spine: Spine) -> None:
    process = spine.start()
    await send_events(spine.stack.kafka, spine.petitions, [filed(0, run=spine.prefix)])
    await spine.drained(1)
    await send_events(spine.stack.kafka, spine.petitions, [filed(n, run=spine.prefix) for n in range(1, 2000)])
    process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(process.wait, 25) in (0, -signal.SIGTERM)  # uvicorn hands the signal on at its end
    assert '"stopped"' in spine.log()
    spine.start()
    await spine.drained(2000)
    await spine.check_exact({f"{spine.prefix}-{n}" for n in range(2000)})


async def test_the_trace_id_of_a_record_stands_in_its_log_line(spine: Spine) -> None:
    spine.start()
    event = filed(7, run=spine.prefix)
    await send_events(spine.stack.kafka, spine.petitions, [event])
    await spine.drained(1)
    trace = event.traceparent.split("-")[1]
    await until(lambda: _says(spine, trace), what="the trace id in the log")
    assert PETITIONS in spine.log()
