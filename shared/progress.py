"""Progress: how far a group has come in a partition, and who may say so. One document a topic, partition and group.

The document is written in the same transaction as the effects, so the two cannot disagree; its epoch rises with every
claim, so a former owner that wakes up late cannot commit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from pymongo import ReturnDocument

from shared.mongo import Mongo, Session, UpdateOne

COLLECTION: Final = "progress"


class Fenced(Exception):  # noqa: N818 - a state, not a mistake
    """Another owner claimed the partition: this process's work on it is void."""


class OffsetLost(Exception):  # noqa: N818
    """The stored offset is not in the topic any more. A human decides: nothing is skipped silently."""


@dataclass(frozen=True)
class Claim:
    """A partition as this process owns it: its epoch and the next offset to apply.

    `tail` is the broker's time (ms) of the last applied record: the mark by which a topic made anew is recognised.
    `stuck` counts the claims since the last progress that found a record to apply: one that kills the process makes it rise.
    """

    id: str
    partition: int
    epoch: int
    next: int
    tail: int | None
    stuck: int


def progress_id(topic: str, group: str, partition: int) -> str:
    """`_id` of a progress document."""
    return f"{topic}:{group}:{partition}"


async def claim(mongo: Mongo, topic: str, group: str, partition: int, owner: str) -> Claim:
    """Raise the epoch and become the owner. From here on every commit of the former owner fails."""
    row = await mongo[COLLECTION].find_one_and_update(
        {"_id": progress_id(topic, group, partition)},
        {
            "$inc": {"epoch": 1, "stuck": 1},
            "$set": {"owner": owner},
            "$setOnInsert": {"topic": topic, "group": group, "partition": partition, "next": 0, "tail": None},
        },
        upsert=True,
        return_document=ReturnDocument.AFTER,
    )
    return Claim(row["_id"], partition, row["epoch"], row["next"], row.get("tail"), row["stuck"])


async def at_rest(mongo: Mongo, held: Claim) -> Claim:
    """Take the claim for no sign of trouble: there is no record that could have killed a process. Fenced as all else."""
    await mongo[COLLECTION].update_one({"_id": held.id, "epoch": held.epoch}, {"$set": {"stuck": 0}})
    return replace(held, stuck=0)


@dataclass(frozen=True)
class Step:
    """A move from a claim's next offset to `to`."""

    claim: Claim
    to: int
    tail: int


async def advance(mongo: Mongo, session: Session, steps: Sequence[Step]) -> None:
    """Move on in the caller's transaction. Raises `Fenced` when one of the partitions is not this process's any more."""
    result = await mongo[COLLECTION].bulk_write(
        [
            UpdateOne(
                {"_id": s.claim.id, "epoch": s.claim.epoch, "next": s.claim.next},
                {"$set": {"next": s.to, "tail": s.tail, "stuck": 0}},
            )
            for s in steps
        ],
        ordered=False,
        session=session,
    )
    if result.matched_count != len(steps):
        raise Fenced


async def applied(mongo: Mongo, steps: Sequence[Step]) -> bool:
    """Whether all steps stand in the store: asked when the outcome of a commit is unknown."""
    rows = {row["_id"]: row async for row in mongo[COLLECTION].find({"_id": {"$in": [s.claim.id for s in steps]}})}
    return all(
        (row := rows.get(s.claim.id)) is not None and row["epoch"] == s.claim.epoch and row["next"] == s.to
        for s in steps
    )


async def decide(mongo: Mongo, topic: str, group: str, partition: int, offset: int, at: datetime) -> None:
    """Set the next offset by a human's decision (`fengqiao progress set`); raises the epoch so that a running owner stops."""
    await mongo[COLLECTION].update_one(
        {"_id": progress_id(topic, group, partition)},
        {
            "$inc": {"epoch": 1},
            "$set": {
                "topic": topic,
                "group": group,
                "partition": partition,
                "next": offset,
                "tail": None,
                "stuck": 0,
                "decided_at": at,
            },
        },
        upsert=True,
    )
