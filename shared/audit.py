"""The audit log: who did what to which object and why, in hash chains that show any later change.

A row is written in the transaction of the act itself. Each day has `LANES` chains a service, chosen by the object, so
that acts on different objects do not wait for each other; each row holds the hash of the row before it. Cutting off the
newest rows of a chain with its head is only visible against an anchor: take one often (`fengqiao audit anchor`)
and keep it elsewhere.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.mongo import ASCENDING, DESCENDING, IndexModel

if TYPE_CHECKING:
    from shared.mongo import Mongo, Session

ROWS: Final = "audit"
HEADS: Final = "audit_heads"
INDEXES: Final[Mapping[str, Sequence[IndexModel]]] = {
    ROWS: [
        IndexModel([("at", DESCENDING)], name="newest"),
        IndexModel([("object", ASCENDING), ("at", DESCENDING)], name="object"),
        IndexModel([("actor", ASCENDING), ("at", DESCENDING)], name="actor"),
    ],
    HEADS: [],
}
"""What `rows` asks by."""
LANES: Final = 64
GENESIS: Final = "0" * 64
_BATCH: Final = 1000


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a chain: what, and at which row."""

    chain: str
    n: int
    what: str


@dataclass(frozen=True)
class Report:
    """Outcome of a verification."""

    chains: int
    rows: int
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Nothing was found."""
        return not self.findings


@dataclass(frozen=True)
class Anchor:
    """All chain heads at one time, signed. Kept outside the database it makes truncation visible."""

    at: str
    heads: Mapping[str, tuple[int, str]]
    root: str
    signature: str

    def to_json(self) -> str:
        """One JSON document."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Anchor:
        """Read one; raises `ValueError` for anything else."""
        try:
            raw = json.loads(text)
            heads = {str(chain): (int(n), str(digest)) for chain, (n, digest) in raw["heads"].items()}
            return cls(str(raw["at"]), heads, str(raw["root"]), str(raw["signature"]))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("this is not an audit anchor") from error


async def record(
    mongo: Mongo,
    session: Session,
    *,
    actor: str,
    action: str,
    object: str,
    at: datetime,
    reason: str | None = None,
    result: str = "ok",
    detail: Mapping[str, str] | None = None,
) -> str:
    """Append one row inside the caller's transaction; gives its id.

    `actor` is an account id, `object` the id of what was touched; neither these nor `detail` may hold personal data.
    """
    chain = f"{at.astimezone(UTC):%Y-%m-%d}/{zlib.crc32(object.encode()) % LANES:02x}"
    head = await mongo[HEADS].find_one({"_id": chain}, session=session)
    number, previous = (head["n"] + 1, head["hash"]) if head else (1, GENESIS)
    row = {
        "_id": f"{chain}/{number}",
        "chain": chain,
        "n": number,
        "at": _stamp(at),
        "actor": actor,
        "action": action,
        "object": object,
        "reason": reason,
        "result": result,
        "detail": dict(detail or {}),
        "prev": previous,
    }
    row["hash"] = digest(row)
    if head:
        await mongo[HEADS].update_one({"_id": chain}, {"$set": {"n": number, "hash": row["hash"]}}, session=session)
    else:
        await mongo[HEADS].insert_one({"_id": chain, "n": number, "hash": row["hash"]}, session=session)
    await mongo[ROWS].insert_one(row, session=session)
    return str(row["_id"])


@dataclass(frozen=True)
class Act:
    """One act for `record_many`; the fields are those of `record`."""

    actor: str
    action: str
    object: str
    at: datetime
    reason: str | None = None
    result: str = "ok"


