"""What the columns of a ledger become: the receipt its own time, who petitions the vault's, and nothing is lost unsaid."""

import io
from datetime import UTC, date, datetime, time, timedelta

import httpx
import orjson
import pytest
from openpyxl import Workbook

from services.intake.handlers import Intake
from tests.support.intake import COUNTY, ID_NUMBER, NOW, bearer, tables

HEADER = "编号,信访日期,标题,内容"
ROW = "7,2026-10-01,来信,道路损坏"
RECEIVED = datetime(2026, 10, 8, 1, 0, tzinfo=UTC)
FIRST, NINE = (datetime(2026, 10, day, hour, tzinfo=UTC).replace(tzinfo=None) for day, hour in ((1, 0), (8, 9)))
"""Times as a workbook has them, without a zone."""
TYPES = {
    "csv": "text/csv",
    "jsonl": "application/jsonl",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


async def post(client: httpx.AsyncClient, data: str | bytes, kind: str = "csv", **query: str) -> httpx.Response:
    params = {"channel": "letter", "jurisdiction": COUNTY, **query}
    content = data.encode() if isinstance(data, str) else data
    return await client.post(
        "/v1/imports", params=params, content=content, headers={"content-type": TYPES[kind], **bearer()}
    )


def sheet(*rows: list[object]) -> bytes:
    book = Workbook()
    for row in rows:
        assert book.active is not None
        book.active.append(row)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def received(intake: Intake) -> list[datetime]:
    """Receipts as kept, which are those on the bus."""
    kept = [row["received_at"] for row in tables(intake).petitions.values()]
    assert [event.data.received_at for event in tables(intake).outbox] == kept
    return kept


@pytest.mark.parametrize("column", ["received_at", "收到时间", "收件时间", "登记时间"])
@pytest.mark.parametrize(
    "said", ["2026-10-08T09:00:00+08:00", "2026-10-08 09:00", "2026年10月8日 9时0分", "2026/10/8 9:00"]
)
async def test_a_row_keeps_the_time_of_its_receipt(
    client: httpx.AsyncClient, intake: Intake, column: str, said: str
) -> None:
    report = (await post(client, f"{HEADER},{column}\n{ROW},{said}\n")).json()
    assert (report["accepted"], report["rejected"], report["ignored"]) == (1, [], [])
    line = {"编号": "8", "信访日期": "2026-10-01", "标题": "来信", "内容": "另一条路损坏", column: said}
    report = (await post(client, orjson.dumps(line), "jsonl")).json()
    assert (report["accepted"], report["rejected"], report["ignored"]) == (1, [], [])
    assert received(intake) == [RECEIVED] * 2


@pytest.mark.parametrize("column", ["received_at", "收到时间"])
@pytest.mark.parametrize("cell", [NINE, "2026-10-08 09:00"])
async def test_so_does_a_row_of_a_workbook(
    client: httpx.AsyncClient, intake: Intake, column: str, cell: object
) -> None:
    rows = [[7, FIRST, "来信", "道路损坏", cell], [8, FIRST, "来信", "另一条路损坏", None]]
    report = (await post(client, sheet([*HEADER.split(","), column], *rows), "xlsx")).json()
    assert (report["accepted"], report["rejected"], report["ignored"]) == (2, [], [])
    assert received(intake) == [RECEIVED, NOW]


async def test_a_date_of_a_workbook_is_its_first_moment_in_beijing(client: httpx.AsyncClient, intake: Intake) -> None:
    file = sheet([*HEADER.split(","), "登记日期"], [7, date(2026, 10, 1), "来信", "道路损坏", date(2026, 10, 8)])
    report = (await post(client, file, "xlsx", mapping='{"received_at":"登记日期"}')).json()
    assert (report["accepted"], report["ignored"]) == (1, [])
    assert received(intake) == [datetime(2026, 10, 7, 16, 0, tzinfo=UTC)]


@pytest.mark.parametrize(
    "said",
    [
        "昨天",
        "45938",
        "0001-01-01 00:00",
        "9999-12-31",
        "2026-09-30",
        (NOW + timedelta(minutes=6)).isoformat(),
    ],
)
@pytest.mark.parametrize("kind", ["csv", "xlsx"])
async def test_a_receipt_that_cannot_be_is_a_bad_row(
    client: httpx.AsyncClient, intake: Intake, said: str, kind: str
) -> None:
    file = f"{HEADER},收到时间\n{ROW},{said}\n"
    data = file if kind == "csv" else sheet(*(list(line.split(",")) for line in file.splitlines()))
    report = (await post(client, data, kind)).json()
    assert [(one["row"], one["code"]) for one in report["rejected"]] == [(2, "received-at-invalid")]
    assert "received_at" in report["rejected"][0]["detail"]
    assert said not in str(report)
    assert not tables(intake).petitions


@pytest.mark.parametrize("cell", [time(9, 0), True, 45938.375])
async def test_nor_is_a_cell_that_is_no_time_passed_over(client: httpx.AsyncClient, cell: object) -> None:
    file = sheet([*HEADER.split(","), "收到时间"], [7, FIRST, "来信", "道路损坏", cell])
    report = (await post(client, file, "xlsx")).json()
    assert [one["code"] for one in report["rejected"]] == ["received-at-invalid"]


async def test_a_receipt_on_the_day_of_the_submission_given_as_a_day_is_no_earlier(
    client: httpx.AsyncClient, intake: Intake
) -> None:
    report = (await post(client, f"{HEADER},收到时间\n7,2026-10-01 15:30,来信,道路损坏,2026-10-01\n")).json()
    assert (report["accepted"], report["rejected"]) == (1, [])
    assert received(intake) == [datetime(2026, 10, 1, 7, 30, tzinfo=UTC)]


async def test_the_time_of_receipt_goes_before_the_time_of_entry(client: httpx.AsyncClient, intake: Intake) -> None:
    file = f"{HEADER},登记时间,收到时间\n{ROW},2026-10-20,2026-10-08 09:00\n8,2026-10-01,来信,另一条路,2026-10-20,\n"
    report = (await post(client, file)).json()
    assert (report["accepted"], report["ignored"]) == (2, ["登记时间"])
    assert received(intake) == [RECEIVED, datetime(2026, 10, 19, 16, 0, tzinfo=UTC)]


async def test_who_petitions_goes_into_the_vault(client: httpx.AsyncClient, intake: Intake) -> None:
    file = f"{HEADER},姓名,电话,身份证号,住址\n{ROW},王小明,13800138000,{ID_NUMBER},春华镇1号\n"
    report = (await post(client, file)).json()
    assert (report["accepted"], report["ignored"]) == (1, [])
    id = next(iter(tables(intake).petitions))
    opened = await client.post(f"/v1/petitions/{id}/identity", json={"reason": "核实情况"}, headers=bearer())
    found = opened.json()["identity"]
    assert (found["name"], found["phone"], found["id_number"]) == ("王小明", "13800138000", ID_NUMBER)
    assert found["address"] == "春华镇1号"
    kept = repr((tables(intake).petitions, tables(intake).outbox, tables(intake).audit, report))
    for one in ("王小明", "13800138000", ID_NUMBER, "春华镇1号"):
        assert one not in kept


async def test_a_wrong_number_is_a_bad_row_as_it_is_in_a_filing(client: httpx.AsyncClient) -> None:
    report = (await post(client, f"{HEADER},身份证号\n{ROW},110105194912310021\n")).json()
    assert [one["code"] for one in report["rejected"]] == ["identity-invalid"]
    assert "110105" not in str(report)


@pytest.mark.parametrize("nothing", ["无", "不详", "/", "——"])
async def test_what_a_ledger_writes_for_nobody_is_nobody(
    client: httpx.AsyncClient, intake: Intake, nothing: str
) -> None:
    file = f"{HEADER},姓名,电话,手机,身份证号\n{ROW},{nothing},{nothing},13800138000,{nothing}\n"
    report = (await post(client, file)).json()
    assert (report["accepted"], report["ignored"]) == (1, [])
    id = next(iter(tables(intake).petitions))
    assert set(tables(intake).identities[id]["fields"]) == {"phone"}


async def test_a_header_in_another_encoding_is_told_as_far_as_it_can_be_read(client: httpx.AsyncClient) -> None:
    lines = "".join(f"{n},2026-10-01,来信,第{n}条路,x\n" for n in range(5)).encode()
    report = await post(client, b"id,submitted_at,title,text,\xff\xff\n" + lines)
    assert report.status_code == 200
    assert (report.json()["accepted"], report.json()["ignored"]) == (5, ["??"])


async def test_columns_that_are_not_known_are_told(client: httpx.AsyncClient) -> None:
    file = f"{HEADER},性别,备注,点赞,空\n{ROW},男,,3,\n8,2026-10-01,来信,另一条路,,急,,\n"
    report = (await post(client, file)).json()
    assert (report["accepted"], report["ignored"]) == (2, ["性别", "点赞", "备注"])
    line = {"编号": "9", "信访日期": "2026-10-01", "标题": "来信", "内容": "第三条路", "点赞": 3, "电话": None}
    assert (await post(client, orjson.dumps(line), "jsonl")).json()["ignored"] == ["点赞"]
    book = sheet([*HEADER.split(","), "出生日期", "性别"], [10, FIRST, "来信", "四", date(1960, 1, 1)])
    assert (await post(client, book, "xlsx")).json()["ignored"] == ["出生日期", "性别"]


async def test_the_list_of_them_has_an_end(client: httpx.AsyncClient) -> None:
    lines = [
        {"id": f"{n}", "submitted_at": "2026-10-01", "title": "来信", "text": f"第{n}条路", "k" * 90 + str(n): "x"}
        for n in range(300)
    ]
    report = (await post(client, b"\n".join(orjson.dumps(line) for line in lines), "jsonl")).json()
    assert report["accepted"] == 300
    assert len(report["ignored"]) <= 200
    assert max(map(len, report["ignored"])) <= 60


async def test_the_same_file_again_adds_nothing(client: httpx.AsyncClient, intake: Intake) -> None:
    file = f"{HEADER},收到时间,姓名,电话\n{ROW},2026-10-08 09:00,王小明,13800138000\n"
    assert (await post(client, file)).json()["accepted"] == 1
    again = (await post(client, file)).json()
    assert (again["accepted"], again["duplicates"]) == (0, 1)
