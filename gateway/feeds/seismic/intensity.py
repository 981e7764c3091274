"""How strongly a place shakes, as a model says: the attenuation relations of GB 18306-2015. Pure.

``I = A + B M + C lg(R + R0)``, I on the Chinese intensity scale (GB/T 17742), R in km from the epicentre.
There are two curves, along and across the fault. Where the fault runs is not known in the first minutes, so
the larger value counts; below about intensity IV that is often the curve across. The relations have no
depth in them: they were fitted to shallow earthquakes.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import shapely

from gateway.alerts.hazards import Level
from gateway.audience.shapes import KM_PER_DEGREE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gateway.feeds.seismic.settings import Axis, Levels, Model, Relation

_EARTH_KM = math.degrees(KM_PER_DEGREE)


class Township(NamedTuple):
    """A township and the point that stands for it; degrees."""

    code: str
    name: str
    lat: float
    lon: float


class Shaken(NamedTuple):
    """A township that an earthquake reaches."""

    township: Township
    intensity: float
    distance_km: float
    level: Level


def distance_km(lat: float, lon: float, other_lat: float, other_lon: float) -> float:
    """Return the length of the great circle between two points given in degrees."""
    north, south = math.radians(lat), math.radians(other_lat)
    rise = math.sin((south - north) / 2) ** 2
    run = math.sin(math.radians(other_lon - lon) / 2) ** 2
    return 2 * _EARTH_KM * math.asin(math.sqrt(min(1.0, rise + math.cos(north) * math.cos(south) * run)))


def at_distance(relation: Relation, magnitude: float, km: float) -> float:
    """Return the intensity at a distance from the epicentre, the larger of the two curves."""
    return max(_on(axis, magnitude, km) for axis in (relation.long, relation.short))


def _on(axis: Axis, magnitude: float, km: float) -> float:
    a, b, c, r0 = axis
    return a + b * magnitude + c * math.log10(km + r0)


def radius_km(axis: Axis, magnitude: float, intensity: float) -> float:
    """Return how far an intensity reaches on one curve; negative where it is reached nowhere."""
    a, b, c, r0 = axis
    return float(10 ** ((intensity - a - b * magnitude) / c) - r0)


def relation_at(model: Model, lat: float, lon: float) -> Relation:
    """Return the relation for an epicentre: that of the first zone which holds it, else the usual one."""
    point = shapely.Point(lon, lat)
    for zone in model.zones:
        if shapely.Polygon([(x, y) for y, x in zone.polygon]).covers(point):
            return model.relations[zone.relation]
    return model.relations[model.relation]


def is_too_deep(model: Model, depth_km: float | None) -> bool:
    """Whether the relations do not hold at this depth; a depth that is not known counts as shallow."""
    return depth_km is not None and depth_km > model.deepest_km


def shaken(
    model: Model,
    levels: Levels,
    epicentre: tuple[float, float, float],
    townships: Iterable[Township],
    before: Mapping[str, Level],
) -> list[Shaken]:
    """Return the townships that reach a level, the most shaken first.

    Args:
        model: Relations and reach.
        levels: Thresholds and the margin for falling back.
        epicentre: Latitude and longitude in degrees, magnitude.
        townships: All that there are.
        before: The levels that stand, by code: a township keeps its own until it is clearly below.
    """
    lat, lon, magnitude = epicentre
    relation = relation_at(model, lat, lon)
    found = []
    for one in townships:
        km = distance_km(lat, lon, one.lat, one.lon)
        intensity = at_distance(relation, magnitude, km)
        level = level_of(levels, intensity, before.get(one.code)) if km <= model.reach_km else None
        if level is not None:
            found.append(Shaken(one, intensity, km, level))
    return sorted(found, key=lambda each: (-each.intensity, each.township.code))


def level_of(levels: Levels, intensity: float, before: Level | None = None) -> Level | None:
    """Return the colour of an intensity; one that stood before is kept within the margin below it."""
    for level in Level:
        threshold = levels.thresholds.get(level)
        margin = levels.margin if level == before else 0.0
        if threshold is not None and intensity >= threshold - margin:
            return level
    return None
