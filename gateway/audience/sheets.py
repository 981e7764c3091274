"""Rows of text out of CSV and XLSX files, whatever a county's computers make of them.

CSV may be UTF-8 with or without a byte order mark, UTF-16 with one (Excel's "Unicode text") or
GB18030, with comma, semicolon or tab. Each line stands alone: an open quotation mark or a wrong
byte spoils its own line and no other. That costs line breaks inside cells, which no field of ours
may have anyway.

XLSX is read by :mod:`gateway.audience.workbook`.
"""

from __future__ import annotations

import codecs
import csv
from typing import TYPE_CHECKING

from gateway.audience.lines import FileRefused, Limits, Line
from gateway.audience.workbook import read_workbook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    Score = Callable[[Sequence[str]], int]
    """Tells how many cells of a row are headers that are known."""

_DELIMITERS = (",", "\t", ";")
_XLSX = b"PK\x03\x04"
_OLD_EXCEL = b"\xd0\xcf\x11\xe0"
_CUT = "\ud800"
"""Half a character, as UTF-16 that was cut leaves it."""


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
        raise FileRefused(
            f"{path.name}: an old or a locked Excel file; take its password off, save it as .xlsx or as CSV"
        )
    lines = read_workbook(path, limits) if data.startswith(_XLSX) else _csv(data, score)
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
        lines = _decode_utf16(data)
    else:
        lines = _decode(data.removeprefix(codecs.BOM_UTF8).split(b"\n"))
    header = next((line for line, _ in lines if line.strip()), "")
    delimiter = max(_DELIMITERS, key=lambda one: score(_cells(header, one)[0]))
    for number, (line, fault) in enumerate(lines, 1):
        if fault:
            yield Line(number, (), fault)
        else:
            yield Line(number, *_cells(line.removesuffix("\r"), delimiter))


def _decode_utf16(data: bytes) -> list[tuple[str, str]]:
    text = data[: len(data) & ~1].decode("utf-16", errors="surrogatepass") + _CUT * (len(data) & 1)
    fault = "a character that is cut in half; save the file as UTF-8"
    return [(line, "" if _is_whole(line) else fault) for line in text.split("\n")]


def _is_whole(line: str) -> bool:
    try:
        line.encode()
    except UnicodeEncodeError:
        return False
    return True


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
