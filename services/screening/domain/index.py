"""The arrays behind one county's linker: features, index, word counts, members of matters. Numbers, no policy."""

from __future__ import annotations

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
    """Two matters that became one, as they were before."""

    kept: int
    gone: int
    ours: Numbers
    theirs: Numbers
    our_before: Numbers
    their_before: Numbers


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
            [config.names, config.veto, config.unnamed, config.apart, config.same_hand, config.topical], np.float64
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
        table = 1 << (2 * nearness.SAMPLE * config.features).bit_length()
        self._keys = np.zeros(table, np.uint32)
        self._cells = np.zeros((table, 8), np.float32)
        self._spots = np.zeros(table, np.int32)

    @property
    def live(self) -> int:
        """Number of live messages."""
        return self.high - self.low

    @property
    def scale(self) -> float:
        """What turns the logarithm of a gram's count into a share of the county's."""
        return float(1.0 / np.log(2.0 + max(self.live, FEWEST)))

    def read(self, title: str, text: str) -> tuple[int, int, int]:
        """Read the grams into scratch; gives (how many, mask of regions, fingerprint of the text)."""
        count, regions, mark = grams.read(
            codes(title, text),
            min(len(title), LONGEST),
            *TABLES,
            self._runs,
            self._names,
            self._slots,
            self._grams,
            self._places,
        )
        return int(count), int(regions), int(mark)

    def learn(self, count: int, step: int) -> None:
        """Count the grams just read as seen in one live message more (1) or less (-1)."""
        grams.learn(self._grams, count, self.seen, step)

    def push(
        self, count: int, regions: int, mark: int, petitioner: int, topic: int, keep: int
    ) -> tuple[int, Numbers, Numbers]:
        """Enter the message just read; gives its number, index entries, and what they pushed out. `keep`: the oldest kept."""
        number = self.high
        if number - keep >= self.matter.size:
            self._grow(keep)
        self.high += 1
        self.learn(count, 1)
        at = number & (self.matter.size - 1)
        self._kept = grams.choose(self._grams, count, self.seen, self.scale, self.logs, self.powers, self._chosen)
        self.sizes[at] = grams.pack(self._chosen, self._kept, self.features[at])
        posted = self._chosen[: min(self._kept, self.config.posted)].copy()
        if self.used + posted.size > self.heads.size:
            rings = np.full((2 * self.heads.size, self.config.depth), -1, np.int32)
            rings[: self.heads.size] = self.rings
            self.rings, self.heads = rings, np.concatenate([self.heads, np.zeros_like(self.heads)])
        lost = np.empty(posted.size, np.int32)
        self.used = nearness.post(posted, posted.size, number, self.rows, self.rings, self.heads, self.used, lost)
        self.petitioner[at], self.topic[at], self.region[at], self.prints[at] = petitioner, topic, regions, mark
        return number, posted, lost

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
        scale = self.scale
        many = nearness.candidates(
            self._chosen, min(self._kept, self.config.probed), number, self.low, self.seen, scale, self.logs,
            self.powers, self.rows, self.rings, self.heads, self.matter, self._score, self._touched, self._group,
            self._found,
        )  # fmt: skip
        self._rank(int(self.matter[self.at(number)]), many, scale)
        nearness.first_of(self._found, many, self.previous, self.last, self.counts, self._first)
        columns = (a[:many].tolist() for a in (self._ranks, self._known, self._first, self._found))
        return [Near(*row) for row in zip(*columns, strict=True)]

    def compare(self, one: int, other: int) -> float:
        """How much two matters are the same one, 0…1."""
        self._found[0] = other
        self._rank(one, 1, self.scale)
        return float(self._ranks[0])

    def _rank(self, one: int, many: int, scale: float) -> None:
        nearness.rank(
            one, self._found, many, self.low, self.features, self.sizes, self.previous, self.last, self.counts,
            self.petitioner, self.topic, self.region, self.seen, scale, self.logs, self.powers,
            self._keys, self._cells, self._spots, self.numbers, self._ranks, self._known,
        )  # fmt: skip

    def join(self, kept: int, gone: int) -> Join:
        """Make the members of one matter members of another; gives what `part` needs to take it back."""
        ours, theirs = self.members(kept), self.members(gone)
        done = Join(kept, gone, ours, theirs, self.previous[self.at(ours)], self.previous[self.at(theirs)])
        self.chain(np.sort(np.concatenate([ours, theirs])), kept)
        self.last[gone], self.counts[gone] = -1, 0
        return done

    def part(self, done: Join) -> None:
        """Take back the last `join`."""
        for home, numbers, before in (
            (done.kept, done.ours, done.our_before),
            (done.gone, done.theirs, done.their_before),
        ):
            nearness.unchain(numbers, before, home, self.matter, self.previous, self.last, self.counts)

    def chain(self, numbers: Numbers, home: int) -> None:
        """Make these messages, in order, the members of a matter."""
        nearness.chain(numbers, home, self.matter, self.previous, self.last, self.counts)

    def members(self, home: int) -> Numbers:
        """Numbers of the live messages of a matter, in order."""
        found: Numbers = nearness.members(home, self.previous, self.last, self.counts)
        return found

    def shared(self, whole: str, count: int, home: int, limit: int = 5) -> tuple[str, ...]:
        """The words of the text just read that a matter's latest messages hold too, the heaviest first."""
        marks = nearness.shared(
            self._grams, self._places, count, home, self.low, self.features, self.sizes, self.previous, self.last,
            self.seen, self.scale, self.logs, self.powers, 12,
        )  # fmt: skip
        pieces: list[tuple[int, int, float]] = []
        for at, long, weight in sorted((int(p) // 4, int(p) % 4, float(w)) for p, w in marks):
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
