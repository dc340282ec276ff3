"""Screening's store in memory: the same port, copied in and out, with a transaction that rolls back."""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from services.screening.ports import LISTED, CountyRows, CountyWrites, Document, Inbox, Stale, Wanted
from shared.events import Event
from shared.mongo import DuplicateKeyError

HIDDEN = ("text", "petitioner", "steps", "home", "link", "cause")
NAMES = ("counties", "petitions", "matters", "flags", "merges", "decisions", "inbox", "late", "outcomes")


class MemoryStore:
    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Document]] = {name: {} for name in NAMES}
        self.log: list[Document] = []
        self.events: dict[str, Event] = {}

    async def transaction(self, work: Callable[[Any], Awaitable[Any]]) -> Any:
        before = copy.deepcopy((self.rows, self.log, self.events))
        try:
            return await work(object())
        except BaseException:
            self.rows, self.log, self.events = before
            raise

    async def enqueue(self, tx: Any, events: Sequence[Event]) -> None:
        for event in events:
            self.events.setdefault(str(event.id), event)

    async def counties(self, partitions: Collection[int]) -> list[str]:
        return [id for id, row in self.rows["counties"].items() if row["partition"] in partitions]

    async def newest(self, county: str) -> datetime | None:
        found: datetime | None = self.rows["counties"].get(county, {}).get("newest")
        return found

    async def version(self, county: str) -> int:
        return int(self.rows["counties"].get(county, {}).get("version", 0))

    async def county(self, county: str, keep_days: int) -> CountyRows | None:
        header = self.rows["counties"].get(county)
        if header is None:
            return None
        since = (header["newest"] or datetime(2000, 1, 1, tzinfo=UTC)) - timedelta(days=keep_days)
        mine = {name: [r for r in self.rows[name].values() if r.get("county") == county] for name in NAMES}
        matters = [m for m in mine["matters"] if m["active_at"] >= since or m["flags"]]
        names = {m["_id"] for m in matters}
        petitions = [p for p in mine["petitions"] if p["joined_at"] >= since or p["matter"] in names]
        whole, more = set(names), {p["home"] for p in petitions if p["home"] != p["matter"]} - names
        while more:
            whole |= more
            matters += [m for m in mine["matters"] if m["_id"] in more]
            petitions += [p for p in mine["petitions"] if p["matter"] in more and p not in petitions]
            more = {m["kept"] for m in mine["merges"] if not m["undone"] and m["gone"] in more}
            more = (more | {p["home"] for p in petitions if p["home"] != p["matter"]}) - whole
        some = whole | {p["matter"] for p in petitions} | {p["home"] for p in petitions}
        return copy.deepcopy(
            CountyRows(
                header=header,
                petitions=petitions,
                matters=matters,
                merges=[m for m in mine["merges"] if not m["undone"] and m["gone"] in some],
                decisions=[d for d in mine["decisions"] if d["applied"] and "refused" not in d and d["matter"] in some],
                flags=[f for f in mine["flags"] if f["matter"] in some],
            )
        )

    async def known(self, ids: Collection[str]) -> set[str]:
        return set(ids) & set(self.rows["petitions"])

    async def inbox(self, counties: Collection[str]) -> dict[str, Inbox]:
        found: dict[str, Inbox] = {}
        for row in self.rows["inbox"].values():
            if row["county"] in counties and row["petition"] in self.rows["petitions"]:
                found.setdefault(row["county"], Inbox([], [])).steps.append(copy.deepcopy(row))
        for row in self.rows["decisions"].values():
            if row["county"] in counties and not row["applied"]:
                found.setdefault(row["county"], Inbox([], [])).decisions.append(copy.deepcopy(row))
        return found

    async def write(self, tx: Any, writes: CountyWrites) -> None:
        header = self.rows["counties"].get(writes.county, {})
        if header.get("version", 0) != writes.version:
            raise Stale(writes.county)
        days = dict(header.get("days", {}))
        for key, value in writes.header.items():
            if key.startswith("days."):
                days[key[5:]] = value
            else:
                header[key] = value
        self.rows["counties"][writes.county] = header | {"_id": writes.county, "days": days}
        for row in writes.petitions:
            self._insert("petitions", row)
        for id, place in writes.places:
            self.rows["petitions"][id] |= place
        for id, step in writes.steps:
            if id in self.rows["petitions"] and step not in self.rows["petitions"][id]["steps"]:
                self.rows["petitions"][id]["steps"].append(step)
        for row in writes.waiting:
            self.rows["inbox"].setdefault(row["_id"], row)
        for id in writes.taken:
            self.rows["inbox"].pop(id, None)
        for id in writes.unmerged:
            self.rows["merges"][id]["undone"] = True
        for name, several in (("matters", writes.matters), ("flags", writes.flags), ("merges", writes.merges)):
            for row in several:
                before = self.rows[name].get(row["_id"])
                new = {key: value for key, value in row.items() if before is None or key != "raised_by"}
                self.rows[name][row["_id"]] = {**(before or {}), **copy.deepcopy(new)}
        for id, taken_up in writes.decisions:
            self.rows["decisions"][id] |= taken_up
        for row in writes.late:
            self.rows["late"].setdefault(row["_id"], copy.deepcopy(row))

    def _insert(self, name: str, row: Document) -> None:
        if row["_id"] in self.rows[name]:
            raise DuplicateKeyError(f"{name}: {row['_id']}")
        self.rows[name][row["_id"]] = copy.deepcopy(row)

    async def put_steps(self, tx: Any, rows: Sequence[Document]) -> None:
        for row in rows:
            self.rows["inbox"].setdefault(row["_id"], copy.deepcopy(row))

    async def put_outcomes(self, tx: Any, rows: Sequence[Document]) -> None:
        for row in rows:
            if row["version"] > self.rows["outcomes"].get(row["_id"], {}).get("version", 0):
                self.rows["outcomes"][row["_id"]] = row

    async def put_decision(self, tx: Any, row: Document) -> None:
        self._insert("decisions", row)

    async def matters(self, wanted: Wanted) -> list[Document]:
        rows = [r for r in self.rows["matters"].values() if r["petitions"] >= wanted.at_least]
        return self._some(rows, wanted, "last_at")

    async def matter(self, id: str) -> Document | None:
        if (row := self.rows["matters"].get(id)) is not None:
            return copy.deepcopy(row)
        alone = next((p for p in self.rows["petitions"].values() if p["matter"] == id), None)
        if alone is None:
            return None
        more = {"petitions": 1, "petitioners": 1, "flags": [], "opened_at": alone["at"], "last_at": alone["at"]}
        shown = {key: value for key, value in copy.deepcopy(alone).items() if key not in HIDDEN}
        return {**shown, "_id": id, "state": "open", **more}

    async def named(self, ids: Collection[str]) -> list[Document]:
        return [row for id in ids if (row := await self.matter(id)) is not None]

    async def petitioners(self, petitions: Collection[str]) -> int:
        return len({self.rows["petitions"][id]["petitioner"] for id in petitions})

    async def history(self, id: str) -> Document:
        members = [p for p in self.rows["petitions"].values() if p["matter"] == id]
        newest = sorted(members, key=lambda p: (p["at"], p["_id"]))[-LISTED:]
        return copy.deepcopy(
            {
                "petitions": [{k: v for k, v in p.items() if k not in HIDDEN} for p in newest],
                "size": len(members),
                "merges": [m for m in self.rows["merges"].values() if id in (m["kept"], m["gone"])],
                "decisions": [d for d in self.rows["decisions"].values() if id in (d["matter"], d["other"])],
                "flags": [f for f in self.rows["flags"].values() if f["matter"] == id],
            }
        )

    async def members(self, id: str, petitions: Collection[str]) -> tuple[list[Document], int]:
        members = {pid: p for pid, p in self.rows["petitions"].items() if p["matter"] == id}
        return copy.deepcopy([p for pid, p in members.items() if pid in petitions]), len(members)

    async def flags(self, wanted: Wanted) -> list[Document]:
        return self._some([r for r in self.rows["flags"].values() if not r["retracted"]], wanted, "at")

    async def flag(self, id: str, tx: Any = None) -> Document | None:
        return copy.deepcopy(self.rows["flags"].get(id))

    async def named_flags(self, ids: Collection[str]) -> list[Document]:
        return copy.deepcopy([row for id, row in self.rows["flags"].items() if id in ids])

    async def open_flags(self, matters: Collection[str]) -> list[Document]:
        rows = self.rows["flags"].values()
        return copy.deepcopy([row for row in rows if row["matter"] in matters and row["state"] == "open"])

    async def contest(self, tx: Any, id: str, contest: Document) -> None:
        self.rows["flags"][id]["contest"] = contest

    async def outcomes(self, county: str | None, *, accusations: bool = True) -> list[Document]:
        found: dict[tuple[Any, ...], Document] = {}
        for flag in self.rows["flags"].values():
            if flag["retracted"] or (county and flag["county"] != county) or (flag["restricted"] and not accusations):
                continue
            first = flag | flag.get("raised_by", {})
            key = tuple(first[name] for name in ("kind", "rule", "rule_version", "policy"))
            names = dict(zip(("kind", "rule", "rule_version", "policy"), key, strict=True))
            row = found.setdefault(key, {**names, "flags": 0, "right": 0, "wrong": 0, "contested": 0})
            row["flags"] += 1
            contest = flag.get("contest", {}).get("state")
            warned = sorted(
                (o for o in self.rows["outcomes"].values() if o["flag"] == flag["_id"]), key=lambda o: o["at"]
            )
            verdict = warned[-1]["state"] if warned and contest not in ("upheld", "withdrawn") else None
            row["right"] += contest == "upheld" or verdict == "verified"
            row["wrong"] += contest == "withdrawn" or verdict == "discarded"
            row["contested"] += contest == "open"
        return [found[key] for key in sorted(found)]

    async def audit(self, tx: Any, *, actor: str, action: str, object: str, reason: str, at: datetime) -> None:
        self.log.append({"actor": actor, "action": action, "object": object, "reason": reason, "at": at})

    @staticmethod
    def _some(rows: list[Document], wanted: Wanted, time: str) -> list[Document]:
        for name in ("county", "state", "kind", "unit", "matter"):
            if (value := getattr(wanted, name)) is not None:
                rows = [r for r in rows if r.get(name) == value]
        rows = sorted(sorted(rows, key=lambda r: r["_id"]), key=lambda r: r[time], reverse=True)
        if wanted.after is not None:
            at, id = wanted.after
            rows = [r for r in rows if r[time] < at or (r[time] == at and r["_id"] > id)]
        return copy.deepcopy(rows[: wanted.limit])
