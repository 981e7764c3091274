"""Hypocentres of JMA's seismic telegrams (VXSE43 to 45, 52, 53, 61) as solutions.

A hypocentre is an ISO 6709 text such as ``+37.6+141.6-50000/``: degrees, and metres below sea level as a
negative height; ``+0`` is "very shallow", no third part an unknown depth. Domestic ones are in the old
Japanese datum. Forms in degrees and minutes look alike and are refused.
"""

from __future__ import annotations

import re
from datetime import UTC
from typing import TYPE_CHECKING, NamedTuple

from gateway.feeds.jma_telegram import all_of, half_width, text_of
from gateway.feeds.solving import EARTHQUAKE, Entry, EntryRefused, number, solve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lxml import etree

    from gateway.feeds.contract import Solution
    from gateway.feeds.jma_telegram import Telegram
    from gateway.feeds.noted import Noted

AGENCY = "jma"
SOLVING = frozenset({"VXSE43", "VXSE44", "VXSE45", "VXSE52", "VXSE53", "VXSE61"})
"""Types of telegrams that tell a hypocentre."""
_AUTOMATIC = frozenset({"VXSE43", "VXSE44", "VXSE45"})
_DEGREES = re.compile(r"([+-]\d{1,2}(?:\.\d{1,6})?)([+-]\d{1,3}(?:\.\d{1,6})?)([+-]\d{1,7}(?:\.\d{1,3})?)?/?")
_MINUTES = re.compile(r"[+-]\d{4,6}(?:\.\d+)?[+-]\d{5,7}(?:\.\d+)?.*")
_HUGE = "巨大地震"
"""In the words for a magnitude: M8 and more, which cannot be told yet."""


class _Place(NamedTuple):
    lat: float
    lon: float
    depth_km: float | None


def solutions(telegram: Telegram, noted: Noted) -> list[Solution]:
    """Return the solutions that a telegram holds; an event that cannot be used is noted."""
    made: list[Solution] = []
    for entry, ids, earthquake in _events(telegram):
        try:
            made.append(_solution(telegram, entry, ids, earthquake))
        except EntryRefused as refused:
            noted.add(refused.code, entry.path, refused.message)
    return made


def _events(telegram: Telegram) -> Iterator[tuple[Entry, tuple[str, ...], etree._Element | None]]:
    """Each event with its names. One telegram may tell of two, with an id for each."""
    ids = telegram.event_ids
    if telegram.info_type == "cancelled":
        yield from ((Entry("Report/Head/EventID"), (one,), None) for one in ids or ("",))
        return
    earthquakes = all_of(telegram.root, "Body/Earthquake")
    if len(earthquakes) == 1:
        yield Entry("Report/Body/Earthquake"), ids, earthquakes[0]
        return
    for place, earthquake in enumerate(earthquakes):
        yield Entry(f"Report/Body/Earthquake[{place + 1}]"), ids[place : place + 1], earthquake


def _solution(
    telegram: Telegram, entry: Entry, ids: tuple[str, ...], earthquake: etree._Element | None
) -> Solution:
    place = _place(entry, earthquake) if earthquake is not None else None
    return solve(
        entry,
        agency=AGENCY,
        ids=ids,
        original=telegram.data,
        time=entry.time("OriginTime", text_of(earthquake, "OriginTime")) if earthquake is not None else None,
        lat=place and place.lat,
        lon=place and place.lon,
        depth_km=place and place.depth_km,
        magnitude=_magnitude(entry, earthquake) if earthquake is not None else None,
        magnitude_type=_magnitude_type(earthquake),
        place=text_of(earthquake, "Hypocenter/Area/Name") if earthquake is not None else "",
        review="automatic" if telegram.kind in _AUTOMATIC else "reviewed",
        withdrawn=earthquake is None,
        event_type=_event_type(telegram, earthquake),
        status=telegram.status,
        version=telegram.serial,
        updated=telegram.made.astimezone(UTC),
    )


def _place(entry: Entry, earthquake: etree._Element) -> _Place | None:
    found = all_of(earthquake, "Hypocenter/Area/Coordinate")
    for element in found:
        match = _DEGREES.fullmatch((element.text or "").strip())
        if match:
            if element.get("datum"):
                entry.note("datum_not_wgs84", "Coordinate")
            return _Place(float(match[1]), float(match[2]), _depth_km(entry, match[3]))
    if any(_MINUTES.fullmatch((one.text or "").strip()) for one in found):
        raise EntryRefused("no_origin", "the place is in degrees and minutes, which are not read")
    return None


def _depth_km(entry: Entry, metres: str | None) -> float | None:
    if metres is None:
        return None
    height = float(metres)
    if height > 0:
        entry.note("depth_impossible", "Coordinate", "The hypocentre lies above the ground; left out.")
        return None
    return -height / 1000 if height else 0.0


def _magnitudes(earthquake: etree._Element) -> list[tuple[etree._Element, float | None]]:
    return [(one, number(one.text)) for one in all_of(earthquake, "Magnitude")]


def _magnitude(entry: Entry, earthquake: etree._Element) -> float | None:
    found = _magnitudes(earthquake)
    known = next((value for _, value in found if value is not None), None)
    words = half_width(str(found[0][0].get("description", ""))) if found else ""
    if known is None and _HUGE in words:
        entry.note("magnitude_missing", "Magnitude", "The source says: M8 or more, it cannot be told yet.")
    return known


def _magnitude_type(earthquake: etree._Element | None) -> str:
    found = _magnitudes(earthquake) if earthquake is not None else []
    return next((str(one.get("type", "")) for one, value in found if value is not None), "")


def _event_type(telegram: Telegram, earthquake: etree._Element | None) -> str:
    """What happened. Great eruptions abroad are told as distant earthquakes without a magnitude."""
    if earthquake is None or "遠地地震" not in telegram.text("Head/Title"):
        return EARTHQUAKE
    found = _magnitudes(earthquake)
    huge = any(_HUGE in str(one.get("description", "")) for one, _ in found)
    if huge or any(value is not None for _, value in found):
        return EARTHQUAKE
    words = "".join(str(part) for one in all_of(telegram.root, "Body/Comments") for part in one.itertext())
    return "volcanic eruption" if "噴火" in words else "other event"
