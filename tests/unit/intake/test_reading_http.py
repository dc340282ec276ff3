"""Reading petitions over HTTP: what there is none of, pages that cover everything once, and who read a text."""

from datetime import timedelta

import httpx
import pytest

from services.intake.handlers import Intake
from shared.clock import FixedClock
from tests.support.intake import bearer, petition_body, tables


@pytest.mark.parametrize(
    "petition_id", ["x", "00000000-0000-0000-0000-000000000000", "1", "%7B%22%24gt%22%3A%22%22%7D"]
)
async def test_an_id_that_is_none_is_404(client: httpx.AsyncClient, petition_id: str) -> None:
    answer = await client.get(f"/v1/petitions/{petition_id}", headers=bearer())
    assert (answer.status_code, answer.json()["code"]) == (404, "petition-unknown")


@pytest.mark.parametrize(
    "query",
    [
        "size=0",
        "size=-1",
        "size=1000000000",
        "size=x",
        "cursor=forged",
        "cursor=a.b.c",
        "since=1",
        "limit=5",
        "status=sleeping",
        "channel=web",
        "topic=weather",
        "jurisdiction=37",
        "unit=",
        "unit=卫生局",
        "unit=379911.Bureau",
        "jurisdiction=３７９９１１",
        "size=1&size=2",
    ],
)
async def test_a_strange_page_is_422(client: httpx.AsyncClient, query: str) -> None:
    assert (await client.get(f"/v1/petitions?{query}", headers=bearer())).status_code == 422


async def test_pages_cover_everything_once(client: httpx.AsyncClient, intake: Intake) -> None:
    assert isinstance(intake.clock, FixedClock)
    for number in range(7):
        if number % 3 == 0:
            intake.clock.advance(timedelta(seconds=1))
        await client.post("/v1/petitions", json=petition_body(), headers={"idempotency-key": f"k{number}"})
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = await client.get(f"/v1/petitions?size=3&cursor={cursor}", headers=bearer())
        seen += [item["petition_id"] for item in answer.json()["items"]]
        cursor = answer.json()["next"]
    assert len(seen) == len(set(seen)) == 7


async def test_who_reads_a_text_is_in_the_audit_log_and_lists_show_none(
    client: httpx.AsyncClient, intake: Intake
) -> None:
    filed = await client.post("/v1/petitions", json=petition_body(), headers={"Idempotency-Key": "k1"})
    made = filed.json()["petition_id"]
    [listed] = (await client.get("/v1/petitions", headers=bearer())).json()["items"]
    assert "text" not in listed and "history" not in listed
    assert (
        await client.get(f"/v1/petitions/{made}", headers=bearer("unit", "379911.education_bureau"))
    ).status_code == 404
    assert (await client.get(f"/v1/petitions/{made}", headers=bearer(account="li.si"))).json()["text"]
    readings = [(row["actor"], row["object"]) for row in tables(intake).audit if row["action"] == "petition.read"]
    assert readings == [("li.si", made)]
