"""What the handlers need from a store. MongoDB (`store.py`) and the tests' memory keep the same promises."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeVar

from services.alerts.domain.findings import FindingRow, Moved, Place
from services.alerts.domain.notify import Told
from services.alerts.domain.silence import Silence
from services.alerts.domain.timers import Plan, Timer
from services.alerts.domain.warning import Change, Key, Text, Warning
from shared.access import Scope

T = TypeVar("T")


@dataclass(frozen=True)
class FlagRow:
    """One flag event as it came: the inbox, and the history behind a warning. `id` is the event id."""

    id: str
    warning_id: str | None
    kind: str
    matter: str
    flag_id: str
    type: str
    at: datetime
    distinct_petitioners: int
    headcount: int
    observed: float
    threshold: float
    level: str
    outcome: str


@dataclass(frozen=True)
class FindingGroup:
    """A unit's petitions that stand in one state for one obligation: how many, the newest 200, how the earliest came about."""

    count: int
    petition_ids: tuple[str, ...]
    basis: str
    derivation: Text


@dataclass(frozen=True)
class Delivery:
    """One message to one receiver. The id is its idempotency key: a second copy carries the same."""

    id: str
    receiver: str
    reason: str
    warnings: tuple[str, ...]
    body: Mapping[str, Any]
    created_at: datetime
    next_at: datetime
    status: str = "pending"
    attempts: tuple[Mapping[str, Any], ...] = ()
    exercise: bool = False


@dataclass(frozen=True)
class StreamRow:
    """One change as the stream sends it, with what decides who may see it."""

    seq: int
    warning_id: str
    type: str
    at: datetime
    event: str
    unit_path: frozenset[str]
    jurisdiction: str
    restricted: bool
    accused: str | None

    def shown_to(self, scope: Scope) -> bool:
        """Whether a principal of this scope receives it."""
        if scope.jurisdiction is not None and scope.jurisdiction != self.jurisdiction:
            return False
        if scope.unit is not None and scope.unit not in self.unit_path:
            return False
        return not scope.hides_accusation(restricted=self.restricted, accused=self.accused)


@dataclass(frozen=True)
class LogRow:
    """One line of a warning's log."""

    warning_id: str
    version: int
    action: str
    before: str | None
    state: str
    actor: str | None
    reason: str | None
    at: datetime
    level: str
    detail: Mapping[str, str] = field(default_factory=dict)
    why: Text | None = None


@dataclass(frozen=True)
class Filter:
    """What a list of warnings is confined to, besides the scope."""

    states: frozenset[str] = frozenset()
    levels: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()
    unit: str | None = None
    jurisdiction: str | None = None
    town: str | None = None
    topic: str | None = None
    matter: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    exercise: bool | None = None
    text: str | None = None


