"""Group F of the bad inputs: what cannot be processed is in the dead letters with its bytes, and the rest goes on."""

import asyncio
from typing import Any
from uuid import uuid4

import orjson
import pytest
from typer.testing import CliRunner

from deploy.cli import app
from shared.events import encode
from tests.support.spine import COUNTY, Spine, filed, read_all, send

pytestmark = pytest.mark.stack
KEY = COUNTY.encode()


def changed(**fields: Any) -> bytes:
    """A filed event with some envelope fields changed."""
    return orjson.dumps({**orjson.loads(encode(filed(900))), **fields})


BAD: list[tuple[str, bytes | None, bytes | None, list[tuple[str, Any]], str]] = [
    ("62 tombstone", KEY, None, [], "tombstone"),
    ("62 empty", KEY, b"", [], "empty"),
    ("62 not JSON", KEY, b"petition", [], "not-json"),
    ("62 JSON of another type", KEY, b"[1, 2]", [], "not-an-object"),
    ("62 truncated", KEY, encode(filed(901))[:200], [], "not-json"),
    ("62 over 1 MB", KEY, b'{"a":"' + b"x" * 1_000_010 + b'"}', [], "too-large"),
    ("62 as large as the topic takes", KEY, b'{"a":"' + b"x" * 1_048_400 + b'"}', [], "too-large"),
    ("63 no key", None, encode(filed(902)), [], "key-missing"),
    ("63 key of another county", b"370900", encode(filed(903)), [], "key-mismatch"),
    ("63 key is no UTF-8", b"\xff\xfe", encode(filed(904)), [], "key-mismatch"),
    ("65 unknown type", KEY, changed(type="fengqiao.petition.burnt.v1"), [], "unknown-type"),
    ("65 no type", KEY, changed(type=None), [], "unknown-type"),
    ("66 newer schema", KEY, changed(schemaversion=2), [], "newer-schema"),
    ("data of another shape", KEY, changed(data={"petition_id": "x"}), [], "schema"),
    ("NaN", KEY, b'{"type": NaN}', [], "not-json"),
    ("67 refused by the service", KEY, encode(filed(905, title="permanent")), [], "not-for-us"),
    ("a failure nobody foresaw", KEY, encode(filed(906, title="boom")), [], "unexpected"),
]

STRANGE_HEADERS: list[list[tuple[str, Any]]] = [
    [("a", None)],
    [("a", b"\xff\xfe")],
    [("a", b"1"), ("a", b"2")],
    [(f"h{n}", b"x") for n in range(200)],
    [("big", b"x" * 65_536)],
    [("content-type", b"text/plain")],
    [("content-type", b"application/x-pickle")],
    [("reply_to", b"alerts.warnings.v1")],
    [("correlation_id", b"\x00")],
    [("a\x00b", b"1"), ("\x1b[2J", b"2"), ("", b"3")],
    [("$set", b"1"), ("a.$b", b"2"), ("_id", b"3")],
]


async def test_bad_records_are_buried_with_their_bytes_and_the_rest_goes_on(spine: Spine) -> None:
    run = spine.prefix
    records: list[tuple[bytes | None, bytes | None, list[tuple[str, Any]]]] = []
    for n, (_, key, value, headers, _) in enumerate(BAD):
        records += [(KEY, encode(filed(n, run=run)), []), (key, value, headers)]
    spine.start()
    await send(spine.stack.kafka, spine.petitions, records)
    await spine.drained(len(BAD))
    await spine.published(2 * len(BAD))
    await spine.check_exact({f"{run}-{n}" for n in range(len(BAD))})

    letters = await read_all(spine.stack.kafka, spine.dlq)
    found = sorted((dict(r.headers)["dlq-reason"].decode(), r.key or b"", r.value or b"") for r in letters)
    assert found == sorted((reason, key or b"", value or b"") for _, key, value, _, reason in BAD)
    for record in letters:
        headers = dict(record.headers)
        assert headers["dlq-orig-topic"].decode() == spine.petitions
        assert headers["dlq-group"].decode() == f"{run}counting"
        assert {"dlq-orig-partition", "dlq-orig-offset", "dlq-orig-timestamp-ms", "dlq-version"} <= set(headers)
    assert "春节前" not in spine.log()


