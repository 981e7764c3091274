"""What is known of one solution, over its versions. Pure.

A version that comes in later is the newer one unless the source's own time or number says otherwise.
"""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import orjson

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.feeds.contract import Review, Solution

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LONGEST = 200


class Key(NamedTuple):
    """What identifies a solution through its versions."""

    source: str
    name: str
    """The source's preferred id."""
    status: str
    """CAP's status: what is marked as a test is never a version of what is real."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The newest version of a solution, with what its earlier versions add. Fields as in Solution.

    Attributes:
        key: What identifies it.
        ids: All ids that this version gives the event.
        named: All ids that any version gave it; what is in here and not in ``ids`` was taken out.
        magnitude_before: Of the version before this one.
        received: When it came in.
        official: Whether its source is.
        number: Of its row; 0 where it has none yet.
    """

    key: Key
    agency: str
    ids: frozenset[str]
    named: frozenset[str]
    received: datetime
    time: datetime | None = None
    lat: float | None = None
    lon: float | None = None
    depth_km: float | None = None
    magnitude: float | None = None
    magnitude_type: str = ""
    magnitude_before: float | None = None
    place: str = ""
    review: Review = "unknown"
    event_type: str = "earthquake"
    withdrawn: bool = False
    version: str = ""
    updated: datetime | None = None
    official: bool = True
    number: int = 0

    @property
    def stamp(self) -> datetime:
        """When it was made, as well as is known."""
        return self.updated or self.received

    @property
    def point(self) -> tuple[float, float] | None:
        """Latitude and longitude."""
        return None if self.lat is None or self.lon is None else (self.lat, self.lon)


def known(source: str, solution: Solution, at: datetime, *, official: bool = True) -> Known | None:
    """Return what a solution that came in says; ``None`` where it has no id, so nothing can follow it."""
    ids = [text for one in solution.ids if (text := plain(one))]
    if not ids:
        return None
    return Known(
        key=Key(source, ids[0], solution.status.value),
        agency=plain(solution.agency),
        ids=frozenset(ids),
        named=frozenset(ids),
        received=at,
        time=solution.time,
        lat=_finite(solution.lat),
        lon=_finite(solution.lon),
        depth_km=_finite(solution.depth_km),
        magnitude=_finite(solution.magnitude),
        magnitude_type=plain(solution.magnitude_type),
        place=plain(solution.place),
        review=solution.review,
        event_type=plain(solution.event_type),
        withdrawn=solution.withdrawn,
        version=plain(solution.version),
        updated=solution.updated,
        official=official,
    )


def plain(text: str) -> str:
    """Return the text on one line, without what neither XML nor the database can hold."""
    return " ".join(_NOT_XML.sub("", text).split())[:_LONGEST]


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def digest(one: Known) -> str:
    """Return the SHA-256 of what a version says, its own number and time included."""
    facts = [*one.key, one.agency, sorted(one.ids), one.time, one.lat, one.lon, one.depth_km, one.magnitude]
    words = [one.magnitude_type, one.place, one.review, one.event_type, one.withdrawn]
    return hashlib.sha256(orjson.dumps([*facts, *words, one.version, one.updated])).hexdigest()


def is_newer(one: Known, other: Known) -> bool:
    """Whether a version that came in later was also made later, or nothing says otherwise."""
    if one.updated is not None and other.updated is not None and one.updated != other.updated:
        return one.updated > other.updated
    if one.version and other.version and one.version != other.version:
        return _order(one.version) > _order(other.version)
    return True


def _order(version: str) -> tuple[int, str]:
    """Report 10 comes after report 9."""
    return (int(version) if version.isascii() and version.isdigit() else 0, version)


def fold(old: Known | None, came: Known) -> Known:
    """Return what is known of a solution after one more version of it came in."""
    if old is None:
        return came
    newer, older = (came, old) if is_newer(came, old) else (old, came)
    before = older.magnitude if newer is came else old.magnitude_before
    newer = replace(newer, named=newer.named | older.named, magnitude_before=before)
    return _placed(newer, older) if newer.withdrawn and newer.time is None else newer


def _placed(withdrawal: Known, older: Known) -> Known:
    """A withdrawal often says nothing but the id; what it withdraws stays where it was."""
    return replace(
        withdrawal,
        time=older.time,
        lat=older.lat,
        lon=older.lon,
        depth_km=older.depth_km,
        magnitude=older.magnitude,
        place=withdrawal.place or older.place,
    )
