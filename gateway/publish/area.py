"""Whether an alert's area touches what a partner cares for. Pure: alert, interest and regions in.

A partner next door is told of what touches it. Only what certainly lies elsewhere is kept from it: an
area that cannot be located goes to everybody, with a note that says why.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
import shapely

from gateway.audience import codes, shapes
from gateway.audience.area import AreaRefused, from_alert

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from gateway.alerts.model import Alert
    from gateway.audience.area import AreaSpec
    from gateway.audience.locate import Region

_SEPARATORS = re.compile(r"[,，;；\s]+")
_LARGEST = 64 * 1024 * 1024


class AreaFileRefused(ValueError):
    """A file is no GeoJSON of an area; one sentence for people, with the way out."""


class Interest(NamedTuple):
    """What a partner cares for; empty: everything."""

    prefixes: tuple[str, ...] = ()
    """Beginnings of division codes."""
    shape: shapely.Geometry | None = None
    """Degrees WGS-84, longitude first."""

    @property
    def is_everything(self) -> bool:
        """Whether nothing is left out."""
        return not self.prefixes and self.shape is None


class Touch(NamedTuple):
    """Whether an alert is for a partner."""

    sends: bool
    note: str = ""
    """Why it is sent although it is not certain that it touches; empty where it is."""


class _Place(NamedTuple):
    """A part of an alert's area, by its code, its shape, or both."""

    code: str = ""
    shape: shapely.Geometry | None = None


def load_shape(path: Path) -> shapely.Geometry:
    """Return the union of the polygons of a GeoJSON file.

    Raises:
        AreaFileRefused: it is none, or has no polygon.
    """
    try:
        with path.open("rb") as file:
            held = orjson.loads(file.read(_LARGEST))
        shape = shapely.union_all([shapely.make_valid(one) for one in _shapes(held)])
    except (OSError, ValueError, TypeError, KeyError, AttributeError, shapely.errors.ShapelyError):
        raise AreaFileRefused(f"{path} is no GeoJSON of polygons") from None
    west, south, east, north = shapely.bounds(shape)
    if not shapely.area(shape) or min(west, south) < -180 or east > 180 or max(-south, north) > 90:  # noqa: PLR2004 - degrees
        raise AreaFileRefused(f"{path} encloses no area in degrees, longitude first (WGS-84)")
    return shape


def _shapes(held: dict[str, Any]) -> list[shapely.Geometry]:
    if held["type"] == "FeatureCollection":
        return [shape for one in held["features"] for shape in _shapes(one)]
    geometry = held["geometry"] if held["type"] == "Feature" else held
    return [shapely.from_geojson(orjson.dumps(geometry))]


def touches(alert: Alert, interest: Interest, regions: Sequence[Region]) -> Touch:
    """Return whether an alert is for a partner.

    Args:
        alert: its areas, all info blocks together.
        interest: the partner's.
        regions: the divisions that are loaded here, to compare codes with shapes.
    """
    if interest.is_everything:
        return Touch(sends=True)
    area = from_alert(alert)
    places, lost = _places(area, regions)
    answers = [_touches(place, interest, regions) for place in places]
    if True in answers:
        return Touch(sends=True)
    if not places or lost or None in answers:
        return Touch(sends=True, note=_note(area, lost))
    return Touch(sends=False)


def _note(area: AreaSpec, lost: Sequence[str]) -> str:
    what = "; ".join(lost[:3]) or area.description or "it has no area"
    return f"the area cannot be compared with yours ({what}); look whether it touches you"


def _places(area: AreaSpec, regions: Sequence[Region]) -> tuple[list[_Place], list[str]]:
    """Return the parts that can be located, and those that cannot, in words."""
    lost = [*area.lost, *(f"{name}: words only" for name in area.words)]
    places: list[_Place] = []
    try:
        drawn, _ = shapes.build(area._replace(lost=()))
        places += [_Place(shape=one.geometry) for one in drawn]
    except AreaRefused as refused:
        lost.append(refused.sentence)
    for name, value in area.geocodes:
        for text in filter(None, _SEPARATORS.split(value)):
            place = _by_code(name, text, regions)
            if place is None:
                lost.append(f"geocode {name}={text}")
            else:
                places.append(place)
    return places, lost


def _by_code(name: str, text: str, regions: Sequence[Region]) -> _Place | None:
    if codes.list_key(name) not in codes.CODE_LISTS:
        return None
    try:
        prefix = codes.parse_code(text).prefix
    except codes.CodeRefused:
        return None
    return _Place(prefix, _outline((prefix,), regions))


def _outline(prefixes: Iterable[str], regions: Sequence[Region]) -> shapely.Geometry | None:
    """Return the shape of divisions; None where one of them is not loaded whole."""
    found = [_whole(prefix, regions) for prefix in prefixes]
    return None if None in found else shapely.union_all(found)


def _whole(prefix: str, regions: Sequence[Region]) -> shapely.Geometry | None:
    """Return the shape of a division, by the first level of which every loaded one has a shape."""
    own = [one for one in regions if one.code.startswith(prefix)]
    for level in codes.LEVELS:
        shaped = [one.geometry for one in own if one.level == level]
        if shaped and None not in shaped:
            return shapely.union_all(shaped)
    return None


def _touches(place: _Place, interest: Interest, regions: Sequence[Region]) -> bool | None:
    """Return whether a part of the area touches; None where that cannot be told."""
    answers = []
    if interest.prefixes:
        answers.append(_by_prefix(place, interest.prefixes, regions))
    if interest.shape is not None:
        answers.append(None if place.shape is None else _meet(place.shape, interest.shape))
    return True if True in answers else None if None in answers else False


def _by_prefix(place: _Place, prefixes: Sequence[str], regions: Sequence[Region]) -> bool | None:
    if place.code:
        return any(place.code.startswith(one) or one.startswith(place.code) for one in prefixes)
    outline = _outline(prefixes, regions)
    return None if outline is None else _meet(place.shape, outline)


def _meet(one: shapely.Geometry, other: shapely.Geometry) -> bool:
    return bool(shapely.intersects(one, other))
