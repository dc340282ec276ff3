"""The alerts API: who may do what (group B34, B35), acknowledging (G77), bad input (A, D54, H)."""

from __future__ import annotations

import pytest

from shared.access import PERMISSIONS, Principal
from tests.support.alerts import BUREAU, flag
from tests.unit.alerts.api import Api

BUREAU_UNIT = Principal("u1", "unit", BUREAU)
TOWN_UNIT = Principal("u2", "unit", "379911001")
BODIES = {
    "verify": {},
    "acknowledge": {},
    "discard": {"reason": "误报"},
    "settle": {"reason": "已化解"},
    "cancel": {"reason": "撤销"},
    "assign": {"unit": "379911001"},
    "plan": {
        "lead": "unit#head",
        "measures": [{"what": "约谈", "who": "unit#head", "due": "2026-03-02T09:00:00+08:00"}],
    },
    "on-scene": {"who": "unit#head"},
    "silence": {"reason": "演练", "until": "2026-03-01T12:00:00+08:00"},
    "emergency-plan": {"plan": "collective_visit"},
    "steps/report": {},
}
NEEDS_VERIFIED = {"plan", "on-scene"}
HANDLED = {"verify", "discard", "settle", "cancel", "assign", "silence", "emergency-plan"}


async def with_warning(kind: str = "collective_visit", **more: object) -> tuple[Api, str]:
    api = Api()
    await api.hear(flag(kind=kind, **more))  # type: ignore[arg-type]
    return api, (await api.one()).id


@pytest.mark.parametrize("action", BODIES)
@pytest.mark.parametrize(
    "role", ["duty_officer", "unit", "leader", "auditor", "operator", "petitioner", "channel", None]
)
async def test_who_may_do_what(action, role):
    api, id = await with_warning()
    if action in NEEDS_VERIFIED:
        await api.take(id, "verify")
    before = (await api.one()).version
    who = BUREAU_UNIT if role == "unit" else None if role is None else Principal("a", role)
    answer = await api.post(f"/v1/warnings/{id}/{action}", BODIES[action], who)
    permission = "warnings.handle" if action in HANDLED else "warnings.carry_out"
    if role is None:
        assert answer.status_code == 401
    elif role in PERMISSIONS[permission]:
        assert answer.status_code == 200, answer.text
        assert (await api.one()).version == before + 1
        return
    else:
        assert (answer.status_code, answer.json()["code"]) == (403, "role-not-allowed")
    assert (await api.one()).version == before


READS = [
    "/v1/warnings",
    "/v1/warnings/counts",
    "/v1/board",
    "/v1/warnings/{id}",
    "/v1/warnings/{id}/after-action",
    "/v1/cap",
    "/v1/cap/{id}",
    "/v1/silences",
    "/v1/units",
    "/v1/quality",
    "/v1/emergency-plans",
    "/v1/deliveries",
    "/v1/documents",
]


@pytest.mark.parametrize("path", READS)
@pytest.mark.parametrize("role", ["duty_officer", "leader", "auditor", "operator", "petitioner", "channel", None])
async def test_who_may_read_what(path, role):
    api, id = await with_warning()
    answer = await api.get(path.format(id=id), Principal("a", role) if role else None)
    permission = {"/v1/deliveries": "warnings.handle", "/v1/documents": "warnings.documents"}.get(path, "warnings.read")
    expected = 401 if role is None else 200 if role in PERMISSIONS[permission] else 403
    assert answer.status_code == expected
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["/v1/warnings/{id}", "/v1/cap/{id}", "/v1/warnings/{id}/after-action"])
async def test_another_units_warning_is_404_like_one_that_never_was(path):
    api, id = await with_warning()
    other = await api.get(path.format(id=id), TOWN_UNIT)
    never = await api.get(path.format(id="00000000-0000-0000-0000-000000000000"), TOWN_UNIT)
    assert (other.status_code, never.status_code) == (404, 404)
    assert other.json() == never.json()
    assert (await api.get(path.format(id=id), BUREAU_UNIT)).status_code == 200


@pytest.mark.parametrize("action", BODIES)
async def test_acting_on_another_units_warning_is_404(action):
    api, id = await with_warning()
    answer = await api.post(f"/v1/warnings/{id}/{action}", BODIES[action], TOWN_UNIT)
    assert answer.status_code == 404
    assert (await api.one()).version == 1


ACCUSED = "379911001"


