"""Rows of text out of an XLSX file, read as a stream, of the first worksheet only.

Read by our own hand because the library at hand reserves the whole rectangle that a file claims:
one forged cell at the far end of the sheet ended the process. Here such a file, or one that unpacks
to gigabytes, costs no memory. (ECMA-376 part 1, section 18.3 and 18.4.)
"""

from __future__ import annotations

import posixpath
import re
import string
import zipfile
import zlib
from typing import IO, TYPE_CHECKING, Protocol
from xml.parsers import expat

from gateway.audience.lines import FileRefused, Line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from gateway.audience.lines import Limits

_CHUNK = 1 << 18
_COLUMNS = {
    first + last: place
    for place, (first, last) in enumerate((a, b) for a in ("", "A") for b in string.ascii_uppercase)
}
_FAR = len(_COLUMNS)
_DIGITS = string.digits
_MOST_ROWS = 1 << 20
_MOST_TEXT = 32_767
"""Characters in a cell, as Excel has it; and in any piece of it that the parser hands over."""
_MOST_PIECES = 1000
_MOST_TOKEN = 4 << 20
_MOST_STRINGS = 256 << 20
_MOST_LISTING = 4 << 20
_ESCAPE = re.compile("_x([0-9A-Fa-f]{4})_")

_UNREADABLE = (
    *(zipfile.BadZipFile, zlib.error, expat.ExpatError, OSError, EOFError, KeyError, IndexError, ValueError),
    *(RuntimeError, NotImplementedError),  # zipfile: encrypted; a method or version it does not know
)


class _Tags(dict[str, str]):
    """Element as written, ``x:row`` -> its name; a workbook uses few, and each a million times."""

    def __missing__(self, written: str) -> str:
        """Take the prefix of the namespace off."""
        return self.setdefault(written, written.rpartition(":")[2])


def read_workbook(path: Path, limits: Limits) -> Iterator[Line]:
    """Return all rows of the first worksheet; raises :class:`FileRefused` where it cannot be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield from _worksheet(_Book(path.name, archive, limits))
    except FileRefused:
        raise
    except _UNREADABLE as error:
        raise FileRefused(f"{path.name}: no readable workbook; open it and save it again") from error


class _Handler(Protocol):
    """Receives the elements of one part of a workbook."""

    def start(self, name: str, attributes: Mapping[str, str]) -> None: ...
    def end(self, name: str) -> None: ...
    def text(self, data: str) -> None: ...


class _Book:
    """The archive that a workbook is; opens its parts, and refuses what is too large."""

    def __init__(self, name: str, archive: zipfile.ZipFile, limits: Limits) -> None:
        self.name, self.limits, self._archive = name, limits, archive
        self._parts = {one.filename.lower(): one for one in archive.infolist()}
        if sum(one.file_size for one in self._parts.values()) > limits.unpacked_megabytes << 20:
            raise self.refusal(f"larger than {limits.unpacked_megabytes} MB unpacked; split it")

    def __contains__(self, part: str) -> bool:
        return part.lower() in self._parts

    def refusal(self, reason: str) -> FileRefused:
        return FileRefused(f"{self.name}: {reason}")

    def parse(self, part: str, handler: _Handler, most: int) -> Iterator[None]:
        """Hand the elements of a part to the handler, a piece at each step."""
        entry = self._parts[part.lower()]
        if entry.file_size > most:
            raise self.refusal(f"its {posixpath.basename(part)} is larger than {most >> 20} MB; split it")
        with self._archive.open(entry) as stream:
            yield from _feed(_parser(handler), stream)


def _parser(handler: _Handler) -> expat.XMLParserType:
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = handler.start
    parser.EndElementHandler = handler.end
    parser.CharacterDataHandler = handler.text
    parser.StartDoctypeDeclHandler = _refuse_doctype
    return parser


def _refuse_doctype(*_: object) -> None:
    raise ValueError("a workbook has no DTD")


def _feed(parser: expat.XMLParserType, stream: IO[bytes]) -> Iterator[None]:
    fed = 0
    while chunk := stream.read(_CHUNK):
        parser.Parse(chunk, False)
        fed += len(chunk)
        if fed - parser.CurrentByteIndex > _MOST_TOKEN:
            raise ValueError("a tag without end")
        yield
    parser.Parse(b"", True)
    yield


def _worksheet(book: _Book) -> Iterator[Line]:
    """Return the rows of the first worksheet."""
    sheet, strings = _places(book)
    rows = _Rows(book, _strings(book, strings))
    for _ in book.parse(sheet, rows, book.limits.unpacked_megabytes << 20):
        yield from rows.take()


def _places(book: _Book) -> tuple[str, str]:
    """Return the names of the parts that hold the first worksheet and its texts."""
    sheets, relations = _Listing(), _Listing()
    for part, listing in (("xl/workbook.xml", sheets), ("xl/_rels/workbook.xml.rels", relations)):
        for _ in book.parse(part, listing, _MOST_LISTING):
            pass
    targets = {one["Id"]: _target(one) for one in relations.of("Relationship")}
    used = [value for one in sheets.of("sheet") for key, value in one.items() if key.endswith(":id")]
    worksheets = [part for kind, part in map(targets.__getitem__, used) if kind == "worksheet"]
    texts = next((part for kind, part in targets.values() if kind == "sharedStrings"), "")
    return worksheets[0], texts


def _target(relation: Mapping[str, str]) -> tuple[str, str]:
    """Return kind and part of a relationship; its target counts from the folder of the workbook."""
    part = posixpath.normpath(posixpath.join("/xl", relation["Target"])).lstrip("/")
    return posixpath.basename(relation["Type"]), part


def _strings(book: _Book, part: str) -> list[str]:
    strings = _Strings()
    if part in book:
        for _ in book.parse(part, strings, _MOST_STRINGS):
            pass
    return strings.found


class _Listing:
    """Keeps the attributes of all elements."""

    def __init__(self) -> None:
        self._found: list[tuple[str, Mapping[str, str]]] = []
        self._tags = _Tags()

    def of(self, tag: str) -> list[Mapping[str, str]]:
        return [attributes for name, attributes in self._found if self._tags[name] == tag]

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._found.append((name, attributes))

    def end(self, name: str) -> None: ...

    def text(self, data: str) -> None: ...


class _Strings:
    """Keeps the text of each ``si``, without its reading aids (``rPh``)."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._parts: list[str] = []
        self._aside = self._listens = False
        self._tags = _Tags()

    def start(self, name: str, _: Mapping[str, str]) -> None:
        tag = self._tags[name]
        if tag == "si":
            self._parts = []
        elif tag == "rPh":
            self._aside = True
        self._listens = tag == "t" and not self._aside

    def end(self, name: str) -> None:
        tag = self._tags[name]
        self._listens = False
        if tag == "si":
            self.found.append(_unescaped("".join(self._parts)))
        elif tag == "rPh":
            self._aside = False

    def text(self, data: str) -> None:
        if self._listens:
            _add(self._parts, data)


