"""The matter behind a warning, as screening keeps it: contest of the flag, merging and splitting, and how it came about."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from nicegui import ui

from services.alerts.console import panels
from services.alerts.console.forms import Form, reason_input
from services.alerts.console.merging import Twins, people
from services.alerts.console.remote import RemoteError
from services.alerts.console.visitor import SignedOut, Visitor, moment
from services.alerts.domain.warning import Text, Warning
from services.alerts.labels import COUNTED

CONTEST: Final = frozenset({"duty_officer", "unit", "leader"})
DECIDE: Final = frozenset({"duty_officer", "leader"})
RETRACTED: Final = "relinked"
"""Why screening took a flag back itself: nothing is left to contest."""
SHORTEST: Final = 3
"""letters of a reason, as screening asks for"""
SHOWN: Final = 60
NOT_FLAGGED: Final = ("overdue", "near_deadline")
"""Findings of assessment: no flag of screening, and no matter."""

REFUSED: Final = {
    "unreachable": Text("研判系统无响应，请稍后再试。", "Screening does not answer; try again."),
    "contest-open": Text("该研判已有异议待裁定。", "This flag is contested already."),
    "contest-missing": Text("该异议已裁定。", "The contest is decided already."),
    "own-contest": Text("不能裁定本人提出的异议。", "A contest is decided by somebody else than who raised it."),
    "invalid-request": Text("请填写理由，至少三个字。", "Say why, in three letters at least."),
    "matter-not-found": Text("研判系统中没有该事项。", "Screening has no such matter for you."),
    "flag-not-found": Text("研判系统中没有该研判。", "Screening has no such flag for you."),
    "flag-retracted": Text(
        "该研判已由系统收回，不计入准确率。", "Screening took this flag back itself; it is not counted."
    ),
    "matter-inactive": Text(
        "该事项已久无动静，研判系统不再为其归并。",
        "Nothing has happened to that matter for long; it is not linked any more.",
    ),
    "flag-gone": Text("该研判所依据的情况已撤回，无须再撤销。", "What the flag rested on had been taken back already."),
    "matter-merged": Text("该事项已并入其他事项。", "It was merged into another matter."),
    "matter-empty": Text("该事项已无信访件。", "Nothing is left of that matter."),
    "other-county": Text("不同区县的事项不能合并。", "Matters of two counties cannot be merged."),
    "accusation": Text("检举控告不与其他事项合并。", "An accusation is never merged with another matter."),
    "not-members": Text("有信访件已不属于该事项。", "A petition belongs to the matter no more."),
    "all-members": Text("至少保留一件信访件。", "At least one petition has to stay."),
}
CONTEST_STATES: Final = {
    "open": Text("有异议，待裁定", "contested, to be decided"),
    "upheld": Text("异议不成立，研判维持", "contest refused: the flag stands"),
    "withdrawn": Text("异议成立，研判撤销", "contest right: the flag was withdrawn"),
}
KINDS: Final = {
    "merge": Text("合并", "merged"),
    "split": Text("拆分", "split"),
    "withdraw": Text("撤销研判", "flag withdrawn"),
}
LINKER: Final = "linker"


@dataclass(frozen=True)
class Line:
    """One line of how a matter came about. `count` petitions were moved; `by` an account, or the linker; `refused` why it
    was not carried out; `subject` the other matter (title, petitioners and petitions at the time) where the reader may see
    it; `inward`: it came in here.
    """

    kind: str
    at: str
    by: str
    reason: str
    count: int = 0
    applied: bool = True
    refused: str = ""
    subject: Mapping[str, Any] = field(default_factory=dict)
    inward: bool = True


class Matter:
    """What a page knows of its matter. It is asked after the page is drawn: screening may be slow, or away."""

    def __init__(self, visitor: Visitor, box: ui.element, current: Callable[[], Warning]) -> None:
        self.visitor = visitor
        self.box = box
        self.current = current
        self._matter: dict[str, Any] = {}
        self._flag: dict[str, Any] = {}
        self._trouble = ""
        self._places: tuple[ui.element, ui.element] | None = None

    @property
    def flagged(self) -> bool:
        """Whether screening knows of it at all."""
        warning = self.current()
        return not warning.exercise and warning.kind not in NOT_FLAGGED

    def draw(self, contest: ui.element) -> None:
        """The matter's own card, and in `contest` what was said against the flag; asks screening for both."""
        self._places = (contest, ui.element("div").classes("fq-matter-place"))
        self._fill()
        ui.timer(0, self.load, once=True)

    async def load(self) -> None:
        """Ask screening, and draw what is different."""
        visitor, warning = self.visitor, self.current()
        before = (self._matter, self._flag, self._trouble)
        try:
            self._flag = await visitor.console.remote.flag(visitor.who, warning.flag.flag_id)
            self._matter = await visitor.console.remote.matter(visitor.who, warning.matter)
            self._trouble = ""
        except RemoteError as error:
            self._trouble = self._words(error)
        if self._places is None or any(place.is_deleted for place in self._places):
            return
        if before != (self._matter, self._flag, self._trouble):
            self._fill()
        if any(not one.get("applied", True) for one in self._matter.get("decisions", ())):
            with self._places[1]:
                ui.timer(0.7, self.load, once=True)  # the county's owner takes it up within a second

    def _words(self, error: RemoteError) -> str:
        return self.visitor.text(REFUSED.get(error.code)) or error.code

    def _fill(self) -> None:
        assert self._places is not None
        contest, place = self._places
        contest.clear()
        with contest:
            self._draw_contest()
        place.clear()
        with place:
            self._draw_matter()

    # -- the contest ---------------------------------------------------------------------------------------------------

    def _draw_contest(self) -> None:
        # Nothing is offered before screening has answered: what it says draws this anew, under the click.
        t, visitor = self.visitor.t, self.visitor
        found = self._flag.get("contest") or {}
        for one in (*found.get("before", ()), *([found] if found else ())):
            with ui.element("div").classes("fq-contested"):
                ui.label(visitor.text(CONTEST_STATES.get(one["state"]))).classes(f"fq-tag contest-{one['state']}")
                ui.label(f"{visitor.actor(one['by'])} · {_at(one['at'])}：“{one['reason']}”").classes("fq-hint")
                if one.get("decided_by"):
                    ui.label(
                        f"{visitor.actor(one['decided_by'])} · {_at(one['decided_at'])}：“{one['decision']}”"
                    ).classes("fq-hint")
        if found.get("state") == "open":
            if visitor.who.role in DECIDE and visitor.who.account != found["by"]:
                self._button(t("维持研判…", "The flag stands…"), lambda: self._resolve("upheld"), "fq-uphold")
                self._button(t("撤销研判…", "Withdraw the flag…"), lambda: self._resolve("withdrawn"), "fq-withdraw")
        elif self._flag and visitor.who.role in CONTEST and self._flag.get("reason") != RETRACTED:
            if not self.current().open:
                why = t("预警已结束，但研判对错仍计入准确率，仍可提出异议。",
                        "The warning has ended; whether its flag was right still counts, so it can be contested.")  # fmt: skip
                ui.label(why).classes("fq-hint fq-still")
            self._button(t("对研判提出异议", "Contest this flag"), self._contest, "fq-contest")

    def _button(self, words: str, act: Callable[[], Any], marker: str) -> None:
        ui.button(words, on_click=act).props("flat dense no-caps").classes(marker)

    def _contest(self) -> None:
        t, remote, who = self.visitor.t, self.visitor.console.remote, self.visitor.who
        id = self.current().flag.flag_id
        self._reasoned(
            t("对研判提出异议", "Contest this flag"),
            t("提交", "Contest"),
            lambda reason: remote.contest(who, id, reason),
            t("异议已提交，由他人裁定。", "Contested; somebody else decides."),
        )

    def _resolve(self, outcome: str) -> None:
        t, remote, who = self.visitor.t, self.visitor.console.remote, self.visitor.who
        id = self.current().flag.flag_id
        self._reasoned(
            self.visitor.text(CONTEST_STATES[outcome]),
            t("裁定", "Decide"),
            lambda reason: remote.resolve(who, id, outcome, reason),
            t("已裁定。", "Decided."),
        )

    def _reasoned(
        self,
        title: str,
        button: str,
        ask: Callable[[str], Awaitable[Any] | None],
        done: str,
        more: Callable[[], Any] | None = None,
    ) -> None:
        """A form with a reason, after what `more` puts before it. `ask` gives None where something is still missing."""
        visitor = self.visitor

        async def send() -> bool:
            words = (said.value or "").strip()
            if len(words) < SHORTEST:
                ui.notify(visitor.text(REFUSED["invalid-request"]), type="warning", position="top")
                return False
            try:
                visitor.use()
                asked = ask(words)
                if asked is None:
                    ui.notify(visitor.t("请先选择。", "Choose first."), type="warning", position="top")
                    return False
                await asked
            except SignedOut:
                ui.navigate.to(f"/auth/login?next=/warnings/{self.current().id}")
                return False
            except RemoteError as error:
                ui.notify(self._words(error), type="warning", position="top")
                await self.load()
                return False
            ui.notify(done, type="positive", position="top")
            await self.load()
            return True

        with self.box, Form(visitor, title, button, send):
            if more is not None:
                more()
            said = reason_input(visitor)

    # -- merging and splitting -----------------------------------------------------------------------------------------

    def _draw_matter(self) -> None:
        visitor, t, found = self.visitor, self.visitor.t, self._matter
        if self._trouble:
            ui.label(self._trouble).classes("fq-hint fq-trouble")
        if not found:
            if not self._trouble:
                ui.label(t("正在读取", "loading")).classes("fq-hint")
            return
        lines = history(found)
        panels.explained(
            t(f"事项现有 {people(visitor, found)}", f"The matter has {people(visitor, found)} now"),
            visitor.text(COUNTED["matter"]),
        ).classes("fq-hint fq-members")
        if found.get("merged_into"):
            into = next((line for line in reversed(lines) if line.kind == "merge" and not line.inward), None)
            words = self._subject(into) if into else t("已并入另一事项", "merged into another matter")
            ui.label(words).classes("fq-into")
        elif visitor.may("warnings.handle"):
            self._offer()
        with ui.element("ol").classes("fq-log fq-matter-log"):
            for line in reversed(lines):
                with ui.element("li"):
                    with ui.element("div"):
                        ui.label(visitor.text(KINDS.get(line.kind)) or line.kind).classes("what")
                        who = t("系统按内容关联", "the linker") if line.by == LINKER else visitor.actor(line.by)
                        ui.label(who).classes("who")
                        ui.label(_at(line.at)).classes("when")
                    if words := self._subject(line):
                        ui.label(words).classes("fq-subject")
                    if line.count and not line.subject:
                        ui.label(t(f"{line.count} 件", _many(line.count))).classes("fq-hint")
                    if line.reason:
                        ui.label(f"“{line.reason}”").classes("reason")
                    if line.refused:
                        why = visitor.text(REFUSED.get(line.refused)) or line.refused
                        ui.label(t(f"未执行：{why}", f"Not carried out: {why}")).classes("fq-hint")
                    elif not line.applied:
                        ui.label(t("正在执行", "being carried out")).classes("fq-hint")

    def _offer(self) -> None:
        """The two buttons; a warning that ended has none: what is merged into its matter might be left without a warning."""
        t, found = self.visitor.t, self._matter
        if not self.current().open:
            ui.label(
                t("本预警已结束，不再由此合并或拆分；事项如有未结预警，请在该预警页上办理。",
                  "This warning has ended: merge and split on the page of the matter's open warning, if it has one.")
            ).classes("fq-hint fq-ended")  # fmt: skip
            return
        with ui.element("div").classes("fq-line"):
            if not found.get("restricted"):
                self._button(t("与另一事项合并…", "Merge with another…"), self._merge, "fq-merge")
            if len(found.get("members", ())) > 1:
                self._button(t("拆分出部分信访件…", "Split some off…"), self._split, "fq-split")

    async def _merge(self) -> None:
        visitor, t, remote = self.visitor, self.visitor.t, self.visitor.console.remote
        own = self._matter["id"]
        try:
            rows = await remote.near(visitor.who, own)
        except RemoteError as error:
            ui.notify(self._words(error), type="warning", position="top")
            return
        twins = Twins(visitor, self._matter, rows)
        self._reasoned(
            t("与另一事项合并", "Merge with another matter"),
            t("确认合并", "Merge them"),
            lambda reason: remote.merge(visitor.who, own, twins.chosen, reason) if twins.chosen else None,
            t("已提交合并。", "The merge is under way."),
            twins.draw,
        )

    def _subject(self, line: Line) -> str:
        """The other matter of a merge or split, by title and size."""
        t, subject = self.visitor.t, line.subject
        words = (
            t(f"“{subject['title']}”", f"“{subject['title']}”")
            if subject.get("title")
            else t("另一事项", "another matter")
        )
        if "petitioners" in subject:
            size = people(self.visitor, subject)
            words += t(f"（当时 {size}）", f" ({size} then)")
        match line.kind, line.inward:
            case "merge", True:
                return t("并入本事项：", "taken in: ") + words
            case "merge", False:
                return t("本事项并入：", "this one went into: ") + words
            case "split", True:
                return t("本事项拆自：", "this one was split off: ") + words
            case "split", False:
                return t("拆出：", "split off: ") + words
        return ""

    def _split(self) -> None:
        visitor, t, remote = self.visitor, self.visitor.t, self.visitor.console.remote
        own, boxes = self._matter["id"], dict[str, ui.checkbox]()

        def choose() -> None:
            with ui.element("div").classes("fq-choose"):
                for one in self._matter["members"][-SHOWN:]:
                    words = f"{_at(one['at'])} · {visitor.channel(one['channel'])} · {one['title']}"
                    boxes[one["id"]] = ui.checkbox(words).props("dense").classes("fq-member")

        def ask(reason: str) -> Awaitable[Any] | None:
            chosen = [id for id, box in boxes.items() if box.value]
            return remote.split(visitor.who, own, chosen, reason) if chosen else None

        self._reasoned(
            t("拆分为另一事项", "Split off as another matter"), t("拆分", "Split"), ask,
            t("已提交拆分。", "The split is under way."), choose,
        )  # fmt: skip


def history(found: Mapping[str, Any]) -> list[Line]:
    """What staff decided and what the linker joined by itself, oldest first."""
    id = found.get("id")
    decided = [
        Line(
            d["kind"],
            d["at"],
            d["actor"],
            d["reason"],
            len(d.get("petitions") or ()),
            applied=d.get("applied", True),
            refused=d.get("refused") or "",
            subject=d.get("subject") or {},
            inward=(d.get("matter") == id) == (d["kind"] == "merge"),
        )
        for d in found.get("decisions", ())
    ]
    joined = [
        Line("merge", m["at"], LINKER, "", subject=m.get("subject") or {}, inward=m.get("kept") == id)
        for m in found.get("merges", ())
        if m["by"] == LINKER
    ]
    return sorted([*decided, *joined], key=lambda line: datetime.fromisoformat(line.at))


def _many(count: int) -> str:
    return "1 petition" if count == 1 else f"{count} petitions"


def _at(text: str) -> str:
    return moment(datetime.fromisoformat(text))