@pytest.mark.parametrize(
    ("who", "seen"),
    [
        (Principal("d", "duty_officer"), True),
        (Principal("d", "duty_officer", "379911.command_center"), True),
        (Principal("d", "duty_officer", f"{ACCUSED}.petition_station"), False),
        (Principal("l", "leader", ACCUSED), False),
        (Principal("l", "auditor", f"{ACCUSED}001"), False),
        (Principal("u", "unit", ACCUSED), False),
        (Principal("u", "unit", f"{ACCUSED}001"), False),
        (Principal("u", "unit", "379911.discipline_supervision"), True),
    ],
)
async def test_the_accused_subtree_never_sees_an_accusation(who, seen):
    api = Api()
    unit = (
        "379911.discipline_supervision"
        if who.role != "unit" or who.unit == "379911.discipline_supervision"
        else who.unit
    )
    await api.hear(flag("m1", "reprisal_risk", unit=unit, restricted=True, accused_unit=ACCUSED))
    id = (await api.one()).id
    assert (await api.get(f"/v1/warnings/{id}", who)).status_code == (200 if seen else 404)
    assert len((await api.get("/v1/warnings", who)).json()["warnings"]) == int(seen)
    assert len((await api.get("/v1/board", who)).json()["warnings"]) == int(seen)
    assert sum((await api.get("/v1/warnings/counts", who)).json()["state"].values()) == int(seen)
    assert (id in (await api.get("/v1/cap", who)).text) is seen
    assert sum(row["open"] for row in (await api.get("/v1/units", who)).json()["units"]) == int(seen)
    assert (await api.get("/v1/quality", who)).json()["raised"] == int(seen)


async def test_an_accusation_is_not_assigned_to_the_accused_or_below():
    api = Api()
    await api.hear(
        flag("m1", "reprisal_risk", unit="379911.discipline_supervision", restricted=True, accused_unit=ACCUSED)
    )
    id = (await api.one()).id
    for unit in (ACCUSED, f"{ACCUSED}001"):
        answer = await api.post(f"/v1/warnings/{id}/assign", {"unit": unit})
        assert (answer.status_code, answer.json()["code"]) == (422, "accused-unit")
    assert (await api.post(f"/v1/warnings/{id}/assign", {"unit": "379911.petition_bureau"})).status_code == 200


@pytest.mark.parametrize(
    ("unit", "known"),
    [
        ("379911001", True),
        ("430100.construction_bureau", True),  # routed by topic in a county that lists no units
        ("430100.nobody", False),
        ("4301.construction_bureau", False),
        ("٤30100.construction_bureau", False),
        ("construction_bureau", False),
    ],
)
async def test_units_that_a_warning_can_be_assigned_to(unit, known):
    api, id = await with_warning()
    answer = await api.post(f"/v1/warnings/{id}/assign", {"unit": unit})
    assert answer.status_code == (200 if known else 422)


# -- acknowledging -----------------------------------------------------------------------------------------------------------


async def test_acknowledging_twice_and_by_two():
    api, id = await with_warning()
    first = await api.post(f"/v1/warnings/{id}/acknowledge", {"expected_version": 1})
    again = await api.post(f"/v1/warnings/{id}/acknowledge", {"expected_version": 1})
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.json()["version"] == 2
    other = await api.post(f"/v1/warnings/{id}/acknowledge", {"expected_version": 1}, Principal("o9", "duty_officer"))
    problem = other.json()
    assert (other.status_code, problem["code"]) == (409, "version-conflict")
    assert (problem["by"], problem["version"], problem["state"]) == ("demo.duty_officer", 2, "acknowledged")
    assert "settle" in problem["allowed"]
    blind = await api.post(f"/v1/warnings/{id}/acknowledge", {}, Principal("o9", "duty_officer"))
    assert blind.json()["code"] == "already-acknowledged"


@pytest.mark.parametrize("end", ["settle", "discard", "cancel"])
async def test_acknowledging_what_is_over(end):
    api, id = await with_warning()
    await api.take(id, end, reason="done")
    answer = await api.post(f"/v1/warnings/{id}/acknowledge")
    assert (answer.status_code, answer.json()["code"]) == (409, "not-allowed-now")
    assert answer.json()["allowed"] == []


async def test_a_note_of_a_million_characters():
    api, id = await with_warning()
    answer = await api.post(f"/v1/warnings/{id}/acknowledge", {"reason": "x" * 1_000_000})
    assert answer.status_code == 413
    answer = await api.post(f"/v1/warnings/{id}/acknowledge", {"reason": "x" * 2001})
    assert answer.status_code == 422
    assert "xxx" not in answer.text
    assert (await api.one()).version == 1


