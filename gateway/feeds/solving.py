"""What the seismic adapters share: numbers and times that are checked, and a solution made of them.

An adapter reads each event into an :class:`Entry`, which collects what was unusual, and hands the raw values
to :func:`solve`. A value that cannot be read is left out with a finding; an event without a name, a place or
a time is an :class:`EntryRefused`, which :func:`collect` turns into a finding of the document.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import TYPE_CHECKING, Any

from gateway.alerts.model import Status
from gateway.feeds.contract import FeedRefused, Reading, Solution
from gateway.feeds.findings import finding
from gateway.feeds.noted import Noted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gateway.alerts.findings import Finding
    from gateway.feeds.contract import Review
    from gateway.feeds.document import Document

DEPTHS = (-10.0, 800.0)
"""Kilometres below sea level: from above the highest summit to below the deepest earthquake known."""
MAGNITUDES = (-2.0, 10.5)
"""The largest ever measured is 9.5; mines and geothermal fields report a little below 0."""
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)
EARTHQUAKE = "earthquake"

MOST_EVENTS = 20_000
"""Events of one document: as many as an answer of FDSN event services has at the most."""
LARGEST_TOGETHER = 10 * 1024 * 1024
"""Bytes of what is kept of all events of a document."""
_LONGEST_NAME = 255
_LONGEST_TEXT = 200
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,40}(?:\.[0-9]{0,100})?|\.[0-9]{1,100})(?:[eE][+-]?[0-9]{1,3})?")
_TIME = re.compile(
    r"([0-9]{4})[-/]([0-9]{2})[-/]([0-9]{2})[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{0,12}))?)?"
    r"\s?(Z|z|UTC|[+-][0-9]{2}:?[0-9]{2})?"
)
_AGENCY = re.compile(r"[a-z0-9]+(?:[-_.][a-z0-9]+)*")
_AGENCIES = {"wel": "geonet", "gns": "geonet", "neic": "us", "neis": "us", "usgs": "us", "csem": "emsc"}
"""Codes of one agency (the registry of the International Seismological Centre) -> the name used here."""
_SHAKING_ALL_THE_SAME = frozenset(
    {EARTHQUAKE, "induced earthquake", "induced or triggered event", "volcano-tectonic"}
)


class EntryRefused(ValueError):
    """One event cannot be used; ``code`` is a key of gateway.feeds.findings.CODES."""

    def __init__(self, code: str, message: str) -> None:
        """Take the code and one sentence, without the text of the event."""
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(slots=True)
class Entry:
    """One event while it is read.

    Attributes:
        path: Where it stands in the document, for example ``features[3]``.
        zone: What a time without an offset is in.
        findings: What was unusual about it.
    """

    path: str
    zone: tzinfo = UTC
    findings: list[Finding] = field(default_factory=list)

    def note(self, code: str, name: str = "", message: str = "") -> None:
        """Remember one finding, once."""
        one = finding(code, f"{self.path}/{name}" if name else self.path, message)
        if one not in self.findings:
            self.findings.append(one)

    def number(self, name: str, value: object, low: float, high: float) -> float | None:
        """Return a number of a range; ``None``, with a finding where there is something else."""
        if is_absent(value):
            return None
        read = number(value)
        if read is None or not low <= read <= high:
            self.note("value_dropped", name)
            return None
        return read

    def time(self, name: str, value: object) -> datetime | None:
        """Return a time in UTC; ``None``, with a finding where there is something else."""
        if is_absent(value):
            return None
        read = utc(value, self.zone) if isinstance(value, str) else None
        if read is None:
            self.note("value_dropped", name)
        elif self.zone is not UTC and not has_offset(str(value)):
            self.note("time_zone_assumed")
        return read

    def millis(self, name: str, value: object) -> datetime | None:
        """Return milliseconds since 1970 as a time in UTC; ``None``, with a finding for something else."""
        low, high = (bound.timestamp() * 1000 for bound in (EARLIEST, LATEST))
        read = self.number(name, value, low, high)
        return None if read is None else datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=read)

    def place(self, lat: object, lon: object) -> tuple[float, float] | None:
        """Return degrees north and east; ``None`` where one of them cannot be.

        Longitudes of 180 to 360, which catalogues of the Pacific have, are turned to -180 to 0.
        """
        north = self.number("latitude", lat, -90, 90)
        east = self.number("longitude", lon, -180, 360)
        if north is None or east is None:
            return None
        return north, east - 360 if east > 180 else east  # noqa: PLR2004 - half a circle

    def depth_km(self, value: object) -> float | None:
        """Return kilometres below sea level; ``None`` where not known or impossible."""
        read = self.number("depth", value, -math.inf, math.inf)
        if read is not None and not DEPTHS[0] <= read <= DEPTHS[1]:
            self.note("depth_impossible", "depth")
            return None
        return read


def is_absent(value: object) -> bool:
    """Return whether a value says nothing: null, an empty text, or the dashes of FDSN text."""
    return value is None or (isinstance(value, str) and value.strip() in {"", "-", "--"})


def number(value: object) -> float | None:
    """Return the finite number that a value is, as a number or in digits; ``None`` otherwise."""
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        read = float(value)
    except OverflowError:
        return None
    return read if math.isfinite(read) else None


def has_offset(text: str) -> bool:
    """Return whether a time says how far it is from UTC."""
    match = _TIME.fullmatch(text.strip())
    return match is not None and match[8] is not None


def utc(text: str, zone: tzinfo = UTC) -> datetime | None:
    """Return a time of the forms that sources use, in UTC and to the microsecond.

    Args:
        text: Day and time with ``-`` or ``/``, ``T`` or a space, with or without seconds, decimals and an
            offset. Second 60, of a leap second or of rounding, is the next minute.
        zone: What it is in where it has no offset.

    Returns:
        ``None`` where the text is no time between 1900 and 2200.
    """
    match = _TIME.fullmatch(text.strip())
    if match is None:
        return None
    year, month, day, hour, minute = (int(match[part]) for part in range(1, 6))
    after = timedelta(seconds=int(match[6] or 0), microseconds=int((match[7] or "")[:6].ljust(6, "0")))
    if after >= timedelta(seconds=61):
        return None
    try:
        at = datetime(year, month, day, hour, minute, tzinfo=_zone(match[8], zone)) + after
        return at.astimezone(UTC) if EARLIEST <= at <= LATEST else None
    except (ValueError, OverflowError):
        return None


def _zone(text: str | None, zone: tzinfo) -> tzinfo:
    if text is None:
        return zone
    if text[0] not in "+-":
        return UTC
    digits = text[1:].replace(":", "")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-offset if text[0] == "-" else offset)


def words(value: object, most: int = _LONGEST_TEXT) -> str:
    """Return a text on one line, without control characters; empty for whatever is no text or number."""
    if isinstance(value, bool) or not isinstance(value, str | int | float) or is_absent(value):
        return ""
    plain = "".join(
        " " if unicodedata.category(one) in {"Cc", "Cs"} else one for one in str(value)[: most * 4]
    )
    return " ".join(plain.split())[:most].rstrip()


def agency_name(value: object) -> str:
    """Return who computed it, in small letters: ``WEL(GNS_Test)`` is ``geonet``; empty where not said."""
    match = _AGENCY.match(words(value, 64).lower())
    return _AGENCIES.get(match[0], match[0]) if match else ""


def names(ids: Iterable[object], agency: str) -> tuple[str, ...]:
    """Return the names of an event, each once, in their order.

    A bare number names nothing outside of its catalogue (those of INGV and of Southern California overlap),
    so it is put behind the agency: ``ingv:40271581``.
    """
    made = (words(one, _LONGEST_NAME) for one in ids)
    told = [f"{agency}:{one}" if agency and one.isdecimal() else one for one in made if one]
    return tuple(dict.fromkeys(told))


def solve(
    entry: Entry,
    *,
    agency: object,
    ids: Iterable[object],
    original: bytes,
    time: datetime | None,
    lat: object,
    lon: object,
    depth_km: object = None,
    magnitude: object = None,
    magnitude_type: object = "",
    place: object = "",
    review: Review = "unknown",
    withdrawn: bool = False,
    event_type: object = EARTHQUAKE,
    status: Status = Status.ACTUAL,
    version: object = "",
    updated: datetime | None = None,
) -> Solution:
    """Return the solution that raw values make; for the arguments see :class:`Solution`.

    Raises:
        EntryRefused: The event has no name; or no place or time, and is not withdrawn.
    """
    who = agency_name(agency)
    named = names(ids, who)
    if not named:
        raise EntryRefused("item_malformed", "the event has no id")
    where = entry.place(lat, lon)
    if not withdrawn and (where is None or time is None):
        raise _without_place(entry)
    north, east = where or (None, None)
    return Solution(
        agency=who,
        ids=named,
        original=original,
        time=time,
        lat=north,
        lon=east,
        depth_km=entry.depth_km(depth_km),
        magnitude=_magnitude(entry, magnitude, withdrawn=withdrawn),
        magnitude_type=words(magnitude_type, 32),
        place=words(place),
        review=review,
        withdrawn=withdrawn,
        event_type=_event_type(entry, event_type),
        status=status,
        version=words(version, 64),
        updated=updated,
        findings=tuple(entry.findings),
    )


def _without_place(entry: Entry) -> EntryRefused:
    if any(one.code == "value_dropped" for one in entry.findings):
        return EntryRefused("item_malformed", "the place or time of the event cannot be read")
    return EntryRefused("no_origin", "the event has no place or time")


def _magnitude(entry: Entry, value: object, *, withdrawn: bool) -> float | None:
    read = entry.number("magnitude", value, *MAGNITUDES)
    if read is None and not withdrawn:
        entry.note("magnitude_missing")
    return read


def _event_type(entry: Entry, value: object) -> str:
    """Return the type in plain words; what shakes as an earthquake does is one, whatever set it off."""
    kind = words(value, 64).lower().replace("_", " ")
    if not kind or kind in _SHAKING_ALL_THE_SAME:
        return EARTHQUAKE
    entry.note("not_an_earthquake")
    return kind


def collect(kind: str, entries: Iterable[tuple[Entry, Callable[[Entry], Solution]]]) -> Reading:
    """Return what the entries of a document hold; those that cannot be used are findings.

    Raises:
        FeedRefused: There are more than :data:`MOST_EVENTS`, or more than :data:`LARGEST_TOGETHER` of them.
    """
    reading = Reading(kind)
    refused = Noted()
    left = LARGEST_TOGETHER
    for at, (entry, read) in enumerate(entries):
        if at == MOST_EVENTS or left < 0:
            raise FeedRefused("feed_too_large", "the document has more events, or larger ones, than are read")
        try:
            solution = read(entry)
        except EntryRefused as reason:
            refused.add(reason.code, entry.path, reason.message)
            continue
        reading.solutions.append(solution)
        left -= len(solution.original)
    reading.findings.extend(refused.all())
    return reading


def json_object(document: Document) -> dict[str, Any]:
    """Return the JSON object that a document is.

    Raises:
        FeedRefused: It is an error page, ends in the middle, or is something else.
    """
    if document.start.startswith("<"):
        raise FeedRefused("error_page", "the document is a web page or XML where JSON is due")
    try:
        value = document.json
    except FeedRefused as refused:
        if refused.code == "json_malformed" and not document.data.rstrip().endswith((b"}", b"]")):
            raise FeedRefused("feed_truncated", "the JSON ends in the middle") from None
        raise
    if not isinstance(value, dict):
        raise FeedRefused("feed_malformed", "the document is no JSON object")
    return value


def features(body: dict[str, Any]) -> list[Any]:
    """Return the features of a GeoJSON collection, or the one feature.

    Raises:
        FeedRefused: There is no list of features.
    """
    if body.get("type") == "Feature" and "properties" in body:
        return [body]
    found = body.get("features")
    if not isinstance(found, list):
        raise FeedRefused("feed_malformed", "the document has no list of features")
    return found


def part(value: object, name: str) -> dict[str, Any]:
    """Return the object that an object has under a name; empty where there is none."""
    inner = value.get(name) if isinstance(value, dict) else None
    return inner if isinstance(inner, dict) else {}


def coordinates(feature: object) -> list[Any]:
    """Return longitude, latitude and the third value of a GeoJSON point, ``None`` where missing."""
    found = part(feature, "geometry").get("coordinates")
    return [*(found if isinstance(found, list) else []), None, None, None][:3]


def cut(value: object) -> bytes:
    """Return the bytes of one entry of a JSON document."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
