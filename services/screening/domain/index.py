"""The arrays behind one county's linker: features, index, word counts, members of matters. Numbers, no policy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.screening.domain import grams, nearness
from services.screening.domain.matters import LinkConfig
from services.screening.domain.text import LONGEST, TABLES, codes

Numbers = NDArray[Any]
_ROWS = 1 << 18
_GRAMS = 4 * LONGEST

FEWEST: Final = 500
"""Words are weighed as if at least so many messages were live: in a county with one big matter they would weigh nothing."""


class Join(NamedTuple):
    """Two matters that became one: `number` is the one message that came to the end of `kept`, with its `previous` before; or it is
    -1, and `members` and `links` tell both as they were.
    """

    kept: int
    gone: int
    number: int
    previous: int
    members: tuple[Numbers, ...] = ()
    links: tuple[Numbers, ...] = ()


class Near(NamedTuple):
    """How near a matter is: its score, how much of the names in the one's titles the other holds, its earliest live message."""

    score: float
    known: float
    first: int
    home: int


class Index:
    """Messages are numbered as they come; live ones are `low` to `high` - 1, kept in rings that grow by doubling."""

    def __init__(self, config: LinkConfig) -> None:
        self.config = config
        self.low = self.high = 0
        self.seen = np.zeros(grams.BUCKETS, np.int32)
        self.logs, self.powers = grams.tables(config.power)
        self.rows = np.full(_ROWS, -1, np.int32)
        self.rings = np.full((1024, config.depth), -1, np.int32)
        self.heads = np.zeros(1024, np.int32)
        self.used = 0
        size = 256
        self.features = np.zeros((size, config.features), np.uint16)
        self.sizes = np.zeros(size, np.int32)
        self.matter = np.zeros(size, np.int32)
        self.previous = np.zeros(size, np.int32)
        self.petitioner = np.zeros(size, np.int64)
        self.topic = np.zeros(size, np.int32)
        self.region = np.zeros(size, np.uint64)
        self.copy = np.zeros(size, np.int32)
        self.prints = np.zeros(size, np.int64)
        self.last = np.full(size, -1, np.int32)
        self.counts = np.zeros(size, np.int32)
        self._score = np.zeros(size, np.float32)
        self._group = np.zeros(size, np.float32)
        self._scratch()
        self.numbers = np.array(
            [config.names, config.veto, config.unnamed, config.apart, config.same_hand, config.topical, config.form],
            np.float64,
        )

    def _scratch(self) -> None:
        config = self.config
        self._runs, self._names = np.zeros(2 * LONGEST, np.int32), np.zeros(2 * LONGEST, np.int32)
        self._slots = np.full(1 << 15, -1, np.int32)
        self._grams, self._places = np.zeros(_GRAMS, np.uint32), np.zeros(_GRAMS, np.uint32)
        self._chosen = np.zeros(config.features, np.uint32)
        self._kept = 0
        self._touched = np.zeros(config.probed * config.depth, np.int32)
        self._found = np.zeros(config.candidates, np.int32)
        self._first = np.zeros(config.candidates, np.int32)
        self._ranks, self._known = np.zeros(config.candidates, np.float64), np.zeros(config.candidates, np.float64)
        most = 2 * nearness.SAMPLE * config.features
        self._table = np.zeros(1 << most.bit_length(), np.uint64)
        self._spots = np.zeros(most, np.int32)
        self._sums, self._parts = np.zeros((2, most), np.float32), np.zeros((2, most, 3), np.float32)

    @property
    def live(self) -> int:
        """Number of live messages."""
        return self.high - self.low

    @property
    def scale(self) -> float:
        """What turns the logarithm of a gram's count into a share of the county's."""
        return float(1.0 / np.log(2.0 + max(self.live, FEWEST)))

    def read(self, title: str, text: str, step: int) -> tuple[int, int, int]:
        """Read the grams into scratch and count them as seen in `step` (1 or -1) live messages more; gives (how many, mask of
        regions, fingerprint of the text).
        """
        count, regions, mark = grams.read(
            codes(title, text),
            min(len(title), LONGEST),
            *TABLES,
            self._runs,
            self._names,
            self._slots,
            self._grams,
            self._places,
            self.seen,
            step,
        )
        return int(count), int(regions), int(mark)

    def push(
        self, count: int, regions: int, mark: int, petitioner: int, topic: int, keep: int
    ) -> tuple[int, Numbers, Numbers]:
        """Enter the message just read; gives its number, index entries, and what they pushed out. `keep`: the oldest kept."""
        number = self.high
        if number - keep >= self.matter.size:
            self._grow(keep)
        self.high += 1
        at = number & (self.matter.size - 1)
        most = self.config.posted
        if self.used + most > self.heads.size:
            rings = np.full((2 * self.heads.size, self.config.depth), -1, np.int32)
            rings[: self.heads.size] = self.rings
            self.rings, self.heads = rings, np.concatenate([self.heads, np.zeros_like(self.heads)])
        posted, lost = np.empty(most, np.uint32), np.empty(most, np.int32)
        self._kept, self.sizes[at], most, self.used = nearness.enter(
            self._grams, count, number, self.seen, self.scale, self.logs, self.powers, self._chosen, self.features[at],
            self.rows, self.rings, self.heads, self.used, posted, lost,
        )  # fmt: skip
        self.petitioner[at], self.topic[at], self.region[at], self.prints[at] = petitioner, topic, regions, mark
        return number, posted[:most], lost[:most]

    def pop(self, posted: Numbers, lost: Numbers) -> None:
        """Take back the last `push`, given what it gave."""
        self.high -= 1
        nearness.unpost(posted, lost.size, self.rows, self.rings, self.heads, lost)

    def _grow(self, keep: int) -> None:
        old, size = self.matter.size, self.matter.size * 2
        numbers = np.arange(keep, self.high)
        for name in ("features", "sizes", "matter", "previous", "petitioner", "topic", "region", "copy", "prints"):
            array = getattr(self, name)
            grown = np.zeros((size, *array.shape[1:]), array.dtype)
            grown[numbers & (size - 1)] = array[numbers & (old - 1)]
            setattr(self, name, grown)
        self._score = np.zeros(size, np.float32)

    def room(self, home: int) -> None:
        """Make room for a matter of this number."""
        if home >= self.last.size:
            self.last = np.concatenate([self.last, np.full_like(self.last, -1)])
            self.counts = np.concatenate([self.counts, np.zeros_like(self.counts)])
            self._group = np.zeros(self.last.size, np.float32)

    def at(self, number: Any) -> Any:
        """Where the ring holds what belongs to a message."""
        return number & (self.matter.size - 1)

    def near(self, number: int) -> list[Near]:
        """The matters that share most with the message just pushed."""
        many = nearness.near(
            self._chosen, min(self._kept, self.config.probed), number, self.low, self.seen, self.scale, self.logs,
            self.powers, self.rows, self.rings, self.heads, self._score, self._touched, self._group, self._found,
            self._first, self.features, self.sizes, self.matter, self.previous, self.last, self.counts, self.petitioner,
            self.topic, self.region, self._table, self._spots, self._sums, self._parts, self.numbers, self._ranks,
            self._known,
        )  # fmt: skip
        columns = (a[:many].tolist() for a in (self._ranks, self._known, self._first, self._found))
        return [Near(*row) for row in zip(*columns, strict=True)]

    def compare(self, one: int, others: Sequence[int]) -> list[float]:
        """How much a matter and each of the others (at most as many as there are candidates) are the same one, 0…1."""
        many = len(others)
        self._found[:many] = others
        nearness.rank(
            one, self._found, many, self.low, self.features, self.sizes, self.previous, self.last, self.counts,
            self.petitioner, self.topic, self.region, self.seen, self.scale, self.logs, self.powers,
            self._table, self._spots, self._sums, self._parts, self.numbers, self._ranks, self._known,
        )  # fmt: skip
        scores: list[float] = self._ranks[:many].tolist()
        return scores

    def alone(self, number: int, home: int, previous: int = -1) -> None:
        """Make a message the one live member of a matter."""
        at = number & (self.matter.size - 1)
        self.matter[at], self.previous[at] = home, previous
        self.last[home], self.counts[home] = number, 1

    def join(self, kept: int, gone: int) -> Join:
        """Make the members of one matter members of another; gives what `part` needs to take it back."""
        if self.counts[gone] == 1 and self.last[gone] > self.last[kept]:  # a new message: put it at the end
            number = int(self.last[gone])
            at = self.at(number)
            before = int(self.previous[at])
            self.matter[at], self.previous[at] = kept, self.last[kept]
            self.last[kept] = number
            self.counts[kept] += 1
            self.last[gone], self.counts[gone] = -1, 0
            return Join(kept, gone, number, before)
        ours, theirs = self.members(kept), self.members(gone)
        links = self.previous[self.at(ours)], self.previous[self.at(theirs)]
        nearness.chain(
            np.sort(np.concatenate([ours, theirs])), kept, self.matter, self.previous, self.last, self.counts
        )
        self.last[gone], self.counts[gone] = -1, 0
        return Join(kept, gone, -1, -1, (ours, theirs), links)

    def part(self, done: Join) -> None:
        """Take back the last `join`."""
        if done.number >= 0:
            self.last[done.kept] = self.previous[self.at(done.number)]
            self.counts[done.kept] -= 1
            self.alone(done.number, done.gone, done.previous)
            return
        for home, numbers, before in zip((done.kept, done.gone), done.members, done.links, strict=True):
            nearness.unchain(numbers, before, home, self.matter, self.previous, self.last, self.counts)

    def members(self, home: int) -> Numbers:
        """Numbers of the live messages of a matter, in order."""
        found: Numbers = nearness.members(home, self.previous, self.last, self.counts)
        return found

    def shared(self, whole: str, count: int, home: int, limit: int = 5) -> tuple[str, ...]:
        """The words of the text just read that a matter's latest messages hold too, the heaviest first."""
        marks = nearness.shared(
            self._grams, self._places, count, self._slots, home, self.low, self.features, self.sizes, self.previous, self.last,
            self.seen, self.scale, self.logs, self.powers, 12,
        )  # fmt: skip
        pieces: list[tuple[int, int, float]] = []
        for place, weight in sorted(marks.tolist()):
            at, long = divmod(int(place), 4)
            if pieces and at <= pieces[-1][1]:
                start, end, heavy = pieces[-1]
                pieces[-1] = (start, max(end, at + long), max(heavy, weight))
            else:
                pieces.append((at, at + long, weight))
        words: list[str] = []
        for start, end, _ in sorted(pieces, key=lambda piece: (-piece[2], piece[0])):
            if whole[start:end] not in words:
                words.append(whole[start:end])
        return tuple(words[:limit])
