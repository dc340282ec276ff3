"""Rows of an XLSX sheet, with the guards a file from outside needs: no bombs, no entities, no macros, no formulas."""

from __future__ import annotations

import lzma
import zipfile
import zlib
from collections.abc import Iterator
from datetime import datetime
from typing import Any, BinaryIO, Final

from defusedxml.common import DefusedXmlException
from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from shared.messagerows import BadRow, MessageFileError

UNPACKED_MAX: Final = 200 * 1024 * 1024
RATIO_MAX: Final = 200
_FORMULA: Final = "f"
_BROKEN: Final = (
    InvalidFileException,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,  # a part that breaks off
    RuntimeError,  # a part under a password, or packed in a way that is not known
    KeyError,
    IndexError,
    ValueError,
    SyntaxError,
    OSError,
)


def sheet_rows(stream: BinaryIO) -> Iterator[tuple[int, list[Any] | BadRow]]:
    """Row number and cells of the first sheet; hidden rows are rows. Raises `MessageFileError`.

    A row with a formula is a bad row: what it shows depends on who opens it.
    """
    _guard(stream)
    try:
        book = load_workbook(stream, read_only=True, data_only=False, keep_links=False)
        sheet = book.worksheets[0]
        for number, cells in enumerate(sheet.iter_rows(), 1):
            if any(cell.data_type == _FORMULA for cell in cells):
                yield number, BadRow(number, "formula", "a cell holds a formula; save the file with values")
            else:
                yield number, [_value(cell.value) for cell in cells]
    except DefusedXmlException:
        raise MessageFileError("xml-entities", "the file holds XML entities") from None
    except _BROKEN as error:
        if isinstance(error, MessageFileError):
            raise
        raise MessageFileError("file-broken", "the file is no readable XLSX workbook") from None


def _value(value: Any) -> Any:
    return value.replace(microsecond=0) if isinstance(value, datetime) else value


def _guard(stream: BinaryIO) -> None:
    try:
        with zipfile.ZipFile(stream) as archive:
            parts = archive.infolist()
    except zipfile.BadZipFile:
        raise MessageFileError("file-broken", "the file is no readable XLSX workbook") from None
    stream.seek(0)
    unpacked, packed = sum(part.file_size for part in parts), sum(part.compress_size for part in parts)
    if unpacked > UNPACKED_MAX or unpacked > max(packed, 10_000) * RATIO_MAX:
        raise MessageFileError("zip-bomb", "the file grows too much when it is unpacked")
    if any(part.filename.lower().endswith("vbaproject.bin") for part in parts):
        raise MessageFileError("macros", "the file holds macros; save it as .xlsx without them")
