"""What holds for every life of a petition: order and repetition change nothing, and nothing moves a deadline."""

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.assessment.domain.life import Step, day_of, life_of
from services.assessment.domain.obligation import STATES, Obligation
from services.assessment.domain.obligations import obligations
from services.assessment.policy import load_rules
from services.assessment.steps import step_of
from shared.events import InvalidEvent, decode, encode
from tests.support.lifecycle import BUREAU, HEALTH, Story, at

BOOK = load_rules()
START = at("2026-01-05 09:00")
_KINDS = ("assigned", "objected", "accepted", "not_accepted", "extended", "replied", "served", "closed", "reopened")
_MORE: dict[str, dict[str, Any]] = {"extended": {"days": 30, "approver": "head-1", "told": START}}


@st.composite
def steps(draw: st.DrawFn, *, since: int = 0, until: int = 200, prefix: str = "s", size: int = 12) -> list[Step]:
    kinds = draw(st.lists(st.sampled_from((*_KINDS, "met", "evaluated")), max_size=size))
    made = []
    for number, kind in enumerate(kinds):
        moment = START + timedelta(hours=draw(st.integers(since * 24, until * 24)))
        unit = draw(st.sampled_from((BUREAU, HEALTH)))
        route = (
            draw(st.sampled_from(("petition_procedure", "arbitration"))) if kind == "accepted" else "petition_procedure"
        )
        made.append(Step(f"{prefix}{number}", kind, moment, moment, unit, route=route, **_MORE.get(kind, {})))
    return made


def filed() -> Step:
    return Step("filed", "filed", START, START, BUREAU, channel="letter")


def derive(found: list[Step]) -> tuple[Obligation, ...]:
    return obligations(life_of("P1", "379911", found), BOOK)


@given(steps(), st.randoms(use_true_random=False))
def test_order_of_arrival_and_repetition_change_nothing(found: list[Step], random: Any) -> None:
    found = [filed(), *found]
    shuffled = found + [s for s in found if random.random() < 0.3]
    random.shuffle(shuffled)
    assert derive(shuffled) == derive(found)


@given(steps())
def test_one_row_an_obligation_and_clock_start(found: list[Step]) -> None:
    ids = [o.id for o in derive([filed(), *found])]
    assert len(ids) == len(set(ids))


@given(steps(until=60), steps(since=61, until=400, prefix="later"))
def test_what_happens_later_never_moves_a_deadline(found: list[Step], later: list[Step]) -> None:
    """Replies, closings, objections, renewed acceptances, anything: a clock that runs keeps its date."""
    before = {o.id: o.due for o in derive([filed(), *found])}
    after = {o.id: o.due for o in derive([filed(), *found, *later])}
    assert {key: after.get(key) for key in before} == before


@given(steps(until=100))
def test_only_the_extension_of_article_34_gives_more_than_sixty_days(found: list[Step]) -> None:
    starts = [day_of(s.at) for s in found if s.kind in ("accepted", "reopened")]
    for o in derive([filed(), *found]):
        if o.due is None:
            continue
        if o.code == "HANDLE_EXT":
            assert o.due - timedelta(days=90) in starts
        else:
            longest = {"HANDLE": 60, "REVIEW_ASK": 45}.get(o.code, 15)
            assert (o.due - day_of(o.started)).days <= longest


@given(steps(), st.lists(st.integers(0, 400 * 24), min_size=2, max_size=2))
def test_time_alone_moves_a_state_forward_only(found: list[Step], hours: list[int]) -> None:
    rank = {"pending": 0, "due_soon": 1, "breached": 2, "met": 3, "met_late": 3, "excluded": 4}
    early, late = (START + timedelta(hours=h) for h in sorted(hours))
    for o in derive([filed(), *found]):
        first, second = o.state(early), o.state(late)
        assert {first, second} <= set(STATES)
        if early < o.started:
            continue
        lapsed = o.excluded is None and o.due is not None  # a right that lapsed may still be used late
        ranks = [2 if state == "excluded" and lapsed else rank[state] for state in (first, second)]
        assert ranks[0] <= ranks[1]


_SANCTIONS = st.dictionaries(
    st.sampled_from(
        ("conduct", "sanction", "pause_days", "postpone", "work_cycle", "suspended_until", "abnormal", "due", "extend")
    ),
    st.one_of(st.integers(-99, 99), st.text(max_size=8), st.booleans(), st.none()),
    min_size=1,
)


@given(_SANCTIONS, st.sampled_from(("accepted", "assigned", "closed", "evaluated", "met")))
def test_no_event_can_carry_a_sanction_that_moves_a_clock(extra: dict[str, Any], kind: str) -> None:
    """Whatever a writer adds about a petitioner's conduct, in any event, every deadline stays (Arts 26, 47 are elsewhere)."""
    story = Story()
    story.filed("2026-03-01")
    story("assigned", "2026-03-02")
    story("accepted", "2026-03-03")
    story(kind, "2026-03-20")
    plain = derive(story.steps())
    added = []
    for event in story.events:
        raw = json.loads(encode(event))
        raw["data"] |= extra
        added.append(step_of(decode(json.dumps(raw).encode()))[2])
    assert derive(added) == plain


@pytest.mark.parametrize("type_", ["conduct_recorded", "postponed", "suspended", "paused", "sanctioned"])
def test_there_is_no_event_type_for_it(type_: str) -> None:
    story = Story()
    raw = json.loads(encode(story.filed("2026-03-01")))
    raw["type"] = f"fengqiao.petition.{type_}.v1"
    with pytest.raises(InvalidEvent, match="unknown-type"):
        decode(json.dumps(raw).encode())


def test_an_extension_beyond_thirty_days_is_no_event() -> None:
    story = Story()
    raw = json.loads(encode(story("extended", "2026-04-20")))
    raw["data"]["days"] = 31
    with pytest.raises(InvalidEvent, match="schema"):
        decode(json.dumps(raw).encode())
    for field in ("approver", "complexity", "reason_told_at"):
        raw = json.loads(encode(story("extended", "2026-04-20")))
        del raw["data"][field]
        with pytest.raises(InvalidEvent, match="schema"):
            decode(json.dumps(raw).encode())
