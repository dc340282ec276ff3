"""What the intake does: file, answer, step on, show, open the vault. One method a use case."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import orjson

from services.intake.domain import numbers
from services.intake.domain.identity import basis, keyed_hash, pseudonym
from services.intake.domain.masking import mask
from services.intake.domain.petition import CodeLists, Filing, Refused, Registered, checked
from services.intake.domain.routing import organ_for_accusation
from services.intake.domain.steps import Step, advance, check_values
from services.intake.domain.texts import folded
from services.intake.events import SOURCE, filed_event, step_data
from services.intake.grouping import Group
from services.intake.ports import (
    Change,
    Conflict,
    Entry,
    Filter,
    Outcome,
    Proposal,
    Propose,
    Reading,
    Receipt,
    Record,
    Registration,
    StaleError,
    StepDone,
    Store,
)
from shared.clock import BEIJING, Clock
from shared.directory import Directory
from shared.events import derived_id, new_event

PETITIONER: Final = "petitioner"
_MASKED_FIELDS: Final = frozenset({"reasons", "complexity", "outcome"})
_WITHHELD: Final = "检举控告，内容不上总线"
_TRIES: Final = 5


@dataclass(frozen=True)
class Keys:
    """Keys of the pseudonyms and of everything that is found by a keyed hash."""

    pseudonym: bytes
    index: bytes


@dataclass(frozen=True)
class Filed:
    """The answer to a filing."""

    petition_id: str
    receipt: str
    query_code: str
    status: str
    replayed: bool


class Intake:
    """The use cases over a store, a clock, the keys and the directory."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        keys: Keys,
        units: Directory,
        *,
        propose: Propose,
        signals: Callable[[str, str], tuple[str, ...]],
    ) -> None:
        self.store = store
        self.clock = clock
        self.units = units
        self._keys = keys
        self._propose = propose
        self._signals = signals
        channels = units.codes["channel"]
        self.codes = CodeLists(
            channels=tuple(channels),
            face_to_face=tuple(slug for slug, code in channels.items() if code.face_to_face),
            topics=tuple(units.topics),
            routes=tuple(units.codes["route"]),
        )
        self._group: Group[Registration, Outcome] = Group(store.register)

    # -- filing -------------------------------------------------------------------------------------------------------

    async def file(self, filing: Filing, request_key: str, *, traceparent: str | None = None) -> Filed:
        """Register a petition; raises `Refused`. The same key and filing again give the same answer."""
        petition_id = numbers.petition_id(self._keys.index, filing.channel, request_key)
        body = self._body_hash(filing)
        good = checked(filing, self.codes, now=self.clock.now())
        if good.joined is not None:
            await self._check_joined(good)
        outcome = await self._group.submit(self._registration(good, petition_id, body, traceparent))
        if isinstance(outcome, Conflict):
            raise _conflict(outcome)
        return self._filed(outcome)

    def _registration(self, filing: Filing, petition_id: str, body: str, traceparent: str | None) -> Registration:
        now = self.clock.now()
        petition = self._registered(filing, petition_id, now, traceparent)
        title, text = petition.title, petition.text
        original = {
            name: value
            for name, value, kept in (("title", filing.title, title), ("text", filing.text, text))
            if value != kept
        }
        return Registration(
            petition=petition,
            identity=filing.identity,
            original=original,
            request=keyed_hash(self._keys.index, "request", filing.channel, petition_id),
            body=body,
            event=filed_event(petition),
        )

    def _registered(self, filing: Filing, petition_id: str, now: datetime, traceparent: str | None) -> Registered:
        index, day = self._keys.index, now.astimezone(BEIJING).date()
        kind, value = basis(filing.identity, channel=filing.channel, petition_id=petition_id)
        title, text = mask(filing.title), mask(filing.text)
        proposed = self._proposed(filing, title, text)
        topic = filing.topic or (proposed.topic if proposed and proposed.sure else None)
        unit = self._responsible(filing, topic, now)
        hidden = filing.is_accusation
        assert filing.submitted_at is not None and filing.received_at is not None  # settled by `checked`
        return Registered(
            petition_id=petition_id,
            receipt=numbers.receipt(index, petition_id, filing.jurisdiction, day),
            code_hash=numbers.code_hash(index, petition_id, numbers.query_code(index, petition_id)),
            channel=filing.channel,
            jurisdiction=filing.jurisdiction,
            title="" if hidden else title,
            text="" if hidden else text,
            fingerprint=keyed_hash(index, "same-text", folded(filing.title), folded(filing.text)),
            petitioner=pseudonym(self._keys.pseudonym, filing.jurisdiction, kind, value),
            submitted_at=filing.submitted_at,
            received_at=filing.received_at,
            registered_at=now,
            purpose=filing.purpose,
            topic=topic,
            topic_source="filer" if filing.topic else "proposed" if topic else "none",
            proposed_topic=proposed.topic if proposed else None,
            proposed_why={"zh": proposed.zh, "en": proposed.en} if proposed else None,
            responsible_unit=unit,
            town=filing.town,
            headcount=filing.headcount,
            representatives=filing.representatives,
            level_presented=filing.level_presented,
            level_competent=self.units.level(unit) if unit else "county",
            external_id=filing.external_id,
            joined=filing.joined,
            accused_unit=filing.accused_unit,
            signals=self._signals(title, text) if hidden else (),
            traceparent=traceparent,
        )

    def _proposed(self, filing: Filing, title: str, text: str) -> Proposal | None:
        if filing.topic is not None or filing.is_accusation:
            return None
        return self._propose(title, text)

    def _responsible(self, filing: Filing, topic: str | None, now: datetime) -> str | None:
        """Lead unit of the topic by the list of the day; None is the pool of the unassigned, which people sort."""
        if filing.is_accusation:
            return organ_for_accusation(filing.jurisdiction, filing.accused_unit, self.units.covers)
        return self.units.lead_unit(topic, filing.jurisdiction, now.astimezone(BEIJING).date()) if topic else None

    async def _check_joined(self, filing: Filing) -> None:
        other = await self.store.record(filing.joined) if filing.joined else None
        if other is None or other.petition.restricted or other.petition.jurisdiction != filing.jurisdiction:
            raise Refused("joined-unknown", "no petition of this county with this id can be joined", field="joined")

    def _filed(self, receipt: Receipt) -> Filed:
        code = numbers.query_code(self._keys.index, receipt.petition_id)
        return Filed(receipt.petition_id, receipt.receipt, code, receipt.status, receipt.replayed)

    def _body_hash(self, body: object) -> str:
        """Keyed, because a body holds numbers that could be guessed from a plain hash."""
        return keyed_hash(self._keys.index, "body", orjson.dumps(body, option=orjson.OPT_SORT_KEYS).decode())

    # -- reading ------------------------------------------------------------------------------------------------------

    async def petition(self, petition_id: str) -> Record:
        """One petition; raises `Refused` `petition-unknown`."""
        record = await self.store.record(petition_id)
        if record is None:
            raise Refused("petition-unknown", "there is no such petition")
        return record

    async def note_reading(self, record: Record, *, account: str) -> None:
        """Write down that staff read a petition's text; call it before the text is shown."""
        await self.store.note_reading(record.petition.petition_id, account=account, at=self.clock.now())

    async def progress(self, receipt: str, code: str) -> Record:
        """Where a petition stands, for whoever holds receipt and code; a wrong receipt and a wrong code are one answer."""
        plain = numbers.read_receipt(receipt)
        record = await self.store.by_receipt(plain) if plain else None
        stored = record.petition.code_hash if record else "0" * 64
        petition_id = record.petition.petition_id if record else "00000000-0000-8000-8000-000000000000"
        fits = numbers.code_fits(self._keys.index, petition_id, code, stored)
        if record is None or not fits:
            raise Refused("receipt-or-code-wrong", "receipt number and query code do not belong together")
        return record

    async def page(self, wanted: Filter, *, size: int, cursor: str | None) -> tuple[list[Record], str | None]:
        """A page of petitions and the cursor of the next; raises `Refused` for a cursor that is not ours."""
        after = self._read_cursor(cursor) if cursor else None
        records = await self.store.page(wanted, size=size + 1, after=after)
        more = records[size - 1].petition if len(records) > size else None
        return records[:size], self._cursor(more.received_at, more.petition_id) if more else None

    def _cursor(self, at: datetime, last: str) -> str:
        place = f"{int(at.timestamp() * 1000):x}.{last}"
        return f"{place}.{keyed_hash(self._keys.index, 'cursor', place)[:16]}"

    def _read_cursor(self, cursor: str) -> tuple[datetime, str]:
        place, _, seal = cursor.rpartition(".")
        if not hmac.compare_digest(keyed_hash(self._keys.index, "cursor", place)[:16].encode(), seal.encode()):
            raise Refused("cursor-invalid", "the cursor is not one of ours; start from the first page", field="cursor")
        millis, _, last = place.partition(".")
        return datetime.fromtimestamp(int(millis, 16) / 1000, BEIJING), last

    # -- steps --------------------------------------------------------------------------------------------------------

    async def step(
        self,
        petition_id: str,
        step: Step,
        request_key: str,
        *,
        account: str,
        expected: int | None = None,
        traceparent: str | None = None,
    ) -> StepDone:
        """Take one step; raises `Refused`. `expected` is the version the caller saw."""
        request, body = self._step_keys(petition_id, step, request_key, expected)
        for _ in range(_TRIES):
            known = await self.store.step_done(petition_id, request)
            if known is not None:
                if known[1] != body:
                    raise _conflict(Conflict("idempotency-key-reused"))
                return known[0]
            record = await self.petition(petition_id)
            if expected is not None and record.life.version != expected:
                raise Refused(
                    "version-conflict", "the petition has changed; read it again", version=record.life.version
                )
            change = self._change(record, step, request, body, account, traceparent)
            try:
                return await self.store.apply(change)
            except StaleError:
                continue
        raise Refused("version-conflict", "the petition is being changed by others; read it again")

    async def step_again(
        self, petition_id: str, step: Step, request_key: str, *, expected: int | None = None
    ) -> StepDone | None:
        """What the same step by the same actor led to before; None where it was not taken under this key."""
        request, body = self._step_keys(petition_id, step, request_key, expected)
        known = await self.store.step_done(petition_id, request)
        return known[0] if known is not None and known[1] == body else None

    def _step_keys(self, petition_id: str, step: Step, request_key: str, expected: int | None) -> tuple[str, str]:
        """Keyed hashes of a step's request key and of what it says, its actor included."""
        return keyed_hash(self._keys.index, "step", petition_id, request_key), self._body_hash((step, expected))

    def _change(
        self, record: Record, step: Step, request: str, body: str, account: str, traceparent: str | None
    ) -> Change:
        life = record.life
        fields = {
            name: mask(value) if name in _MASKED_FIELDS and isinstance(value, str) else value
            for name, value in step.fields.items()
        }
        after, at, unit = advance(life, replace(step, fields=fields), now=self.clock.now())
        if unit != life.unit and not self.units.knows(unit):
            raise Refused("unit-unknown", "there is no such unit; name one of the directory by its code", field="unit")
        self._keep_from_accused(record, step, unit)
        told = (
            fields | dict.fromkeys(_MASKED_FIELDS & fields.keys(), _WITHHELD) if record.petition.restricted else fields
        )
        data = step_data(step.type, life.petition_id, life.jurisdiction, at, unit, step.actor, told)
        check_values(step, routes=self.codes.routes, received=record.petition.received_at, now=self.clock.now())
        event = new_event(
            data,
            id=derived_id(life.petition_id, step.type, request),
            source=SOURCE,
            time=after.last_event_at,
            sequence=after.version,
            traceparent=traceparent,
            causation=derived_id(life.petition_id, "filed"),
        )
        reason = fields.get("reasons") or fields.get("complexity")
        return Change(
            before=life,
            after=after,
            entry=Entry(step.type, at, unit, step.actor, fields),
            event=event,
            request=request,
            body=body,
            account=account,
            reason=str(reason) if reason else None,
        )

    def _keep_from_accused(self, record: Record, step: Step, unit: str) -> None:
        """An accusation is never handed to the accused unit or to one under it, nor handled by it (Art. 30)."""
        accused = record.petition.accused_unit
        if step.type != "evaluated" and accused is not None and self.units.covers(accused, unit):
            raise Refused(
                "unit-is-accused", "an accusation cannot go to the accused unit or one under it", field="unit"
            )

    # -- the vault ----------------------------------------------------------------------------------------------------

    async def identity(self, record: Record, *, account: str, reason: str) -> dict[str, str]:
        """What is held about the petitioner and the texts as sent; the read is logged first, its reason masked."""
        held = await self.store.identity(
            record.petition.petition_id, account=account, reason=mask(reason), at=self.clock.now()
        )
        return held or {}

    async def readers(self, record: Record) -> list[Reading]:
        """Who opened the vault for this petition, for the petitioner to see."""
        return await self.store.readers(record.petition.petition_id)

    async def forget(self, record: Record, *, account: str, reason: str) -> bool:
        """Delete the petitioner's key: everything sealed with it is gone. The log has the reason masked."""
        return await self.store.forget(
            record.petition.petition_id, account=account, reason=mask(reason), at=self.clock.now()
        )


def _conflict(conflict: Conflict) -> Refused:
    detail = {
        "idempotency-key-reused": "this Idempotency-Key was used for another request; use a new one",
        "external-id-taken": "the channel has filed another petition under this external_id",
    }
    return Refused(conflict.code, detail[conflict.code])
