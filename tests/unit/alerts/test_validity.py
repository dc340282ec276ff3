"""Until when a flag holds, where petitions of the past are played back; and Chinese reports in Chinese punctuation."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from xml.etree import ElementTree as ET

import pytest

from services.alerts.cap import NAMESPACE
from services.alerts.queries import detail
from services.alerts.reports import of_warning
from services.alerts.validity import validity
from shared.access import demo_principal
from tests.support.alerts import AT, flag
from tests.support.chinese import half_width
from tests.unit.alerts.api import Api

DAY = timedelta(days=1)


def shown(at: datetime) -> str:
    return f"{at:%m-%d}"


@pytest.mark.parametrize(
    ("ends", "change", "zh", "en"),
    [
        (AT + DAY, {}, "有效至 03-02", "until 03-02"),
        (AT - DAY, {}, "通报时有效至 02-28，该时已过而研判尚未解除", "as told, until 02-28; that has passed"),
        (AT - DAY, {"cleared_at": AT}, "依据已于 03-01 消失", "its reason fell away 03-01"),
        (AT - DAY, {"state": "settled"}, "通报时有效至 02-28", "as told, until 02-28"),
        (None, {}, "有效期未定", "no end set"),
    ],
)
async def test_a_day_that_has_passed_is_not_said_to_be_ahead(ends, change, zh, en):
    api = Api()
    await api.hear(flag(expires_at=ends))
    warning = replace(await api.one(), **change)
    assert validity(warning, AT, "zh", shown).startswith(zh)
    assert validity(warning, AT, "en", shown).startswith(en)
    assert half_width(validity(warning, AT, "zh", shown)) == []


@pytest.mark.parametrize("days", [-20, 20, None])
async def test_a_cap_message_expires_after_it_is_sent(days):
    api = Api()
    ends = None if days is None else AT + days * DAY
    await api.hear(flag(expires_at=ends))
    root = ET.fromstring((await api.get(f"/v1/cap/{(await api.one()).id}")).content)
    sent, expires = (
        datetime.fromisoformat(root.findtext(f".//{{{NAMESPACE}}}{name}") or "") for name in ("sent", "expires")
    )
    assert expires == (ends if days == 20 else sent + DAY)
    for name in ("instruction", "description", "headline"):
        assert half_width(root.findtext(f".//{{{NAMESPACE}}}{name}") or "") == []


async def test_a_chinese_report_has_chinese_punctuation():
    api = Api()
    await api.hear(flag(kind="collective_visit", counter_evidence=[{"zh": "甲", "en": "a"}, {"zh": "乙", "en": "b"}]))
    id = (await api.one()).id
    await api.take(id, "verify")
    await api.take(id, "attach_plan", plan="collective_visit")
    await api.pass_time(minutes=50)
    await api.take(id, "settle", reason="退费到位")
    found = await detail(api.desk, demo_principal("duty_officer"), id)
    report = of_warning(found, api.desk)
    said = [
        line
        for part in report.sections
        for line in (part.heading, *part.lines, *(c for row in part.table for c in row))
    ]
    assert "反面证据：甲；乙" in said
    assert any(line.startswith("预案未完成事项：") and "、" in line for line in said)
    assert [place for line in said for place in half_width(line)] == []
    english = of_warning(found, api.desk, "en")
    assert "Against it: a; b" in [line for part in english.sections for line in part.lines]
