"""One county's screening: petitions, steps and decisions go in, matters and flags come out. No clock, no I/O.

The live pipeline and `fengqiao backtest` run this same code. What it holds is a function of the set of inputs, in any order
of arrival within the lateness bound, in any batches, with any restart between them (`restoring.rebuild`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from services.screening.domain.deciding import last_of, meaning
from services.screening.domain.explain import render
from services.screening.domain.flags import ORDER, Flag
from services.screening.domain.history import (
    Absorb,
    Absorbed,
    Beside,
    History,
    Input,
    Join,
    entry,
    in_order,
    step_entry,
)
from services.screening.domain.matters import LinkConfig, Linked, Merge
from services.screening.domain.outcome import Filed, Item, MatterMerge, Outcome, Placed, derived, message_of
from services.screening.domain.petitions import Decision, Filing, Step
from services.screening.domain.policy import Policies
from services.screening.domain.quiet import Quiet
from services.screening.domain.rates import CountyRate, day_number
from services.screening.domain.state import Member
from services.screening.domain.telling import Telling
from services.screening.domain.timeline import Changes, Timeline

Rows = list[tuple[str, Input]]
TimelineFactory = Callable[[LinkConfig], Timeline]
MOMENT = timedelta(milliseconds=1)


class County:
    """The live matters of one county. `linking`: the numbers of the policy in force `at` a moment, the first one's without; they
    hold until the county is built anew.
    """

    def __init__(
        self, county: str, policies: Policies, timeline: TimelineFactory = Timeline, *, at: datetime | None = None
    ) -> None:
        self.county = county
        self.policies = policies
        self.linking = (policies.all[0] if at is None else policies.at(at)).linking
        self.timeline = timeline(self._link_config())
        self.rate = CountyRate()
        self.histories: dict[str, History] = {}
        self.placed: dict[str, Placed] = {}
        self.telling = Telling(county)
        self.newest: datetime | None = None
        self._alias: dict[str, tuple[str, tuple[datetime, str]]] = {}
        self._orphans: dict[str, dict[str, Step]] = {}
        self._decisions: set[str] = set()
        self._decided = datetime.min.replace(tzinfo=UTC)
        self._merges: dict[str, tuple[str, str]] = {}
        self._dirty: set[str] = set()
        self._swept: datetime | None = None
        self._quiet = Quiet()

    # -- asking -------------------------------------------------------------------------------------------------------

    def root(self, matter: str, key: tuple[datetime, str] | None = None) -> str:
        """The matter that this one is now part of, or was at the moment `key`."""
        while (found := self._alias.get(matter)) is not None and (key is None or found[1] <= key):
            matter = found[0]
        return matter

    def path(self, matter: str) -> list[str]:
        """This matter and those that it became part of one after the other, the last of which it is part of now."""
        found = [matter]
        while (alias := self._alias.get(found[-1])) is not None:
            found.append(alias[0])
        return found

    def flags(self) -> list[Flag]:
        """Every flag of the matters in memory, ended ones too, as they are now; in the order of being raised."""
        found = [
            render(history, history.state, self.county, episode)
            for history in self.histories.values()
            if history.state is not None
            for episode in history.state.episodes()
        ]
        return sorted(found, key=lambda flag: (flag.at, ORDER[flag.kind], flag.id))

    def due(self, at: datetime | None) -> bool:
        """Whether `advance` has something to clear."""
        return at is not None and self.telling.waits(at)

    # -- changing -----------------------------------------------------------------------------------------------------

    def apply(self, items: Iterable[Item]) -> Outcome:
        """Take in a batch in any order; what was seen before is ignored."""
        self._sweep()  # first: what this batch files must be there for whoever writes it down
        out = Outcome()
        filings: dict[str, Filed] = {}
        steps: list[Step] = []
        decisions: list[Decision] = []
        for item in items:
            if isinstance(item, Filed):
                if item.filing.id not in self.placed:
                    filings.setdefault(item.filing.id, item)
            elif isinstance(item, Step):
                steps.append(item)
            else:
                decisions.append(item)
        rows = self._file(filings, out) if filings else []
        for step in steps:
            rows += self.stepped(step, out)
        for pid in filings:
            for step in self._orphans.pop(pid, {}).values():
                rows += self.stepped(step, out)
        touched = self.feed(rows)
        for decision in decisions:
            if decision.id not in self._decisions:
                at = max(self.newest or decision.at, self._decided, last_of(self, decision))
                decision = replace(decision, at=at + MOMENT)  # noqa: PLW2901 - after what was there, and one by one
                out.decided.append(decision)
                touched |= self.feed(self.decided(decision, out))
        self._tell(touched | self._expired(self.bound()), out)
        return out

    def advance(self, at: datetime | None) -> Outcome:
        """Clear what has expired by `at`: event time that no petition within the lateness bound can lie before."""
        out = Outcome()
        self._tell(self._expired(at), out)
        return out

    def adopt(self, policies: Policies) -> Outcome:
        """Go on under other policies: every matter is folded again under them. Their linking holds from the next start."""
        self.policies = policies
        for history in self.histories.values():
            history.stale = history.state is not None
        out = Outcome()
        self._tell(set(self.histories), out)
        return out

    # -- petitions ----------------------------------------------------------------------------------------------------

    def _file(self, filings: dict[str, Filed], out: Outcome) -> Rows:
        linkable, alone = [], []
        for item in filings.values():
            filing = item.filing
            out.filed[filing.id] = item.text
            if filing.restricted or not (filing.title or item.text):
                alone.append(filing)
            else:
                linkable.append(message_of(filing, item.text))
        known = {pid: item.filing for pid, item in filings.items()}
        rows = self.linked(self.timeline.add(linkable), known, out) if linkable else []
        for filing in alone:
            self._seen(filing.at)
            own = Linked(filing.id, derived("alone", filing.id), new=True)
            rows.append(self._place(filing, own, None, out))
        return rows

    def linked(self, changes: Changes, known: Mapping[str, Filing], out: Outcome) -> Rows:
        """Turn what the linker changed into inputs of the matters; what it took back is taken back first."""
        for merge in changes.unmerged:
            self._unmerge(derived("merge", merge.kept, merge.gone, merge.cause), out)
        for link in changes.links:
            if not link.late and link.message in known:
                self._seen(known[link.message].at)
        rows: Rows = []
        waiting = {(m.kept, m.gone, m.cause): m for m in changes.merges}
        steps: dict[str, list[Step]] = {}
        for link in changes.links:
            if (placed := self.placed.get(link.message)) is not None:
                steps[link.message] = self._unplace(link.message, placed, out)
        for link in changes.links:
            placed = self.placed.get(link.message)
            filing = known[link.message] if placed is None else placed.member.filing
            for merge in link.merged:
                if waiting.pop((merge.kept, merge.gone, merge.cause), None) is not None:
                    rows += self.merged(self._row(merge, filing, link.late), out)
            row = self._place(filing, link, link.matter, out)
            rows.append(row)
            rows += self.beside(link.message)
        for merge in waiting.values():  # the cause itself is linked as before
            cause = self.placed[merge.cause].member
            rows += self.merged(self._row(merge, cause.filing, cause.joined != cause.filing.at), out)
        rows += [
            row for pid, again in steps.items() for step in again for row in self.everywhere(step, self.placed[pid])
        ]
        for message, _, now in changes.assigned:
            found = self.placed.get(message)
            if found is not None and found.link != now:
                found.link = now
                out.moved.add(message)
        return rows

    def _place(self, filing: Filing, link: Linked, linker: str | None, out: Outcome) -> tuple[str, Input]:
        joined = self.newest if link.late and self.newest is not None else filing.at
        weak = not link.new and link.score < self.policies.at(joined).rules.collective_risk.min_score
        matter = link.matter
        if filing.joined is not None and (other := self.placed.get(filing.joined)) is not None:
            matter, weak = other.home, False  # the filer chose to join it
        home = self.root(matter, (joined, filing.id))
        member = Member(filing, joined, link.duplicate_of is not None, weak)
        old = self.placed.get(filing.id)
        if link.late and old is None:  # one that is linked again was noted when it came
            out.late.append(filing.id)
        core = None if link.core is None else self.root(link.core, (joined, filing.id))
        now, splits = (old.matter, old.splits) if old else (home, ())
        self.placed[filing.id] = Placed(member, home, now, linker, link, core, link.beside, splits)
        out.days.add(self.rate.count(joined))
        return home, entry(joined, Join(member), filing.id)

    def beside(self, pid: str) -> Rows:
        """What this petition showed to lie beside the largest of the matters near it, as an input of that matter."""
        placed = self.placed[pid]
        if placed.core is None:
            return []
        filings = tuple(self.placed[other].member.filing for other in placed.beside if other in self.placed)
        return [(placed.core, entry(placed.member.joined, Beside(filings), pid))]

    def _unplace(self, pid: str, placed: Placed, out: Outcome) -> list[Step]:
        """Take a petition out of the matter it was linked to, as it is linked otherwise now; gives its steps."""
        home = self.histories[placed.home]
        steps = home.steps_of(pid)
        for name in {name for step in steps[:1] for name, _ in self.everywhere(step, placed)} & self.histories.keys():
            self.histories[name].forget_steps(pid)
            self._dirty.add(name)
        home.remove([entry(placed.member.joined, Join(placed.member), pid)[0]])
        self._dirty.add(placed.home)
        if placed.core is not None:
            self.histories[placed.core].remove([entry(placed.member.joined, Beside(()), pid)[0]])
            self._dirty.add(placed.core)
        day = day_number(placed.member.joined)
        self.rate.uncount(day)
        out.days.add(day)
        out.moved.add(pid)
        return steps

    def _seen(self, at: datetime) -> None:
        if self.newest is None or at > self.newest:
            self.newest = at

    # -- steps, merges, decisions -------------------------------------------------------------------------------------

    def stepped(self, step: Step, out: Outcome) -> Rows:
        """A step as inputs of the matters its petition is in; it waits where the petition is not there yet."""
        placed = self.placed.get(step.petition)
        if placed is None:
            self._orphans.setdefault(step.petition, {})[step.id] = step
            out.orphans.append(step)
            return []
        out.stepped.append(step)
        return self.everywhere(step, placed)

    def everywhere(self, step: Step, placed: Placed) -> Rows:
        """A step as an input of each matter that its petition came through: those between count too, as a matter takes the
        steps over from the one it took in. Where staff moved the petition to, it is not before the move.
        """
        joined = dict.fromkeys((*self.path(placed.home), placed.matter), placed.member.joined)
        for split, at in placed.splits:
            joined = dict.fromkeys(self.path(split), placed.member.joined) | joined | {split: at}
        return [(name, step_entry(step, placed.member.filing, at)) for name, at in joined.items()]

    def _row(self, merge: Merge, cause: Filing, late: bool) -> MatterMerge:
        at = self.newest if late and self.newest is not None else cause.at
        id = derived("merge", merge.kept, merge.gone, merge.cause)
        return MatterMerge(id, merge.kept, merge.gone, at, merge.cause, merge.score, "linker", merge.moved)

    def merged(self, row: MatterMerge, out: Outcome) -> Rows:
        """A merge as inputs of both matters. Steps may lie behind it, as they come later than petitions do: they come along."""
        key, by_staff = (row.at, row.cause), row.by != "linker"
        kept, gone = self.root(row.kept, key), self.root(row.gone, key)
        if kept == gone:
            return []
        self._alias[gone] = (kept, key)
        self._merges[row.id] = (kept, gone)
        out.merges.append(replace(row, kept=kept, gone=gone) if by_staff else row)
        other = self.histories.setdefault(gone, History(gone))
        other.merged_into = kept
        since = other.steps_since(row.at)
        rows = [(gone, entry(row.at, Absorbed(kept), row.id)), (kept, entry(row.at, Absorb(other, by_staff), row.id))]
        return rows + [(name, item) for name in self.path(kept) for item in since]

    def _unmerge(self, id: str, out: Outcome) -> None:
        out.unmerged.append(id)
        if id not in self._merges:
            return
        kept, gone = self._merges.pop(id)
        self._alias.pop(gone, None)
        self.histories[gone].merged_into = None
        for name in (kept, gone):
            history = self.histories[name]
            history.remove([key for key, h in history.inputs if isinstance(h, Absorb | Absorbed) and key[2] == id])
            if history.inputs:
                self._quiet.note(name, history.last)
            self._dirty.add(name)

    def decided(self, decision: Decision, out: Outcome) -> Rows:
        """What a decision of staff means for the matters; it holds from just after the newest petition on."""
        self._decisions.add(decision.id)
        self._decided = max(self._decided, decision.at)
        return meaning(self, decision, out)

    # -- folding ------------------------------------------------------------------------------------------------------

    def feed(self, rows: Sequence[tuple[str, Input]]) -> set[str]:
        """Give each matter its inputs in the order of time, then fold what has to be folded anew."""
        touched: set[str] = set()
        for name in self._dirty:
            self._look_again(name, touched)
        self._dirty.clear()
        for name, item in sorted(rows, key=in_order):
            history = self.histories.get(name)
            if history is None:
                if isinstance(item[1], Step):
                    continue  # of a petition that was split off; the matter it came to first has left memory
                history = self.histories[name] = History(name)
            if not history.inputs:
                self._quiet.note(name, item[0][0])
            late = history.add(item, self.policies, self.rate)
            touched.add(name)
            if late or isinstance(item[1], Join | Beside):
                self._look_again(name, touched)
        bound = self.bound()
        for name in touched:
            history = self.histories[name]
            history.fold(self.policies, self.rate)
            if bound is not None:
                history.expire(bound)
        return touched

    def _look_again(self, name: str, touched: set[str]) -> None:
        """A matter changed in its past: whatever absorbed it is folded anew."""
        touched.add(name)
        history = self.histories[name]
        while history.absorbed and history.merged_into is not None:
            history = self.histories[history.merged_into]
            history.stale = True
            touched.add(history.id)

    def _tell(self, touched: set[str], out: Outcome) -> None:
        for name in touched:
            self.histories[name].fold(self.policies, self.rate)
            self.histories[name].end(self.telling.over(self.histories[name]))
        out.matters |= touched
        self.place_members(touched, out)
        self.telling.tell([self.histories[name] for name in sorted(touched)], out)

    def place_members(self, touched: Iterable[str], out: Outcome) -> None:
        """Note for each member that came to these matters where it is now."""
        for name in touched:
            history = self.histories[name]
            if history.merged_into is None:
                for member in history.newcomers():
                    placed = self.placed[member.filing.id]
                    if placed.matter != name:
                        placed.matter = name
                        out.moved.add(member.filing.id)

    def _expired(self, bound: datetime | None) -> set[str]:
        if bound is None:
            return set()
        due = [name for name in self.telling.due(bound) if name in self.histories]
        return {name for name in due if self.histories[name].expire(bound)}

    def bound(self) -> datetime | None:
        """Event time before which nothing can change any more."""
        return None if self.newest is None else self.newest - self.linking.lateness

    def _link_config(self) -> LinkConfig:
        numbers = self.linking
        config = LinkConfig(window=timedelta(days=numbers.window_days), lateness=numbers.lateness)
        scores = {name: getattr(numbers, name) for name in ("threshold", "merge", "beside", "beside_names")}
        return replace(config, **{name: score for name, score in scores.items() if score is not None})

    def _sweep(self) -> None:
        """Once a day of event time, forget the matters in which nothing happened for `keep_days`."""
        if self.newest is None or (self._swept is not None and self.newest < self._swept + timedelta(days=1)):
            return
        self._swept = self.newest
        limit = self.newest - timedelta(days=self.linking.keep_days)
        for history in self._quiet.take(limit, self.histories):
            del self.histories[history.id]
            self.telling.forget(history.id)
            for member in history.members():
                self.placed.pop(member.filing.id, None)
