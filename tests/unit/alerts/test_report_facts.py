"""What a special report says of numbers, silences and drills is so."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from services.alerts import labels, queries
from services.alerts.console.reports_page import STATUS
from services.alerts.console.silences import Silences
from services.alerts.console.tables import Press
from services.alerts.courier import as_text
from services.alerts.domain.silence import Silence
from services.alerts.handlers import end_silence, silence
from services.alerts.reports import Report, Wanted, compose
from shared.directory import directory
from tests.support.alerts import finding, flag
from tests.unit.alerts.api import Api
from tests.unit.alerts.desk import OFFICER, Bench, visitor_of

COUNTY_OFFICER = replace(OFFICER, jurisdiction="379911")


async def report_of(room: Bench, lang: Any = "zh", **wanted: Any) -> Report:
    return await compose(room.desk, OFFICER, Wanted("docx", "leaders", lang, **wanted))


async def of_days(room: Bench, lang: Any = "zh") -> Report:
    now = room.clock.now()
    return await report_of(room, lang, since=now - timedelta(days=1), until=now + timedelta(days=1))


async def test_a_visit_says_how_many_were_there():
    room = Bench()
    await room.hear(flag(kind="collective_visit", level="II", petitioners=1, headcount=45))
    id = (await room.one()).id
    facts = dict((await report_of(room, warning_id=id)).sections[0].table)
    assert (facts["信访人数"], facts["信访件数"], facts["现场最多人数"]) == ("1", "1", "45")
    facts = dict((await report_of(room, "en", warning_id=id)).sections[0].table)
    assert (facts["Distinct petitioners"], facts["Petitions"], facts["Present at most"]) == ("1", "1", "45")


async def test_an_overdue_warning_says_how_many_petitions_and_nothing_of_people_it_does_not_count():
    room = Bench()
    await room.hear(*[finding(f"p{n}") for n in range(7)])
    facts = dict((await report_of(room, warning_id=(await room.one()).id)).sections[0].table)
    assert facts["信访件数"] == "7"
    assert not {"信访人数", "现场最多人数"} & facts.keys()


async def test_of_many_late_petitions_the_number_is_not_that_of_those_listed():
    room = Bench()
    await room.hear(*[finding(f"p{n}") for n in range(203)])
    warning = await room.one()
    assert len(warning.flag.petition_ids) == 200
    facts = dict((await report_of(room, warning_id=warning.id)).sections[0].table)
    assert facts["信访件数"] == "203"


async def test_a_silence_says_what_it_is_about():
    room = Bench()
    await room.hear(flag("m1"), flag("m2"))
    now = room.clock.now()
    first = (await room.warnings(matter="m1"))[0]
    await room.take(first, "silence", reason="only this one", until=now + timedelta(hours=4))
    made = Silence("s", "", "only this matter", now, now + timedelta(hours=1), now, matter="m2")
    await silence(room.desk, COUNTY_OFFICER, made)
    county = replace(made, id="c", matter=None, reason="the county", kinds=("collective_visit",))
    await silence(room.desk, COUNTY_OFFICER, county)
    await silence(room.desk, OFFICER, replace(county, id="a", reason="all", kinds=()))
    place = directory().name("379911")
    for lang, one, matter, all in (
        ("zh", f"仅一条预警：{labels.title(first)}", "仅事项 m2", "全部（受保护类除外）"),
        ("en", f"one warning only: {labels.title(first, 'en')}", "matter m2 only", "everything but what is protected"),
    ):
        rows = {row[-1]: row[0] for row in (await of_days(room, lang)).sections[-1].table[1:]}
        assert rows["only this one"] == one
        assert rows["only this matter"].startswith(matter)
        assert rows["all"] == all
    rows = {row[-1]: row[0] for row in (await of_days(room)).sections[-1].table[1:]}
    assert rows["the county"] == f"集体访 · {place}"

    page: Any = Silences.__new__(Silences)
    page.visitor = await visitor_of(room)
    shown = {one.reason: page._row(one, running=False)[0] for one in await queries.silences(room.desk, OFFICER)}
    assert shown["only this matter"].startswith("仅事项 m2")
    assert (shown["only this one"].words, shown["only this one"].address) == ("仅一条预警", f"/warnings/{first.id}")
    assert shown["all"] == "全部（受保护类除外）"


async def test_only_silences_that_may_be_ended_are_offered_to_be_ended():
    room = Bench()
    now = room.clock.now()
    whole = Silence("whole", "", "reason", now, now + timedelta(hours=1), now)
    await silence(room.desk, OFFICER, whole)
    await silence(room.desk, COUNTY_OFFICER, replace(whole, id="county"))
    found = {one.id: one for one in await queries.silences(room.desk, COUNTY_OFFICER)}
    page: Any = Silences.__new__(Silences)
    for who, offered in ((COUNTY_OFFICER, {"county"}), (OFFICER, {"county", "whole"})):
        page.visitor = await visitor_of(room, who)
        able = {id for id, one in found.items() if isinstance(page._row(one, running=True)[-1], Press)}
        assert able == offered
    visitor = await visitor_of(room, COUNTY_OFFICER)
    with pytest.raises(Exception) as refused:
        await end_silence(room.desk, COUNTY_OFFICER, "whole")
    assert visitor.refusal(refused.value) == "区县账号只能处理本区县的事项。"


async def test_a_message_about_the_report_of_a_drill_says_that_it_is_one():
    api = Api()
    body = {"kind": "collective_visit", "jurisdiction": "379911", "scenario": "门口聚集"}
    drill = (await api.post("/v1/drills", body)).json()["warning_id"]
    await api.hear(flag())
    real = next(w.id for w in await api.warnings() if not w.exercise)
    for id in (drill, real):
        assert (await api.post("/v1/documents", {"warning_id": id})).status_code == 201
    sent = {row.warnings[0]: row for row in api.store.s.deliveries.values() if row.reason == "report"}
    assert (sent[drill].exercise, sent[real].exercise) == (True, False)
    title, _ = as_text({"exercise": sent[drill].exercise, **sent[drill].body}, directory())
    assert title.startswith("【演练】专报")
    made = await api.post("/v1/documents", {"warning_id": real, "lang": "en"})
    message = next(row for row in api.store.s.deliveries.values() if made.json()["id"] in row.id)
    assert message.body["title"].startswith("Special report ")


async def test_a_period_is_not_cut_without_a_word(monkeypatch):
    monkeypatch.setattr(queries, "PAGE", 3)
    room = Bench()
    await room.hear(*[flag(f"m{n}") for n in range(205)])
    report = await of_days(room)
    assert report.sections[0].table[0] == ("预警总数", "205")
    assert (len(report.sections[2].table), report.sections[2].lines) == (201, ("仅列 200 条，共 205 条。",))
    assert (await of_days(room, "en")).sections[2].lines == ("200 of 205 are listed.",)


def test_a_withheld_message_is_about_an_accusation():
    assert STATUS["withheld"].zh == "未发送（检举控告，不发被反映单位）"
    assert "accusation" in STATUS["withheld"].en