async def record_many(mongo: Mongo, session: Session, acts: Sequence[Act], *, lane: str) -> None:
    """Append rows to the day's chain of a lane of the caller's own (its instance), in three round trips for all."""
    days: dict[str, list[Act]] = {}
    for act in acts:
        days.setdefault(f"{act.at.astimezone(UTC):%Y-%m-%d}/{lane}", []).append(act)
    for chain, of_day in days.items():
        head = await mongo[HEADS].find_one({"_id": chain}, session=session)
        number, previous = (head["n"], head["hash"]) if head else (0, GENESIS)
        rows = []
        for act in of_day:
            number += 1
            row: dict[str, Any] = {
                "_id": f"{chain}/{number}",
                "chain": chain,
                "n": number,
                "at": _stamp(act.at),
                "actor": act.actor,
                "action": act.action,
                "object": act.object,
                "reason": act.reason,
                "result": act.result,
                "detail": {},
                "prev": previous,
            }
            previous = row["hash"] = digest(row)
            rows.append(row)
        change = {"$set": {"n": number, "hash": previous}}
        await mongo[HEADS].update_one({"_id": chain}, change, upsert=True, session=session)
        await mongo[ROWS].insert_many(rows, session=session)


def digest(row: Mapping[str, Any]) -> str:
    """SHA-256 over the canonical JSON of a row without its own hash."""
    body = {key: value for key, value in row.items() if key != "hash"}
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def check(
    rows: Iterable[Mapping[str, Any]], heads: Mapping[str, tuple[int, str]], anchor: Anchor | None = None
) -> Report:
    """Find rows that were edited, removed, inserted, reordered, forked or cut off, against heads and anchor."""
    checking = _Checking(heads, anchor)
    for row in sorted(rows, key=_number):
        checking.add(row)
    return checking.report(heads)


@dataclass
class _Chain:
    """What is known of one chain after its rows so far, which come in the order of their numbers."""

    marks: frozenset[int]
    expected: int = 1
    previous: str = GENESIS
    found: list[Finding] = field(default_factory=list)
    hashes: dict[int, str] = field(default_factory=dict)
    """of the rows that a head or an anchor names"""


class _Checking:
    """A verification under way. Keeps a line a chain, not the rows."""

    def __init__(self, heads: Mapping[str, tuple[int, str]], anchor: Anchor | None) -> None:
        self._heads = heads
        self._anchored = anchor.heads if anchor is not None else {}
        self._chains: dict[str, _Chain] = {}
        self._total = 0

    def _chain(self, name: str) -> _Chain:
        if name not in self._chains:
            marks = {pair[0] for pair in (self._heads.get(name), self._anchored.get(name)) if pair is not None}
            self._chains[name] = _Chain(frozenset(marks))
        return self._chains[name]

    def add(self, row: Mapping[str, Any]) -> None:
        """Take the next row of its chain."""
        self._total += 1
        name, number, hashed = str(row.get("chain")), _number(row), str(row.get("hash"))
        chain = self._chain(name)
        if number < chain.expected:
            chain.found.append(Finding(name, number, "forked: two rows with this number"))
            return
        if number > chain.expected:
            # Of rows after the first reading of the heads one may be read and an older one not: the reading is no snapshot.
            if chain.expected <= self._heads.get(name, (0, ""))[0]:
                chain.found.append(Finding(name, chain.expected, f"missing: {number - chain.expected} rows"))
        elif row.get("prev") != chain.previous:
            chain.found.append(Finding(name, number, "broken: it does not follow the row before it"))
        if _digest_or_none(row) != hashed:
            chain.found.append(Finding(name, number, "edited: content and hash differ"))
        if row["_id"] != f"{name}/{number}":
            chain.found.append(Finding(name, number, "reordered: id and place differ"))
        if number in chain.marks:
            chain.hashes[number] = hashed
        chain.expected, chain.previous = number + 1, hashed

    def report(self, later: Mapping[str, tuple[int, str]]) -> Report:
        """The outcome. `later`: the heads after the last row was read; a service may have written in between."""
        names = self._chains.keys() | self._heads.keys() | later.keys()
        found: list[Finding] = []
        for name in sorted(names):
            chain = self._chain(name)
            found.extend((*chain.found, *_check_end(name, chain, self._heads.get(name), later.get(name))))
        for name, (number, expected) in self._anchored.items():
            at = self._chain(name).hashes.get(number)
            if at is None:
                found.append(Finding(name, number, "truncated: the anchored row is gone"))
            elif at != expected:
                found.append(Finding(name, number, "rewritten: the anchored row has another hash"))
        return Report(len(names), self._total, tuple(found))


