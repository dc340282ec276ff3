"""Message files, group E of the bad inputs: every bad row has its number and reason, and the others are read."""

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from openpyxl import Workbook

from shared.messages import (
    BadRow,
    Kind,
    Message,
    MessageFileError,
    kind_of,
    read_mapping,
    read_messages,
    read_stream,
    read_time,
)
from shared.yamlfile import ConfigError

HEADER = "id,petitioner,submitted_at,title,text"
GOOD = "1,A1,2019-02-28T11:25:05,标题,内容"


def rows(data: bytes, kind: Kind = "csv", **options: object) -> list[Message | BadRow]:
    return list(read_stream(io.BytesIO(data), kind, **options))  # type: ignore[arg-type]


def codes(data: bytes, kind: Kind = "csv") -> list[str]:
    return [row.code if isinstance(row, BadRow) else "ok" for row in rows(data, kind)]


def refused(data: bytes, kind: Kind = "csv") -> str:
    with pytest.raises(MessageFileError) as error:
        rows(data, kind)
    return error.value.code


def test_an_id_may_be_nought() -> None:
    (row,) = rows(b'{"id":0,"submitted_at":"2019-01-01","title":"t","text":"x"}', "jsonl")
    assert isinstance(row, Message)
    assert row.id == "0"


def test_a_row_is_read_whole() -> None:
    (row,) = rows(f"{HEADER},likes\n{GOOD},3\n".encode())
    at = datetime(2019, 2, 28, 3, 25, 5, tzinfo=UTC)
    assert row == Message(2, "1", "A1", at, "标题", "内容", None, {"likes": "3"})


def test_lines_of_json_are_numbered_and_bad_ones_named() -> None:
    good = {"id": 188006, "submitted_at": "2019-02-28T11:25:05", "title": " 标题", "text": "内容\n"}
    lines = [
        json.dumps(good).encode(),
        b"",
        b"{",
        b"[1]",
        json.dumps({**good, "title": {"a": 1}}).encode(),
        json.dumps({**good, "id": None}).encode(),
        json.dumps({**good, "text": " "}).encode(),
        json.dumps({**good, "submitted_at": "yesterday"}).encode(),
        json.dumps({**good, "id": 10**15}).encode(),
        b'{"id":1,"title":"\\ud800","text":"x","submitted_at":"2019-01-01"}',
        json.dumps({**good, "text": "a\0b"}).encode(),
        json.dumps({**good, "text": "长" * 100_001}).encode(),
    ]
    found = rows(b"\n".join(lines), "jsonl")
    assert [(r.row, r.code if isinstance(r, BadRow) else "ok") for r in found] == [
        (1, "ok"),
        (3, "not-json"),
        (4, "not-json"),
        (5, "not-text"),
        (6, "id-missing"),
        (7, "text-missing"),
        (8, "time-invalid"),
        (9, "number-rounded"),
        (10, "not-json"),
        (11, "field-too-long"),
        (12, "field-too-long"),
    ]
    assert isinstance(found[0], Message)
    assert (found[0].id, found[0].title, found[0].text) == ("188006", " 标题", "内容\n")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030", "gbk"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_encodings_and_delimiters_are_found(encoding: str, delimiter: str) -> None:
    text = f"{HEADER}\n{GOOD}\n2,A2,2019/3/1 8:00,又一件,道路损坏严重\n".replace(",", delimiter)
    found = rows(text.encode(encoding))
    assert [row.title for row in found if isinstance(row, Message)] == ["标题", "又一件"]


@pytest.mark.parametrize("encoding", ["gb18030", "utf-16", "utf-8-sig"])
def test_encodings_of_lines(encoding: str) -> None:
    line = json.dumps({"id": "1", "submitted_at": "2019-01-01", "title": "标题", "text": "内容"}, ensure_ascii=False)
    assert codes(f"{line}\n".encode(encoding), "jsonl") == ["ok"]


