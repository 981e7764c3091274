"""Import of contacts from a CSV or XLSX file, row by row: the good ones get in, the bad ones get a reason."""

from __future__ import annotations

import asyncio
import functools
import math
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from gateway.audience import codes
from gateway.audience.columns import (
    LANGUAGE_WORDS,
    REQUIRED,
    ROLE_WORDS,
    Fault,
    clean,
    lay_out,
    meaning,
    needed,
    short,
    strip,
)
from gateway.audience.lines import FileRefused, Limits
from gateway.audience.sheets import read_lines
from gateway.store import contacts as statements
from gateway.store.contacts import Contact

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import asyncpg

    from gateway.audience.columns import Layout
    from gateway.audience.lines import Line
    from gateway.store.database import Database

    Checks = Mapping[str, Callable[[str], str]]
    """Channel -> its adapter's ``check_address``."""

MOST_NUMBER = 64

_SEVERAL = re.compile(r"[;；、|]")
_RUN_BY_SPREADSHEETS = ("=", "+", "-", "@")
_SPOILT = re.compile(r"\d(?:\.\d+)?[eE]\+?\d+")
_TAG = re.compile(r"[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8})*")


class RowError(NamedTuple):
    """Why a row did not get in, or what to know of one that did; never holds an address."""

    file: str
    row: int
    """As a spreadsheet counts, the header being 1."""
    column: str
    reason: str
    way_out: str

    def __str__(self) -> str:
        """Return it as one line."""
        column = f", {self.column}" if self.column else ""
        return f"{self.file}, row {self.row}{column}: {self.reason}" + (
            f"; {self.way_out}" if self.way_out else ""
        )


class ImportReport(NamedTuple):
    """What became of a file."""

    file: str
    read: int
    """Rows below the header that are not blank."""
    created: int
    updated: int
    refused: list[RowError]
    """A row stands here once for each of its faults."""
    notes: list[RowError]
    """Rows that got in, with what somebody should look at."""
    unknown_columns: list[str]
    kept: bool = True
    """False for a rehearsal, which changes nothing."""
    groups_made: tuple[str, ...] = ()
    groups_changed: tuple[str, ...] = ()
    """Those that the file puts somebody into or takes somebody out of."""

    @property
    def refused_rows(self) -> int:
        """How many rows did not get in."""
        return len({error.row for error in self.refused})

    def as_json(self) -> dict[str, Any]:
        """Return it for ``--json``."""
        lists = {name: [one._asdict() for one in getattr(self, name)] for name in ("refused", "notes")}
        return self._asdict() | lists | {"refused_rows": self.refused_rows}


async def import_contacts(
    database: Database,
    path: Path,
    checks: Checks,
    *,
    dry_run: bool = False,
    limits: Limits = Limits(),  # noqa: B008
) -> ImportReport:
    """Bring the contacts of a file in, in one transaction.

    A row with a number (``external_id``) updates the contact of that number. Any other updates the
    contact of the same name and region that has one of its addresses; where the row has a number and
    that contact has none, the contact takes it. Of an existing contact, the addresses on the file's
    channels are replaced; an empty role, language or coordinate cell leaves what is stored where the
    file has no such column.

    Args:
        database: must hold the regions already.
        path: CSV or XLSX, the column names in the first row.
        checks: channel -> function that returns an address in its stored form or raises ValueError.
        dry_run: say what would happen and change nothing.
        limits: how large the file may be.

    Raises:
        FileRefused: the file as a whole cannot be read or lacks a column that is needed.
    """
    async with database.raw() as connection:
        reader = await open_reader(connection, path, checks, limits=limits)
        contacts = await asyncio.to_thread(reader.contacts)
        return await bring_in(connection, reader, contacts, keep=not dry_run)


async def open_reader(
    connection: asyncpg.Connection,
    path: Path,
    checks: Checks,
    *,
    within: str = "",
    limits: Limits = Limits(),  # noqa: B008
) -> Reader:
    """Return what reads a file of contacts.

    Args:
        connection: to look up the regions.
        path: CSV or XLSX, the column names in the first row.
        checks: channel -> function that returns an address in its stored form or raises ValueError.
        within: digits that the region of each contact must begin with.
        limits: how large the file may be.
    """
    regions = Regions(await statements.region_names(connection, within))
    elsewhere = await statements.numbers_outside(connection, within) if within else set()
    return Reader(path, checks, regions, limits, elsewhere)


async def bring_in(
    connection: asyncpg.Connection, reader: Reader, contacts: list[Contact], *, keep: bool
) -> ImportReport:
    """Bring in what a reader has read and return the report; all of it or, without ``keep``, nothing."""
    layout = reader.layout
    brought = await statements.bring(
        connection,
        contacts,
        channels={channel for _, channel in layout.channels},
        groups="groups" in layout.fields,
        keep=keep,
    )
    reader.note_shared(brought.shared)
    return ImportReport(
        reader.file,
        reader.read,
        brought.created,
        brought.updated,
        reader.refused,
        sorted(reader.notes, key=lambda note: note.row),
        layout.unknown,
        kept=keep,
        groups_made=tuple(sorted(brought.made)),
        groups_changed=tuple(sorted(brought.moved)),
    )


