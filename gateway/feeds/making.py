"""Alerts out of loose values: JSON of strangers, read field by field.

A value that cannot be read is left out, with finding ``value_dropped``, unless it decides who is told what:
identity, status, type and the time of sending. Without one of these the entry is refused
(:class:`EntryRefused`), and the others of the document come out. Nothing is ever guessed into being wider or
graver.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import orjson
from pydantic import BaseModel, ValidationError

from gateway.alerts.findings import finding as alert_finding
from gateway.alerts.geometry import judge_ring, plain
from gateway.alerts.hazards import AWARENESS, is_green
from gateway.alerts.language import UNDETERMINED, is_tag
from gateway.alerts.model import Alert, Area, ValuePair
from gateway.alerts.times import TimeRefused, read_time
from gateway.alerts.xml import Limits
from gateway.feeds.contract import FeedRefused, Item
from gateway.feeds.noted import Noted
from gateway.feeds.shelf import Shelf

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime, tzinfo
    from enum import StrEnum

    from gateway.alerts.findings import Finding
    from gateway.alerts.model import Polygon
    from gateway.feeds.document import Document

    E = TypeVar("E", bound=StrEnum)

M = TypeVar("M", bound=BaseModel)

_LIMITS = Limits()
_MOST_SHAPE_FINDINGS = 20
_RINGS = ("Polygon", "MultiPolygon")
_UNKNOWN = "Unknown"
_USABLE = frozenset({"polygon_unclosed", "longitude_over_180"})
"""Problems of a ring that leave it usable."""
_POINT = 2
_MOST_ENTRIES = 10_000
_LONGEST_TEXT = 2000


class EntryRefused(ValueError):
    """An entry cannot be read; ``message`` is one sentence for people, without the text of the entry."""

    def __init__(self, message: str) -> None:
        """Take the sentence."""
        super().__init__(message)
        self.message = message


class Shapes(NamedTuple):
    """What a GeoJSON geometry comes to."""

    polygons: tuple[Polygon, ...] = ()
    """(latitude, longitude), closed."""
    unusable: tuple[str, ...] = ()
    """Rings that cannot be used, as text; whoever counts on the area must stop."""


NO_SHAPES = Shapes()


class Remarks(Noted):
    """Findings about one entry: those of feeds, and in ``shapes`` those of geometry."""

    def __init__(self) -> None:
        """Start empty."""
        super().__init__()
        self.shapes: list[Finding] = []


class Loose:
    """A JSON object whose sender need not keep to any type; what was unusual is noted.

    Attributes:
        value: The object.
        path: Where it stands in the document.
        noted: What was unusual; shared with the objects inside.
    """

    def __init__(self, value: object, path: str, noted: Remarks | None = None) -> None:
        """Take the value and where it stands.

        Raises:
            EntryRefused: It is no object.
        """
        if not isinstance(value, dict):
            raise EntryRefused("it is no JSON object")
        self.value: dict[str, Any] = value
        self.path = path
        self.noted = Remarks() if noted is None else noted

    def at(self, name: str) -> str:
        """Return the path of a field."""
        return f"{self.path}/{name}"

    def drop(self, name: str, message: str = "") -> None:
        """Note that a field was left out."""
        self.noted.add("value_dropped", self.at(name), message)

    def assume(self, name: str, message: str) -> None:
        """Note that a field is missing and what was set instead."""
        self.noted.add("value_assumed", self.at(name), message)

    def inner(self, name: str) -> Loose:
        """Return an object inside of this one; an empty one where there is none."""
        inside = self.value.get(name)
        if inside is not None and not isinstance(inside, dict):
            self.drop(name)
        return Loose(inside if isinstance(inside, dict) else {}, self.at(name), self.noted)

    def items(self, name: str) -> list[Any]:
        """Return a list; a value that stands alone is a list of one.

        Raises:
            EntryRefused: There are too many.
        """
        inside = self.value.get(name)
        found = inside if isinstance(inside, list) else [] if inside is None else [inside]
        if len(found) > _LIMITS.items:
            raise EntryRefused(f"{name} has more than {_LIMITS.items} entries")
        return found

    def text(self, name: str) -> str | None:
        """Return a text, trimmed; numbers as they are written. ``None`` where absent or empty."""
        return self._text(self.value.get(name), name)

    def _text(self, value: object, name: str) -> str | None:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)
        if value is not None and not isinstance(value, str):
            self.drop(name)
            return None
        return (value or "").strip() or None

    def texts(self, name: str) -> list[str]:
        """Return the texts of a list; empty ones are left out."""
        found = (self._text(value, f"{name}[{number}]") for number, value in enumerate(self.items(name), 1))
        return [text for text in found if text]

    def need(self, name: str) -> str:
        """Return a text that must be there.

        Raises:
            EntryRefused: It is not.
        """
        text = self.text(name)
        if text is None:
            raise EntryRefused(f"{name} is missing")
        return text

    def time(self, name: str) -> datetime | None:
        """Return a time with its offset."""
        text = self.text(name)
        try:
            return read_time(text).value if text else None
        except TimeRefused:
            self.drop(name, "The time cannot be read and was left out.")
            return None

    def need_time(self, name: str) -> datetime:
        """Return a time that must be there.

        Raises:
            EntryRefused: It is not, or it cannot be read.
        """
        try:
            return read_time(self.need(name)).value
        except TimeRefused as refused:
            raise EntryRefused(f"{name} cannot be read: {refused}") from None

    def choice(self, name: str, choices: type[E]) -> E | None:
        """Return the member of one of CAP's lists, in whatever case it is written."""
        text = self.text(name)
        found = _member(text, choices)
        if text and found is None:
            self.drop(name, "The value is not in CAP's list and was left out.")
        return found

    def choices(self, name: str, choices: type[E]) -> tuple[E, ...]:
        """Return the members of a list; those that CAP does not have are left out."""
        found = [(text, _member(text, choices)) for text in self.texts(name)]
        for _, member in found:
            if member is None:
                self.drop(name, "A value is not in CAP's list and was left out.")
        return tuple(member for _, member in found if member is not None)

    def need_choice(self, name: str, choices: type[E]) -> E:
        """Return a member of one of CAP's lists that must be there.

        Raises:
            EntryRefused: It is not, or is none of the list.
        """
        found = _member(self.need(name), choices)
        if found is None:
            raise EntryRefused(f"{name} is not one of {', '.join(choices)}")
        return found

    def level(self, name: str, choices: type[E]) -> E:
        """Return urgency, severity or certainty; Unknown where it is missing or none that CAP has."""
        if self.text(name) is None:
            self.assume(name, f"{name} is missing; Unknown was set.")
        return self.choice(name, choices) or choices(_UNKNOWN)

    def language(self, name: str) -> str | None:
        """Return the language; undetermined where it is no tag, absent where it is missing."""
        text = self.text(name)
        if text is None or is_tag(text):
            return text
        self.drop(name, "language is no language tag; und (undetermined) was set.")
        return UNDETERMINED

    def pairs(self, name: str) -> tuple[ValuePair, ...]:
        """Return ``{"name": ["value", ...]}`` as pairs, one for each value."""
        inside = self.inner(name)
        found = [(key, text) for key in list(inside.value)[: _LIMITS.items] for text in inside.texts(key)]
        return tuple(pair for key, text in found for pair in self.pair(key, text))

    def pair(self, name: str, text: str | None) -> tuple[ValuePair, ...]:
        """Return one pair; none where there is no text, or one that CAP cannot carry."""
        if text is None:
            return ()
        try:
            return (ValuePair(value_name=name, value=text),)
        except ValidationError:
            self.drop(name[:40])
            return ()

    def findings(self) -> tuple[Finding, ...]:
        """Return all that was noted."""
        return (*self.noted.all(), *self.noted.shapes[:_MOST_SHAPE_FINDINGS])


