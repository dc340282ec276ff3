import os
from datetime import UTC, date, datetime

import pytest

from services.screening.policyfile import PolicyWatch, parse_policy, read_policies, read_policy
from shared.yamlfile import ConfigError
from tests.support.petitions import POLICY

TEXT = (POLICY / "default.yaml").read_text(encoding="utf-8")


def line_of(part):
    return TEXT[: TEXT.index(part)].count("\n") + 1


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("    days: 30\n", "    days: 0\n", "rules.collective_risk.days: must be from 1 to 365"),
        ("    petitioners: 5\n", "    petitioners: five\n", "rules.collective_risk.petitioners"),
        ("    false_alarm: 0.000001", "    false_alarm: 0.5", "rules.collective_surge.false_alarm"),
        ("    channels: [visit]", "    channels: [visit, letter]", "only visits"),
        ("    max_representatives: 5", "    max_representatives: 3", "max_representatives: must be from 5 to 5"),
        ("    tiers: [{at_least: 1, level: I}]", "    tiers: [{at_least: 1, level: III}]", "always on and of level I"),
        ("    clear_below: 2", "    clear_below: 9", "cannot be above petitioners"),
        ("  keep_days: 180", "  keep_days: 100", "two windows or more"),
        ("reply_days: 60", "reply_days: 90", "reply_days: must be from 1 to 60"),
        ("version: 1\n", "version: 1\nversion: 2\n", "given twice"),
        ("reply_days: 60", "reply_days: 60\nscore_of_person: 1", "score_of_person"),
    ],
)
def test_an_error_names_the_line_and_what_to_change(old, new, says):
    assert old in TEXT
    with pytest.raises(ConfigError) as error:
        parse_policy(TEXT.replace(old, new, 1), source="p.yaml")
    assert says in str(error.value)
    near = line_of(old)
    if "life" not in says and "level I" not in says:
        assert near <= error.value.line <= near + 1
    assert str(error.value).startswith(f"p.yaml:{error.value.line}:")


PERIOD = "sensitive_periods:\n- {name: 两会, first_day: 2027-03-01, last_day: 2027-03-15"


@pytest.mark.parametrize("key", ["rules: {}", "thresholds: 3", "flags: [visit]", "collective_risk: {petitioners: 2}"])
def test_a_sensitive_period_cannot_touch_what_is_flagged(key):
    text = TEXT.replace("sensitive_periods: []", PERIOD + f", {key}}}")
    with pytest.raises(ConfigError, match="cannot add a flag on a lawful act") as error:
        parse_policy(text)
    assert error.value.line == text[: text.index("两会")].count("\n") + 1


@pytest.mark.parametrize(("key", "value"), [("internal_target_factor", "1.5"), ("staffing_factor", "0.5")])
def test_a_sensitive_period_only_shortens_targets_and_raises_staffing(key, value):
    with pytest.raises(ConfigError, match="only ever"):
        parse_policy(TEXT.replace("sensitive_periods: []", PERIOD + f", {key}: {value}}}"))


def test_a_sensitive_period_shortens_targets_on_its_days_alone():
    more = PERIOD + ", internal_target_factor: 0.5, staffing_factor: 2}"
    policy = parse_policy(TEXT.replace("sensitive_periods: []", more))
    assert policy.targets(date(2027, 3, 15))["I"] == 7.5
    assert policy.staffing(date(2027, 3, 1)) == 2
    assert policy.targets(date(2027, 3, 16))["I"] == 15
    assert policy.staffing(date(2027, 3, 16)) == 1
    assert policy.rules == parse_policy(TEXT).rules


def test_the_policy_in_force_is_that_of_the_day_in_beijing(tmp_path):
    (tmp_path / "a.yaml").write_text(TEXT, encoding="utf-8")
    newer = TEXT.replace("version: 1\n", "version: 2\n", 1).replace("2022-05-01  ", "2027-01-01  ", 1)
    (tmp_path / "b.yaml").write_text(newer, encoding="utf-8")
    (tmp_path / "other.yaml").write_text("receivers: {}\n", encoding="utf-8")
    policies = read_policies(tmp_path)
    assert policies.at(datetime(2026, 12, 31, 15, 59, tzinfo=UTC)).version == 1
    assert policies.at(datetime(2026, 12, 31, 16, 0, tzinfo=UTC)).version == 2
    assert policies.at(datetime(2010, 1, 1, tzinfo=UTC)).version == 1


def test_two_files_of_one_version_are_refused(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text(TEXT, encoding="utf-8")
    with pytest.raises(ConfigError, match="also that of"):
        read_policies(tmp_path)


def test_a_directory_without_a_policy_is_refused(tmp_path):
    (tmp_path / "other.yaml").write_text("receivers: {}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="no screening policy"):
        read_policies(tmp_path)


def test_a_watch_takes_a_good_change_and_keeps_the_last_good_one_after_a_bad(tmp_path):
    file = tmp_path / "p.yaml"
    file.write_text(TEXT, encoding="utf-8")
    watch = PolicyWatch(file)
    assert watch.poll() is None
    file.write_text(TEXT.replace("version: 1\n", "version: 7\n", 1), encoding="utf-8")
    os.utime(file, ns=(1, 1))
    assert watch.poll().all[0].version == 7
    file.write_text("rules: [", encoding="utf-8")
    os.utime(file, ns=(2, 2))
    assert watch.poll() is None
    assert watch.error is not None
    assert watch.policies.all[0].version == 7


def test_the_packaged_policy_is_valid():
    assert read_policy(POLICY / "default.yaml").name == "fengqiao-default@1"
