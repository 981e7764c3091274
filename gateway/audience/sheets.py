"""Rows of text out of CSV and XLSX files, whatever a county's computers make of them.

CSV may be UTF-8 with or without a byte order mark, UTF-16 with one (Excel's "Unicode text") or
GB18030, with comma, semicolon or tab. Each line stands alone: an open quotation mark or a wrong
byte spoils its own line and no other. That costs line breaks inside cells, which no field of ours
may have anyway.
"""

from __future__ import annotations

import codecs
import csv
import re
import zipfile
from typing import TYPE_CHECKING, NamedTuple

import python_calamine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    Score = Callable[[Sequence[str]], int]
    """Tells how many cells of a row are headers that are known."""

_DELIMITERS = (",", "\t", ";")
_XLSX = b"PK\x03\x04"
_OLD_EXCEL = b"\xd0\xcf\x11\xe0"
_CHUNK = 1 << 20
_OVERLAP = 64

# calamine holds the whole rectangle up to the last cell: one cell far out would take gigabytes.
_FAR_COLUMN = re.compile(rb'<c r="(?:[B-Z][A-Z]|[A-Z]{3,})\d')
_ROW = re.compile(rb'<row[^>]{0,40}? r="(\d{5,8})"')


class FileRefused(ValueError):
    """A file cannot be read as a whole; the text names it, the reason and the way out."""


class Limits(NamedTuple):
    """How large a file may be."""

    rows: int = 300_000
    megabytes: int = 64
    unpacked_megabytes: int = 1024
    """Of everything inside an XLSX file, which is a ZIP archive."""


class Line(NamedTuple):
    """One row; ``fault`` says why it could not be read."""

    number: int
    """As a spreadsheet or an editor counts, from 1."""
    cells: Sequence[str]
    fault: str = ""


def read_lines(path: Path, score: Score, limits: Limits = Limits()) -> Iterator[Line]:  # noqa: B008 - immutable
    """Return the rows that are not blank, the header first.

    Raises:
        FileRefused: the file is missing, too large, empty, or neither CSV nor XLSX.
    """
    try:
        if path.stat().st_size > limits.megabytes << 20:
            raise FileRefused(f"{path.name}: larger than {limits.megabytes} MB; split it")
        data = path.read_bytes()
    except OSError as error:
        raise FileRefused(
            f"{path.name}: cannot be read: {(error.strerror or 'unknown reason').lower()}"
        ) from None
    if data.startswith(_OLD_EXCEL):
        raise FileRefused(f"{path.name}: an old Excel file; save it as .xlsx or as CSV")
    lines = _xlsx(path, limits) if data.startswith(_XLSX) else _csv(data, score)
    return _counted(path, lines, limits)


def _counted(path: Path, lines: Iterator[Line], limits: Limits) -> Iterator[Line]:
    filled = (line for line in lines if line.fault or any(cell.strip() for cell in line.cells))
    count = -1
    for count, line in enumerate(filled):
        if count > limits.rows:
            raise FileRefused(f"{path.name}: more than {limits.rows} rows; split it")
        yield line
    if count < 0:
        raise FileRefused(f"{path.name}: empty; the first row must hold the column names")


def _csv(data: bytes, score: Score) -> Iterator[Line]:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = data.decode("utf-16", errors="replace")
        lines = [(line, "") for line in text.split("\n")]
    else:
        lines = _decode(data.removeprefix(codecs.BOM_UTF8).split(b"\n"))
    header = next((line for line, _ in lines if line.strip()), "")
    delimiter = max(_DELIMITERS, key=lambda one: score(_cells(header, one)[0]))
    for number, (line, fault) in enumerate(lines, 1):
        if fault:
            yield Line(number, (), fault)
        else:
            yield Line(number, *_cells(line.removesuffix("\r"), delimiter))


def _decode(lines: list[bytes]) -> list[tuple[str, str]]:
    """Return (text, fault) of each line."""
    encoding = _encoding(lines)
    try:
        return [(line, "") for line in b"\n".join(lines).decode(encoding).split("\n")]
    except UnicodeDecodeError:
        return [_decode_line(line, encoding) for line in lines]


def _encoding(lines: list[bytes]) -> str:
    # Chinese text in GB18030 is hardly ever valid UTF-8, while nearly all UTF-8 is valid GB18030: so a
    # file with few broken lines is broken UTF-8.
    foreign = [line for line in lines if not line.isascii()]
    broken = sum(1 for line in foreign if _decode_line(line, "utf-8")[1])
    return "gb18030" if broken * 2 > len(foreign) else "utf-8"


def _decode_line(line: bytes, encoding: str) -> tuple[str, str]:
    try:
        return line.decode(encoding), ""
    except UnicodeDecodeError:
        return "", f"a byte that is no {encoding.upper()} text; save the file as UTF-8"


def _cells(line: str, delimiter: str) -> tuple[Sequence[str], str]:
    if '"' not in line and "\r" not in line:
        return line.split(delimiter), ""
    try:
        return next(csv.reader((line,), delimiter=delimiter, strict=True)), ""
    except csv.Error:
        return (), "quotation marks do not match on this line; a cell must not hold a line break"


def _xlsx(path: Path, limits: Limits) -> Iterator[Line]:
    try:
        _check_extent(path, limits)
        sheet = python_calamine.CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0)
        rows = sheet.iter_rows()
    except (python_calamine.CalamineError, zipfile.BadZipFile, IndexError, OSError) as error:
        raise FileRefused(f"{path.name}: no readable workbook; open it and save it again") from error
    for number, row in enumerate(rows, 1):
        yield Line(number, [_text(value) for value in row])


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _check_extent(path: Path, limits: Limits) -> None:
    """Refuse what would not fit into memory once unpacked."""
    with zipfile.ZipFile(path) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > limits.unpacked_megabytes << 20:
            raise FileRefused(f"{path.name}: larger than {limits.unpacked_megabytes} MB unpacked; split it")
        for entry in archive.infolist():
            if entry.filename.startswith("xl/worksheets/"):
                with archive.open(entry) as sheet:
                    _check_cells(path, iter(lambda: sheet.read(_CHUNK), b""), limits)


def _check_cells(path: Path, chunks: Iterator[bytes], limits: Limits) -> None:
    before = b""
    for chunk in chunks:
        part = before + chunk
        if _FAR_COLUMN.search(part):
            raise FileRefused(f"{path.name}: more than 52 columns; keep those that are needed")
        if any(int(row) > limits.rows + 1 for row in _ROW.findall(part)):
            raise FileRefused(f"{path.name}: more than {limits.rows} rows; split it")
        before = part[-_OVERLAP:]
