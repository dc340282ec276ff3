"""Message files for replay, link, backtest and imports: JSONL, CSV and XLSX with `id, petitioner, submitted_at, title, text`.

A bad row is handed on with its number and the reason, and the others go on; only a file that cannot be read as a whole
raises. Rows are numbered as the file shows them: lines of JSONL from 1, rows of a sheet from 1 with the header.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, tzinfo
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

import orjson
from pydantic import RootModel

from shared.clock import BEIJING
from shared.instants import YEARS
from shared.messagerows import BadRow, Message, MessageFileError
from shared.yamlfile import read_yaml

__all__ = [
    "BadRow",
    "Kind",
    "Message",
    "MessageFileError",
    "encoding_of",
    "kind_of",
    "read_mapping",
    "read_messages",
    "read_stream",
    "read_time",
]

Kind = Literal["jsonl", "csv", "xlsx"]
REQUIRED: Final = ("id", "submitted_at", "title", "text")
FIELDS: Final = (*REQUIRED, "petitioner", "jurisdiction")
_FIELDS: Final = frozenset(FIELDS)
ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    "id": ("编号", "留言编号", "工单编号", "序号"),
    "petitioner": ("留言用户", "用户", "信访人", "诉求人"),
    "submitted_at": ("留言时间", "时间", "提交时间", "信访日期"),
    "title": ("留言主题", "标题", "主题"),
    "text": ("留言详情", "内容", "详情", "具体情况"),
    "jurisdiction": ("县区代码", "行政区划代码"),
}
"""Headers that are understood without a mapping file."""
_OURS: Final = {their: ours for ours, theirs in ALIASES.items() for their in theirs}
_ESCAPED: Final = re.compile("[\ud800-\udfff]")
"""Bytes that were not in the encoding, and characters of which a file (UTF-16) holds one half only."""
MAX_FIELD: Final = 100_000
MAX_COLUMNS: Final = 200
_TIME: Final = re.compile(
    r"(\d{4})[-/年.](\d{1,2})[-/月.](\d{1,2})日?(?:[ T]*(\d{1,2})[:时](\d{1,2})(?:[:分](\d{1,2})(?:\.\d{1,9})?秒?)?分?)?"
    r"\s*(Z|[+-]\d\d:?\d\d)?",
    re.ASCII,
)


def read_mapping(path: Path) -> dict[str, str]:
    """A mapping file (YAML): our name → the file's name, a line each. Raises `ConfigError` naming the line."""
    return read_yaml(path, RootModel[dict[str, str]]).value.root


def kind_of(name: str) -> Kind:
    """Kind by the file's ending; raises `MessageFileError` for another one."""
    ending = name.lower().rpartition(".")[2]
    kinds: dict[str, Kind] = {
        "jsonl": "jsonl",
        "ndjson": "jsonl",
        "csv": "csv",
        "tsv": "csv",
        "txt": "csv",
        "xlsx": "xlsx",
    }
    if ending not in kinds:
        raise MessageFileError("file-kind", "a message file ends in .jsonl, .csv, .tsv or .xlsx")
    return kinds[ending]


def read_messages(
    path: Path, *, mapping: Mapping[str, str] | None = None, max_rows: int | None = None
) -> Iterator[Message | BadRow]:
    """Rows of a file, in its order, read as they are asked for. Raises `MessageFileError`, also while iterating."""
    with path.open("rb") as stream:
        yield from read_stream(stream, kind_of(path.name), mapping=mapping, max_rows=max_rows)


def read_stream(
    stream: BinaryIO, kind: Kind, *, mapping: Mapping[str, str] | None = None, max_rows: int | None = None
) -> Iterator[Message | BadRow]:
    """Rows of a seekable stream; see `read_messages`."""
    try:
        for count, (number, raw) in enumerate(_raw_rows(stream, kind, mapping or {}), 1):
            if max_rows is not None and count > max_rows:
                raise MessageFileError("too-many-rows", f"a file has at most {max_rows} rows; split it")
            yield raw if isinstance(raw, BadRow) else _message(number, raw)
    except UnicodeDecodeError:
        raise MessageFileError("encoding-unknown", "the file breaks off within a character: save it as UTF-8") from None


def _raw_rows(
    stream: BinaryIO, kind: Kind, mapping: Mapping[str, str]
) -> Iterator[tuple[int, dict[str, Any] | BadRow]]:
    if not stream.read(1):
        raise MessageFileError("file-empty", "the file has no bytes")
    stream.seek(0)
    if kind == "jsonl":
        return _json_rows(stream, mapping)
    if kind == "csv":
        return _csv_rows(stream, mapping)
    from shared.sheets import sheet_rows  # its library takes 0.4 s to load: only where a workbook comes

    return _named(sheet_rows(stream), mapping)


