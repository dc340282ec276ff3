"""What a consumer remembers of the newest events: reused ids, lost counts, and a bounded memory."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest

from shared.bus import Received
from shared.consumer import BatchConsumer
from shared.events import EVENT_TYPES, derived_id, new_event
from shared.newest import Newest
from shared.observe import Metrics
from shared.partitions import Identity
from shared.settings import ServiceSettings
from tests.contract.samples import sample
from tests.support.spine import filed

AT = datetime(2026, 3, 1, tzinfo=UTC)


def received(petition: str, number: int = 1, *, value: bytes | None = None, id: str | None = None) -> Received:
    changes = {"id": UUID(id or derived_id(petition, str(number))), "sequence": number}
    event = filed(0, run=petition).model_copy(update=changes)
    raw: Any = SimpleNamespace(value=value or f"{petition}-{number}".encode())
    return Received("t", 0, 0, AT, b"370911", event, raw)


def test_a_repetition_is_nothing_and_an_id_with_other_bytes_is_a_conflict() -> None:
    newest = Newest()
    assert newest.look(received("a")) is None
    assert newest.look(received("a")) is None
    assert newest.look(received("a", value=b"other")) == "conflict"
    assert newest.look(received("b", id=derived_id("a", "1"))) == "conflict"
    assert newest.look(received("a")) is None


@pytest.mark.parametrize(
    ("numbers", "verdicts"),
    [
        ([1, 2, 3], [None, None, None]),
        ([4, 5], [None, None]),  # what came before this process is not known
        ([1, 3, 4], [None, "gap", None]),
        ([1, 3, 2, 4], [None, "gap", "regression", None]),
        ([2, 1, 2, 3], [None, "regression", None, None]),
    ],
)
def test_the_numbers_of_one_petition(numbers: list[int], verdicts: list[str | None]) -> None:
    newest = Newest()
    assert [newest.look(received("a", number)) for number in numbers] == verdicts
    assert newest.look(received("b")) is None


def test_a_petition_that_another_process_read_meanwhile_has_no_gap() -> None:
    newest = Newest()
    assert newest.look(received("a")) is None
    newest.forget_numbers()
    assert newest.look(received("a", 5)) is None
    assert newest.look(received("a", 7)) == "gap"
    assert newest.look(received("a", value=b"other")) == "conflict"


@pytest.mark.parametrize("hands", ["on_partitions_revoked", "on_partitions_assigned"])
async def test_a_consumer_counts_anew_when_partitions_change_hands(hands: str) -> None:
    metrics, nothing = Metrics("s"), cast(Any, None)
    consumer = BatchConsumer(Identity("s", "s-0", "t", "s"), nothing, nothing, ServiceSettings(), nothing, metrics)
    gaps = metrics.miscounted.labels("s", "t", "gap")
    consumer._looked_at(received("a"))
    await getattr(consumer, hands)(set())
    consumer._looked_at(received("a", 5))
    assert gaps._value.get() == 0
    consumer._looked_at(received("a", 7))
    assert gaps._value.get() == 1


def test_events_that_are_not_numbered_without_holes_are_not_counted() -> None:
    newest = Newest()
    others = [cls for name, cls in EVENT_TYPES.items() if ".petition." not in name]
    assert others
    for n, cls in enumerate(others):
        for number in (7, 3):
            event = new_event(
                sample(cls).data, id=str(UUID(int=10 * n + number)), source="/x", time=AT, sequence=number
            )
            raw: Any = SimpleNamespace(value=b"x")
            assert newest.look(Received("t", 0, 0, AT, b"k", event, raw)) is None


def test_the_memory_is_bounded_and_knows_the_newest() -> None:
    newest = Newest(size=10)
    for n in range(1_000):
        assert newest.look(received(f"p{n}")) is None
    assert newest.look(received("p995", value=b"other")) == "conflict"
    assert newest.look(received("p995", 3)) == "gap"
    assert newest.look(received("p5", value=b"other")) is None  # forgotten
    sizes = [len(kept) for kept in vars(newest).values() if isinstance(kept, dict)]
    assert max(sizes) <= 10
