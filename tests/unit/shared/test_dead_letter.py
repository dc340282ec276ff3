"""A dead letter can always be written: whatever a stranger put beside the bytes of a record, it stops no partition."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import bson
import pytest

from shared import consumer as consumer_module
from shared.bus import Dead, decode_record
from shared.deadletter import dead_letter
from tests.support.consuming import Kafka, Store, consumer_of, record, running

AT = datetime(2026, 3, 1, tzinfo=UTC)


def headers_of(*names: str) -> dict[str, str]:
    dead = Dead(record(0, b"broken", [(name, b"v") for name in names]), "not-json", "InvalidEvent", "")
    return dict(dead_letter(dead, group="screening", service="screening", failed_at=AT).headers)


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("a\0b", "orig-a\\x00b"),
        ("\x1b]0;owned\x07", "orig-\\x1b]0;owned\\x07"),
        ("a\x9bb", "orig-a\\x9bb"),
        ("来源.$x", "orig-来源.$x"),
        ("", "orig-"),
        ("n" * 300, "orig-" + "n" * 195),
    ],
)
def test_a_headers_name_is_one_that_the_store_takes(name: str, kept: str) -> None:
    headers = headers_of(name)
    assert headers[kept] == "v"
    bson.encode(headers)


async def buried(store: Store, *, until: int) -> None:
    consumer = consumer_of(Kafka({0: 9}), store)
    async with running(consumer) as task:
        for offset in (0, 0, 1):  # the first batch claims, and comes again from where the store says
            await consumer._queue.put([decode_record(record(offset, b"not json", [("a\0b", b"v")]))])
        for _ in range(200):
            await asyncio.sleep(0.05)
            if task.done() or consumer._partitions.next(0) == until:
                break
        assert not task.done(), repr(task.exception())
        assert consumer._partitions.next(0) == until


async def test_a_dead_record_with_a_name_that_no_document_takes_is_passed() -> None:
    store = Store()
    await buried(store, until=2)
    assert [letter["headers"]["orig-a\\x00b"] for letter in store.letters] == ["v", "v"]


async def test_a_letter_that_cannot_be_written_is_written_without_its_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    def unforeseen(dead: Dead, **options: object) -> object:
        if dead.record.headers:
            raise ValueError("what nobody foresaw")
        return dead_letter(dead, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(consumer_module, "dead_letter", unforeseen)
    store = Store()
    await buried(store, until=2)
    assert [(bytes(letter["value"]), letter["headers"]["dlq-reason"]) for letter in store.letters] == [
        (b"not json", "not-json"),
        (b"not json", "not-json"),
    ]
