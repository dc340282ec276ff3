"""The reader of message files: kinds, encodings, times, bad rows."""

import json
import zipfile
from datetime import UTC, datetime

import pytest
from openpyxl import Workbook

from shared.messages import BadRow, Message, MessageFileError, read_mapping, read_messages

ROW = {
    "id": "1",
    "petitioner": "p1",
    "submitted_at": "2026-03-01T08:30:00",
    "title": "噪音扰民",
    "text": "工地夜间施工",
}


def write(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def csv_bytes(encoding):
    lines = ["id,petitioner,submitted_at,title,text", '1,p1,2026/03/01 08:30:00,噪音扰民,"工地,夜间施工"']
    return "\r\n".join(lines).encode(encoding)


def test_jsonl_gives_messages_with_a_zone(tmp_path):
    (message,) = read_messages(write(tmp_path / "m.jsonl", [ROW | {"likes": 3}]))
    assert isinstance(message, Message)
    assert message.submitted_at == datetime(2026, 3, 1, 0, 30, tzinfo=UTC)
    assert message.jurisdiction is None
    assert message.more == {"likes": "3"}


def test_a_county_in_the_row_is_kept(tmp_path):
    (message,) = read_messages(write(tmp_path / "m.jsonl", [ROW | {"jurisdiction": "430102"}]))
    assert message.jurisdiction == "430102"


def test_a_time_with_a_zone_keeps_its_instant(tmp_path):
    (message,) = read_messages(write(tmp_path / "m.jsonl", [ROW | {"submitted_at": "2026-03-01T00:30:00Z"}]))
    assert message.submitted_at == datetime(2026, 3, 1, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_csv_in_three_encodings(tmp_path, encoding):
    path = tmp_path / "m.csv"
    path.write_bytes(csv_bytes(encoding))
    (message,) = read_messages(path)
    assert (message.title, message.text) == ("噪音扰民", "工地,夜间施工")


def test_csv_that_is_neither_is_refused(tmp_path):
    path = tmp_path / "m.csv"
    path.write_bytes(b"id,petitioner,submitted_at,title,text\n1,p,2026-03-01,\xff\xff,x\n")
    with pytest.raises(MessageFileError) as caught:
        list(read_messages(path))
    assert caught.value.code == "encoding-unknown"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"id": ""}, "id-missing"),
        ({"title": None}, "title-missing"),
        ({"text": "字" * 100_001}, "field-too-long"),
        ({"submitted_at": "yesterday"}, "time-invalid"),
        ({"id": 430102199001011234}, "number-rounded"),
        ({"id": 1.5}, "not-text"),
    ],
)
def test_a_bad_row_is_told_and_the_others_go_on(tmp_path, change, code):
    path = write(tmp_path / "m.jsonl", [ROW | change, ROW | {"id": "2"}])
    bad, good = read_messages(path)
    assert isinstance(bad, BadRow)
    assert (bad.row, bad.code) == (1, code)
    assert "430102" not in bad.detail
    assert good.id == "2"


def test_bad_lines(tmp_path):
    path = tmp_path / "m.jsonl"
    line = json.dumps(ROW, ensure_ascii=False).encode()
    path.write_bytes(b"\n".join([line, b"{", b"[1]", b"\xff", line]))
    found = list(read_messages(path))
    assert [type(row) for row in found] == [Message, BadRow, BadRow, BadRow, Message]
    assert [(bad.row, bad.code) for bad in found[1:4]] == [(2, "not-json"), (3, "not-json"), (4, "not-utf8")]


def test_other_names_by_a_mapping_file(tmp_path):
    path = write(tmp_path / "m.jsonl", [{"num": 7, "who": "p", "when": "2026-03-01", "head": "t", "body": "x"}])
    mapping = tmp_path / "map.yaml"
    mapping.write_text("id: num\npetitioner: who\nsubmitted_at: when\ntitle: head\ntext: body\n", encoding="utf-8")
    (message,) = read_messages(path, mapping=read_mapping(mapping))
    assert (message.id, message.petitioner, message.text) == ("7", "p", "x")


def sheet(path, rows):
    book = Workbook()
    book.active.append(list(ROW))
    for row in rows:
        book.active.append(row)
    book.save(path)
    return path


def test_xlsx_with_dates_and_numbers(tmp_path):
    path = sheet(tmp_path / "m.xlsx", [[360100, "p", datetime(2026, 3, 1, 8, 30), "噪音", "施工"]])  # noqa: DTZ001
    (message,) = read_messages(path)
    assert message.id == "360100"
    assert message.submitted_at == datetime(2026, 3, 1, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(("id", "numeric"), [(360100, True), ("360100", False), ("A-1", False)])
def test_an_id_is_known_as_number_or_text_in_workbooks_and_json_lines(tmp_path, id, numeric):
    lines = write(tmp_path / "m.jsonl", [ROW | {"id": id}])
    book = sheet(tmp_path / "m.xlsx", [[id, "p", "2026-03-01", "噪音", "施工"]])
    for path in (lines, book):
        [row] = read_messages(path)
        assert (row.id, row.numeric_id) == (str(id), numeric)


def test_a_long_number_in_a_spreadsheet_is_not_guessed(tmp_path):
    (bad,) = read_messages(sheet(tmp_path / "m.xlsx", [[430102199001011234, "p", "2026-03-01", "噪音", "施工"]]))
    assert (bad.row, bad.code) == (2, "number-rounded")


def test_a_bomb_is_refused(tmp_path):
    path = tmp_path / "m.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * (32 << 20))
    with pytest.raises(MessageFileError) as caught:
        list(read_messages(path))
    assert caught.value.code


def test_a_missing_column_is_named(tmp_path):
    path = tmp_path / "m.csv"
    path.write_text("id,petitioner,title,text\n1,p,t,x\n", encoding="utf-8")
    with pytest.raises(MessageFileError, match="submitted_at"):
        list(read_messages(path))
