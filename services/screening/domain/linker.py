"""Links petitions into matters as they come, in the order of event time."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from services.screening.domain.matters import LinkConfig, Linked, Merge, Message, Similar, matter_id
from services.screening.domain.text import fold, grams


@dataclass(slots=True)
class _Live:
    message: Message
    until: datetime
    vector: dict[str, float]
    matter: str
    fold: str


@dataclass(slots=True)
class _Matter:
    id: str
    members: list[str] = field(default_factory=list)
    sum: dict[str, float] = field(default_factory=dict)
    square: float = 0.0


@dataclass(slots=True)
class _Undo:
    added: str
    clock: datetime | None
    expired: list[_Live]
    matters: dict[str, _Matter | None]


class Linker:
    """One county's live matters. Messages come in the order of event time; `Timeline` takes them in any order.

    Everything it answers follows from the live messages and their matters alone, so that a linker rebuilt by `restore`
    goes on as the first would have.
    """

    def __init__(self, config: LinkConfig | None = None) -> None:
        self.config = config or LinkConfig()
        self._live: dict[str, _Live] = {}
        self._queue: deque[str] = deque()
        self._matters: dict[str, _Matter] = {}
        self._df: Counter[str] = Counter()
        self._texts: dict[str, list[str]] = {}
        self._clock: datetime | None = None
        self._undo: deque[_Undo] = deque()

    def __len__(self) -> int:
        """Number of live messages."""
        return len(self._live)

    def __contains__(self, message: str) -> bool:
        """Whether the message of this id is live."""
        return message in self._live

    def matter_of(self, message: str) -> str | None:
        """The matter of a live message, None for one that is not live."""
        live = self._live.get(message)
        return live.matter if live else None

    def members(self, matter: str) -> tuple[str, ...]:
        """Live messages of a matter in the order they were added; empty for an unknown one."""
        found = self._matters.get(matter)
        return tuple(found.members) if found else ()

    def matters(self) -> Iterator[str]:
        """Ids of the matters with a live message."""
        return iter(self._matters)

    def add_many(self, messages: Iterable[Message]) -> list[Linked]:
        """The same as adding one by one, and faster."""
        return [self.add(message) for message in messages]

    def add(self, message: Message) -> Linked:
        """Link one message; raises ValueError where its id is live already."""
        if message.id in self._live:
            raise ValueError(f"message {message.id} is already live")
        log = _Undo(message.id, self._clock, [], {})
        self._expire(message.at, log)
        text = fold(message.title + message.text)
        vector = self._weigh(grams(message.title, message.text))
        twins = self._texts.get(text, [])
        ranked = self._ranked(vector)
        best = [(score, m) for score, m in ranked[:4] if score >= self.config.threshold]
        if twins:
            home = self._live[twins[0]].matter
            best = [(1.0, home)] + [item for item in best if item[1] != home]
        new = not best
        chosen = matter_id(message.id) if new else best[0][1]
        shared = () if new else self._shared(vector, self._matters[chosen].sum)
        self._join(_Live(message, self._clock_for(message) + self.config.window, vector, chosen, text), log)
        merged: list[Merge] = []
        for _, other in best[1:]:
            score = self._cosine(self._matters[chosen], self._matters[other])
            if score >= self.config.merge:
                merge = self._merge(chosen, other, score, message, log)
                merged.append(merge)
                chosen = merge.kept
        self._undo.append(log)
        return Linked(
            message=message.id,
            matter=chosen,
            new=new,
            score=0.0 if new else best[0][0],
            threshold=self.config.threshold,
            shared=shared,
            merged=tuple(merged),
            duplicate_of=twins[0] if twins else None,
            repeat=bool(twins) and self._live[twins[0]].message.petitioner == message.petitioner,
        )

    def undo(self) -> Message:
        """Take back the last add (last in, first out): the state is exactly that before it; gives the message."""
        if not self._undo:
            raise IndexError("nothing to undo")
        log = self._undo.pop()
        live = self._live.pop(log.added)
        self._forget(live)
        self._queue.pop()
        for gone in reversed(log.expired):
            self._queue.appendleft(gone.message.id)
            self._live[gone.message.id] = gone
            self._df.update(gone.vector.keys())
            self._texts.setdefault(gone.fold, []).insert(0, gone.message.id)
        for key, matter in log.matters.items():
            if matter is None:
                self._matters.pop(key, None)
            else:
                self._matters[key] = matter
                for member in matter.members:
                    self._live[member].matter = key
        self._clock = log.clock
        return live.message

    def settle(self, keep: int) -> None:
        """Forget how to undo all but the last `keep` adds."""
        while len(self._undo) > keep:
            self._undo.popleft()

    def restore(self, message: Message, matter: str) -> None:
        """Put back a message of the store with the matter it has there; in the order of event time."""
        log = _Undo(message.id, self._clock, [], {})
        self._expire(message.at, log)
        vector = self._weigh(grams(message.title, message.text))
        text = fold(message.title + message.text)
        self._join(_Live(message, self._clock_for(message) + self.config.window, vector, matter, text), log)

    def restore_many(self, rows: Iterable[tuple[Message, str]]) -> None:
        """The same as restoring one by one, and faster."""
        for message, matter in rows:
            self.restore(message, matter)

    def similar(self, title: str, text: str, limit: int = 3) -> tuple[Similar, ...]:
        """Open matters that a draft resembles, the nearest first; changes nothing."""
        vector = self._weigh(grams(title, text))
        found = [(score, m) for score, m in self._ranked(vector)[:limit] if score >= self.config.threshold]
        return tuple(
            Similar(
                m,
                score,
                self._matters[m].members[-1],
                len(self._matters[m].members),
                self._shared(vector, self._matters[m].sum),
            )
            for score, m in found
        )

    def _clock_for(self, message: Message) -> datetime:
        return max(self._clock, message.at) if self._clock else message.at

    def _expire(self, at: datetime, log: _Undo) -> None:
        self._clock = max(self._clock, at) if self._clock else at
        while self._queue and self._live[self._queue[0]].until <= self._clock:
            live = self._live.pop(self._queue.popleft())
            self._keep(live.matter, log)
            matter = self._matters[live.matter]
            self._take(matter, live)
            if not matter.members:
                del self._matters[live.matter]
            self._forget(live)
            log.expired.append(live)

    def _forget(self, live: _Live) -> None:
        self._df.subtract(live.vector.keys())
        twins = self._texts[live.fold]
        twins.remove(live.message.id)
        if not twins:
            del self._texts[live.fold]

    def _keep(self, matter: str, log: _Undo) -> None:
        if matter not in log.matters:
            found = self._matters.get(matter)
            log.matters[matter] = (
                _Matter(found.id, list(found.members), dict(found.sum), found.square) if found else None
            )

    def _take(self, matter: _Matter, live: _Live) -> None:
        matter.members.remove(live.message.id)
        for gram, weight in live.vector.items():
            matter.sum[gram] -= weight
        matter.square = sum(weight * weight for weight in matter.sum.values())

    def _join(self, live: _Live, log: _Undo) -> None:
        self._keep(live.matter, log)
        self._live[live.message.id] = live
        self._queue.append(live.message.id)
        self._df.update(live.vector.keys())
        self._texts.setdefault(live.fold, []).append(live.message.id)
        matter = self._matters.setdefault(live.matter, _Matter(live.matter))
        matter.members.append(live.message.id)
        for gram, weight in live.vector.items():
            matter.sum[gram] = matter.sum.get(gram, 0.0) + weight
        matter.square = sum(weight * weight for weight in matter.sum.values())

    def _merge(self, one: str, other: str, score: float, cause: Message, log: _Undo) -> Merge:
        first = [self._live[self._matters[m].members[0]].message.key for m in (one, other)]
        kept, gone = (one, other) if first[0] <= first[1] else (other, one)
        self._keep(kept, log)
        self._keep(gone, log)
        old, matter = self._matters.pop(gone), self._matters[kept]
        for member in old.members:
            self._live[member].matter = kept
        matter.members = sorted(matter.members + old.members, key=lambda m: self._live[m].message.key)
        for gram, weight in old.sum.items():
            matter.sum[gram] = matter.sum.get(gram, 0.0) + weight
        matter.square = sum(weight * weight for weight in matter.sum.values())
        return Merge(kept, gone, score, cause.id, cause.at, tuple(m for m in old.members if m != cause.id))

    def _weigh(self, counts: dict[str, int]) -> dict[str, float]:
        live = len(self._live) + 1
        vector = {g: (1 + math.log(c)) * (math.log((1 + live) / (1 + self._df[g])) + 1) for g, c in counts.items()}
        norm = math.sqrt(sum(w * w for w in vector.values())) or 1.0
        return {g: w / norm for g, w in vector.items()}

    def _ranked(self, vector: dict[str, float]) -> list[tuple[float, str]]:
        scored = []
        for matter in self._matters.values():
            sums = matter.sum
            dot = sum(weight * sums[gram] for gram, weight in vector.items() if gram in sums)
            scored.append((dot / math.sqrt(matter.square) if matter.square > 0 else 0.0, matter.id))
        return sorted(scored, key=lambda item: (-item[0], item[1]))

    @staticmethod
    def _cosine(one: _Matter, other: _Matter) -> float:
        small, big = (one.sum, other.sum) if len(one.sum) < len(other.sum) else (other.sum, one.sum)
        dot = sum(weight * big.get(gram, 0.0) for gram, weight in small.items())
        return dot / math.sqrt(one.square * other.square)

    @staticmethod
    def _shared(vector: dict[str, float], sums: dict[str, float]) -> tuple[str, ...]:
        both = sorted(((-weight * sums[g], g) for g, weight in vector.items() if sums.get(g, 0.0) > 0))
        return tuple(g for _, g in both[:5])
