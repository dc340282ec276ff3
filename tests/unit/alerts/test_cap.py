"""CAP 1.2: the required elements in the schema's order, the chain of references, and no way to be public."""

from __future__ import annotations

import re
from datetime import timedelta
from xml.etree import ElementTree as ET

import pytest

from services.alerts.cap import NAMESPACE, cap_message, stamp
from tests.support.alerts import AT, flag
from tests.unit.alerts.api import Api

ALERT = [
    "identifier",
    "sender",
    "sent",
    "status",
    "msgType",
    "source",
    "scope",
    "restriction",
    "addresses",
    "code",
    "note",
    "references",
    "incidents",
    "info",
]
INFO = [
    "language",
    "category",
    "event",
    "responseType",
    "urgency",
    "severity",
    "certainty",
    "audience",
    "eventCode",
    "effective",
    "onset",
    "expires",
    "senderName",
    "headline",
    "description",
    "instruction",
    "web",
    "contact",
    "parameter",
    "resource",
    "area",
]
REQUIRED_ALERT = {"identifier", "sender", "sent", "status", "msgType", "scope"}
REQUIRED_INFO = {"category", "event", "urgency", "severity", "certainty"}
VALUES = {
    "status": {"Actual", "Exercise", "System", "Test", "Draft"},
    "msgType": {"Alert", "Update", "Cancel", "Ack", "Error"},
    "scope": {"Restricted", "Private"},
    "category": {
        "Geo",
        "Met",
        "Safety",
        "Security",
        "Rescue",
        "Fire",
        "Health",
        "Env",
        "Transport",
        "Infra",
        "CBRNE",
        "Other",
    },
    "responseType": {"Shelter", "Evacuate", "Prepare", "Execute", "Avoid", "Monitor", "Assess", "AllClear", "None"},
    "urgency": {"Immediate", "Expected", "Future", "Past", "Unknown"},
    "severity": {"Extreme", "Severe", "Moderate", "Minor", "Unknown"},
    "certainty": {"Observed", "Likely", "Possible", "Unlikely", "Unknown"},
}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[-+]\d\d:\d\d")


def names(element: ET.Element) -> list[str]:
    return [child.tag.removeprefix(f"{{{NAMESPACE}}}") for child in element]


def text(root: ET.Element, path: str) -> str:
    found = root.find("/".join(f"{{{NAMESPACE}}}{part}" for part in path.split("/")))
    assert found is not None and found.text
    return found.text


def check(document: bytes) -> ET.Element:
    """The rules of the CAP 1.2 schema that concern the elements we write."""
    root = ET.fromstring(document)
    assert root.tag == f"{{{NAMESPACE}}}alert"
    found = names(root)
    assert set(found) >= REQUIRED_ALERT
    assert found == sorted(found, key=ALERT.index)
    scope = text(root, "scope")
    assert ("restriction" in found) == (scope == "Restricted")
    assert ("addresses" in found) == (scope == "Private")
    for info in root.findall(f"{{{NAMESPACE}}}info"):
        parts = names(info)
        assert set(parts) >= REQUIRED_INFO
        assert parts == sorted(parts, key=INFO.index)
        area = info.find(f"{{{NAMESPACE}}}area")
        assert area is not None and names(area)[0] == "areaDesc"
    for element in root.iter():
        name = element.tag.removeprefix(f"{{{NAMESPACE}}}")
        if name in VALUES:
            assert element.text in VALUES[name]
        if name in ("sent", "effective", "onset", "expires"):
            assert TIME.fullmatch(element.text or "")
        if name in ("identifier", "sender"):
            assert element.text and not re.search(r"[\s,<&]", element.text)
    return root


async def message(api: Api, id: str) -> ET.Element:
    answer = await api.get(f"/v1/cap/{id}")
    assert answer.headers["content-type"].startswith("application/cap+xml")
    return check(answer.content)


async def test_a_chain_of_alert_update_and_cancel_with_references():
    api = Api()
    await api.hear(flag())
    id = (await api.one()).id
    first = await message(api, id)
    assert (text(first, "msgType"), text(first, "status"), text(first, "scope")) == ("Alert", "Actual", "Restricted")
    assert first.find(f"{{{NAMESPACE}}}references") is None
    api.clock.advance(timedelta(minutes=1))
    await api.take(id, "verify")
    second = await message(api, id)
    assert text(second, "msgType") == "Update"
    sent = [f"{text(one, 'sender')},{text(one, 'identifier')},{text(one, 'sent')}" for one in (first, second)]
    assert text(second, "references") == sent[0]
    assert text(second, "info/certainty") == "Observed"
    await api.take(id, "settle", reason="done")
    third = await message(api, id)
    assert (text(third, "msgType"), text(third, "info/urgency")) == ("Cancel", "Past")
    assert text(third, "references") == " ".join(sent)
    assert len({text(one, "identifier") for one in (first, second, third)}) == 3


async def test_a_drill_is_an_exercise():
    api = Api()
    body = {"kind": "collective_visit", "jurisdiction": "379911", "scenario": "消防演练", "plan": "collective_visit"}
    made = await api.post("/v1/drills", body)
    assert made.status_code == 201
    assert (made.json()["exercise"], made.json()["plan"]["plan"]) == (True, "collective_visit")
    root = await message(api, made.json()["warning_id"])
    assert text(root, "status") == "Exercise"
    assert "Exercise" in text(root, "note")
    assert "Exercise" in (await api.get("/v1/cap")).text
    [row] = await api.store.stream(0, 5)
    assert '"exercise":true' in row.event
    assert [w["exercise"] for w in (await api.get("/v1/warnings", exercise="true")).json()["warnings"]] == [True]
    assert (await api.get("/v1/warnings", exercise="false")).json()["warnings"] == []
    assert (await api.get("/v1/quality")).json()["raised"] == 0


async def test_an_accusation_is_private_and_names_no_text():
    api = Api()
    accused = flag(
        "m1", "reprisal_risk", restricted=True, accused_unit="379911001", unit="379911.discipline_supervision"
    )
    await api.hear(accused.model_copy(update={"data": accused.data.model_copy(update={"title": ""})}))
    root = await message(api, (await api.one()).id)
    assert text(root, "scope") == "Private"
    assert text(root, "info/headline") == "打击报复风险"


async def test_markup_and_control_characters_are_written_safely():
    api = Api()
    event = flag()
    nasty = "a</headline><scope>Public</scope>&\x00\x0b\ufffe😀"
    await api.hear(event.model_copy(update={"data": event.data.model_copy(update={"title": nasty})}))
    root = await message(api, (await api.one()).id)
    assert text(root, "info/headline") == "a</headline><scope>Public</scope>&😀"
    assert len(root.findall(f"{{{NAMESPACE}}}scope")) == 1


@pytest.mark.parametrize("kind", ["collective_visit", "life_safety", "overdue", "unheard_of"])
@pytest.mark.parametrize("level", ["I", "II", "III", "IV"])
async def test_every_kind_and_level_is_a_message(kind, level):
    api = Api()
    await api.hear(flag(kind=kind, level=level))
    check(cap_message(await api.one(), await api.store.log((await api.one()).id), api.desk.units))


def test_times_have_a_numeric_offset():
    assert stamp(AT) == "2026-03-01T09:00:00+08:00"