async def test_an_id_that_comes_again_with_another_payload_is_buried(spine: Spine) -> None:
    first = filed(0, run=spine.prefix)
    other = orjson.loads(encode(first))
    other["data"]["text"] = "另一个内容"
    forged = orjson.dumps(other)
    spine.start()
    values = [encode(first), forged, encode(first), encode(filed(1, run=spine.prefix))]
    await send(spine.stack.kafka, spine.petitions, [(KEY, value, []) for value in values])
    await spine.published(3)  # two flags and one dead letter
    await spine.check_exact({f"{spine.prefix}-0", f"{spine.prefix}-1"})
    [letter] = await read_all(spine.stack.kafka, spine.dlq)
    assert (dict(letter.headers)["dlq-reason"], letter.value) == (b"id-conflict", forged)


async def test_a_number_that_is_not_the_next_is_told_and_counted_and_applied(spine: Spine) -> None:
    first = filed(0, run=spine.prefix)
    late = [first.model_copy(update={"id": uuid4(), "sequence": number}) for number in (3, 2)]
    spine.start()
    values = [encode(event) for event in (first, *late, *late, filed(1, run=spine.prefix))]
    await send(spine.stack.kafka, spine.petitions, [(KEY, value, []) for value in values])
    await spine.drained(2)
    await spine.check_exact({f"{spine.prefix}-0", f"{spine.prefix}-1"})
    told = [orjson.loads(line) for line in spine.log().splitlines() if '"sequence_broken"' in line]
    assert [(line["what"], line["sequence"]) for line in told] == [("gap", 3), ("regression", 2)]
    metrics = await spine.metrics()
    assert {line for line in metrics.splitlines() if line.startswith("fengqiao_sequence_broken_total")} == {
        f'fengqiao_sequence_broken_total{{service="counting",topic="{spine.petitions}",what="{what}"}} 1.0'
        for what in ("gap", "regression")
    }
    assert await read_all(spine.stack.kafka, spine.dlq) == []


async def test_strange_headers_stop_nothing_and_steer_nothing(spine: Spine) -> None:
    warnings = f"{spine.prefix}alerts.warnings.v1"
    records = [(KEY, encode(filed(n, run=spine.prefix)), headers) for n, headers in enumerate(STRANGE_HEADERS)]
    spine.start()
    await send(spine.stack.kafka, spine.petitions, records)
    await spine.drained(len(records))
    await spine.check_exact({f"{spine.prefix}-{n}" for n in range(len(records))})
    assert await read_all(spine.stack.kafka, spine.dlq) == []
    assert await read_all(spine.stack.kafka, warnings) == []


async def test_dead_records_with_strange_headers_are_buried_and_the_rest_goes_on(spine: Spine) -> None:
    count = len(STRANGE_HEADERS)
    records = [(KEY, b"broken", headers) for headers in STRANGE_HEADERS]
    process = spine.start()
    await send(spine.stack.kafka, spine.petitions, [*records, (KEY, encode(filed(0, run=spine.prefix)), [])])
    await spine.published(count + 1)
    assert process.poll() is None
    letters = await read_all(spine.stack.kafka, spine.dlq)
    assert [letter.value for letter in letters] == [b"broken"] * count
    kept = [{name: value for name, value in letter.headers if name.startswith("orig-")} for letter in letters]
    assert kept[-2] == {"orig-a\\x00b": b"1", "orig-\\x1b[2J": b"2", "orig-": b"3"}
    assert kept[-1] == {"orig-$set": b"1", "orig-a.$b": b"2", "orig-_id": b"3"}


STEERING: list[tuple[str, Any]] = [("a", b"\xff"), ("b", b"[/red] list[str] [missing] 13812345678")]


async def test_the_dlq_command_lists_shows_and_sends_again(spine: Spine, monkeypatch: pytest.MonkeyPatch) -> None:
    spine.start()
    await send(spine.stack.kafka, spine.petitions, [(KEY, b"13812345678 broken", STEERING)])
    await spine.published(1)
    for name, value in spine.environment("cli").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(
        "deploy.commands.dlq.declared", lambda _prefix: [type("T", (), {"name": spine.dlq, "partitions": 1})]
    )
    runner = CliRunner()

    def call(*words: str) -> str:
        result = runner.invoke(app, ["dlq", *words], env={"COLUMNS": "80"})
        assert result.exit_code == 0, result.output
        return result.output

    place, reason, *_ = (await asyncio.to_thread(call, "list")).splitlines()[1].split()
    assert (place, reason) == (f"{spine.dlq}@0", "not-json")
    shown = await asyncio.to_thread(call, "show", place)
    assert "orig-b: [/red] list[str] [missing] [phone]" in shown.splitlines()
    assert "[phone] broken" in shown
    assert "13812345678" not in shown
    assert "would be sent again" in await asyncio.to_thread(call, "replay")
    assert "sent 1" in await asyncio.to_thread(call, "replay", "--send")
    await spine.published(2)