def _json_rows(stream: BinaryIO, mapping: Mapping[str, str]) -> Iterator[tuple[int, dict[str, Any] | BadRow]]:
    names = _OURS | {theirs: ours for ours, theirs in mapping.items()}
    for number, line in enumerate(_decoded(stream), 1):
        if not line.strip():
            continue
        if _undecoded(line):
            yield number, BadRow(number, "not-utf8", "the row is not in the encoding of the file")
            continue
        try:
            raw = orjson.loads(line)
        except orjson.JSONDecodeError:
            yield number, BadRow(number, "not-json", "the line is not one JSON object")
            continue
        if not isinstance(raw, dict):
            yield number, BadRow(number, "not-json", "the line is not one JSON object")
            continue
        row: dict[str, Any] = raw
        yield number, row if names.keys().isdisjoint(row) else {names.get(key, key): row[key] for key in row}


def _csv_rows(stream: BinaryIO, mapping: Mapping[str, str]) -> Iterator[tuple[int, dict[str, Any] | BadRow]]:
    text = _decoded(stream, newline="")
    delimiter = _delimiter(text.readline())
    text.seek(0)
    return _named(_records(csv.reader(text, delimiter=delimiter, strict=True)), mapping)


def _records(reader: Any) -> Iterator[tuple[int, list[Any] | BadRow]]:
    number = 0
    while True:
        number += 1
        try:
            yield number, next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            code = "field-too-long" if "limit" in str(error) else "quotes-unbalanced"
            detail = "a quotation mark is not closed, or a field is too long; the rows it swallowed were not read"
            yield number, BadRow(number, code, detail)


def _named(
    records: Iterator[tuple[int, list[Any] | BadRow]], mapping: Mapping[str, str]
) -> Iterator[tuple[int, dict[str, Any] | BadRow]]:
    """Rows with the header's names; raises `MessageFileError` if the header lacks what is needed."""
    header = next(records, None)
    if header is None or isinstance(header[1], BadRow):
        raise MessageFileError("header-missing", "the first row has to name the columns")
    names = _OURS | {theirs: ours for ours, theirs in mapping.items()}
    columns = [names.get(name, name) for name in (str(cell or "").strip().lstrip("\ufeff") for cell in header[1])]
    if len(columns) > MAX_COLUMNS:
        raise MessageFileError("too-many-columns", f"a file has at most {MAX_COLUMNS} columns")
    missing = [name for name in REQUIRED if name not in columns]
    if missing:
        detail = f"no column for {', '.join(missing)}; name the columns so, or give a mapping; is the delimiter right?"
        raise MessageFileError("columns-missing", detail)
    if len({name for name in columns if name}) != len([name for name in columns if name]):
        raise MessageFileError("columns-doubled", "two columns have the same name")
    for number, cells in records:
        if isinstance(cells, BadRow):
            yield number, cells
        elif any(cell not in {None, ""} for cell in cells):
            if len(cells) > len(columns):
                yield number, BadRow(number, "too-many-fields", "the row has more fields than the header")
            elif any(isinstance(cell, str) and _undecoded(cell) for cell in cells):
                yield number, BadRow(number, "not-utf8", "the row is not in the encoding of the file")
            else:
                yield number, {name: cell for name, cell in zip(columns, cells, strict=False) if name}


def _delimiter(header: str) -> str:
    return max(",;\t|", key=header.count)


def _decoded(stream: BinaryIO, newline: str | None = None) -> io.TextIOWrapper:
    """The text of a stream, with marks (`_ESCAPED`) where it has bytes or halves of characters that are none."""
    encoding = encoding_of(stream)
    # Half a character of UTF-16 is no byte to escape: only so it is found in its row and does not end the reading.
    return io.TextIOWrapper(
        stream, encoding, "surrogatepass" if encoding == "utf-16" else "surrogateescape", newline=newline
    )


def _undecoded(text: str) -> bool:
    return not text.isascii() and _ESCAPED.search(text) is not None


# -- encodings --------------------------------------------------------------------------------------------------------