class _Rows:
    """Puts cells together to rows; a cell without a value is none, wherever it stands."""

    def __init__(self, book: _Book, strings: Sequence[str]) -> None:
        self._book, self._strings = book, strings
        self._ready: list[Line] = []
        self._cells: list[str] = []
        self._parts: list[str] = []
        self._row, self._place, self._kind = 0, -1, "n"
        self._aside = self._listens = False
        self._tags = _Tags()

    def take(self) -> list[Line]:
        """Return the rows that have become complete."""
        ready, self._ready = self._ready, []
        return ready

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        tag = self._tags[name]
        if tag == "c":
            place = attributes.get("r")
            self._place = _COLUMNS.get(place.rstrip(_DIGITS), _FAR) if place else self._place + 1
            self._kind, self._parts = attributes.get("t", "n"), []
        elif tag in {"v", "t"}:
            self._listens = not self._aside
        elif tag == "row":
            self._open_row(attributes)
        elif tag == "rPh":
            self._aside = True

    def end(self, name: str) -> None:
        tag = self._tags[name]
        self._listens = False
        if tag == "c":
            if self._parts:
                self._close_cell("".join(self._parts))
        elif tag == "row":
            self._ready.append(Line(self._row, self._cells))
        elif tag == "rPh":
            self._aside = False

    def text(self, data: str) -> None:
        if self._listens:
            _add(self._parts, data)

    def _open_row(self, attributes: Mapping[str, str]) -> None:
        self._row = int(attributes.get("r", self._row + 1))
        if not 0 < self._row <= _MOST_ROWS:
            raise ValueError("a row that no sheet has")
        self._cells, self._place = [], -1

    def _close_cell(self, text: str) -> None:
        if self._place >= _FAR:
            raise self._book.refusal(f"row {self._row}: more than {_FAR} columns; keep those that are needed")
        missing = self._place - len(self._cells) + 1
        if missing > 0:
            self._cells += [""] * missing
        self._cells[self._place] = self._value(text)

    def _value(self, text: str) -> str:
        if self._kind == "s":
            return self._strings[int(text)]
        if self._kind == "n":
            return _number(text)
        if self._kind == "b":
            return "TRUE" if text.strip() == "1" else "FALSE"
        return _unescaped(text)


def _add(parts: list[str], piece: str) -> None:
    if len(piece) > _MOST_TEXT or len(parts) > _MOST_PIECES:
        raise ValueError("a text without end")
    parts.append(piece)


def _unescaped(text: str) -> str:
    """Return a text with what XML cannot hold in place of its escapes, such as ``_x000D_``."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text) if "_x" in text else text


def _number(text: str) -> str:
    """Return a number as people write it; 9.90101001E+11 is one of 12 digits."""
    if text.isdigit():
        return text
    try:
        value = float(text)
    except ValueError:
        return text
    return str(int(value)) if value.is_integer() else str(value)