class Regions:
    """Finds a region by what people write: its code, its name, or township and village together."""

    def __init__(self, regions: Iterable[tuple[str, str]]) -> None:
        """Take (code, name) of all that are loaded."""
        self._names = dict(regions)
        self._codes: dict[str, set[str]] = {}
        for code, name in self._names.items():
            township = self._names.get(codes.township_of(code), "")
            for known in {name, township + name} if code != codes.township_of(code) else {name}:
                self._codes.setdefault(known, set()).add(code)

    def find(self, text: str) -> str:
        """Return the code; raises :class:`Fault`."""
        if text in self._names:
            return text
        if _SPOILT.fullmatch(text):
            raise Fault(
                "a spreadsheet turned the code into a rounded number",
                "format the column as text and fill it again",
            )
        if text.isascii() and text.isdigit():
            return self._by_code(text)
        found = self._codes.get(re.sub(r"[\s/·,，\-]+", "", text), set())
        if len(found) == 1:
            return next(iter(found))
        if found:
            raise Fault(
                f"{len(found)} regions have this name", "write the township before the village, or the code"
            )
        raise Fault(
            "no loaded region has this name",
            "write its code of 12 digits, or load it: tongda audience regions",
        )

    def _by_code(self, text: str) -> str:
        try:
            code = codes.parse_code(text).digits
        except codes.CodeRefused as refused:
            raise Fault(str(refused), "write the 12 digits") from None
        if code not in self._names:
            raise Fault(
                "no loaded region has this code", "correct it, or load the region: tongda audience regions"
            )
        return code


class Reader:
    """Goes through one file; keeps what it has to say."""

    def __init__(
        self,
        path: Path,
        checks: Checks,
        regions: Regions,
        limits: Limits,
        elsewhere: Collection[str] = (),
    ) -> None:
        """Read nothing yet; ``elsewhere`` are numbers of contacts that this file must not touch."""
        self.file = path.name
        self.read = 0
        self.refused: list[RowError] = []
        self.notes: list[RowError] = []
        self._path, self._checks, self._limits, self._elsewhere = path, checks, limits, elsewhere
        self._parsers = _parsers(regions)
        self._numbers: dict[str, Contact] = {}
        self._same: dict[tuple[str, str, str, str], Contact] = {}
        self._owners: dict[tuple[str, str], int] = {}

    def contacts(self) -> list[Contact]:
        """Return the contacts of all rows without a fault."""
        lines = read_lines(self._path, self._score, self._limits)
        self.layout = self._header(next(lines))
        return list(self._good(lines))

    def note_shared(self, shared: Iterable[tuple[int, str]]) -> None:
        """Note addresses that another contact, not of this file, has already."""
        titles = {channel: self.layout.titles[place] for place, channel in reversed(self.layout.channels)}
        for row, channel in shared:
            self._note(
                row, titles[channel], "another contact has this address too", "correct one if that is wrong"
            )

    def _score(self, cells: Sequence[str]) -> int:
        return sum(1 for cell in cells if meaning(cell, self._checks))

    def _header(self, line: Line) -> Layout:
        layout = lay_out(line.cells, self._checks)
        missing = [name for name in REQUIRED if name not in layout.fields]
        if missing:
            words = " and ".join(
                {"name": "name (姓名)", "region": "region (行政区划代码)"}[name] for name in missing
            )
            raise FileRefused(
                f"{self.file}, row {line.number}: no column for {words}; the first row must name the columns"
            )
        return layout

    def _good(self, lines: Iterator[Line]) -> Iterator[Contact]:
        for line in lines:
            self.read += 1
            if line.fault:
                self._refuse(line.number, "", Fault(line.fault, "correct the line"))
                continue
            contact = self._contact(line)
            if contact and not self._is_double(contact):
                self._remark(contact)
                yield contact

    def _refuse(self, row: int, column: str, fault: Fault) -> None:
        self.refused.append(RowError(self.file, row, column, fault.reason, fault.way_out))

    def _note(self, row: int, column: str, reason: str, way_out: str = "") -> None:
        self.notes.append(RowError(self.file, row, column, reason, way_out))

    def _contact(self, line: Line) -> Contact | None:
        """Return the row's contact, or None after noting each of its faults."""
        before = len(self.refused)
        values = {field: self._field(line, field, place) for field, place in self.layout.fields.items()}
        addresses = tuple(
            own for place, channel in self.layout.channels for own in self._addresses(line, place, channel)
        )
        if len(self.refused) == before:
            self._check_place(line.number, values)
        if values.get("external_id") in self._elsewhere:
            fault = Fault("the number belongs to a contact of another area", "ask somebody of that area")
            self._refuse(line.number, self.layout.titles[self.layout.fields["external_id"]], fault)
        if len(self.refused) > before:
            return None
        return Contact(
            line.number,
            values.get("external_id") or None,
            values["name"],
            values["region"],
            values.get("role"),
            values.get("language"),
            values.get("lon"),
            values.get("lat"),
            tuple(dict.fromkeys(addresses)),
            values.get("groups", ()),
        )

    def _field(self, line: Line, field: str, place: int) -> Any:  # noqa: ANN401 - as the field has it
        try:
            return self._parsers[field](_cell(line, place))
        except Fault as fault:
            self._refuse(line.number, self.layout.titles[place], fault)
            return None

    def _addresses(self, line: Line, place: int, channel: str) -> list[tuple[str, str]]:
        try:
            return [(channel, one) for one in addresses_in(_cell(line, place), self._checks[channel])]
        except Fault as fault:
            self._refuse(line.number, self.layout.titles[place], fault)
            return []

    def _check_place(self, row: int, values: dict[str, Any]) -> None:
        lon, lat = values.get("lon"), values.get("lat")
        if (lon is None) != (lat is None):
            self._refuse(
                row, "", Fault("one coordinate is missing", "give longitude and latitude, or neither")
            )
        elif lat is not None and not -90 <= lat <= 90:  # noqa: PLR2004 - the poles
            self._refuse(
                row, "", Fault("the latitude does not exist", "longitude and latitude may be exchanged")
            )

    def _is_double(self, contact: Contact) -> bool:
        """Whether an earlier row is the same contact: by number, or else by name, region and an address."""
        keys = [(contact.name, contact.region, *own) for own in contact.addresses]
        same = [self._same.setdefault(key, contact) for key in keys]
        found = [one for one in same if one is not contact and not (one.external_id and contact.external_id)]
        if contact.external_id:
            numbered = self._numbers.setdefault(contact.external_id, contact)
            found += [numbered] if numbered is not contact else []
        if found:
            reason = f"the same contact as in row {found[0].row}"
            self._refuse(contact.row, "", Fault(reason, "keep one of the rows"))
        return bool(found)

    def _remark(self, contact: Contact) -> None:
        titles = {channel: self.layout.titles[place] for place, channel in reversed(self.layout.channels)}
        for channel, address in contact.addresses:
            first = self._owners.setdefault((channel, address), contact.row)
            if first != contact.row:
                self._note(
                    contact.row,
                    titles[channel],
                    f"the same address as in row {first}",
                    "correct one if that is wrong",
                )
        if not contact.addresses:
            self._note(contact.row, "", "no address on any channel", "the person cannot be reached")
        texts = (contact.external_id or "", contact.name, *contact.groups)
        if any(text.startswith(_RUN_BY_SPREADSHEETS) for text in texts):
            self._note(contact.row, "", "a text begins like a formula", "it was kept as plain text")