def _check_end(
    name: str, chain: _Chain, before: tuple[int, str] | None, after: tuple[int, str] | None
) -> Iterator[Finding]:
    """Whether the rows end at the head; between its two readings the head only moves on."""
    last = chain.expected - 1
    if after is None:
        yield Finding(name, last, "inserted: the chain has no head")
    elif before is not None and before[0] > last:
        yield Finding(name, last + 1, f"truncated: {before[0] - last} rows at the end")
    elif (
        last > after[0]
        or (last == after[0] and chain.previous != after[1])
        or (before is not None and chain.hashes.get(before[0]) != before[1])
    ):
        yield Finding(name, after[0], "inserted: rows after the head, or the head was changed")


def _number(row: Mapping[str, Any]) -> int:
    """A row's place; 0, which no row has, where it holds none."""
    number = row.get("n")
    return number if isinstance(number, int) else 0


def _digest_or_none(row: Mapping[str, Any]) -> str | None:
    try:
        return digest(row)
    except TypeError:  # something that no row of ours holds
        return None


def merkle_root(heads: Mapping[str, tuple[int, str]]) -> str:
    """Root of the tree over all heads, in the order of their names."""
    level = [hashlib.sha256(f"{chain}|{n}|{digest}".encode()).digest() for chain, (n, digest) in sorted(heads.items())]
    while len(level) > 1:
        pairs = [level[i : i + 2] for i in range(0, len(level), 2)]
        level = [hashlib.sha256(b"".join(pair)).digest() if len(pair) == 2 else pair[0] for pair in pairs]
    return level[0].hex() if level else GENESIS


def seal(heads: Mapping[str, tuple[int, str]], key: bytes, at: datetime) -> Anchor:
    """Sign all heads with Ed25519; `key` is 32 bytes (`service.key`)."""
    root, stamp = merkle_root(heads), _stamp(at)
    signature = Ed25519PrivateKey.from_private_bytes(key).sign(f"{stamp}|{root}".encode())
    return Anchor(stamp, dict(heads), root, signature.hex())


def genuine(anchor: Anchor, key: bytes) -> bool:
    """The anchor is one that this key signed, unchanged."""
    try:
        Ed25519PrivateKey.from_private_bytes(key).public_key().verify(
            bytes.fromhex(anchor.signature), f"{anchor.at}|{anchor.root}".encode()
        )
    except (InvalidSignature, ValueError):
        return False
    return merkle_root(anchor.heads) == anchor.root


async def verify(mongo: Mongo, anchor: Anchor | None = None) -> Report:
    """Verify every chain of one service's database, row by row; the service may go on writing meanwhile."""
    checking = _Checking(await heads(mongo), anchor)
    found = mongo[ROWS].find({}).sort("n", 1).allow_disk_use(allow_disk_use=True)
    async for row in found.batch_size(_BATCH):  # without it the server fills 16 MB a batch
        checking.add(row)
    return checking.report(await heads(mongo))


async def heads(mongo: Mongo) -> dict[str, tuple[int, str]]:
    """Last number and hash of every chain."""
    return {row["_id"]: (row["n"], row["hash"]) async for row in mongo[HEADS].find({})}


async def rows(
    mongo: Mongo, *, object: str | None = None, actor: str | None = None, limit: int = 200
) -> list[dict[str, Any]]:
    """Newest rows first, of one object or actor."""
    query = {key: value for key, value in (("object", object), ("actor", actor)) if value is not None}
    return [dict(row) async for row in mongo[ROWS].find(query).sort("at", -1).limit(limit)]


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds")