class Tx(Protocol):
    """One transaction. Everything in it happens, or nothing."""

    async def warning(self, id: str) -> Warning | None:
        """A warning by id."""

    async def latest(self, keys: Collection[Key]) -> dict[Key, Warning]:
        """The newest episode of each (kind, matter) that has one."""

    async def open_on(self, matters: Collection[str]) -> list[Warning]:
        """Open warnings on these matters."""

    async def open_of(self, kinds: Collection[str]) -> list[Warning]:
        """Open warnings of these kinds; of every kind where none is named."""

    async def group(self, key: str, ids: Collection[str]) -> list[Warning]:
        """Open warnings of a group, and those of `ids` whatever they are."""

    async def save(self, changes: Sequence[tuple[Change, Plan]]) -> None:
        """Write changes in order: warnings, log, stream numbers without a gap, timers, and the events to publish."""

    async def seen(self, ids: Collection[str]) -> set[str]:
        """Which of these flag events are there already."""

    async def add_flags(self, rows: Sequence[FlagRow]) -> None:
        """Keep flag events."""

    async def begin(self) -> None:
        """Take the stream's counter now: others wait from here on, instead of making a long transaction start again."""

    async def set_findings(self, rows: Sequence[FindingRow]) -> list[Moved]:
        """Take findings in order, as `domain.findings.placed` says; gives those that changed something."""

    async def finding_group(self, place: Place) -> FindingGroup:
        """A unit's petitions in one state for one obligation."""

    async def timer(self, id: str) -> Timer | None:
        """A timer that is still there."""

    async def set_timers(self, plan: Plan) -> None:
        """Start, bring forward and drop timers."""

    async def end_timer(self, id: str) -> None:
        """Remove a timer that has fired."""

    async def told(self, group: str) -> Told | None:
        """What was last told about a group."""

    async def set_told(self, group: str, told: Told) -> None:
        """Keep what was told."""

    async def silences(self, now: datetime) -> list[Silence]:
        """Silences in force."""

    async def silence(self, id: str) -> Silence | None:
        """A silence by id."""

    async def put_silence(self, silence: Silence) -> None:
        """Write a silence."""

    async def put_deliveries(self, rows: Sequence[Delivery]) -> None:
        """Write messages to send; one that is there already stays."""

    async def put_document(self, row: Mapping[str, Any]) -> None:
        """Keep the record of a special report or a CAP message that was made."""

    async def audit(
        self,
        *,
        actor: str,
        action: str,
        object: str,
        at: datetime,
        reason: str | None = None,
        detail: Mapping[str, str] | None = None,
    ) -> None:
        """Append to the audit chain."""


class Store(Protocol):
    """What is kept, and transactions on it."""

    async def run(self, work: Callable[[Tx], Awaitable[T]], *, point: str = "alerts") -> T:
        """Run `work` in one transaction; it may run more than once. `point` names its failpoints."""

    async def get(self, id: str) -> Warning | None:
        """A warning by id."""

    async def many(self, ids: Collection[str]) -> list[Warning]:
        """The warnings that there are of `ids`."""

    async def find(self, scope: Scope, filter: Filter, *, before: int | None, limit: int) -> list[tuple[int, Warning]]:
        """Warnings newest first with their place in the list; `before` continues after a place."""

    async def changed(
        self, scope: Scope, filter: Filter, *, before: int | None, limit: int
    ) -> list[tuple[int, Warning]]:
        """Warnings by the number of their newest change, newest first; `before` continues after a number."""

    async def counts(self, scope: Scope) -> dict[str, dict[str, int]]:
        """Number of warnings by state and, of the open ones, by level and kind; exercises are not counted."""

    async def log(self, id: str) -> list[LogRow]:
        """A warning's log, oldest first."""

    async def flags(self, id: str) -> list[FlagRow]:
        """Flag events behind a warning, oldest first."""

    async def head(self) -> int:
        """Number of the newest row of the stream, 0 if there is none."""

    async def floor(self) -> int:
        """Number of the oldest row that is still there, head + 1 if there is none."""

    async def stream(self, after: int, limit: int) -> list[StreamRow]:
        """Rows of the stream after a number, in order."""

    async def snapshot(self, scope: Scope) -> list[StreamRow]:
        """The newest row of every open warning, in order of their numbers."""

    async def due_timers(self, now: datetime, limit: int) -> list[Timer]:
        """Timers that are due, the oldest first."""

    async def claim_delivery(self, now: datetime, until: datetime, *, busy: Collection[str] = ()) -> Delivery | None:
        """Take the message that is due first, of receivers that are not `busy`; nobody else takes it before `until`."""

    async def mark_delivery(self, id: str, *, status: str, attempt: Mapping[str, Any], next_at: datetime) -> None:
        """Write down how an attempt went."""

    async def deliveries(self, *, warning_id: str | None, status: str | None, limit: int) -> list[Delivery]:
        """The delivery log, newest first."""

    async def all_silences(self, *, limit: int) -> list[Silence]:
        """Silences, newest first."""

    async def document(self, id: str) -> dict[str, Any] | None:
        """A document with its bytes."""

    async def documents(self, *, warning_id: str | None, limit: int) -> list[dict[str, Any]]:
        """Records of documents made and sent, newest first."""
