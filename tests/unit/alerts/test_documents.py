"""Special reports: what they say, in both forms, to whom they go, and what never goes into them."""

from __future__ import annotations

import io
import re

import pytest
from docx import Document

from services.alerts.render import clean
from shared.access import Principal
from tests.support.alerts import finding, flag
from tests.unit.alerts.api import Api

PERIOD = {"since": "2026-03-01T00:00:00+08:00", "until": "2026-03-02T00:00:00+08:00"}


async def settled() -> tuple[Api, str]:
    api = Api()
    await api.hear(flag(kind="collective_visit"))
    id = (await api.one()).id
    await api.take(id, "verify")
    await api.take(id, "attach_plan", plan="collective_visit")
    await api.take(id, "tick", item="safety")
    await api.pass_time(minutes=50)
    await api.take(id, "settle", reason="退费到位")
    return api, id


def text_of(body: bytes) -> str:
    document = Document(io.BytesIO(body))
    cells = [cell.text for table in document.tables for row in table.rows for cell in row.cells]
    return "\n".join([p.text for p in document.paragraphs] + cells)


async def fetch(api: Api, made: dict) -> bytes:
    answer = await api.get(made["url"])
    assert answer.status_code == 200
    assert answer.headers["content-disposition"].startswith("attachment")
    return answer.content


async def test_a_report_about_a_warning_says_what_was_done_and_what_was_missed():
    api, id = await settled()
    made = await api.post("/v1/documents", {"warning_id": id})
    assert made.status_code == 201, made.text
    text = text_of(await fetch(api, made.json()))
    for part in (
        "专  报",
        "集体访",
        "内部目标，非法定期限",
        "退费到位",
        "预案未完成事项",
        "未按内部目标完成",
        "未经",
        "逐级呼叫",
        "不对外发布",
        "云锦花园",
    ):
        assert part in text
    assert "demo.duty_officer" not in text  # the acts were another account's
    assert "值班员" in text
    for slug in ("duty_officer", "379911.construction_bureau", "#head"):  # people read names
        assert slug not in text
    english = text_of(await fetch(api, (await api.post("/v1/documents", {"warning_id": id, "lang": "en"})).json()))
    assert not re.search("[\u3400-\u9fff]", english.replace("云锦花园地下车库收费", "").replace("退费到位", ""))
    assert "o1" in text


async def test_the_delivery_record_says_to_whom_and_when():
    api, id = await settled()
    made = (await api.post("/v1/documents", {"warning_id": id, "form": "pdf", "recipients": "members"})).json()
    assert (made["receivers"], made["recipients"], made["by"]) == (["member_units"], "members", "demo.duty_officer")
    assert len(made["sha256"]) == 64
    [row] = [d for d in api.store.s.deliveries.values() if d.reason == "report"]
    assert (row.receiver, row.body["document"]) == ("member_units", made["url"])
    assert [d["id"] for d in (await api.get("/v1/documents")).json()["documents"]] == [made["id"]]
    assert api.store.s.audit[-1]["action"] == "document.send"
    body = await fetch(api, made)
    assert body.startswith(b"%PDF-")
    assert b"STSong-Light" in body


async def test_a_period_lists_figures_open_warnings_and_silences_but_no_accusation():
    api, id = await settled()
    accused = flag(
        "m9", "reprisal_risk", restricted=True, accused_unit="379911001", unit="379911.discipline_supervision"
    )
    await api.hear(flag("m2"), accused)
    await api.post("/v1/drills", {"kind": "collective_risk", "jurisdiction": "379911", "scenario": "演练场景"})
    silence = {"reason": "已派员值守", "kinds": ["collective_risk"], "ends_at": "2026-03-01T14:00:00+08:00"}
    await api.post("/v1/silences", silence)
    made = await api.post("/v1/documents", PERIOD)
    text = text_of(await fetch(api, made.json()))
    assert "已派员值守" in text
    assert "打击报复" not in text
    assert "演练场景" not in text
    rows = dict(zip(text.split("\n"), text.split("\n")[1:], strict=False))
    assert (rows["预警总数"], rows["已了结"], rows["仍未了结"], rows["演练"]) == ("2", "1", "1", "1")
    assert id


async def test_why_an_accusations_warning_was_silenced_is_in_no_periods_report():
    api = Api()
    await api.hear(finding("p1", "due_soon", unit="379911.discipline_supervision", due=3, accused="379911001"))
    await api.hear(flag())
    until = {"until": "2026-03-01T14:00:00+08:00"}
    for warning in await api.warnings():
        reason = "举报一事已知" if warning.flag.restricted else "施工一事已知"
        assert (await api.post(f"/v1/warnings/{warning.id}/silence", {"reason": reason, **until})).status_code == 200
        matter = {"reason": reason, "kinds": ["near_deadline"], "matter": warning.matter, "ends_at": until["until"]}
        assert (await api.post("/v1/silences", matter)).status_code == 201
    text = text_of(await fetch(api, (await api.post("/v1/documents", PERIOD)).json()))
    assert "施工一事已知" in text
    assert "举报一事已知" not in text


@pytest.mark.parametrize("form", ["docx", "pdf"])
@pytest.mark.parametrize("lang", ["zh", "en"])
async def test_every_form_and_language(form, lang):
    api, id = await settled()
    made = await api.post("/v1/documents", {"warning_id": id, "form": form, "lang": lang})
    assert made.status_code == 201
    assert len(await fetch(api, made.json())) > 1000


async def test_a_report_about_an_accusation_does_not_go_to_member_units():
    api = Api()
    await api.hear(
        flag("m9", "reprisal_risk", restricted=True, accused_unit="379911001", unit="379911.discipline_supervision")
    )
    id = (await api.one()).id
    answer = await api.post("/v1/documents", {"warning_id": id, "recipients": "members"})
    assert (answer.status_code, answer.json()["code"]) == (409, "accusation")
    made = (await api.post("/v1/documents", {"warning_id": id})).json()
    barred = Principal("l", "leader", "379911001")
    assert (await api.get(made["url"], barred)).status_code == 404
    assert (await api.get("/v1/documents", barred)).json()["documents"] == []
    assert (await api.post("/v1/documents", {"warning_id": id}, barred)).status_code == 404


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"since": PERIOD["until"], "until": PERIOD["since"]}, 422),
        ({"since": PERIOD["since"]}, 422),
        ({"form": "odt", **PERIOD}, 422),
        ({"recipients": "everybody", **PERIOD}, 422),
        ({"warning_id": "none"}, 404),
    ],
)
async def test_reports_that_are_refused(body, status):
    api, _ = await settled()
    assert (await api.post("/v1/documents", body)).status_code == status
    assert [d for d in api.store.s.deliveries.values() if d.reason == "report"] == []


async def test_an_exercise_says_so_in_its_report():
    api = Api()
    id = (
        await api.post("/v1/drills", {"kind": "collective_visit", "jurisdiction": "379911", "scenario": "消防"})
    ).json()["warning_id"]
    made = (await api.post("/v1/documents", {"warning_id": id})).json()
    assert "演练 · 内部风险提示" in text_of(await fetch(api, made))


def test_characters_that_the_formats_cannot_hold_are_left_out():
    assert clean("a\x00\x0b\x1f\ufffeb\ud800😀") == "ab😀"


async def test_the_after_action_review():
    api, id = await settled()
    lines = "\n".join((await api.get(f"/v1/warnings/{id}/after-action", lang="en")).json()["lines"])
    assert "Nobody acknowledged" in lines
    assert "Conclusion: 退费到位" in lines