def _member(text: str | None, choices: type[E]) -> E | None:
    word = (text or "").lower()
    return next((member for member in choices if member.lower() == word), None)


def make(entry: Loose, model: type[M], **values: Any) -> M:  # noqa: ANN401 - checked by the model
    """Return a record; a field that CAP cannot carry is left out where the record can do without it.

    Raises:
        EntryRefused: It cannot.
    """
    try:
        return model(**values)
    except ValidationError as error:
        wrong = {str(one["loc"][0]) for one in error.errors(include_url=False, include_input=False)}
    needed = [name for name in sorted(wrong) if model.model_fields[name].is_required()]
    if needed:
        raise EntryRefused(f"{needed[0]} is not what CAP can carry")
    for name in sorted(wrong):
        entry.drop(name, f"{name} is not what CAP can carry and was left out.")
    return model(**{name: value for name, value in values.items() if name not in wrong})


def make_item(entry: Loose, alert: Alert, **more: Any) -> Item:  # noqa: ANN401 - fields of Item
    """Return the item of an entry, with all that was noted about it.

    Raises:
        EntryRefused: The entry is larger than a message may be.
    """
    original = original_of(entry.value)
    if len(original) > _LIMITS.bytes:
        raise EntryRefused(f"it has more than {_LIMITS.bytes} bytes")
    return Item(alert=alert, original=original, findings=entry.findings(), **more)


