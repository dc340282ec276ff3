"""What a consumer remembers of the newest events, to notice a producer that reuses ids or loses its count.

In memory and bounded: natural keys make a repetition harmless, this finds what must not happen at all.
"""

from __future__ import annotations

from typing import Final, Literal

from shared.bus import Received
from shared.contracts.petitions import PetitionData

SIZE: Final = 20_000
Verdict = Literal["conflict", "gap", "regression"]


class Newest:
    """Ids with a digest of what their event said, and the last number of each petition: those are counted without holes.

    Two generations each: when the young one is full it becomes the old one, so between `size` and twice `size` are known.
    """

    def __init__(self, size: int = SIZE) -> None:
        self._size = size
        self._digests: dict[int, int] = {}
        self._older_digests: dict[int, int] = {}
        self._numbers: dict[str, int] = {}
        self._older_numbers: dict[str, int] = {}

    def look(self, item: Received) -> Verdict | None:
        """Remember the event; say what is wrong with it beside what was remembered, or None.

        `conflict`: its id came before with other bytes. `gap`, `regression`: its `sequence` is not the next of its petition.
        """
        id, digest = item.event.id.int, hash(item.raw.value if item.raw is not None else b"")
        known = self._digests.get(id) or self._older_digests.get(id)
        if known is not None:
            return None if known == digest else "conflict"
        if len(self._digests) >= self._size:
            self._older_digests, self._digests = self._digests, {}
        self._digests[id] = digest
        return (
            self._count(item.event.subject, item.event.sequence) if isinstance(item.event.data, PetitionData) else None
        )

    def forget_numbers(self) -> None:
        """After partitions changed hands: the numbers that come next may follow on what another process has read."""
        self._numbers, self._older_numbers = {}, {}

    def _count(self, subject: str, number: int) -> Verdict | None:
        last = self._numbers.get(subject) or self._older_numbers.get(subject)
        if last is not None and number <= last:
            return "regression"
        if len(self._numbers) >= self._size:
            self._older_numbers, self._numbers = self._numbers, {}
        self._numbers[subject] = number
        return None if last is None or number == last + 1 else "gap"
