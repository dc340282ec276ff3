"""The life of a warning against a table written by hand from design §6, and as a state machine under any order of acts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from services.alerts.contract import event_of
from services.alerts.domain.lifecycle import TABLE, Act, NewFlag, Refused, allowed, apply, raise_warning
from services.alerts.domain.warning import OPEN_STATES, Arrival, Escalation, Flag, Measure, Warning, WorkPlan
from tests.support.alerts import AT, BUREAU, COUNTY

MODEL = {
    "raised": "verify discard acknowledge assign settle cancel escalate",
    "verified": "discard acknowledge assign plan on_scene settle cancel escalate",
    "acknowledged": "verify discard acknowledge assign plan on_scene settle cancel lapse",
    "assigned": "verify discard acknowledge assign plan on_scene settle cancel",
    "planned": "verify acknowledge assign plan on_scene settle cancel",
    "on_scene": "verify acknowledge assign plan on_scene settle cancel",
    "discarded": "",
    "settled": "",
    "cancelled": "",
}
GOES_TO = {"discard": "discarded", "settle": "settled", "cancel": "cancelled", "on_scene": "on_scene"}


def flag_value(**more: object) -> Flag:
    return Flag("f", "collective_risk", "m", COUNTY, "III", AT, responsible_unit=BUREAU, **more)  # type: ignore[arg-type]


def fresh(kind: str = "collective_risk") -> Warning:
    flag = Flag("f", kind, "m", COUNTY, "III", AT, responsible_unit=BUREAU)
    return raise_warning(flag, id="w", level="III", at=AT, cause="e", policy="ordinary").warning


def payload(action: str, n: int = 0) -> object:
    at = AT + timedelta(minutes=n)
    return {
        "assign": "379911001",
        "plan": WorkPlan((Measure("谈", "unit#head"),), "unit#head", "o1", at),
        "on_scene": Arrival("unit#head", at, "o1"),
        "silence": at + timedelta(hours=1),
        "update": NewFlag(flag_value(), "III", "ordinary"),
        "escalate": Escalation("ordinary", step=0),
    }.get(action)


def act(action: str, account: str = "o1", n: int = 1, **more: object) -> Act:
    at = AT + timedelta(minutes=n)
    reason = "because" if action in {"discard", "settle", "cancel", "silence"} else None
    return Act(action, account, at, f"c{n}", **{"reason": reason, "payload": payload(action, n), **more})  # type: ignore[arg-type]


def test_the_table_is_the_one_of_the_design():
    assert {state: set(actions) for state, actions in TABLE.items()} == {s: set(a.split()) for s, a in MODEL.items()}


@pytest.mark.parametrize("state", MODEL)
@pytest.mark.parametrize("action", sorted({a for actions in MODEL.values() for a in actions.split()}))
def test_every_pair_of_state_and_action(state, action):
    from dataclasses import replace

    warning = replace(fresh(), state=state, acknowledged_by="o1" if state == "acknowledged" else None)
    if action in MODEL[state].split():
        change = apply(warning, act(action))
        assert change.warning.version == 2
        assert change.before == state
        assert change.warning.state == GOES_TO.get(action, change.warning.state)
    else:
        with pytest.raises(Refused) as refused:
            apply(warning, act(action))
        assert refused.value.code == "not-allowed-now"
        assert action not in refused.value.allowed


@pytest.mark.parametrize("action", ["discard", "settle", "cancel", "silence"])
@pytest.mark.parametrize("reason", [None, "", "  "])
def test_a_human_says_why(action, reason):
    with pytest.raises(Refused, match="reason"):
        apply(fresh(), act(action, reason=reason))


def test_an_older_version_is_refused_and_says_who_was_first():
    first = apply(fresh(), act("acknowledge", expected_version=1)).warning
    with pytest.raises(Refused) as refused:
        apply(first, act("acknowledge", "o2", expected_version=1))
    assert refused.value.code == "version-conflict"
    assert "o1" in refused.value.detail
    with pytest.raises(Refused) as refused:
        apply(first, act("acknowledge", "o2"))
    assert refused.value.code == "already-acknowledged"
    assert "acknowledge" not in refused.value.allowed


def test_acknowledging_is_offered_to_who_holds_it_and_to_anybody_where_nobody_does():
    held = apply(fresh(), act("acknowledge")).warning
    given = apply(held, act("assign", "o2", payload="379911.office")).warning
    for warning in (held, given):
        assert "acknowledge" in allowed(warning, "o1")
        assert "acknowledge" not in allowed(warning, "u1")
        assert "acknowledge" not in allowed(warning)
    assert "acknowledge" in allowed(fresh(), "u1")


def test_the_holder_renews_and_a_lapse_gives_it_back():
    held = apply(fresh(), act("acknowledge", ack_for=timedelta(hours=2))).warning
    again = apply(held, act("acknowledge", n=60, ack_for=timedelta(hours=2))).warning
    assert again.acknowledged_until == AT + timedelta(hours=3)
    assert again.first_acknowledged_at == AT + timedelta(minutes=1)
    lapsed = apply(again, act("lapse", "system")).warning
    assert (lapsed.state, lapsed.acknowledged_by) == ("raised", None)
    assert lapsed.escalation == Escalation("ordinary", run=2, since=AT + timedelta(minutes=1))
    verified = apply(apply(held, act("verify")).warning, act("lapse", "system")).warning
    assert verified.state == "verified"


def test_what_people_write_about_an_accusation_stays_off_the_bus_and_numbers_always():
    said = "王局长收钱,致电13800138000"
    change = apply(fresh(), act("settle", reason=said))
    assert event_of(change).data.reason == "王局长收钱,致电[phone]"
    warning = fresh()
    accused = replace(warning, flag=replace(warning.flag, restricted=True))
    change = apply(accused, act("settle", reason=said))
    assert event_of(change).data.reason is None
    assert change.reason == said


def test_protected_kinds_are_never_silenced():
    for kind in ("life_safety", "overdue", "reprisal_risk"):
        warning = fresh(kind)
        assert "silence" not in allowed(warning)
        with pytest.raises(Refused) as refused:
            apply(warning, act("silence"))
        assert refused.value.code == "cannot-be-silenced"
    assert "silence" in allowed(fresh())


def test_steps_name_who_does_what_by_when_and_are_internal():
    warning = raise_warning(
        Flag("f", "collective_visit", "m", COUNTY, "I", AT, responsible_unit=BUREAU),
        id="w",
        level="I",
        at=AT,
        cause="e",
    ).warning
    by_id = {step.id: step for step in warning.steps}
    assert by_id["report"].due == AT + timedelta(minutes=15)
    assert by_id["on_scene"].who == f"{BUREAU}#head"
    assert all(step.internal and "内部" in step.basis for step in warning.steps)
    assert warning.next_step() == by_id["acknowledge"]
    done = apply(warning, act("acknowledge")).warning
    assert done.next_step().id in {"verify", "report"}
    reported = apply(done, act("step_done", payload="report", n=9)).warning
    assert {s.id for s in reported.steps if s.done_by == "o1"} == {"acknowledge", "report"}
    with pytest.raises(Refused):
        apply(reported, act("step_done", payload="report"))


@pytest.mark.parametrize(
    ("action", "done"), [("settle", {"verify", "settle"}), ("cancel", {"verify"}), ("discard", {"verify"})]
)
def test_what_nobody_did_before_the_end_stays_undone_and_is_no_next_step(action, done):
    verified = apply(fresh(), act("verify")).warning
    assert verified.next_step() is not None
    ended = apply(verified, act(action, reason="because", n=2)).warning
    assert {step.id for step in ended.steps if step.done_at} == done
    assert ended.next_step() is None


def test_a_higher_level_brings_due_times_forward_and_never_back():
    warning = fresh()
    urgent = apply(warning, act("update", "system", payload=NewFlag(flag_value(), "I", "urgent"))).warning
    assert urgent.escalation == Escalation("urgent", run=2, since=AT + timedelta(minutes=1))
    before = {s.id: s.due for s in warning.steps}
    for step in urgent.steps:
        assert step.due <= before.get(step.id, step.due)
    calmer = apply(urgent, act("update", "system", n=2, payload=NewFlag(flag_value(), "IV", "watch"))).warning
    after = {s.id: s.due for s in urgent.steps}
    assert all(s.due <= after[s.id] for s in calmer.steps)


class Life(RuleBasedStateMachine):
    """Any order of acts: the state follows the model, closed stays closed, versions grow by one, nothing is half-changed."""

    def __init__(self) -> None:
        super().__init__()
        self.warning = fresh()
        self.state = "raised"
        self.verified = False
        self.holder: str | None = None
        self.n = 0
        self.log: list[str] = ["raise"]

    @rule(
        action=st.sampled_from(
            sorted({a for actions in MODEL.values() for a in actions.split()} | {"update", "silence"})
        ),
        account=st.sampled_from(["o1", "o2"]),
        stale=st.booleans(),
    )
    def anything(self, action: str, account: str, stale: bool) -> None:
        self.n += 1
        before = self.warning
        expected = before.version - 1 if stale and before.version > 1 else before.version
        known = action in MODEL[self.state].split() or (action in ("update", "silence") and self.state in OPEN_STATES)
        taken = (
            action == "acknowledge" and self.state not in ("raised", "verified") and self.holder not in (None, account)
        )
        try:
            change = apply(before, act(action, account, self.n, expected_version=expected))
        except Refused:
            assert not known or taken or expected != before.version
            assert self.warning is before
            return
        assert known and not taken and expected == before.version
        self.warning = change.warning
        self.log.append(action)
        self.state = self._next(action)
        if action == "verify":
            self.verified = True
        if action in ("acknowledge", "assign", "plan", "on_scene") and self.holder is None:
            self.holder = account
        if action == "lapse":
            self.holder = None

    def _next(self, action: str) -> str:
        if action in ("update", "silence", "escalate"):
            return self.state
        if action == "verify":
            return "verified" if self.state == "raised" else self.state
        if action == "acknowledge":
            return "acknowledged" if self.state in ("raised", "verified", "acknowledged") else self.state
        if action == "assign":
            return self.state if self.state in ("planned", "on_scene") else "assigned"
        if action == "plan":
            return "on_scene" if self.state == "on_scene" else "planned"
        if action == "lapse":
            return "verified" if self.verified else "raised"
        return GOES_TO[action]

    @precondition(lambda self: self.state not in OPEN_STATES)
    @rule()
    def closed_is_closed(self) -> None:
        assert allowed(self.warning) == ()

    @invariant()
    def agrees_with_the_model(self) -> None:
        warning = self.warning
        assert warning.state == self.state
        assert warning.version == len(self.log)
        assert warning.acknowledged_by == self.holder
        assert (warning.verified_at is not None) == self.verified
        if warning.answered and warning.escalation:
            assert warning.escalation.ended
        assert (warning.closed_at is not None) == (not warning.open)


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