def make_area(
    entry: Loose, desc: str, shapes: Shapes = NO_SHAPES, geocodes: Iterable[ValuePair] = (), **more: str
) -> Area:
    """Return an area; where it has codes and no shape, that is noted.

    Raises:
        EntryRefused: ``desc`` is not what CAP can carry.
    """
    codes = tuple(geocodes)
    if codes and not shapes.polygons and not entry.noted.count("area_codes_only"):
        entry.noted.add("area_codes_only", entry.at("area"))
    return make(
        entry,
        Area,
        area_desc=desc,
        polygons=shapes.polygons,
        unusable_polygons=shapes.unusable,
        geocodes=codes,
        **more,
    )


def read_entries(
    values: list[Any], path: str, noted: Noted, read: Callable[[Loose], Item | None]
) -> list[Item]:
    """Return the items of a list; an entry that is refused is finding ``item_malformed``.

    Raises:
        FeedRefused: There are more of them, or larger ones, than are read.
    """
    if len(values) > _MOST_ENTRIES:
        raise FeedRefused("feed_too_large", f"the document has more than {_MOST_ENTRIES} entries")
    items: list[Item] = []
    shelf = Shelf(items)
    for number, value in enumerate(values, 1):
        where = f"{path}[{number}]"
        try:
            item = read(Loose(value, where))
        except EntryRefused as refused:
            noted.add("item_malformed", where, f"The entry cannot be read: {refused.message}.")
            continue
        shelf.put(item)
    return items


def original_of(value: object) -> bytes:
    """Return an entry as JSON, keys sorted, so that the same entry is always the same bytes."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # whole numbers beyond 64 bits
        return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def in_force(alert: Alert) -> bool:
    """Whether a message warns: False where each info block says by its awareness_level that none does.

    Green blocks next to others (CHMI sends them) leave the message in force.
    """
    levels = [[one.value for one in info.parameters if one.value_name == AWARENESS] for info in alert.infos]
    return not levels or not all(values and all(map(is_green, values)) for values in levels)


def note_green(entry: Loose, alert: Alert) -> bool:
    """Return :func:`in_force`, and note it where no warning is."""
    holds = in_force(alert)
    if not holds:
        entry.noted.add("not_in_force", entry.path)
    return holds


def peek(document: Document) -> dict[str, Any]:
    """Return the JSON object of a document, to recognise it by; empty where it is none. Never raises."""
    if not document.looks_like_json:
        return {}
    try:
        value = document.json
    except FeedRefused:
        return {}
    return value if isinstance(value, dict) else {}


def first_of(value: object) -> dict[str, Any]:
    """Return the first object of a list; empty where there is none."""
    first = value[0] if isinstance(value, list) and value else None
    return first if isinstance(first, dict) else {}


def properties(feature: dict[str, Any]) -> dict[str, Any]:
    """Return the properties of a GeoJSON feature; empty where it has none."""
    found = feature.get("properties")
    return found if isinstance(found, dict) else {}


def json_object(document: Document) -> dict[str, Any]:
    """Return the JSON object that a document is.

    Raises:
        FeedRefused: It is a web page, a problem description (RFC 9457), broken, or no object.
    """
    if document.start.startswith("<"):
        raise FeedRefused("error_page", "the document is a web page or XML where JSON is due")
    value = document.json
    if not isinstance(value, dict):
        raise FeedRefused("feed_malformed", "the JSON is no object")
    if "error" in value or isinstance(value.get("status"), int):
        raise FeedRefused("error_page", "the source answered with an error message instead of its feed")
    return value


def list_of(value: dict[str, Any], name: str) -> list[Any]:
    """Return the list that a document is about.

    Raises:
        FeedRefused: There is none.
    """
    found = value.get(name)
    if not isinstance(found, list):
        raise FeedRefused("feed_malformed", f"the JSON has no list called {name}")
    return found


def features_of(value: dict[str, Any]) -> list[Any]:
    """Return the features of a GeoJSON collection.

    Raises:
        FeedRefused: It is none.
    """
    if value.get("type") != "FeatureCollection":
        raise FeedRefused("feed_malformed", "the JSON is no FeatureCollection")
    return list_of(value, "features")


def stamp(value: dict[str, Any], name: str) -> datetime | None:
    """Return the time that a document carries as its own stamp, if it can be read."""
    text = value.get(name)
    try:
        return read_time(text.strip()).value if isinstance(text, str) else None
    except TimeRefused:
        return None


def local_time(entry: Loose, name: str, value: datetime, zone: tzinfo) -> datetime:
    """Return a time that has no offset as one of the source's own zone, and note it."""
    entry.noted.add("time_zone_assumed", entry.at(name))
    return value.replace(tzinfo=zone)


