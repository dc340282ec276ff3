"""What the handlers need from outside, and the plain records that pass between them and the store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.intake.domain.identity import Identity
from services.intake.domain.petition import Registered
from services.intake.domain.steps import Life
from shared.events import Event


@dataclass(frozen=True)
class Registration:
    """Everything that one filing writes. `request` and `body` are keyed hashes of the Idempotency-Key and the body."""

    petition: Registered
    identity: Identity
    original: dict[str, str]
    """title and text as they were sent, where the masked ones differ from them"""
    request: str
    body: str
    event: Event


@dataclass(frozen=True)
class Receipt:
    """What was registered: enough to give the same answer again."""

    petition_id: str
    receipt: str
    status: str
    replayed: bool = False


@dataclass(frozen=True)
class Conflict:
    """Nothing was written: `code` says why."""

    code: str


Outcome = Receipt | Conflict


@dataclass(frozen=True)
class Entry:
    """One line of a petition's history."""

    type: str
    at: datetime
    unit: str | None
    actor: str | None
    fields: dict[str, object]


@dataclass(frozen=True)
class Record:
    """A petition as the store has it."""

    petition: Registered
    life: Life
    history: tuple[Entry, ...]


@dataclass(frozen=True)
class Change:
    """One step, ready to be written."""

    before: Life
    after: Life
    entry: Entry
    event: Event
    request: str
    body: str
    account: str
    reason: str | None


@dataclass(frozen=True)
class StepDone:
    """What a step led to."""

    petition_id: str
    status: str
    version: int
    replayed: bool = False


@dataclass(frozen=True)
class Filter:
    """Which petitions a list is of. `units` confines to responsible or handling units."""

    jurisdiction: str | None = None
    status: str | None = None
    channel: str | None = None
    topic: str | None = None
    unit: str | None = None
    petitioner: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    under: frozenset[str] = frozenset()
    """only petitions whose responsible or handling unit is one of these"""
    barred: frozenset[str] = frozenset()
    """no accusation against one of these units"""
    hide_accusations_without_unit: bool = False


@dataclass(frozen=True)
class Reading:
    """One time that somebody opened the vault for a petition."""

    at: datetime
    account: str
    reason: str


class StaleError(Exception):
    """The petition changed since it was read."""


class Store(Protocol):
    """The registry and the vault."""

    async def register(self, batch: Sequence[Registration]) -> list[Outcome]:
        """Write filings in one transaction; one outcome each, in order. A bad one does not harm the others."""

    async def record(self, petition_id: str) -> Record | None:
        """One petition."""

    async def by_receipt(self, receipt: str) -> Record | None:
        """The petition with this receipt number."""

    async def same_text(self, record: Record) -> int:
        """How many other petitions of the county say the same, spaces and forms of characters aside.

        Accusations are counted with those against the same unit alone, and with nothing else: nobody learns of one by it.
        """

    async def step_done(self, petition_id: str, request: str) -> tuple[StepDone, str] | None:
        """The outcome of a step asked for before with the same key, and its body hash."""

    async def apply(self, change: Change) -> StepDone:
        """Write one step; raises `StaleError`."""

    async def page(self, wanted: Filter, *, size: int, after: tuple[datetime, str] | None) -> list[Record]:
        """Petitions, newest receipt first, after a place in that order."""

    async def identity(self, petition_id: str, *, account: str, reason: str, at: datetime) -> dict[str, str] | None:
        """What the vault holds about a petition, read and logged in one transaction; None if it holds nothing."""

    async def note_reading(self, petition_id: str, *, account: str, at: datetime) -> None:
        """Write down that staff read a petition with its (masked) text."""

    async def readers(self, petition_id: str) -> list[Reading]:
        """Who opened the vault for a petition, the first first."""

    async def forget(self, petition_id: str, *, account: str, reason: str, at: datetime) -> bool:
        """Delete the key of the petitioner: nothing the vault holds about them can be read again."""


@dataclass(frozen=True)
class Proposal:
    """A topic that the words of the text point to; without `sure` a person has to decide, and `zh`/`en` say why."""

    topic: str
    sure: bool
    zh: str = ""
    en: str = ""


Propose = Callable[[str, str], Proposal | None]
