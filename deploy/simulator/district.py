"""What happens in the made-up district, in order of time: petitions, and what the units do about them. Seeded, pure."""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from deploy.simulator.words import STORIES, SUBJECTS, Story, compose, person

COUNTY: Final = "379911"
PLACES: Final = {
    "379911001": ("文昌社区", "桥头社区", "锦绣社区"),
    "379911002": ("南门社区", "纺织社区", "新港社区"),
    "379911102": ("上枫村", "下枫村", "石桥村"),
    "379911103": ("东白石村", "西白石村", "矿坑村"),
    "379911104": ("云河口村", "高岭村", "大坪村"),
}
CHANNELS: Final = (
    ("hotline_12345", 0.46),
    ("web_portal", 0.22),
    ("letter", 0.12),
    ("sunshine_system", 0.08),
    ("visit", 0.07),
    ("leader_reception", 0.05),
)
SLOW: Final = {"labour_dispute": 0.65, "demolition_resettlement": 0.6, "environmental_protection": 0.35}
"""Share of petitions that the lead unit of a topic does not answer in time; 0.12 for the others."""


@dataclass(frozen=True)
class Filing:
    """A petition as its channel hands it in."""

    at: datetime
    key: str
    body: dict[str, Any]
    story: str | None = None


@dataclass(frozen=True)
class Step:
    """What a unit does about the petition `key`."""

    at: datetime
    key: str
    body: dict[str, Any]


Happening = Filing | Step


@dataclass(frozen=True)
class District:
    """A run of the district: from `start` for `days`, about `per_day` petitions a day beside the growing matters."""

    seed: int
    start: datetime
    days: float
    per_day: float = 8.0

    def happenings(self) -> Iterator[Happening]:
        """Everything in order of time; the same arguments give the same district."""
        waiting: list[tuple[datetime, int, Happening]] = []
        number = 0
        for filing in heapq.merge(self._background(), self._stories(), key=lambda f: f.at):
            while waiting and waiting[0][0] <= filing.at:
                yield heapq.heappop(waiting)[2]
            yield filing
            for step in self._steps(filing):
                number += 1
                heapq.heappush(waiting, (step.at, number, step))
        end = self.start + timedelta(days=self.days)
        while waiting:
            last = heapq.heappop(waiting)[2]
            if last.at <= end:
                yield last

    def filings(self) -> Iterator[Filing]:
        """The petitions alone."""
        yield from heapq.merge(self._background(), self._stories(), key=lambda f: f.at)

    def _background(self) -> Iterator[Filing]:
        draw = random.Random(f"{self.seed}-background")
        names, weights = zip(*CHANNELS, strict=True)
        day = 0.0
        n = 0
        while (day := day + draw.expovariate(self.per_day)) < self.days:
            n += 1
            town = draw.choice(tuple(PLACES))
            subject = draw.choice(SUBJECTS)
            title, text = compose(subject, draw.choice(PLACES[town]), draw)
            channel = draw.choices(names, weights)[0]
            body = self._body(channel, title, text, town, draw)
            body["topic"] = subject.topic
            if channel == "visit":
                body |= {"headcount": draw.choice((1, 1, 2, 3)), "level_presented": "county"}
                body["representatives"] = min(body["headcount"], 2)
            yield self._filing(day, f"b{n}", body)

    def _stories(self) -> Iterator[Filing]:
        yield from heapq.merge(*(self._story(story) for story in STORIES), key=lambda f: f.at)

    def _story(self, story: Story) -> Iterator[Filing]:
        draw = random.Random(f"{self.seed}-{story.name}")
        found = []
        for n, day in enumerate(story.days):
            channel = draw.choice(("hotline_12345", "letter", "web_portal"))
            text = "".join(draw.sample(story.sentences, k=3))
            body = self._body(channel, draw.choice(story.titles), text, story.town, draw) | {"topic": story.topic}
            found.append(self._filing(day, f"{story.name}-{n}", body, story.name))
        for n, (day, level, headcount, representatives) in enumerate(story.visits):
            text = f"{headcount}人来访。" + "".join(draw.sample(story.sentences, k=2))
            body = self._body("visit", draw.choice(story.titles), text, story.town, draw)
            body |= {
                "topic": story.topic,
                "headcount": headcount,
                "representatives": representatives,
                "level_presented": level,
            }
            found.append(self._filing(day, f"{story.name}-v{n}", body, story.name))
        yield from sorted((f for f in found if f.at <= self.start + timedelta(days=self.days)), key=lambda f: f.at)

    def _body(self, channel: str, title: str, text: str, town: str, draw: random.Random) -> dict[str, Any]:
        return {
            "channel": channel,
            "jurisdiction": COUNTY,
            "title": title,
            "text": text,
            "petitioner": person(draw),
            "town": town,
        }

    def _filing(self, day: float, name: str, body: dict[str, Any], story: str | None = None) -> Filing:
        return Filing(self.start + timedelta(days=day), f"sim-{self.seed}-{name}", body, story)

    def _steps(self, filing: Filing) -> Iterator[Step]:
        """In time, late, or not at all: it depends on the unit, not on the petitioner."""
        draw = random.Random(f"{self.seed}-{filing.key}-steps")
        slow = draw.random() < SLOW.get(filing.body["topic"], 0.12)
        at = filing.at + timedelta(days=draw.uniform(0.3, 3) * (4 if slow else 1))
        yield Step(at, filing.key, {"type": "assigned", "method": "assign"})
        at += timedelta(days=draw.uniform(0.5, 6) * (3 if slow else 1))
        yield Step(at, filing.key, {"type": "accepted", "route": "petition_procedure", "notified_at": at.isoformat()})
        if slow and draw.random() < 0.7:
            return
        at += timedelta(days=draw.uniform(4, 30) * (2.5 if slow else 1))
        yield Step(
            at, filing.key, {"type": "replied", "opinion": draw.choice(("support", "support", "explain", "reject"))}
        )
        if draw.random() < 0.3:
            yield Step(at + timedelta(days=2), filing.key, {"type": "evaluated", "solved": draw.random() < 0.6})
        yield Step(at + timedelta(days=draw.uniform(3, 9)), filing.key, {"type": "closed"})
