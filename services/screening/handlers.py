"""What staff and other services ask of screening: matters, flags, merges, contests, precision, similar matters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from services.screening import codec
from services.screening.domain.alike import in_common
from services.screening.domain.deciding import INACTIVE, active_since
from services.screening.domain.outcome import derived
from services.screening.domain.petitions import Decision
from services.screening.domain.policy import Policies, Policy
from services.screening.pipeline import Screening
from services.screening.ports import Document, Store, Transaction, Wanted
from services.screening.views import (
    Actor,
    of_petition,
    other_of,
    page,
    public,
    subject,
    told,
    wilson,
    with_flags,
    without,
)
from shared.clock import BEIJING, Clock

CANDIDATES: Final = 1000
"""Matters of the county, the last active, among which a twin is looked for."""
NEAREST: Final = 200
"""Of these, how many are shown."""


class NotFound(LookupError):  # noqa: N818 - an answer, not a failure
    """There is no such thing, or it is not there for the one who asks."""


class Refused(ValueError):  # noqa: N818 - an answer, not a failure
    """It cannot be done as things are; `code` is a stable slug."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code, self.detail = code, detail


class Desk:
    """The use cases of the HTTP side."""

    def __init__(self, store: Store, screening: Screening, policies: Callable[[], Policies], clock: Clock) -> None:
        self._store = store
        self._screening = screening
        self._policies = policies
        self._clock = clock

    # -- reading ------------------------------------------------------------------------------------------------------

    async def matters(self, wanted: Wanted, actor: Actor) -> Document:
        """A page of matters."""
        rows = await self._store.matters(wanted)
        return page(await self._readable(rows, actor), actor, wanted, "last_at")

    async def matter(self, id: str, actor: Actor) -> Document:
        """One matter with its petitions (no text, no petitioner; the newest, and how many are left out), merges, decisions and
        flags.
        """
        [row] = await self._readable([await self._seen(id, actor)], actor)
        history = await self._store.history(id)
        listed = history["petitions"]
        withdrawn = {line["flag"] for line in history["decisions"] if line["flag"] is not None}
        known = {flag["_id"] for flag in await self._store.named_flags(withdrawn) if actor.sees(flag)}
        decisions = [line for line in history["decisions"] if line["flag"] is None or line["flag"] in known]
        others = {other for line in (*history["merges"], *decisions) if (other := other_of(line, id))}
        seen = {found["_id"]: found for found in await self._store.named(others) if actor.sees(found)}
        return public(of_petition(row, actor)) | {
            "members": [public(of_petition(p, actor)) for p in listed if actor.sees(p)],
            "members_left_out": history["size"] - len(listed),
            "merges": [told(merge, id, seen) for merge in history["merges"]],
            "decisions": [told(decision, id, seen) for decision in decisions],
            "open_flags": [public(flag) for flag in history["flags"] if actor.sees(flag)],
        }

    async def _readable(self, rows: Sequence[Document], actor: Actor) -> list[Document]:
        flagged = [row["_id"] for row in rows if row["flags"]]
        return with_flags(rows, await self._store.open_flags(flagged) if flagged else (), actor)

    async def near(self, id: str, actor: Actor) -> Document:
        """Matters that this one could take in: those that have most in common with it first, then the last active.

        What has left memory cannot be merged, so it is not shown, and nothing is shown for it.
        """
        own = await self._seen(id, actor)
        active, _ = await self._active(own["county"])
        if not active(own):
            return {"items": []}
        rows = await self._store.matters(Wanted(own["county"], "open", limit=CANDIDATES))
        rows = [r for r in rows if r["_id"] != id and active(r) and not r.get("restricted") and actor.sees(r)]
        found = [
            public(row) | {"common": common.what, "common_words": common.words}
            for row in await self._readable(rows, actor)
            for common in (in_common(own, row),)
        ]
        found.sort(key=lambda row: -len(row["common"]))  # stable: the store gives them by time
        return {"items": found[:NEAREST]}

    async def flags(self, wanted: Wanted, actor: Actor) -> Document:
        """A page of flags."""
        return page(await self._store.flags(wanted), actor, wanted, "at")

    async def flag(self, id: str, actor: Actor) -> Document:
        """One flag with everything behind it."""
        row = await self._store.flag(id)
        if row is None or not actor.sees(row):
            raise NotFound(id)
        return public(row)

    async def precision(self, county: str | None, actor: Actor) -> Document:
        """How often officers found flags to be right, by rule and policy, with what that is a share of.

        Accusations are not counted for an account of a unit: it might be the accused one (Art. 30).
        """
        rules = []
        for row in await self._store.outcomes(county, accusations=actor.counts_accusations):
            right, wrong = row["right"], row["wrong"]
            judged = right + wrong
            low, high = wilson(right, judged)
            rules.append(
                row
                | {
                    "judged": judged,
                    "unjudged": row["flags"] - judged,
                    "precision": right / judged if judged else None,
                    "interval_95": [low, high],
                }
            )
        return {"rules": rules, "note": "precision = right / (right + wrong); flags nobody judged are counted apart"}

    def policy(self) -> Document:
        """The policy in force, its targets and staffing today, and the versions there are."""
        now = self._clock.now()
        policies = self._policies()
        current: Policy = policies.at(now)
        today = now.astimezone(BEIJING).date()
        return {
            "in_force": current.name,
            "policy": current,
            "targets_minutes_today": current.targets(today),
            "staffing_today": current.staffing(today),
            "versions": [{"name": p.name, "effective_from": p.effective_from} for p in policies.all],
        }

    def similar(self, county: str, title: str, text: str, limit: int = 3) -> Document:
        """Up to `limit` open matters that a draft resembles: the masked title of one petition of each, no person, no text.

        Nothing is looked up while a batch is computed: the linker enters the draft to compare it, and takes it out again.
        """
        held = self._screening.held(county)
        if held is None:
            return {"matters": [], "complete": False}
        found = []
        for near in held.timeline.linker.similar(title, text, limit):
            example = held.placed.get(near.example)
            if example is not None and not example.member.filing.restricted:
                filing = example.member.filing
                found.append(
                    {
                        "matter": held.root(example.matter),
                        "petition_id": filing.id,
                        "title": filing.title,
                        "topic": filing.topic,
                        "petitions": near.members,
                        "score": round(near.score, 3),
                        "last_at": filing.at,
                    }
                )
        return {"matters": found, "complete": True}

    # -- deciding -----------------------------------------------------------------------------------------------------

    async def merge(self, kept: str, gone: str, reason: str, actor: Actor) -> Document:
        """Two matters are one. The county's owner takes it up within a second; the history shows it at once."""
        one, other = await self._seen(kept, actor), await self._seen(gone, actor)
        if kept == gone or one.get("merged_into") or other.get("merged_into"):
            raise Refused(
                "matter-merged", "both have to be matters of their own; ask for the one they were merged into"
            )
        if "empty" in (one["state"], other["state"]):
            raise Refused("matter-empty", "nothing is left of one of the two: its petitions belong to others now")
        if one["county"] != other["county"]:
            raise Refused("other-county", "matters of two counties cannot be merged")
        if one.get("restricted") or other.get("restricted"):
            raise Refused("accusation", "an accusation is never merged with another matter")
        await self._still_active(one, other)
        subjects = {kept: subject(one), gone: subject(other)}
        return await self._decide("merge", one["county"], kept, reason, actor, subjects, other=gone)

    async def split(self, id: str, petitions: list[str], reason: str, actor: Actor) -> Document:
        """Some petitions of a matter are another matter."""
        row = await self._seen(id, actor)
        if row.get("merged_into"):
            raise Refused("matter-merged", "ask for the matter it was merged into")
        await self._still_active(row)
        moving = tuple(dict.fromkeys(petitions))
        members, size = await self._store.members(id, moving)
        if len(members) < len(moving):
            raise Refused("not-members", "every petition has to belong to the matter")
        if len(moving) == size:
            raise Refused("all-members", "at least one petition has to stay")
        first = min(members, key=lambda p: (p["at"], p["_id"]))
        people = await self._store.petitioners(moving)
        subjects = {id: subject(row), "": {"title": first["title"], "petitions": len(moving), "petitioners": people}}
        return await self._decide("split", row["county"], id, reason, actor, subjects, petitions=moving)

    async def _decide(
        self,
        kind: Any,
        county: str,
        matter: str,
        reason: str,
        actor: Actor,
        subjects: Mapping[str, Document],
        *,
        other: str | None = None,
        petitions: tuple[str, ...] = (),
    ) -> Document:
        now = self._clock.now()
        id = derived("decision", kind, matter, other or ",".join(petitions), actor.account, now.isoformat())
        new = other or derived("split", id)
        decision = Decision(id, kind, now, matter, actor.account, reason, new, petitions)
        at_the_time = [{"matter": name or new, **subject} for name, subject in subjects.items()]

        async def work(tx: Transaction) -> None:
            row = codec.decision_document(county, decision) | {"decided_at": now, "subjects": at_the_time}
            await self._store.put_decision(tx, row)
            await self._store.audit(
                tx, actor=actor.account, action=f"matter.{kind}", object=matter, reason=reason, at=now
            )

        await self._store.transaction(work)
        return {"decision": id, "kind": kind, "matter": matter, "state": "accepted"}

    async def contest(self, id: str, reason: str, actor: Actor) -> Document:
        """Say that a flag is wrong. It stands until somebody else decides."""
        now = self._clock.now()

        async def work(tx: Transaction) -> Document:
            row = await self._flag(id, actor, tx)
            if row.get("retracted"):
                raise Refused(
                    "flag-retracted", "screening took this flag back itself: it never stood, and is not counted"
                )
            if row.get("contest", {}).get("state") == "open":
                raise Refused("contest-open", "this flag is contested already; the contest has to be decided first")
            contest = {"state": "open", "by": actor.account, "role": actor.role, "reason": reason, "at": now}
            before = [
                *row.get("contest", {}).get("before", []),
                *([without(row["contest"])] if "contest" in row else []),
            ]
            await self._store.contest(tx, id, contest | {"before": before})
            await self._store.audit(tx, actor=actor.account, action="flag.contest", object=id, reason=reason, at=now)
            return contest

        return {"flag": id, "contest": await self._store.transaction(work)}

    async def resolve(self, id: str, outcome: str, reason: str, actor: Actor) -> Document:
        """Decide a contest: `upheld` (the flag stands) or `withdrawn` (it was wrong and is cleared)."""
        now = self._clock.now()

        async def work(tx: Transaction) -> Document:
            row = await self._flag(id, actor, tx)
            contest: Document = row.get("contest", {})
            if contest.get("state") != "open":
                raise Refused("contest-missing", "there is no open contest of this flag")
            if contest["by"] == actor.account:
                raise Refused("own-contest", "a contest is decided by somebody else than who raised it")
            decided: Document = contest | {
                "state": outcome,
                "decided_by": actor.account,
                "decision": reason,
                "decided_at": now,
            }
            await self._store.contest(tx, id, decided)
            if outcome == "withdrawn" and row["state"] == "open":
                withdraw = Decision(
                    derived("withdraw", id, now.isoformat()),
                    "withdraw",
                    now,
                    row["matter"],
                    actor.account,
                    reason,
                    flag=id,
                )
                await self._store.put_decision(
                    tx, codec.decision_document(row["county"], withdraw) | {"decided_at": now}
                )
            await self._store.audit(tx, actor=actor.account, action=f"flag.{outcome}", object=id, reason=reason, at=now)
            return decided

        return {"flag": id, "contest": without(await self._store.transaction(work))}

    async def _active(self, county: str) -> tuple[Callable[[Document], bool], int]:
        """Tells whether a matter of the county is in its owner's memory and will be when a decision is taken up; and for how
        many days matters stay there.
        """
        newest = await self._store.newest(county)
        keep_days = self._keep_days(county, newest)

        def active(row: Document) -> bool:
            if newest is None or row["flags"]:
                return True  # a matter stays in memory while a flag of it is open
            at: datetime = row["active_at"] if "active_at" in row else row["joined_at"]  # of a petition alone
            return at >= active_since(newest, keep_days)

        return active, keep_days

    async def _still_active(self, *rows: Document) -> None:
        active, days = await self._active(rows[0]["county"])
        if (quiet := next((row for row in rows if not active(row)), None)) is not None:
            detail = (
                f"nothing has happened in matter {quiet['_id']} for {days} days: it can no longer be merged or "
                "split. Go on with the newer matter, and name this one in a note on its warning"
            )
            raise Refused(INACTIVE, detail)

    def _keep_days(self, county: str, newest: datetime | None) -> int:
        """How long the county's matters stay in memory: as its engine has it, or will where it is built from the store."""
        held = self._screening.held(county)
        linking = self._policies().at(newest or self._clock.now()).linking if held is None else held.linking
        return linking.keep_days

    async def _seen(self, id: str, actor: Actor) -> Document:
        row = await self._store.matter(id)
        if row is None or not actor.sees(row):
            raise NotFound(id)
        return row

    async def _flag(self, id: str, actor: Actor, tx: Transaction) -> Document:
        row = await self._store.flag(id, tx)
        if row is None or not actor.sees(row):
            raise NotFound(id)
        return row