def test_a_line_of_another_encoding_is_a_bad_row_and_never_garbled() -> None:
    data = f"{HEADER}\n{GOOD}\n".encode() + "2,A2,2019-01-01,道路,损坏\n".encode("gbk") + b"3,A3,2019-01-01,x,y\n"
    assert codes(data) == ["ok", "not-utf8", "ok"]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "file-empty"),
        (b"\n", "columns-missing"),
        (b"a,b\n1,2\n", "columns-missing"),
        (f"{HEADER},id\n".encode(), "columns-doubled"),
        (
            ",".join(["id", "submitted_at", "title", "text", *(f"c{n}" for n in range(2000))]).encode(),
            "too-many-columns",
        ),
        ("標題內容反映道路問題".encode("big5") * 3 + b"\n", "encoding-unknown"),
        ("déjà vu à côté".encode("latin-1"), "encoding-unknown"),
        (f"{HEADER}\n{GOOD}\n".encode("utf-16-le"), "encoding-unknown"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(data: bytes, code: str) -> None:
    assert refused(data) == code


def test_a_header_alone_is_no_row() -> None:
    assert rows(f"{HEADER}\n".encode()) == []


def test_quotes_newlines_and_long_fields() -> None:
    inside = f'{HEADER}\n1,A1,2019-01-01,"多行\n标题","他说""好"""\n{GOOD}\n'
    found = rows(inside.encode())
    assert [row.title for row in found if isinstance(row, Message)] == ["多行\n标题", "标题"]
    assert codes(f'{HEADER}\n{GOOD}\n2,A2,2019-01-01,"开了,没关\n3,A3,2019-01-01,a,b\n'.encode()) == [
        "ok",
        "quotes-unbalanced",
    ]
    long = f"{HEADER}\n1,A1,2019-01-01,标题,{'长' * 1_000_000}\n{GOOD}\n"
    assert codes(long.encode()) == ["field-too-long", "ok"]
    assert codes(f"{HEADER}\n{GOOD},extra\n{GOOD}\n".encode()) == ["too-many-fields", "ok"]
    assert codes(f"{HEADER}\n1,A1\n{GOOD}\n,,,,\n".encode()) == ["submitted-at-missing", "ok"]


def test_a_row_cap_stops_the_reading() -> None:
    found = []
    with pytest.raises(MessageFileError) as error:
        for row in read_stream(io.BytesIO(f"{HEADER}\n{GOOD}\n{GOOD}\n{GOOD}\n".encode()), "csv", max_rows=2):
            found.append(row)
    assert error.value.code == "too-many-rows"
    assert len(found) == 2


# -- sheets -----------------------------------------------------------------------------------------------------------


def sheet(*cells: list[object], change: Callable[[Workbook], None] | None = None) -> bytes:
    book = Workbook()
    for row in (HEADER.split(","), *cells):
        book.active.append(row)
    if change:
        change(book)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def test_a_sheet_with_dates_hidden_and_merged_cells() -> None:
    def change(book: Workbook) -> None:
        book.active.row_dimensions[3].hidden = True
        book.active.merge_cells("D4:E4")

    at = datetime(2019, 2, 28, 11, 25, 5)  # noqa: DTZ001 - a sheet knows no zones
    data = sheet(
        [1, "A1", at, "标题", "内容"],
        [2, "A2", "2019-03-01 08:00", "隐藏行", "也是一行"],
        [3, "A3", at, "合并", "没有了"],
        change=change,
    )
    found = rows(data, "xlsx")
    assert isinstance(found[0], Message)
    assert (found[0].id, found[0].submitted_at) == ("1", datetime(2019, 2, 28, 3, 25, 5, tzinfo=UTC))
    assert [row.code if isinstance(row, BadRow) else row.title for row in found] == ["标题", "隐藏行", "text-missing"]


def test_formulas_and_rounded_numbers_are_bad_rows() -> None:
    data = sheet(
        [1, "A1", "2019-01-01", "=cmd|'/c calc'!A0", "内容"],
        [2, 123456789012345678, "2019-01-01", "标题", "内容"],
        [3, "A3", "2019-01-01", "标题", "内容"],
    )
    assert codes(data, "xlsx") == ["formula", "number-rounded", "ok"]


def repacked(data: bytes, name: str, content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for part in old.namelist():
            if part != name:
                new.writestr(part, old.read(part))
        new.writestr(name, content)
    return out.getvalue()


def test_bombs_macros_entities_and_broken_files_are_refused() -> None:
    good = sheet([1, "A1", "2019-01-01", "标题", "内容"])
    assert refused(repacked(good, "xl/media/x.bin", b"\0" * 50_000_000), "xlsx") == "zip-bomb"
    assert refused(repacked(good, "xl/vbaProject.bin", b"x"), "xlsx") == "macros"
    entity = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><worksheet>&e;</worksheet>'
    assert refused(repacked(good, "xl/worksheets/sheet1.xml", entity), "xlsx") in {"xml-entities", "file-broken"}
    assert refused(b"PK\x03\x04 nothing", "xlsx") == "file-broken"
    assert refused(good[: len(good) // 2], "xlsx") == "file-broken"
    assert refused(repacked(good, "xl/workbook.xml", b"<x/>"), "xlsx") == "file-broken"


@pytest.mark.parametrize("by", ["bytes", "method", "password"])
def test_a_workbook_whose_packing_is_damaged_is_refused(by: str) -> None:
    data = bytearray(sheet([1, "A1", "2019-01-01", "标题", "内容"]))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        part = archive.getinfo("xl/worksheets/sheet1.xml")
    start = part.header_offset + 30 + len(part.filename)
    listed = data.rindex(part.filename.encode()) - 46  # its entry in the central directory
    if by == "bytes":
        data[start : start + 20] = b"\xff" * 20
    elif by == "method":
        data[listed + 10] = 98
    else:
        data[listed + 8] |= 1
    assert refused(bytes(data), "xlsx") == "file-broken"


@pytest.mark.parametrize("year", [1, 1948, 2200, 9999])
def test_a_year_no_petition_is_of_is_a_bad_row(year: int) -> None:
    data = f"{HEADER}\n1,A1,{year:04}-01-01 00:00:00,标题,内容\n{GOOD}\n".encode()
    assert codes(data) == ["time-invalid", "ok"]
    line = orjson.dumps({"id": "1", "submitted_at": f"{year:04}-06-01T00:00:00Z", "title": "题", "text": "文"})
    assert codes(line, "jsonl") == ["time-invalid"]


def test_a_date_cell_of_1900_is_a_bad_row() -> None:
    at = datetime(1900, 1, 5)  # noqa: DTZ001 - a sheet knows no zones
    assert codes(sheet([1, "A1", at, "标题", "内容"]), "xlsx") == ["time-invalid"]


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_half_a_character_is_a_bad_row_and_not_the_end(kind: Kind) -> None:
    half = f"{HEADER}\n2,A1,2019-01-01,标题,前\ud83d后\n{GOOD}\n"
    if kind == "jsonl":
        row = {"id": "1", "submitted_at": "2019-01-01", "title": "题"}
        assert codes(json.dumps(row | {"text": "\ud83d"}).encode(), "jsonl") == ["not-json"]
        half = "".join(json.dumps(row | {"text": text}, ensure_ascii=False) + "\n" for text in ("\ud83d后", "文"))
    assert codes(half.encode("utf-16", "surrogatepass"), kind) == ["not-utf8", "ok"]


# -- names, mappings, times -------------------------------------------------------------------------------------------


def test_a_mapping_names_other_columns(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text("id: 编码\ntitle: 事由\n", encoding="utf-8")
    (tmp_path / "f.csv").write_text(
        "编码,留言用户,留言时间,事由,留言详情\n1,A1,2019-01-01,标题,内容\n", encoding="utf-8"
    )
    (row,) = read_messages(tmp_path / "f.csv", mapping=read_mapping(tmp_path / "m.yaml"))
    assert isinstance(row, Message)
    assert (row.id, row.petitioner, row.title, row.text) == ("1", "A1", "标题", "内容")
    (tmp_path / "bad.yaml").write_text("- id\n", encoding="utf-8")
    with pytest.raises(ConfigError):
        read_mapping(tmp_path / "bad.yaml")


def test_kinds_by_name() -> None:
    assert [kind_of(name) for name in ("a.JSONL", "b.csv", "c.tsv", "d.xlsx")] == ["jsonl", "csv", "csv", "xlsx"]
    for name in ("a.xls", "b.xlsm", "c", "d.json"):
        with pytest.raises(MessageFileError):
            kind_of(name)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2019-02-28T11:25:05", "2019-02-28T11:25:05+08:00"),
        ("2019/2/8 1:05", "2019-02-08T01:05:00+08:00"),
        ("2019-02-28", "2019-02-28T00:00:00+08:00"),
        ("2019年2月28日 11时25分5秒", "2019-02-28T11:25:05+08:00"),
        ("2019-02-28T03:25:05Z", "2019-02-28T03:25:05+00:00"),
        ("2019-02-28 03:25:05.123+0000", "2019-02-28T03:25:05+00:00"),
        ("2019-02-29", None),
        ("28.02.2019", None),
        ("24:00", None),
        ("2019-02-28T24:00", None),
        ("43524", None),
        ("", None),
    ],
)
def test_times_of_files(text: str, at: str | None) -> None:
    found = read_time(text)
    assert (found.isoformat() if found else None) == at


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"title": " "},
        {"submitted_at": "2019-13-01"},
        {"text": "长" * 100_001},
        {"petitioner": "a\0b"},
        {"编号": "B"},
    ],
)
def test_a_row_of_texts_alone_is_read_as_one_with_a_number_beside_them(change: dict[str, str]) -> None:
    texts = {"id": "A", "submitted_at": "2019-01-01T08:00:00+08:00", "title": "题", "text": "文", "channel": " letter "}
    [alone] = rows(orjson.dumps(texts | change), "jsonl")
    [beside] = rows(orjson.dumps(texts | change | {"count": 3}), "jsonl")
    if isinstance(beside, Message):
        assert beside.more == {"channel": "letter", "count": "3"}
        beside = replace(beside, more={"channel": "letter"})
    assert alone == beside
