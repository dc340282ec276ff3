"""The filters of the lists of warnings: what no warning can have is refused, by name."""

from __future__ import annotations

import pytest

from services.alerts.labels import KINDS
from tests.support.alerts import BUREAU, COUNTY
from tests.unit.alerts.test_api import with_warning


@pytest.mark.parametrize("path", ["/v1/warnings", "/v1/board", "/v1/cap"])
async def test_every_filter_that_is_wrong_is_named_with_what_is_allowed(path):
    api, _ = await with_warning()
    answer = await api.get(path, kind="<b>", unit="nobody", level="V", since="now")
    assert answer.status_code == 422
    told = {one["field"]: one["detail"] for one in answer.json()["errors"]}
    assert list(told) == ["query.level", "query.kind", "query.unit", "query.since"]
    assert told["query.kind"] == f"kind is one of {', '.join(KINDS)}"
    assert "<b>" not in answer.text
    assert "nobody" not in answer.text


async def test_what_a_warning_can_have_is_a_filter():
    api, _ = await with_warning()
    fits = {
        "kind": "collective_visit",
        "unit": BUREAU,
        "topic": "urban_construction",
        "town": "379911001",
        "jurisdiction": COUNTY,
    }
    for name, value in fits.items():
        assert len((await api.get("/v1/warnings", **{name: value})).json()["warnings"]) == 1, name
    for name, value in {"kind": "overdue", "unit": "370102.education_bureau", "town": "379911999"}.items():
        answer = await api.get("/v1/warnings", **{name: value})
        assert (answer.status_code, answer.json()["warnings"]) == (200, []), name
