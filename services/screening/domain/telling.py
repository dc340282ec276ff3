"""What was told of each flag, and what has to be told now: each transition once, and what fell away is taken back."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from services.screening.domain.explain import render
from services.screening.domain.flags import ORDER, RELINKED, Episode, Flag, Told
from services.screening.domain.history import PASSED, History, episode_id
from services.screening.domain.outcome import Notice, Outcome, derived


class Telling:
    """The flags of one county as others know them."""

    def __init__(self, county: str) -> None:
        self.county = county
        self.told: dict[str, Told] = {}
        self._turns: dict[str, int] = {}
        self._by: dict[str, set[str]] = {}
        self._expiries: list[tuple[datetime, str]] = []

    def restore(self, told: Iterable[Told]) -> None:
        """Take over what the store says was told."""
        for known in told:
            if known.retracted:
                self._turns[known.flag.id] = known.turn
                continue
            self.told[known.flag.id] = known
            self._by.setdefault(known.flag.matter, set()).add(known.flag.id)
            if known.open:  # it may be told as it is, and would else be passed over until something happens to it
                heapq.heappush(self._expiries, (known.flag.expires_at, known.flag.matter))

    def due(self, bound: datetime) -> Iterator[str]:
        """Matters that may hold a flag that expired by `bound`."""
        while self._expiries and self._expiries[0][0] <= bound:
            yield heapq.heappop(self._expiries)[1]

    def waits(self, bound: datetime) -> bool:
        """Whether `due` would give something."""
        return bool(self._expiries) and self._expiries[0][0] <= bound

    def over(self, history: History) -> list[tuple[str, str]]:
        """Flags that stand by a matter's events, but ended by the clock on the wall and would end no later now."""
        if history.state is None:
            return []
        return [
            key
            for key, episode in history.state.open.items()
            if (told := self.told.get(episode_id(history.id, episode))) is not None
            and told.flag.reason == PASSED
            and episode.finding.expires_at <= told.flag.expires_at
        ]

    def forget(self, history: str) -> None:
        """Drop what was told of a matter that left the memory."""
        for fid in self._by.pop(history, ()):
            self.told.pop(fid, None)

    def tell(self, histories: Iterable[History], out: Outcome) -> None:
        """Compare the flags of these matters with what was told of them; put the difference into `out`."""
        now: dict[str, tuple[History, Episode]] = {}
        before: dict[str, History] = {}
        for history in histories:
            before |= dict.fromkeys(self._by.get(history.id, ()), history)
            if history.state is not None and (history.state.open or history.state.closed):
                for episode in history.state.episodes():
                    now[episode_id(history.id, episode)] = (history, episode)
        for fid in sorted(set(before) - set(now)):
            self._retract(fid, before[fid], out)
        for fid, (history, episode) in now.items():
            self._compare(fid, history, episode, out)
        out.notices.sort(key=lambda n: (ORDER[n.flag.kind] > 0, n.at, ORDER[n.flag.kind], n.flag.id))

    def _compare(self, fid: str, history: History, episode: Episode, out: Outcome) -> None:
        state = history.state
        told = self.told.get(fid)
        if episode.told and told is not None and told.flag.matter == history.id:
            return
        keys = [transition.key for transition in episode.log]
        stands = episode.closed_at is None
        if state is None or (
            told is not None
            and told.flag.matter == history.id
            and (told.flag.seen_at, told.open) == (episode.seen_at, stands)
            and told.flag.distinct == _distinct(episode, told)
            and told.keys.issuperset(keys)
        ):
            return
        flag = render(history, state, self.county, episode)
        if told is None:
            told = self.told[fid] = Told(flag, open=False, turn=self._turns.get(fid, 0))
        elif not told.keys.issubset(keys):
            told.turn += 1
        for transition, key in zip(episode.log, keys, strict=True):
            if key not in told.keys:
                again = transition.what == "raised" and told.open
                shown = render(history, state, self.county, episode, transition)
                what = "updated" if again else transition.what
                self._notice(history, shown, (what, key), told.turn, out, at=transition.at)
                told.keys.add(key)
                told.open = transition.what != "cleared"
        if stands != told.open:  # it was cleared, and a petition that came late shows that it stands; or the other way
            what = "raised" if stands else "cleared"
            self._notice(history, flag, (what, f"{what}|{episode.seen_at.isoformat()}|again"), told.turn, out)
            told.open, told.turn = stands, told.turn + 1
        if told.flag.matter != history.id:
            self._by.get(told.flag.matter, set()).discard(fid)
        told.keys, told.flag = set(keys), flag
        self._by.setdefault(history.id, set()).add(fid)
        out.flags[fid] = Told(flag, set(keys), open=stands, turn=told.turn)
        episode.told = flag.distinct == _distinct(episode, told)
        if stands:
            heapq.heappush(self._expiries, (episode.finding.expires_at, history.id))

    def _retract(self, fid: str, history: History, out: Outcome) -> None:
        """What came shows that the flag never stood: it is cleared, and the record of that stays."""
        told = self.told.pop(fid)
        self._by[history.id].discard(fid)
        flag = replace(told.flag, state="cleared", reason=RELINKED, closed_at=told.flag.seen_at)
        self._turns[fid] = told.turn + 1
        out.flags[fid] = Told(flag, set(), open=False, turn=told.turn + 1)
        if told.open:
            self._notice(history, flag, ("cleared", "retracted"), told.turn, out)

    def _notice(
        self, history: History, flag: Flag, key: tuple[str, str], turn: int, out: Outcome, at: datetime | None = None
    ) -> None:
        """Tell a transition: what it is and the key that tells it from the others of the same turn."""
        history.sequence += 1
        out.matters.add(history.id)
        id = derived(flag.id, *key, *([str(turn)] if turn else []))
        out.notices.append(Notice(id, flag, at or flag.seen_at, key[0], history.sequence))


def _distinct(episode: Episode, told: Told) -> int:
    return int(episode.finding.observed) if episode.kind == "collective_risk" else told.flag.distinct
