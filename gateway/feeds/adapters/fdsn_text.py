"""Text of FDSN event services (FDSN Web Services 1.2, format=text): one event a line, fields between bars.

The header names the columns; it is read rather than trusted to be in one order, since nodes write it
differently (``Depth/km`` and ``Depth/Km``, 13 or 14 columns). Times are UTC whether they say so or not.
A service that has nothing answers 204 and no body, which is a reading of nothing and no failure.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from gateway.feeds.contract import Adapter, FeedRefused, Reading, Solution
from gateway.feeds.solving import EARTHQUAKE, Entry, EntryRefused, collect, is_absent, solve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.feeds.contract import Review
    from gateway.feeds.document import Document

KIND = "fdsn_text"
_FIRST = "eventid"
_NEEDED = (_FIRST, "time", "latitude", "longitude", "depth/km", "magnitude")
_LINE = re.compile(r"[^\r\n]+")
_MOST_COLUMNS = 40
_MODULE = re.compile(r"auto|sc[a-z]+@", re.IGNORECASE)
"""Authors that are programs: ``scautoloc@host`` is a module of SeisComP."""
_SURVEY = re.compile(r"(survey|bulletin)\b", re.IGNORECASE)
"""INGV names the room that located the event first: ``SURVEY-INGV-OV#SiSmi``."""


def _recognises(document: Document) -> bool:
    return re.match(r"#\s*eventid\s*\|", document.start) is not None


def _read(document: Document) -> Reading:
    text = document.data.decode("utf-8-sig", "replace")
    if not text.strip():
        return Reading(KIND)
    if document.start.startswith("<"):
        raise FeedRefused("error_page", "the document is a web page or XML where text is due")
    lines = (match[0] for match in _LINE.finditer(text) if match[0].strip())
    header = next(lines)
    columns = _columns(header)
    return collect(KIND, _entries(columns, header, lines, cut_off=not text.endswith(("\n", "\r"))))


def _columns(header: str) -> list[str]:
    names = header.lstrip("#").split("|", _MOST_COLUMNS)
    columns = [name.strip().lower().replace(" ", "") for name in names]
    if not set(_NEEDED) <= set(columns):
        raise FeedRefused("feed_malformed", "the first line does not name the columns of FDSN text")
    return columns


def _entries(
    columns: list[str], header: str, lines: Iterator[str], *, cut_off: bool
) -> Iterator[tuple[Entry, partial[Solution]]]:
    line = ""
    for at, line in enumerate(lines, start=2):
        original = f"{header}\n{line}\n".encode()
        yield Entry(f"line {at}"), partial(_solution, columns=columns, line=line, original=original)
    if line and cut_off and line.count("|") + 1 < len(columns):
        raise FeedRefused("feed_truncated", "the text ends in the middle of a line")


def _solution(entry: Entry, *, columns: list[str], line: str, original: bytes) -> Solution:
    fields = line.count("|") + 1
    if fields != len(columns):
        # A bar inside a place name moves all that follows, the type of the event among it.
        raise EntryRefused("item_malformed", f"the line has {fields} fields, the header {len(columns)}")
    cells = line.split("|")
    row = {name: "" if is_absent(cell) else cell.strip() for name, cell in zip(columns, cells, strict=True)}
    author = row.get("author", "")
    return solve(
        entry,
        agency=row.get("contributor") or _agency(author),
        ids=_ids(row),
        original=original,
        time=entry.time("time", row["time"]),
        lat=row["latitude"],
        lon=row["longitude"],
        depth_km=row["depth/km"],
        magnitude=row["magnitude"],
        magnitude_type=row.get("magtype"),
        place=row.get("eventlocationname"),
        review=_review(author),
        withdrawn=row.get("eventtype", "").lower() == "not existing",
        event_type=_event_type(row),
    )


def _event_type(row: dict[str, str]) -> str:
    kind = row.get("eventtype", "")
    return EARTHQUAKE if kind.lower() == "not existing" else kind


def _ids(row: dict[str, str]) -> list[str]:
    """Return the service's own id, then the contributor's where it is more than a number in its catalogue."""
    theirs = row.get("contributorid", "")
    return [row[_FIRST], "" if theirs.isdecimal() else theirs]


def _agency(author: str) -> str:
    """Return the agency in an author: ``SURVEY-INGV-OV#SiSmi`` is INGV; a person or program is none."""
    if "@" in author:
        return ""
    parts = re.split(r"[-#\s]", author)
    return parts[1] if _SURVEY.match(author) and len(parts) > 1 else parts[0]


def _review(author: str) -> Review:
    if _SURVEY.match(author):
        return "reviewed"
    return "automatic" if _MODULE.match(author) else "unknown"


ADAPTER = Adapter(KIND, _recognises, _read)
