"""What the linker takes and gives: messages, links, merges and the numbers of its policy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import NAMESPACE_URL, UUID, uuid5

MATTER_NAMESPACE: UUID = uuid5(NAMESPACE_URL, "https://fengqiao.example/matter")


def matter_id(first_message: str) -> str:
    """The id of the matter that this message opened: a uuid5, so a replay gives the same one."""
    return str(uuid5(MATTER_NAMESPACE, first_message))


@dataclass(frozen=True, slots=True)
class Message:
    """One petition as the linker sees it; `at` (aware) is when it was submitted, `petitioner` a pseudonym.

    There is no channel here: the same grievance by telephone and by letter is the same matter.
    """

    id: str
    petitioner: str
    at: datetime
    title: str
    text: str
    topic: str | None = None

    @property
    def key(self) -> tuple[datetime, str]:
        """The order of event time, with the id breaking ties."""
        return self.at, self.id


@dataclass(frozen=True, slots=True)
class Merge:
    """Two matters turned out to be one; `kept` is the one whose first message is the earlier.

    `cause` is the message that showed it, `moved` the live messages that belonged to `gone` until then.
    """

    kept: str
    gone: str
    score: float
    cause: str
    at: datetime
    moved: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Linked:
    """Where a message went and why.

    `score` is 0…1 (1 for the same text), `threshold` what it had to reach; `shared` are the words that tied it, the
    heaviest first. `duplicate_of` is the earliest live message with the same text, whoever sent it: count a text once.
    `repeat` says the petitioner of that earlier message is the same person. `late` says the message came after the
    lateness bound.
    """

    message: str
    matter: str
    new: bool
    score: float = 0.0
    threshold: float = 0.0
    shared: tuple[str, ...] = ()
    merged: tuple[Merge, ...] = ()
    duplicate_of: str | None = None
    repeat: bool = False
    late: bool = False


@dataclass(frozen=True, slots=True)
class Similar:
    """An open matter that a draft resembles: its id, a score 0…1, and a live message of it to show."""

    matter: str
    score: float
    example: str
    members: int
    shared: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LinkConfig:
    """The numbers of the policy that the linker obeys.

    `window`: how long a message stays live. `lateness`: how far behind the newest message one may come and still be
    put in its place. `threshold`: the score from which a message joins a matter; `merge`: from which two matters
    become one.
    """

    window: timedelta = timedelta(days=90)
    lateness: timedelta = timedelta(minutes=15)
    threshold: float = 0.15
    merge: float = 0.20
