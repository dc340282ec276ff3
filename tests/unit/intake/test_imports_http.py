"""Files of messages over HTTP: every row for itself, the same file again adds nothing, and nothing half-visible."""

import httpx
import pytest

from services.intake.handlers import Intake
from services.intake.http_imports import IMPORT_LIMIT
from shared import failpoint
from tests.support.intake import bearer, make_app, tables
from tests.support.memory_intake import Tables

HEADER = "id,petitioner,submitted_at,title,text"
CSV = {"content-type": "text/csv"}


def lines(count: int, start: int = 1) -> list[str]:
    return [f"{n},A{n},2019-02-28 11:25:05,第{n}件,道路损坏{n}" for n in range(start, start + count)]


async def post(client: httpx.AsyncClient, data: str | bytes, **query: str) -> httpx.Response:
    params = {"channel": "hotline_12345", "jurisdiction": "379911", **query}
    content = data.encode() if isinstance(data, str) else data
    return await client.post("/v1/imports", params=params, content=content, headers={**CSV, **bearer()})


async def test_good_rows_are_filed_and_bad_ones_told(client: httpx.AsyncClient, intake: Intake) -> None:
    bad = ["3,A3,yesterday,标题,内容", "4,A4,2019-01-01,标题,。。。", "1,A1,2019-02-28 11:25:05,另一件,别的内容"]
    answer = await post(client, "\n".join([HEADER, *lines(2), *bad, *lines(1), *lines(5, 10)]))
    assert answer.status_code == 200
    report = answer.json()
    assert (report["accepted"], report["duplicates"], report["stopped"]) == (7, 1, None)
    assert [(one["row"], one["code"]) for one in report["rejected"]] == [
        (4, "time-invalid"),
        (5, "text-invalid"),
        (6, "idempotency-key-reused"),
    ]
    assert len(tables(intake).petitions) == len(tables(intake).outbox) == 7


async def test_one_bad_row_of_ten_thousand(client: httpx.AsyncClient, intake: Intake) -> None:
    made = [*lines(400), "x,A1,2019-01-01,,没有标题", *lines(400, 500)]
    report = (await post(client, "\n".join([HEADER, *made]))).json()
    assert report["accepted"] == 800
    assert [(one["row"], one["code"]) for one in report["rejected"]] == [(402, "title-missing")]


async def test_the_same_file_again_adds_nothing(client: httpx.AsyncClient, intake: Intake) -> None:
    file = "\n".join([HEADER, *lines(100)])
    await post(client, file)
    report = (await post(client, file)).json()
    assert (report["accepted"], report["duplicates"]) == (0, 100)
    assert len(tables(intake).petitions) == 100


async def test_a_break_in_the_middle_is_made_good_by_the_same_file(client: httpx.AsyncClient, intake: Intake) -> None:
    file = "\n".join([HEADER, *lines(100)])
    failpoint.arm("intake.after_commit:40:raise")
    try:
        broken = await post(client, file)
    finally:
        failpoint.arm("")
    assert broken.status_code == 500
    assert 0 < len(tables(intake).petitions) < 100
    report = (await post(client, file)).json()
    assert report["accepted"] + report["duplicates"] == 100
    assert len(tables(intake).petitions) == len(tables(intake).outbox) == 100


async def test_an_upload_that_breaks_off_leaves_nothing(intake: Intake) -> None:
    file = "\n".join([HEADER, *lines(50)]).encode()
    arrived = iter([{"type": "http.request", "body": file, "more_body": True}, {"type": "http.disconnect"}])
    sent: list[object] = []
    headers = [(k.encode(), v.encode()) for k, v in {**CSV, **bearer(), "host": "intake"}.items()]
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/v1/imports",
        "raw_path": b"/v1/imports",
        "query_string": b"channel=letter&jurisdiction=379911",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("intake", 80),
    }

    async def receive() -> dict[str, object]:
        return next(arrived)

    async def send(message: object) -> None:
        sent.append(message)

    await make_app(intake)(scope, receive, send)
    assert tables(intake) == Tables()
    assert sent == []