def shapes_of(entry: Loose, geometry: object) -> Shapes:
    """Return the rings of a GeoJSON geometry, which has longitude first.

    Holes are noted and not cut out: CAP cannot say them, and who is warned needlessly is not endangered.
    What is neither Polygon nor MultiPolygon is noted and left out.

    Raises:
        EntryRefused: The rings have more points than a message may have.
    """
    if geometry is None:
        return Shapes()
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    if not isinstance(geometry, dict) or kind not in _RINGS:
        entry.drop("geometry", "The geometry is no polygon and was left out.")
        return Shapes()
    coordinates = geometry.get("coordinates")
    parts = coordinates if isinstance(coordinates, list) else [coordinates]
    rings = [_outer(entry, part) for part in ([parts] if kind == "Polygon" else parts)]
    return _sorted(entry, rings)


def _outer(entry: Loose, polygon: object) -> object:
    if not isinstance(polygon, list) or not polygon:
        return polygon
    if len(polygon) > 1:
        entry.noted.add("exclude_polygon", entry.at("geometry"))
    return polygon[0]


def _sorted(entry: Loose, rings: list[object]) -> Shapes:
    if sum(len(ring) for ring in rings if isinstance(ring, list)) > _LIMITS.points:
        raise EntryRefused(f"its shapes have more than {_LIMITS.points} points")
    read = [(ring, _ring(entry, ring)) for ring in rings]
    return Shapes(
        tuple(ring for _, ring in read if ring is not None),
        tuple(_as_text(raw) for raw, ring in read if ring is None),
    )


def _ring(entry: Loose, ring: object) -> Polygon | None:
    points = _points(ring)
    if points is None:
        entry.noted.shapes.append(
            _shape_finding("polygon_malformed", entry, "a point is not longitude, latitude")
        )
        return None
    problems = judge_ring(points)
    entry.noted.shapes.extend(_shape_finding(one.code, entry, one.message) for one in problems)
    if any(one.code not in _USABLE for one in problems):
        return None
    return tuple(points) if points[0] == points[-1] else (*points, points[0])


def _shape_finding(code: str, entry: Loose, message: str) -> Finding:
    return alert_finding(code, entry.at("geometry"), message)


def _points(ring: object) -> list[tuple[float, float]] | None:
    if not isinstance(ring, list):
        return None
    points = [_point(one) for one in ring]
    return [one for one in points if one is not None] if None not in points else None


def _point(value: object) -> tuple[float, float] | None:
    if not isinstance(value, list) or len(value) < _POINT:
        return None
    lon, lat = value[:_POINT]
    if not (_is_number(lon) and _is_number(lat)):
        return None
    return float(lat), float(lon)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _as_text(ring: object) -> str:
    points = _points(ring)
    if points:
        return " ".join(f"{plain(lat)},{plain(lon)}" for lat, lon in points)
    return json.dumps(ring, ensure_ascii=True)[:_LONGEST_TEXT]
