"""Group G78: policies that call nobody, at once, or round in circles are refused when the file is read."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from services.alerts.domain.plans import EMERGENCY_KINDS, PRINCIPLES
from services.alerts.policy import ConfigError, folder, load_escalations, load_plans, parse_duration
from shared.directory import directory


def good() -> dict:
    return yaml.safe_load((folder() / "escalation.yaml").read_text(encoding="utf-8"))


def load(tmp_path: Path, file: dict):
    path = tmp_path / "escalation.yaml"
    path.write_text(yaml.safe_dump(file, allow_unicode=True), encoding="utf-8")
    return load_escalations(path)


def test_the_packaged_files_are_good(tmp_path):
    escalations = load(tmp_path, good())
    assert escalations.policies.problems() == []
    assert escalations.policies.choose("life_safety", "III").id == "urgent"
    assert escalations.policies.choose("collective_risk", "III").id == "ordinary"
    book = load_plans()
    assert {plan.kind for plan in book.plans.values()} == set(EMERGENCY_KINDS)
    assert (len(EMERGENCY_KINDS), len(PRINCIPLES)) == (4, 6)
    assert directory().version


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (("policies", "urgent", "steps", 0, "call"), [], "calls nobody"),
        (("policies", "urgent", "steps", 0, "after"), "0m", "delay"),
        (("policies", "urgent", "steps", 0, "after"), "-5m", "a time is"),
        (("policies", "urgent", "steps", 0, "after"), "300d", "delay"),
        (("policies", "urgent", "steps", 0, "after"), 5, "a time is"),
        (("policies", "urgent", "steps"), [], "no step"),
        (("policies", "urgent", "loops"), 0, "loops"),
        (("policies", "urgent", "loops"), 1000, "loops"),
        (("policies", "urgent", "then"), "urgent", "comes back"),
        (("policies", "urgent", "then"), "nobody", "names no policy"),
        (("policies", "urgent", "steps", 0, "call"), ["nobody"], "no receiver"),
        (("policies", "urgent", "notify"), ["nobody"], "no receiver"),
        (("policies", "urgent", "repeat"), "0s", "repeat"),
        (("policies", "urgent", "acknowledge_holds"), "90d", "acknowledge_holds"),
        (("levels", "I"), "nobody", "names no policy"),
        (("levels",), {"I": "urgent"}, "has no policy"),
        (("kinds",), {"life_safety": "nobody"}, "names no policy"),
        (("receivers", "hook"), {"type": "webhook", "url": "https://x.test"}, "webhook needs"),
        (("receivers", "hook"), {"type": "webhook", "url": "ftp://x.test", "key_id": "k", "key": "k"}, "url"),
        (("receivers", "chat"), {"type": "apprise"}, "apprise needs"),
        (("receivers", "x"), {"type": "pigeon"}, "receivers"),
        (("reports", "leaders"), ["nobody"], "no receiver"),
        (("surprise",), 1, "surprise"),
    ],
)
def test_a_bad_file_is_refused_and_says_where(tmp_path, path, value, says):
    file = good()
    at = file
    for part in path[:-1]:
        at = at[part]
    at[path[-1]] = value
    with pytest.raises(ConfigError, match=says) as refused:
        load(tmp_path, file)
    assert refused.value.line >= 1


def test_a_chain_of_policies_that_comes_back_is_refused(tmp_path):
    file = good()
    file["policies"]["urgent"]["then"] = "prompt"
    file["policies"]["prompt"]["then"] = "ordinary"
    load(tmp_path, file)
    file["policies"]["ordinary"]["then"] = "prompt"
    with pytest.raises(ConfigError, match="comes back"):
        load(tmp_path, file)


@pytest.mark.parametrize("text", ["", "5", "m", "5 m", "1e3s", "５m", "5w", "-1s"])
def test_times_that_are_none(text):
    with pytest.raises(ValueError):
        parse_duration(text)


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("1.5h", 5400), ("2d", 172800), ("15m", 900)])
def test_times(text, seconds):
    assert parse_duration(text).total_seconds() == seconds


@pytest.mark.parametrize("change", [{"kind": "flood"}, {"items": []}, {"version": 0}])
def test_a_bad_plan_is_refused(tmp_path, change):
    file = yaml.safe_load((folder() / "plans.yaml").read_text(encoding="utf-8"))
    file["plans"][0] |= change
    path = tmp_path / "plans.yaml"
    path.write_text(yaml.safe_dump(file, allow_unicode=True), encoding="utf-8")
    with pytest.raises(ConfigError):
        load_plans(path)


def test_the_newest_version_of_a_plan_counts_and_lines_are_unique(tmp_path):
    file = yaml.safe_load((folder() / "plans.yaml").read_text(encoding="utf-8"))
    path = tmp_path / "plans.yaml"
    first = file["plans"][0]
    file["plans"].append({**first, "version": 2, "items": first["items"][:1]})
    path.write_text(yaml.safe_dump(file, allow_unicode=True), encoding="utf-8")
    assert load_plans(path).newest(first["id"]).version == 2
    file["plans"].append({**first, "version": 3, "items": [first["items"][0]] * 2})
    path.write_text(yaml.safe_dump(file, allow_unicode=True), encoding="utf-8")
    with pytest.raises(ConfigError, match="same id"):
        load_plans(path)
