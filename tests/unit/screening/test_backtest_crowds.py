"""The figures of a replay: whose flag it is."""

from datetime import timedelta

from deploy.backtest.county import Run, Told, play
from deploy.backtest.figures import crowds
from services.screening.domain.outcome import Filed
from shared.messagerows import Message
from tests.support.petitions import COUNTY, DAY, START
from tests.unit.screening.test_beside import POLICY, part


def messages_of(items: list[Filed]) -> list[Message]:
    rows = enumerate(items)
    return [Message(n, i.filing.id, i.filing.petitioner, i.filing.at, i.filing.title, i.text, COUNTY) for n, i in rows]


def test_a_crowd_is_not_flagged_by_the_flag_of_the_matter_beside_it() -> None:
    items = [part(n, w, at=START + n * timedelta(hours=36)) for n, w in enumerate([0, 0, 0, 1, 1])]
    items += [part(20 + n, 1, at=START + 50 * DAY + n * timedelta(hours=30)) for n in range(5)]
    run = play(COUNTY, items, POLICY)
    first, second = run.raised
    assert {run.matters[pid] for pid in first.flag.petitions} == {first.flag.matter, second.flag.matter}
    [found] = crowds(run, messages_of(items))
    assert (found.matter, found.flagged) == (second.flag.matter, second.at)


def test_the_flag_of_a_matter_that_was_taken_in_is_that_of_what_took_it_in() -> None:
    items = [part(n, 0, at=START + n * DAY) for n in range(6)]
    run = play(COUNTY, items, POLICY)
    [told] = run.raised
    into = dict.fromkeys(run.matters, "another")
    moved = Run([Told(told.what, told.at, told.flag)], into, {told.flag.matter: "another"})
    [found] = crowds(moved, messages_of(items))
    assert found.flagged == told.at
