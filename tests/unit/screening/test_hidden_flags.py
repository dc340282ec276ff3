"""Nothing of a flag that is not there for the reader shows: a complaint of reprisal may be about the unit that reads."""

from pathlib import Path
from typing import Any

from tests.support.petitions import COUNTY, START
from tests.support.screening import filed_event
from tests.unit.screening.test_screening_http import Site

UNIT = f"{COUNTY}.construction_bureau"
REPRISAL = "翠湖花园小区地下车库长期漏水，车辆被淹，物业多次推诿不处理，因为投诉被物业和建设局辞退恐吓，请督促维修。"


def get(site: Site, path: str, **headers: Any) -> Any:
    answer = site.client.get(path, **headers)
    assert answer.status_code == 200
    return answer.json()


async def test_a_matter_says_nothing_of_a_complaint_of_reprisal_to_the_unit(tmp_path: Path) -> None:
    site = Site(tmp_path)
    with site.client:
        await site.take(filed_event(1, minutes=1), filed_event(2, minutes=2, text=REPRISAL))
        unit, accused = site.as_("unit", unit=UNIT), site.as_("leader", unit=UNIT)
        officer = site.as_("duty_officer")
        [row] = get(site, "/v1/matters", headers=officer)["items"]
        assert row["flags"] == ["reprisal_risk"]
        whole = get(site, f"/v1/matters/{row['id']}", headers=officer)
        assert whole["flags"] == ["reprisal_risk"]
        assert any(p["signals"] for p in whole["members"])
        [seen] = get(site, "/v1/matters", headers=unit)["items"]
        assert seen["flags"] == []
        assert "sequence" not in seen
        whole = get(site, f"/v1/matters/{row['id']}", headers=unit)
        assert (whole["flags"], whole["open_flags"], len(whole["members"])) == ([], [], 2)
        assert "reprisal" not in str(whole)
        for who in (unit, accused):
            for member in get(site, f"/v1/matters/{row['id']}", headers=who)["members"]:
                assert not {"signals", "shared", "beside", "core"} & set(member)


async def test_flags_that_the_unit_may_see_stay_in_the_row(tmp_path: Path) -> None:
    site = Site(tmp_path)
    with site.client:
        await site.take(*(filed_event(n, minutes=n) for n in range(5)), filed_event(6, minutes=6, text=REPRISAL))
        [row] = get(site, "/v1/matters", headers=site.as_("duty_officer"))["items"]
        assert row["flags"] == ["collective_risk", "reprisal_risk"]
        [seen] = get(site, "/v1/matters", headers=site.as_("unit", unit=UNIT))["items"]
        assert seen["flags"] == ["collective_risk"]


async def test_near_matters_keep_their_flags_for_the_officer(tmp_path: Path) -> None:
    site = Site(tmp_path)
    with site.client:
        await site.take(*(filed_event(n, minutes=n) for n in range(5)), filed_event(7, 1, minutes=7))
        alone = site.store.rows["petitions"]["run-p00007"]["matter"]
        near = get(site, f"/v1/matters/{alone}/near", headers=site.as_("duty_officer"))["items"]
        assert [row["flags"] for row in near] == [["collective_risk"]]


async def test_a_petition_alone_says_no_more_than_a_member(tmp_path: Path) -> None:
    site = Site(tmp_path)
    with site.client:
        await site.take(filed_event(2, text=REPRISAL))
        row = site.store.rows["petitions"]["run-p00002"]
        site.store.rows["matters"].clear()  # a petition alone has no row where nothing more is to be said
        whole = get(site, f"/v1/matters/{row['matter']}", headers=site.as_("unit", unit=UNIT))
        assert "reprisal" not in str(whole)
        assert "signals" not in whole


async def test_a_withdrawal_of_a_hidden_flag_is_not_there(tmp_path: Path) -> None:
    site = Site(tmp_path)
    with site.client:
        await site.take(filed_event(1, minutes=1), filed_event(2, minutes=2, text=REPRISAL))
        officer, leader = site.as_("duty_officer"), site.as_("leader")
        [flag] = get(site, "/v1/flags", headers=officer)["items"]
        own = f"/v1/flags/{flag['id']}/contest"
        assert site.client.post(own, json={"reason": "信访人自述，待核"}, headers=officer).status_code == 201
        decided = {"outcome": "withdrawn", "reason": "已向举报人核实，报复系他人所为"}
        assert site.client.post(f"{own}/resolve", json=decided, headers=leader).status_code == 200
        await site.screening.tick()
        [line] = get(site, f"/v1/matters/{flag['matter']}", headers=officer)["decisions"]
        assert (line["kind"], line["flag"]) == ("withdraw", flag["id"])
        assert "stood" not in line
        assert "stood" in next(iter(site.store.rows["decisions"].values()))
        whole = get(site, f"/v1/matters/{flag['matter']}", headers=site.as_("unit", unit=UNIT))
        assert whole["decisions"] == []
        assert "举报人" not in str(whole)


async def test_a_withdrawal_of_a_flag_that_the_unit_sees_is_there(tmp_path: Path) -> None:
    site = Site(tmp_path)
    with site.client:
        await site.take(*(filed_event(n, at=START, minutes=n) for n in range(5)))
        [flag] = get(site, "/v1/flags", headers=site.as_("duty_officer"))["items"]
        own = f"/v1/flags/{flag['id']}/contest"
        site.client.post(own, json={"reason": "三人是一家"}, headers=site.as_("unit", unit=UNIT))
        decided = {"outcome": "withdrawn", "reason": "核实属实"}
        site.client.post(f"{own}/resolve", json=decided, headers=site.as_("leader"))
        await site.screening.tick()
        whole = get(site, f"/v1/matters/{flag['matter']}", headers=site.as_("unit", unit=UNIT))
        assert [line["reason"] for line in whole["decisions"]] == ["核实属实"]