async def test_actions_without_a_body():
    api, id = await with_warning()
    async with api.client() as client:
        assert (await client.post(f"/v1/warnings/{id}/verify")).status_code == 200
        assert (await client.post(f"/v1/warnings/{id}/acknowledge")).status_code == 200
        assert (await client.post(f"/v1/warnings/{id}/settle")).status_code in (400, 415, 422)


@pytest.mark.parametrize(
    ("raw", "media", "status"),
    [
        (b"[]", "application/json", 422),
        (b"null", "application/json", 422),
        (b"{", "application/json", 400),
        (b'{"reason": NaN}', "application/json", 400),
        (b'{"reason": "a", "reason": "b"}', "application/json", 400),
        (b'{"reason": {"$gt": ""}}', "application/json", 422),
        (b'{"$where": "1"}', "application/json", 422),
        (b'{"expected_version": "1"}', "application/json", 422),
        (b'{"expected_version": true}', "application/json", 422),
        (b'{"expected_version": 0}', "application/json", 422),
        (b'{"expected_version": 9223372036854775808}', "application/json", 422),
        (b'{"reason": "\\ud800"}', "application/json", 422),
        (b'{"reason": "\\u0000"}', "application/json", 422),
        (b"\xb0\xa1", "application/json", 400),
        (b'{"reason": "x"}', "text/plain", 415),
    ],
)
async def test_bad_bodies(raw, media, status):
    api, id = await with_warning()
    async with api.client() as client:
        answer = await client.post(f"/v1/warnings/{id}/acknowledge", content=raw, headers={"Content-Type": media})
    assert answer.status_code == status, answer.text
    assert answer.json()["code"]
    assert (await api.one()).version == 1


