"""The same matters whatever the order of arrival, within a lateness bound of event time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from services.screening.domain.linker import Linker
from services.screening.domain.matters import LinkConfig, Linked, Merge, Message

Key = tuple[datetime, str]
_LAST = chr(0x10FFFF)
"""Put before a late one's id: it stays behind the message whose time it was given, or the linker would forget it sooner."""


@dataclass(frozen=True, slots=True)
class Changes:
    """The net effect of adding messages; a store applies it as sets, never as increments.

    `links`: every message that is new or whose evidence is different now, in event order. `assigned`: (message,
    matter before or None, matter now) for each live message whose matter changed, also through merges. `created` and
    `dissolved`: matters that exist now and did not, or the other way round. `merges` hold now and did not before;
    `unmerged` held before and do not now.
    """

    links: tuple[Linked, ...] = ()
    assigned: tuple[tuple[str, str | None, str], ...] = ()
    created: tuple[str, ...] = ()
    dissolved: tuple[str, ...] = ()
    merges: tuple[Merge, ...] = ()
    unmerged: tuple[Merge, ...] = ()


@dataclass(frozen=True, slots=True)
class _Step:
    key: Key
    message: Message
    linked: Linked


class Timeline:
    """A linker that takes messages in any order.

    A message that is at most `lateness` behind the newest one is put where its (time, id) belongs: what came after it
    is undone and linked again. One that is later than that is linked as if it came now and marked `late`. A message
    already live is ignored.
    """

    def __init__(self, config: LinkConfig | None = None, linker: Linker | None = None) -> None:
        self.linker = linker or Linker(config)
        self._lateness = self.linker.config.lateness
        self._steps: deque[_Step] = deque()

    def restore(self, messages: Iterable[tuple[Message, str]], merges: Iterable[Merge] = ()) -> None:
        """Rebuild from a store: (message, matter) of two windows, and the merges that hold, as they were recorded.

        The last `lateness` of the messages are linked again, so that a late one can still be put in its place; the
        merges that they caused are taken back first.
        """
        rows = sorted(messages, key=lambda row: row[0].key)
        if not rows:
            return
        bound = rows[-1][0].at - self._lateness
        tail = [message for message, _ in rows if message.at >= bound]
        again = {message.id for message in tail}
        matter = {message.id: matter for message, matter in rows}
        for merge in reversed(tuple(merges)):
            if merge.cause in again:
                matter.update(dict.fromkeys(merge.moved, merge.gone))
        self.linker.restore_many((message, matter[message.id]) for message, _ in rows[: len(rows) - len(tail)])
        self.add(tail)

    def add(self, messages: Iterable[Message]) -> Changes:
        """Link a batch; the result is that of having had every message in the order of event time."""
        fresh: dict[str, Message] = {}
        for message in messages:
            if message.id not in self.linker and message.id not in fresh:
                fresh[message.id] = message
        if not fresh:
            return Changes()
        undone: list[_Step] = []
        queue = sorted(fresh.values(), key=lambda message: message.key)
        newest = self._steps[-1].key[0] if self._steps else None
        late = [] if newest is None else [m for m in queue if m.at < newest - self._lateness]
        timely = queue[len(late) :]
        if timely:
            while self._steps and self._steps[-1].key > timely[0].key:
                self.linker.undo()
                undone.append(self._steps.pop())
        again = {step.message.id: step for step in undone}
        line: list[tuple[Key, Message, bool]] = [(m.key, m, False) for m in timely]
        line += [(step.key, step.message, step.linked.late) for step in undone]
        line.sort(key=lambda item: item[0])
        line += [((line[-1][0][0] if line else newest or m.at, _LAST + m.id), m, True) for m in late]
        linked = self.linker.add_many([message for _, message, _ in line])
        steps = [
            _Step(key, message, replace(link, late=True) if is_late else link)
            for (key, message, is_late), link in zip(line, linked, strict=True)
        ]
        self._steps.extend(steps)
        self._forget()
        return _difference(undone, steps, again)

    def _forget(self) -> None:
        bound = self._steps[-1].key[0] - self._lateness
        while self._steps and self._steps[0].key[0] < bound:
            self._steps.popleft()


def _difference(undone: list[_Step], steps: list[_Step], again: dict[str, _Step]) -> Changes:
    """Compare what was undone with what was done instead; both are a few messages, not the window."""
    before, after = _Effects(undone[::-1]), _Effects(steps)
    start = {**before.start, **after.start}
    assigned = []
    for message, first in start.items():
        was, now = before.now.get(message, first), after.now.get(message, first)
        if now is not None and was != now:
            assigned.append((message, was, now))
    opened = before.opened | after.opened
    was_there = {
        m for m in opened | before.gone | after.gone if (m in before.opened or m not in opened) and m not in before.gone
    }
    is_there = {
        m for m in opened | before.gone | after.gone if (m in after.opened or m not in opened) and m not in after.gone
    }
    return Changes(
        links=tuple(s.linked for s in steps if s.message.id not in again or again[s.message.id].linked != s.linked),
        assigned=tuple(sorted(assigned, key=lambda item: item[0])),
        created=tuple(sorted(is_there - was_there)),
        dissolved=tuple(sorted(was_there - is_there)),
        merges=tuple(m for m in after.merges if m not in before.merges),
        unmerged=tuple(m for m in before.merges if m not in after.merges),
    )


class _Effects:
    """What a run of steps did to the matters of messages, from `start` (None: not there yet) to `now`."""

    def __init__(self, steps: list[_Step]) -> None:
        self.start: dict[str, str | None] = {}
        self.now: dict[str, str] = {}
        self.opened: set[str] = set()
        self.merges: list[Merge] = []
        for step in steps:
            self.start.setdefault(step.message.id, None)
            if step.linked.new:
                self.opened.add(step.linked.matter)
            for merge in step.linked.merged:
                self.merges.append(merge)
                for moved in merge.moved:
                    self.start.setdefault(moved, merge.gone)
                    self.now[moved] = merge.kept
            self.now[step.message.id] = step.linked.matter
        self.gone = {merge.gone for merge in self.merges}