_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def encoding_of(stream: BinaryIO) -> str:
    """UTF-8 (with or without mark), UTF-16 with mark, or GB18030; leaves the stream at its start.

    A file most of whose Chinese lines are UTF-8 is UTF-8: its other lines are bad rows, not another encoding. Raises
    `MessageFileError` where neither fits, so that no garbled text is ever stored.
    """
    start = stream.read(4)
    stream.seek(0)
    for mark, name in _BOMS:
        if start.startswith(mark):
            return name
    good = bad = usual = unusual = 0
    for line in stream:
        if b"\0" in line:
            raise MessageFileError("encoding-unknown", "the file holds NUL bytes: save it as UTF-8")
        if line.isascii():
            continue
        if _decodes(line, "utf-8"):
            good += 1
        else:
            bad += 1
            found = [char for char in line.decode("gb18030", "replace") if not char.isascii()]
            strange = sum(not _is_usual(char) for char in found)
            usual, unusual = usual + len(found) - strange, unusual + strange
    stream.seek(0)
    if good >= bad:
        return "utf-8"
    if unusual * 20 <= usual:
        return "gb18030"
    raise MessageFileError("encoding-unknown", "the file is neither UTF-8 nor GB18030: save it as UTF-8")


def _is_usual(char: str) -> bool:
    """In GB 2312, as nearly every character of a real GBK file is; bytes of Big5 or Latin-1 read as GBK are not."""
    try:
        char.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True


def _decodes(line: bytes, encoding: str) -> bool:
    try:
        line.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


# -- one row ----------------------------------------------------------------------------------------------------------


def _message(number: int, raw: Mapping[str, Any]) -> Message | BadRow:
    found = raw if _is_plain(raw) else _texts(number, raw)
    if isinstance(found, BadRow):
        return found
    at = raw.get("submitted_at")
    for name in REQUIRED:
        if not found.get(name, "").strip() and not (name == "submitted_at" and isinstance(at, datetime)):
            return BadRow(number, f"{name.replace('_', '-')}-missing", f"the row has no {name}")
    moment = _aware(at) if isinstance(at, datetime) else read_time(found["submitted_at"])
    if moment is None or moment.year not in YEARS:
        return BadRow(number, "time-invalid", f"submitted_at is no date and time of {YEARS[0]} to {YEARS[-1]}")
    return Message(
        row=number,
        id=found["id"].strip(),
        petitioner=found.get("petitioner", "").strip(),
        submitted_at=moment,
        title=found["title"],
        text=found["text"],
        jurisdiction=found.get("jurisdiction", "").strip() or None,
        more={name: kept for name, value in found.items() if name not in _FIELDS and (kept := value.strip())},
        numeric_id=isinstance(raw["id"], int),
    )


def _is_plain(raw: Mapping[str, Any]) -> bool:
    """Whether all is text that can be taken as it is, as in nearly every row; `_texts` says what another row has instead."""
    values = raw.values()
    return {*map(type, values)} == {str} and max(map(len, values)) <= MAX_FIELD and "\0" not in "".join(values)


def _texts(number: int, raw: Mapping[str, Any]) -> dict[str, str] | BadRow:
    found: dict[str, str] = {}
    for name, value in raw.items():
        if value is None or (isinstance(value, datetime) and name == "submitted_at"):
            continue
        if _is_rounded(value):
            return BadRow(number, "number-rounded", "a number has more than 15 digits: format its column as text")
        text = _as_text(value)
        if text is None or (isinstance(value, float) and name in FIELDS and value != int(value)):
            if name in FIELDS:
                return BadRow(number, "not-text", f"{name} is neither text nor a whole number")
            continue
        if len(text) > MAX_FIELD or "\0" in text:
            return BadRow(number, "field-too-long", f"a field has more than {MAX_FIELD} characters or holds U+0000")
        found[name] = text
    return found


def _is_rounded(value: object) -> bool:
    """A number that a spreadsheet has cut to 15 digits, such as an id number that was not kept as text."""
    return isinstance(value, int | float) and abs(value) >= 10**15


def _as_text(value: object) -> str | None:
    """Texts as they are, numbers as written; None for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return str(int(value)) if value == int(value) else str(value)


def read_time(text: str) -> datetime | None:
    """A date and time in one of the usual forms, also Chinese ones; without zone it is Asia/Shanghai. None if it is none."""
    match = _TIME.fullmatch(text.strip())
    if match is None:
        return None
    year, month, day, hour, minute, second, zone = match.groups("0")
    try:
        clock = _zone(zone) if match[7] else BEIJING
        return datetime(int(year), int(month), int(day), int(hour), int(minute), int(second), tzinfo=clock)
    except ValueError:
        return None


@lru_cache(maxsize=200)
def _zone(written: str) -> tzinfo | None:
    """Zone of `Z` or `+08:00`; raises `ValueError` where there is none such."""
    return datetime.fromisoformat(f"2000-01-01T00:00:00{written}").tzinfo


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=BEIJING)
