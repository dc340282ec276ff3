"""`fengqiao backtest`: the same engine as the live pipeline, offline."""

from datetime import timedelta

import orjson
import pytest
from typer.testing import CliRunner

from deploy.backtest import county
from deploy.backtest.county import filed as as_petition
from deploy.backtest.county import play
from deploy.backtest.figures import crowds, difference, figures, peak_week
from deploy.backtest.runner import replay
from deploy.bench.backtest import county_year
from deploy.cli import app
from services.screening import contract
from services.screening.domain.engine import County
from shared.messages import Message
from tests.support.petitions import COUNTY, MATTERS, POLICIES, POLICY, START, filed
from tests.support.screening import filed_event

DAY = timedelta(days=1)
DEFAULT = POLICY / "default.yaml"


def message(n, matter=0, *, days=0.0, petitioner=None, county=COUNTY, **more):
    item = filed(n, matter)
    return Message(n, str(n), petitioner or f"who{n}", START + days * DAY, item.filing.title, item.text, county, more)


def crowd(county=COUNTY):
    return [message(n + (1000 if county != COUNTY else 0), days=n * 3, county=county) for n in range(8)]


def write(path, messages):
    rows = [
        {
            "id": int(m.id),
            "petitioner": m.petitioner,
            "submitted_at": m.submitted_at.isoformat(),
            "title": m.title,
            "text": m.text,
        }
        for m in messages
    ]
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    return path


def test_the_command_writes_a_line_for_each_flag(tmp_path):
    source = write(tmp_path / "m.jsonl", crowd())
    out, page, events = tmp_path / "f.jsonl", tmp_path / "r.html", tmp_path / "e.jsonl"
    lower = tmp_path / "q.yaml"
    text = DEFAULT.read_text(encoding="utf-8").replace("petitioners: 5\n", "petitioners: 3\n", 1)
    lower.write_text(text.replace("version: 1\n", "version: 2\n", 1), encoding="utf-8")
    given = ["backtest", str(source), "--policy", str(DEFAULT), "--against", str(lower), "--out", str(out)]
    result = CliRunner().invoke(app, [*given, "--html", str(page), "--events", str(events)])
    assert result.exit_code == 0, result.output
    [line] = [orjson.loads(row) for row in out.read_bytes().splitlines()]
    assert set(line) == {"at", "kind", "matter", "ids", "level", "rule"}
    assert (line["kind"], line["ids"], line["level"]) == ("collective_risk", [0, 1, 2, 3, 4], "III")
    assert line["at"] == (START + 12 * DAY).isoformat()
    assert [orjson.loads(row)["what"] for row in events.read_bytes().splitlines()] == ["raised", "updated"]
    html = page.read_text(encoding="utf-8")
    assert "<svg" in html
    assert "fengqiao-default@2" in html
    assert "演练" in html
    assert "http://" not in html.replace("http://www.w3.org", "")
    assert "https://" not in html


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [("version: [", 2, "policy.yaml:1"), ("rules: {}\n", 2, "policy.yaml:1")],
)
def test_a_bad_policy_stops_it_with_file_and_line(tmp_path, text, code, says):
    policy = tmp_path / "policy.yaml"
    policy.write_text(text, encoding="utf-8")
    source = write(tmp_path / "m.jsonl", crowd())
    result = CliRunner().invoke(app, ["backtest", str(source), "--policy", str(policy), "--out", str(tmp_path / "o")])
    assert result.exit_code == code
    assert says in result.output.replace("\n", "")
    checked = CliRunner().invoke(app, ["policy", "check", str(policy)])
    assert checked.exit_code == 2
    assert not (tmp_path / "o").exists()


def test_policy_check_says_what_is_in_force():
    result = CliRunner().invoke(app, ["policy", "check", str(DEFAULT)])
    assert result.exit_code == 0
    assert "fengqiao-default@1" in result.output


def test_live_and_backtest_give_the_same_flags_on_the_same_events():
    """The consumer's own way in (event → contract → engine, small batches) beside the runner's."""
    events = [filed_event(n, n % len(MATTERS), minutes=97 * n) for n in range(40)]
    live = County(COUNTY, POLICIES)
    told = []
    for start in range(0, len(events), 3):
        batch = [contract.filed_of(e, e.time + 365 * DAY) for e in events[start : start + 3]]
        told += live.apply(batch).notices
    rows = [
        Message(n, e.data.petition_id, e.data.petitioner, e.data.submitted_at, e.data.title, e.data.text, COUNTY)
        for n, e in enumerate(events)
    ]
    rows = [Message(**{**vars(m), "more": {"channel": e.data.channel}}) for m, e in zip(rows, events, strict=True)]
    run = play(COUNTY, [as_petition(m, COUNTY) for m in rows], POLICIES)
    mine = [(t.what, t.at, t.flag.id, t.flag.level, t.flag.observed, t.flag.petitions) for t in run.told]
    theirs = [(n.what, n.at, n.flag.id, n.flag.level, n.flag.observed, n.flag.petitions) for n in told]
    assert theirs
    assert sorted(mine, key=str) == sorted(theirs, key=str)
    assert {pid: p.matter for pid, p in live.placed.items()} == run.matters


def test_the_size_of_the_batches_moves_no_flag(monkeypatch):
    year = county_year(2, 40.0, 60.0)

    def by(size):
        monkeypatch.setattr(county, "BATCH", size)
        run = county.play(COUNTY, year, POLICIES)
        return run.matters, sorted((t.at, t.flag.id, t.what) for t in run.told if t.what != "updated")

    assert by(1) == by(137) == by(5000)
    assert len(by(137)[1]) > 20


def test_counties_side_by_side_are_as_one_after_the_other():
    messages = crowd() + crowd("379912")
    one = replay(messages, DEFAULT, county=COUNTY, workers=1)
    two = replay(messages, DEFAULT, county=COUNTY, workers=2)
    assert [t.flag.id for t in one.told] == [t.flag.id for t in two.told]
    assert len(one.raised) == 2
    assert one.matters == two.matters


def test_figures_say_how_early_the_flag_came():
    messages = crowd()
    run = replay(messages, DEFAULT, county=COUNTY, workers=1)
    [found] = crowds(run, messages)
    assert found.fifth == START + 12 * DAY
    assert found.lead_fifth == timedelta()
    told = figures(run, messages, "p@1", budget=1)
    assert (told.flags, told.in_time, told.after, told.missed) == (1, 1, 0, 0)
    assert told.per_day == {(START + 12 * DAY).date(): 1}


def test_two_policies_are_compared_by_kind_and_petitions():
    messages = crowd()
    run = replay(messages, DEFAULT, county=COUNTY, workers=1)
    same = difference(run, run)
    assert (same.both, same.only_first, same.only_second, same.earlier, same.later) == (1, (), (), 0, 0)


def test_the_peak_week_is_the_first_of_those_with_the_most_petitions():
    days = [0, 1, 9, 10, 16, 30, 31, 36.5]
    rows = [Message(n, str(n), str(n), START + day * DAY, "题", "文", COUNTY, {}) for n, day in enumerate(days)]
    assert peak_week(rows[:2]) == START
    assert peak_week(rows[:5]) == START  # two within a week; the sixteenth day is seven days after the ninth
    assert peak_week(rows) == START + 30 * DAY