async def test_more_columns_make_a_fuller_petition(client: httpx.AsyncClient, intake: Intake) -> None:
    header = f"{HEADER},channel,topic,headcount,representatives,name,phone,external_id,jurisdiction,likes"
    row = "1,,2019-01-01,讨薪,工地欠薪,visit,labour_dispute,6,2,王小明,13800138000,X-1,430102,9"
    bad = "2,,2019-01-01,讨薪,工地欠薪,visit,labour_dispute,多,2,王小明,13800138000,X-2,430102,9"
    long = f"3,,2019-01-01,讨薪,工地欠薪,visit,labour_dispute,{'9' * 5000},2,王小明,13800138000,X-3,430102,9"
    report = (await post(client, f"{header}\n{row}\n{bad}\n{long}")).json()
    assert (report["accepted"], [one["code"] for one in report["rejected"]]) == (1, ["invalid-request"] * 2)
    made = next(iter(tables(intake).petitions.values()))
    assert (made["channel"], made["headcount"], made["external_id"], made["jurisdiction"]) == (
        "visit",
        6,
        "X-1",
        "430102",
    )
    assert "王小明" not in repr(tables(intake).petitions) + str(report)


async def test_a_form_with_a_file_does_too(client: httpx.AsyncClient) -> None:
    file = "编号,留言用户,留言时间,事由,留言详情\n1,A1,2019-01-01,标题,内容\n".encode("gbk")
    answer = await client.post(
        "/v1/imports",
        params={"channel": "letter", "jurisdiction": "379911", "mapping": '{"title":"事由"}'},
        files={"file": ("来信.csv", file)},
        headers=bearer(),
    )
    assert answer.json()["accepted"] == 1
    for files, status in (({"file": ("x.xls", b"x")}, 415), ({"other": ("x.csv", b"x")}, 422)):
        answer = await client.post("/v1/imports?channel=letter", files=files, headers=bearer())
        assert answer.status_code == status


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "file-empty"),
        (b"a,b\n1,2\n", "columns-missing"),
        (b"\xff\xfe\x00", "encoding-unknown"),
        ("déjà".encode("latin-1"), "encoding-unknown"),
    ],
)
async def test_a_file_that_cannot_be_read_is_422(client: httpx.AsyncClient, data: bytes, code: str) -> None:
    answer = await post(client, data)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_who_and_what_and_how_large(client: httpx.AsyncClient) -> None:
    path = "/v1/imports?channel=letter"
    assert (await client.post(path, content=b"x", headers=CSV)).status_code == 401
    for role in ("auditor", "leader", "operator"):
        assert (await client.post(path, content=b"x", headers={**CSV, **bearer(role)})).status_code == 403
    assert (await client.post(path, content=b"x", headers=bearer())).status_code == 415
    assert (await post(client, HEADER, channel="pigeon")).json()["code"] == "channel-unknown"
    assert (await post(client, HEADER, mapping="[1]")).status_code == 422
    assert (await post(client, HEADER, mapping='{"title":1}')).json()["code"] == "mapping-invalid"
    assert (await post(client, b" " * (IMPORT_LIMIT + 1))).status_code == 413
    without = await client.post(path, content=f"{HEADER}\n{lines(1)[0]}".encode(), headers={**CSV, **bearer()})
    assert without.json()["rejected"][0]["detail"].startswith("jurisdiction")


async def test_an_account_of_a_county_files_rows_of_that_county_alone(
    client: httpx.AsyncClient, intake: Intake
) -> None:
    own = bearer("channel", jurisdiction="379911", channel="hotline_12345")
    rows = [f"{HEADER},jurisdiction", f"{lines(1)[0]},379912", f"{lines(1, 2)[0]},379911", f"{lines(1, 3)[0]},"]
    path = "/v1/imports?channel=hotline_12345"
    report = (await client.post(path, content="\n".join(rows).encode(), headers={**CSV, **own})).json()
    assert [(one["row"], one["code"]) for one in report["rejected"]] == [(2, "jurisdiction-not-yours")]
    assert {row["jurisdiction"] for row in tables(intake).petitions.values()} == {"379911"}
    assert report["accepted"] == 2
