"""Links petitions into matters as they come, in the order of event time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from services.screening.domain.copies import Copies
from services.screening.domain.index import Index, Join, Near
from services.screening.domain.matters import LinkConfig, Linked, Merge, Message, Similar, matter_id
from services.screening.domain.nearness import SAMPLE
from services.screening.domain.text import LONGEST

_NONE: Final[NDArray[Any]] = np.empty(0, np.uint32)


@dataclass(slots=True)
class _Undo:
    """What one add changed, and what it takes to change it back."""

    number: int
    clock: datetime
    before: datetime | None
    posted: NDArray[Any]
    lost: NDArray[Any]
    expired: int = 0
    ended: list[tuple[int, str]] = field(default_factory=list)
    joins: list[tuple[Join, str]] = field(default_factory=list)


class Linker:
    """One county's live matters. Messages come in the order of event time; `Timeline` takes them in any order.

    What it answers follows from the messages of the last two windows: those of the last one are live, and those of the
    one before taught it how rare the words were when they came. So a linker that `restore` fed with both goes on exactly
    as the first would have; fed with one window only, nearly so.
    """

    def __init__(self, config: LinkConfig | None = None) -> None:
        self.config = config or LinkConfig()
        self._index = Index(self.config)
        self._messages: list[Message] = []
        self._since: list[datetime] = []
        self._base = 0
        self._numbers: dict[str, int] = {}
        self._names: list[str] = []
        self._homes: dict[str, int] = {}
        self._free: list[int] = []
        self._copies = Copies(self._at)
        self._clock: datetime | None = None
        self._undo: deque[_Undo] = deque()

    def __len__(self) -> int:
        """Number of live messages."""
        return self._index.live

    def __contains__(self, message: str) -> bool:
        """Whether the message of this id is live."""
        return message in self._numbers

    def matter_of(self, message: str) -> str | None:
        """The matter of a live message, None for one that is not live."""
        number = self._numbers.get(message)
        return None if number is None else self._names[self._home(number)]

    def message(self, message: str) -> Message:
        """The live message of this id; KeyError where it is not live."""
        return self._at(self._numbers[message])

    def members(self, matter: str) -> tuple[str, ...]:
        """Live messages of a matter in the order they were added; empty for an unknown one."""
        home = self._homes.get(matter)
        return () if home is None else tuple(self._at(n).id for n in self._index.members(home))

    def matters(self) -> Iterator[str]:
        """Ids of the matters with a live message."""
        return iter(self._homes)

    def add_many(self, messages: Iterable[Message]) -> list[Linked]:
        """The same as adding one by one."""
        return [self.add(message) for message in messages]

    def add(self, message: Message) -> Linked:
        """Link one message; raises ValueError where its id is live already."""
        index = self._index
        log, whole, count, twin = self._enter(message)
        self._undo.append(log)
        self._forget()
        own = self._home(log.number)
        near = index.near(log.number)
        name = matter_id(message.id)
        best = self._ranked(near, twin, self._homes.get(name))
        shared: tuple[str, ...] = ()
        merged: list[Merge] = []
        if best:
            shared = index.shared(whole, count, best[0][1])
            self._join(best[0][1], own, log)
            own = best[0][1]
            own = self._merge(own, [home for _, home in best[1:]], message, log, merged)
        else:
            self._call(own, name)
        core, beside = self._beside(near, own) if twin is None else (None, ())
        return Linked(
            message=message.id,
            matter=self._names[own],
            new=not best,
            score=best[0][0] if best else 0.0,
            threshold=self.config.threshold,
            shared=shared,
            merged=tuple(merged),
            duplicate_of=None if twin is None else self._at(twin).id,
            repeat=twin is not None and self._at(twin).petitioner == message.petitioner,
            core=core,
            beside=beside,
        )

    def _merge(self, own: int, others: list[int], cause: Message, log: _Undo, merged: list[Merge]) -> int:
        """Make the matters that are one with `own`, as far as it has grown, one with it; gives the one that is kept."""
        index = self._index
        while others:
            scores = index.compare(own, others)
            at = next((at for at, score in enumerate(scores) if score >= self.config.merge), None)
            if at is None:
                break
            other = others[at]
            kept, gone = (own, other) if index.members(own)[0] < index.members(other)[0] else (other, own)
            moved = tuple(self._at(n).id for n in index.members(gone) if n != log.number)
            merged.append(Merge(self._names[kept], self._names[gone], scores[at], cause.id, cause.at, moved))
            self._join(kept, gone, log)
            own, others = kept, others[at + 1 :]
        return own

    def undo(self) -> Message:
        """Take back the last add (last in, first out): the state is exactly that before it; gives the message.

        IndexError where there is none, or it is longer ago than the lateness bound.
        """
        log = self._undo.pop()
        index = self._index
        for join, name in reversed(log.joins):
            index.part(join)
            if name:
                self._call(join.gone, name)
        self._copies.take(self._print(log.number), log.number)
        message = self._messages.pop()
        self._since.pop()
        del self._numbers[message.id]
        own = self._home(log.number)
        self._uncall(own)
        index.last[own], index.counts[own] = -1, 0
        self._free.append(own)
        index.read(message.title, message.text, -1)
        index.pop(log.posted, log.lost)
        self._revive(log)
        self._clock = log.before
        return message

    def restore(self, message: Message, matter: str) -> None:
        """Put back a message of the store with the matter it has there; in the order of event time.

        Give two windows of messages: see the class.
        """
        log, _, _, _ = self._enter(message)
        own, home = self._home(log.number), self._homes.get(matter)
        if home is None:
            self._call(own, matter)
        else:
            self._join(home, own, log)
            self._free.append(own)
        self._free += [ended for ended, _ in log.ended]
        self._undo.clear()
        self._forget()

    def restore_many(self, rows: Iterable[tuple[Message, str]]) -> None:
        """The same as restoring one by one."""
        for message, matter in rows:
            self.restore(message, matter)

    def similar(self, title: str, text: str, limit: int = 3) -> tuple[Similar, ...]:
        """Open matters that a draft resembles, the nearest first; the linker is as it was afterwards."""
        index = self._index
        if self._clock is None:
            return ()
        log, whole, count, twin = self._enter(Message("", "", self._clock, title, text))
        found = []
        for score, home in self._ranked(index.near(log.number), twin, None)[:limit]:
            numbers, words = index.members(home), index.shared(whole, count, home)
            found.append(Similar(self._names[home], score, self._at(int(numbers[-1])).id, len(numbers), words))
        self._undo.append(log)
        self.undo()
        return tuple(found)

    def _at(self, number: int) -> Message:
        return self._messages[number - self._base]

    def _home(self, number: int) -> int:
        return int(self._index.matter[self._index.at(number)])

    def _call(self, home: int, name: str) -> None:
        self._names[home] = name
        self._homes[name] = home

    def _uncall(self, home: int) -> str:
        name = self._names[home]
        if name:
            del self._homes[name]
            self._names[home] = ""
        return name

    def _enter(self, message: Message) -> tuple[_Undo, str, int, int | None]:
        """Make a message live as a matter of its own, without a name yet; gives also its earliest live copy."""
        if message.id in self._numbers:
            raise ValueError(f"message {message.id} is live already")
        index = self._index
        clock = max(self._clock, message.at) if self._clock else message.at
        log = _Undo(index.high, clock, self._clock, _NONE, _NONE)
        self._clock = clock
        self._expire(log)
        whole = message.title[:LONGEST] + message.text[:LONGEST]
        count, regions, mark = index.read(message.title, message.text, 1)
        topic = crc32(message.topic.encode()) & 0x7FFFFFFF if message.topic else 0
        number, log.posted, log.lost = index.push(count, regions, mark, hash(message.petitioner), topic, self._base)
        self._messages.append(message)
        self._since.append(clock)
        self._numbers[message.id] = number
        home = self._free.pop() if self._free else len(self._names)
        if home == len(self._names):
            self._names.append("")
            index.room(home)
        index.alone(number, home)
        return log, whole, count, self._copy(message, number)

    def _ranked(self, near: Iterable[Near], twin: int | None, same: int | None) -> list[tuple[float, int]]:
        """(score, matter) from the threshold up, the best first; that of a copy or of the same id comes before all."""
        reached = [(-item.score, item.first, item.home) for item in near if item.score >= self.config.threshold]
        best = [(-score, home) for score, _, home in sorted(reached)]
        sure = same if twin is None else self._home(twin)
        return best if sure is None else [(1.0, sure)] + [item for item in best if item[1] != sure]

    def _beside(self, near: Iterable[Near], own: int) -> tuple[str | None, tuple[str, ...]]:
        """The largest (then oldest) of the matters that lie beside each other with this message; the others' latest texts."""
        config = self.config
        homes = [item.home for item in near if item.score >= config.beside and item.known >= config.beside_names]
        homes = [home for home in homes if home != own and self._names[home]]  # some have just become its own
        if not homes:
            return None, ()
        index = self._index
        members = sorted((index.members(home) for home in (own, *homes)), key=lambda all: (-all.size, int(all[0])))
        others = np.sort(np.concatenate([numbers[-SAMPLE:] for numbers in members[1:]]))
        originals = others[index.copy[index.at(others)] < 0]
        return self._names[self._home(int(members[0][0]))], tuple(self._at(int(n)).id for n in originals)

    def _join(self, kept: int, gone: int, log: _Undo) -> None:
        log.joins.append((self._index.join(kept, gone), self._uncall(gone)))

    def _expire(self, log: _Undo) -> None:
        index = self._index
        bound = log.clock - self.config.window
        while index.low < index.high and self._since[index.low - self._base] <= bound:
            number, message = index.low, self._at(index.low)
            index.read(message.title, message.text, -1)
            index.low += 1
            log.expired += 1
            del self._numbers[message.id]
            self._copies.take(self._print(number), number)
            home = self._home(number)
            index.counts[home] -= 1
            if not index.counts[home]:
                log.ended.append((home, self._uncall(home)))

    def _revive(self, log: _Undo) -> None:
        index = self._index
        for home, name in log.ended:
            self._call(home, name)
        for _ in range(log.expired):
            index.low -= 1
            message = self._at(index.low)
            index.read(message.title, message.text, 1)
            self._numbers[message.id] = index.low
            self._copies.put(self._print(index.low), index.low)
            index.counts[self._home(index.low)] += 1

    def _copy(self, message: Message, number: int) -> int | None:
        """Note the text of a message; gives the earliest live message of which it is a copy, if any."""
        mark = self._print(number)
        twin = self._copies.original(message, mark)
        self._copies.put(mark, number)
        self._index.copy[self._index.at(number)] = -1 if twin is None else twin
        return twin

    def _print(self, number: int) -> int:
        return int(self._index.prints[self._index.at(number)])

    def _forget(self) -> None:
        """Drop what only an undo beyond the lateness bound would need."""
        assert self._clock is not None
        bound = self._clock - self.config.lateness
        while self._undo and self._undo[0].clock < bound:
            log = self._undo.popleft()
            self._free += [join.gone for join, _ in log.joins] + [home for home, _ in log.ended]
        keep = self._index.low - sum(log.expired for log in self._undo)
        if keep - self._base > 1024 and 4 * (keep - self._base) > len(self._messages):
            del self._messages[: keep - self._base], self._since[: keep - self._base]
            self._base = keep
