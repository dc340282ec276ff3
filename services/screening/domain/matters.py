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

    `score` is 0…1 (1 for a copy), `threshold` what it had to reach; `shared` are the words that tied it, the
    heaviest first. `duplicate_of` is the earliest live message with the same text about no other place, whoever sent it: count
    a text once.
    `repeat` says the petitioner of that earlier message is the same person. `late` says the message came after the
    lateness bound. `beside`: messages that are about the same place and much the same thing as those of the matter
    `core`, but not near enough to be members of it; `core` is the largest of the matters that lie so beside each other.
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
    core: str | None = None
    beside: tuple[str, ...] = ()


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
    become one. `beside`: from which a matter lies beside a message, where one holds at least the share `beside_names` of
    the names in the other's title. `names`: what is shared as names counts at most this many times what else is shared.
    `veto`: the factor where both name places in the title and none is in the other's text; `unnamed`: where only one
    does; `form`: the score from which the wording is a form letter's, of which the names alone tell the matter; `apart`:
    where they name different regions. `same_hand`: the factor for the same petitioner, whose phrases return whatever the
    matter. `topical`: what an equal topic adds and a different one takes. `power`: how much more rare
    grams weigh. `features`: grams kept of a message; `posted` of them are found by, `probed` looked up. `depth`: messages
    an index entry keeps. `candidates`: matters compared in full.
    """

    window: timedelta = timedelta(days=90)
    lateness: timedelta = timedelta(minutes=15)
    threshold: float = 0.085
    merge: float = 0.105
    beside: float = 0.045
    beside_names: float = 0.4
    names: float = 0.5
    veto: float = 0.1
    unnamed: float = 0.85
    form: float = 0.4
    apart: float = 0.7
    same_hand: float = 0.65
    topical: float = 0.1
    power: float = 1.0
    features: int = 272
    posted: int = 64
    probed: int = 128
    depth: int = 24
    candidates: int = 4