@pytest.mark.parametrize(
    ("action", "body", "code"),
    [
        ("assign", {"unit": "nobody"}, "unknown-unit"),
        ("plan", {"lead": "x", "measures": []}, "invalid-request"),
        ("on-scene", {"arrived_at": "2026-03-01T09:01:00+08:00"}, "arrival-time"),
        ("on-scene", {"arrived_at": "2020-01-01T00:00:00Z"}, "arrival-time"),
        ("on-scene", {"arrived_at": "2026-03-01 09:00"}, "invalid-request"),
        ("silence", {"reason": "x", "until": "2020-01-01T00:00:00Z"}, "silence-time"),
        ("silence", {"reason": "x", "until": "2027-01-01T00:00:00Z"}, "silence-time"),
        ("silence", {"until": "2026-03-01T12:00:00+08:00"}, "invalid-request"),
        ("settle", {"reason": "   "}, "reason-missing"),
        ("emergency-plan", {"plan": "nothing"}, "unknown-plan"),
    ],
)
async def test_orders_that_make_no_sense(action, body, code):
    api, id = await with_warning()
    await api.take(id, "verify")
    answer = await api.post(f"/v1/warnings/{id}/{action}", body)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert (await api.one()).version == 2


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"limit": 0}, "invalid-request"),
        ({"limit": -1}, "invalid-request"),
        ({"limit": 10**9}, "invalid-request"),
        ({"cursor": "abc"}, "cursor-invalid"),
        ({"cursor": "-1"}, "cursor-invalid"),
        ({"cursor": "٣"}, "cursor-invalid"),
        ({"state": "sleeping"}, "filter-invalid"),
        ({"level": "V"}, "filter-invalid"),
        ({"since": "yesterday"}, "filter-invalid"),
        ({"since": "2026-03-01T24:00:00Z"}, "filter-invalid"),
        ({"exercise": "maybe"}, "filter-invalid"),
        ({"$where": "1"}, "unknown-parameter"),
        ({"sort": "level"}, "unknown-parameter"),
        ({"q": "x" * 300}, "filter-invalid"),
        ({"q": "\0"}, "filter-invalid"),
        ({"kind": "xyz"}, "filter-invalid"),
        ({"kind": ["overdue", "xyz"]}, "filter-invalid"),
        ({"unit": "xyz"}, "filter-invalid"),
        ({"unit": ""}, "filter-invalid"),
        ({"topic": "weather"}, "filter-invalid"),
        ({"jurisdiction": "３７９９１１"}, "filter-invalid"),
        ({"town": "1"}, "filter-invalid"),
    ],
)
async def test_bad_queries(query, code):
    api, _ = await with_warning()
    answer = await api.get("/v1/warnings", **query)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_pages_reach_every_warning_once():
    api = Api()
    await api.hear(*(flag(f"m{n}") for n in range(23)))
    seen: list[str] = []
    cursor = None
    while True:
        page = (await api.get("/v1/warnings", limit=5, **({"cursor": cursor} if cursor else {}))).json()
        seen += [row["matter"] for row in page["warnings"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == [f"m{n}" for n in range(22, -1, -1)]


async def test_the_board_shows_first_what_needs_a_person_now():
    api = Api()
    await api.hear(flag("watch", "pending_elsewhere", level="IV"), flag("prompt", "collective_visit"))
    await api.hear(flag("held", "collective_visit", level="I"), flag("life", "life_safety"))
    held = next(w for w in await api.warnings() if w.matter == "held")
    await api.take(held, "acknowledge")
    order = [row["matter"] for row in (await api.get("/v1/board")).json()["warnings"]]
    assert order == ["life", "prompt", "watch", "held"]
    await api.pass_time(minutes=20)
    order = [row["matter"] for row in (await api.get("/v1/board")).json()["warnings"]]
    assert order == ["life", "prompt", "watch", "held"]
    await api.pass_time(minutes=20)  # the acknowledgement of "held" has lapsed: nobody has it any more
    order = [row["matter"] for row in (await api.get("/v1/board")).json()["warnings"]]
    assert order == ["life", "held", "prompt", "watch"]


async def test_methods_and_addresses_that_are_not_there():
    api, id = await with_warning()
    async with api.client() as client:
        assert (await client.put(f"/v1/warnings/{id}")).status_code == 405
        assert (await client.request("TRACE", "/v1/warnings")).status_code == 405
        assert (await client.get("/v1/warnings/%00")).status_code in (400, 404)
        assert (await client.get("/v1/warnings/%2e%2e/%2e%2e/etc/passwd")).status_code == 404
        assert (await client.get("/v1/" + "a" * 20_000)).status_code == 414
        preflight = await client.options(
            "/v1/warnings", headers={"Origin": "https://evil.test", "Access-Control-Request-Method": "GET"}
        )
        assert "access-control-allow-origin" not in preflight.headers


async def test_the_whole_night_over_http():
    api, id = await with_warning()
    for action in ("verify", "acknowledge", "assign", "plan", "on-scene"):
        who = Principal("u", "unit", "379911001") if action in ("plan", "on-scene") else "duty_officer"
        answer = await api.post(f"/v1/warnings/{id}/{action}", BODIES[action], who)
        assert answer.status_code == 200, answer.text
    assert (await api.post(f"/v1/warnings/{id}/emergency-plan", {"plan": "collective_visit"})).status_code == 200
    unit = Principal("u", "unit", "379911001")
    ticked = await api.post(f"/v1/warnings/{id}/emergency-plan/items/safety", {"note": "无人受伤"}, unit)
    assert ticked.json()["plan"]["items"][0]["done_by"] == "u"
    assert (await api.post(f"/v1/warnings/{id}/emergency-plan/items/safety", None, unit)).status_code == 409
    assert (await api.post(f"/v1/warnings/{id}/emergency-plan/items/none", None, unit)).status_code == 404
    assert (await api.post(f"/v1/warnings/{id}/steps/report")).status_code == 200
    assert (await api.post(f"/v1/warnings/{id}/steps/report")).status_code == 404
    done = await api.post(f"/v1/warnings/{id}/settle", {"reason": "退费到位，群众满意"})
    assert (done.json()["state"], done.json()["work_plan"]["adopted_by"]) == ("settled", "u")
    detail = (await api.get(f"/v1/warnings/{id}")).json()
    assert [row["action"] for row in detail["log"]] == [
        "raise", "verify", "acknowledge", "assign", "plan", "on_scene", "attach_plan", "tick", "step_done", "settle",
    ]  # fmt: skip
    assert all(row["actor"] for row in detail["log"][1:])
    assert len(api.store.s.audit) == 9


async def test_reading_a_petitions_text_is_written_down_first():
    api, id = await with_warning()
    answer = await api.post(f"/v1/warnings/{id}/text-views", {"reason": "核实人数", "petition_id": "m1-p1"})
    assert answer.status_code == 201
    row = api.store.s.audit[-1]
    assert (row["action"], row["object"], row["actor"], row["reason"]) == (
        "petition.text",
        "m1-p1",
        "demo.duty_officer",
        "核实人数",
    )
    other = await api.post(f"/v1/warnings/{id}/text-views", {"reason": "x", "petition_id": "another"})
    assert other.status_code == 404
    assert (await api.post(f"/v1/warnings/{id}/text-views", {"petition_id": "m1-p1"})).status_code == 422
    assert (
        await api.post(f"/v1/warnings/{id}/text-views", {"reason": "x", "petition_id": "m1-p1"}, TOWN_UNIT)
    ).status_code == 404
    assert len(api.store.s.audit) == 1
