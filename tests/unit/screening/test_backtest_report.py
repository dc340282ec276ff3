"""What the report of a backtest says of people who are not named, and of files that write their times in another zone."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from deploy.backtest.figures import crowds, figures
from deploy.backtest.report import write_report
from deploy.backtest.runner import replay
from shared.messagerows import Message
from tests.support.petitions import COUNTY, POLICY, filed

DEFAULT = POLICY / "default.yaml"
LATE = datetime(2026, 2, 28, 17, 0, tzinfo=UTC)  # the first of March in Beijing, 01:00


def crowd(people: list[str]) -> list[Message]:
    items = [filed(n, 0) for n in range(len(people))]
    return [
        Message(n, str(n), who, LATE + timedelta(minutes=n), item.filing.title, item.text, COUNTY, {})
        for n, (who, item) in enumerate(zip(people, items, strict=True))
    ]


def test_each_who_is_not_named_is_a_petitioner_of_his_own() -> None:
    for people, count in ((["", "", "", "", "", ""], 6), (["a", "b", "c", "d", "", "", "a"], 6)):
        messages = crowd(people)
        [found] = crowds(replay(messages, DEFAULT, county=COUNTY, workers=1), messages)
        assert (found.petitions, found.petitioners) == (len(people), count)


def test_days_and_times_are_those_of_beijing(tmp_path) -> None:
    messages = crowd(["a", "b", "c", "d", "e", "f"])
    run = replay(messages, DEFAULT, county=COUNTY, workers=1)
    found = figures(run, messages, "p@1", budget=1)
    page = tmp_path / "r.html"
    write_report(page, found, None, None)
    html = page.read_text(encoding="utf-8")
    assert "<p>2026-03-01 – 2026-03-01 · 6 件" in html
    bars = re.findall(r"<title>([^<]*)</title></rect>", html)
    assert bars == ["2026-03-01: 1"]
    assert "<td>2026-03-01 01:04<td>2026-03-01 01:04" in html
    # The first and the last bar are drawn, though the file's last day is a day before Beijing's.
    write_report(page, replace(found, first=LATE - timedelta(days=3)), None, None)
    assert 'y="216" font-size="12">2026-02-26</text>' in page.read_text(encoding="utf-8")