def _cell(line: Line, place: int) -> str:
    return line.cells[place] if place < len(line.cells) else ""


def addresses_in(text: str, check: Callable[[str], str]) -> list[str]:
    """Return the addresses in a cell, in their stored form; raises :class:`Fault`."""
    text = clean(text)
    return [_checked(check, one) for one in map(strip, _SEVERAL.split(text)) if one] if text else []


def _checked(check: Callable[[str], str], address: str) -> str:
    try:
        return check(address)
    except ValueError as refused:
        raise Fault(str(refused), "correct it or empty the cell") from None


def _role(text: str) -> str:
    role = ROLE_WORDS.get(text.casefold())
    if role is None:
        raise Fault(
            "an unknown role", f"one of {', '.join(word for word in ROLE_WORDS if word.isascii() and word)}"
        )
    return role


def language_tag(text: str) -> str:
    """Return the tag (BCP 47) that a word or a tag stands for; raises :class:`Fault`."""
    tag = LANGUAGE_WORDS.get(text.casefold(), text)
    if not _TAG.fullmatch(tag):
        raise Fault("an unknown language", "write a tag such as zh-CN, en or bo")
    return tag


def _degrees(text: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not abs(value) <= 180:  # noqa: PLR2004 - half a turn; not a number fails as well
        raise Fault("no coordinate in degrees", "write it like 106.52")
    return value


def _groups(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(short(one) for one in map(strip, _SEVERAL.split(text)) if one))


def _parsers(regions: Regions) -> dict[str, Callable[[str], Any]]:
    """Return field -> what a cell means. Words that stand in row after row are read once."""
    once = functools.lru_cache(maxsize=4096)
    return {
        "external_id": lambda cell: short(clean(cell), MOST_NUMBER),
        "name": lambda cell: short(needed(clean(cell))),
        "region": once(lambda cell: regions.find(needed(clean(cell)))),
        "role": once(lambda cell: _role(clean(cell))),
        "language": once(lambda cell: language_tag(clean(cell))),
        "lon": lambda cell: _degrees(clean(cell)),
        "lat": lambda cell: _degrees(clean(cell)),
        "groups": once(lambda cell: _groups(clean(cell))),
    }
