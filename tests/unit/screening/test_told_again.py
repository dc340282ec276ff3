"""What was told and taken back may hold again: each time it is an event of its own, with the same id on every replay."""

import random
from dataclasses import replace

import pytest

from services.screening import codec
from services.screening.domain.engine import County
from services.screening.domain.restoring import rebuild
from tests.support.petitions import COUNTY, DAY, MATTERS, POLICIES, START, county, filed, step


def day(id, petition, kind, at, **more):
    return step(id, petition, kind, START + at * DAY, **more)


A, B = filed(1, petitioner="same"), filed(11, petitioner="other", minutes=5)
TWICE = [
    [A, B, day("1", A, "accepted", 1), day("2", B, "accepted", 1)],
    [day("3", A, "breached", 61, breach="x"), filed(2, petitioner="same", at=START + 61.5 * DAY)],
    [day("4", A, "breach_withdrawn", 60.9, breach="x")],
    [day("5", B, "breached", 61.6, breach="y"), filed(12, petitioner="other", at=START + 61.8 * DAY)],
    [day("6", B, "breach_withdrawn", 60.9, breach="y")],
]
"""A repeat after a breach that was none, and another: the flag is taken back, stands under its number again, is taken back."""


class Rows:
    """What a store keeps of a county, through the same documents, so that it can be started anew at any time."""

    def __init__(self):
        self.engine, self.petitions, self.flags, self.sequences = county(), {}, {}, {}

    def take(self, items):
        out = self.engine.apply(items)
        for pid, text in out.filed.items():
            self.petitions[pid] = codec.petition(self.engine.placed[pid], text)
        for pid in out.moved:
            self.petitions[pid] |= codec.place(self.engine.placed[pid])
        for one in out.stepped:
            self.petitions[one.petition]["steps"].append(codec.step_document(one))
        self.flags |= {fid: codec.flag_document(told) for fid, told in out.flags.items()}
        self.sequences |= {name: self.engine.histories[name].sequence for name in out.matters}
        return out.notices

    def restart(self):
        days, self.engine = self.engine.rate.days, County(COUNTY, POLICIES)
        out = rebuild(
            self.engine,
            [codec.stored(row) for row in self.petitions.values()],
            days=days,
            told=[codec.told(row) for row in self.flags.values()],
            sequences=self.sequences,
        )
        assert not out.notices


def told(batches, restarts=()):
    rows, found = Rows(), []
    for n, batch in enumerate(batches):
        if n in restarts:
            rows.restart()
        found += [(notice.id, notice.flag.kind, notice.what) for notice in rows.take(batch)]
    return found


def test_a_flag_that_is_taken_back_twice_is_two_events():
    found = told(TWICE)
    assert [what for _, kind, what in found if kind == "unanswered_repeat"] == ["raised", "cleared"] * 2
    assert len({id for id, _, _ in found}) == len(found)


@pytest.mark.parametrize("restarts", [(), (1, 2, 3, 4), (3,), (4,)])
def test_a_replay_and_a_restart_give_the_same_ids(restarts):
    assert told(TWICE, restarts) == told(TWICE)


def test_rows_of_before_count_as_taken_back_once():
    rows = Rows()
    for batch in TWICE[:3]:
        rows.take(batch)
    assert {row["retracted"] for row in rows.flags.values()} == {True}
    for row in rows.flags.values():
        assert row.pop("turn") == 1
    rows.restart()
    again = [notice.id for batch in TWICE[3:] for notice in rows.take(batch)]
    assert again == [id for id, _, _ in told(TWICE)][4:]


def scrambled(seed):
    """Petitions on two matters, worded so that they hover about the threshold, up to the lateness bound out of order."""
    rng, items = random.Random(seed), []
    for n in range(60):
        which = rng.randrange(2)
        title, body = MATTERS[which]
        size = rng.randrange(len(body) // 3, len(body))
        start = rng.randrange(max(1, len(body) - size))
        text = f"{body[start : start + size]}{rng.choice(['谢谢', '盼复', '急', '请回复'])}{n}"
        minutes = rng.random() * 600
        arrives = minutes + (rng.random() * 115 if rng.random() < 0.5 else 0)
        item = filed(n, which, text=text, minutes=minutes, petitioner=f"who{rng.randrange(40)}")
        words = rng.choice([title, title[:6], title[4:], "请求解决问题"])
        items.append((arrives, replace(item, filing=replace(item.filing, title=words))))
    return [item for _, item in sorted(items, key=lambda row: row[0])]


@pytest.mark.parametrize("seed", range(48, 60))
def test_who_knows_an_event_by_its_id_misses_none(seed):
    engine, seen, standing = county(), set(), set()
    for item in scrambled(seed):
        for notice in engine.apply([item]).notices:
            assert notice.id not in seen
            seen.add(notice.id)
            (standing.discard if notice.what == "cleared" else standing.add)(notice.flag.id)
    assert standing == {flag.id for flag in engine.flags() if flag.state == "open"}
