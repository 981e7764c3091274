"""Polygons and circles of an alert as shapely geometries, longitude first; bad ones are refused."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import shapely
from shapely.geometry import LineString, Polygon
from shapely.ops import polygonize

from gateway.alerts.findings import Finding
from gateway.audience.area import AreaRefused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.audience.area import AreaSpec

KM_PER_DEGREE = 111.195
"""Of a great circle, with the mean radius of the Earth, 6371.009 km."""

MOST_POINTS = 20_000
MOST_CROSSING_POINTS = 500
"""Beyond so many points a border that crosses itself is not put in order: it could take minutes."""

_CIRCLE_STEPS = 64
_HIGHEST_CIRCLE = 85.0
_HALF_TURN = 180.0
_LEAST_RING = 3


class Shape(NamedTuple):
    """One usable polygon or circle."""

    name: str
    geometry: shapely.Geometry


def build(area: AreaSpec) -> tuple[list[Shape], list[Finding]]:
    """Return the shapes of an area, and findings on those that need a look.

    Raises:
        AreaRefused: ``shape_unusable``. One bad shape refuses the area: without it fewer people
            would be warned than the sender meant, and nobody would notice.
    """
    if area.lost:
        raise _unusable(area.lost[0], "could not be read")
    shapes, findings = [], []
    for number, ring in enumerate(area.polygons, 1):
        name = f"polygon {number}"
        geometry = _polygon(name, ring)
        if not shapely.is_valid(geometry):
            geometry = _untangle(name, ring)
            findings.append(
                Finding(
                    "polygon_self_crossing",
                    "warning",
                    name,
                    "The border crosses itself; all it encloses is used.",
                )
            )
        shapes.append(Shape(name, geometry))
    for number, (lat, lon, radius) in enumerate(area.circles, 1):
        name = f"circle {number}"
        if radius == 0:
            findings.append(
                Finding(
                    "circle_radius_zero",
                    "warning",
                    name,
                    "Radius 0 is a point, which warns nobody around it.",
                )
            )
            continue
        shapes.append(Shape(name, _circle(name, lat, lon, radius)))
    return shapes, findings


def _unusable(name: str, reason: str) -> AreaRefused:
    return AreaRefused(
        "shape_unusable", f"{name} {reason}; correct it, or choose a region by its code instead of the shape"
    )


def _check_point(name: str, lat: float, lon: float) -> None:
    if not (math.isfinite(lat) and math.isfinite(lon)):
        raise _unusable(name, "has a coordinate that is no number")
    if abs(lat) > _HALF_TURN / 2 and abs(lon) <= _HALF_TURN / 2:
        raise _unusable(name, "seems to have longitude before latitude")
    if abs(lat) > _HALF_TURN / 2 or abs(lon) > _HALF_TURN:
        raise _unusable(name, "has a coordinate that does not exist on Earth")


def _polygon(name: str, ring: Sequence[tuple[float, float]]) -> shapely.Geometry:
    if len(ring) > MOST_POINTS:
        raise _unusable(name, f"has {len(ring)} points, more than {MOST_POINTS}")
    for lat, lon in ring:
        _check_point(name, lat, lon)
    if len(set(ring)) < _LEAST_RING:
        raise _unusable(name, "has fewer than 3 different points")
    if any(abs(b[1] - a[1]) > _HALF_TURN for a, b in zip(ring, (*ring[1:], ring[0]), strict=True)):
        raise _unusable(name, "crosses the date line")
    polygon = Polygon([(lon, lat) for lat, lon in ring])
    if shapely.convex_hull(polygon).area == 0:
        raise _unusable(name, "encloses no area")
    return polygon


def _untangle(name: str, ring: Sequence[tuple[float, float]]) -> shapely.Geometry:
    """Return everything that a self-crossing border encloses, each loop of it."""
    if len(ring) > MOST_CROSSING_POINTS:
        raise _unusable(name, f"crosses itself and has more than {MOST_CROSSING_POINTS} points")
    line = LineString([(lon, lat) for lat, lon in (*ring, ring[0])])
    geometry = shapely.union_all(list(polygonize(shapely.union_all(line))))
    if geometry.area == 0:
        raise _unusable(name, "encloses no area")
    return geometry


def _circle(name: str, lat: float, lon: float, radius_km: float) -> shapely.Geometry:
    """Return the circle as a polygon, drawn in kilometres around its centre: exact enough to 500 km."""
    _check_point(name, lat, lon)
    if not math.isfinite(radius_km) or radius_km < 0:
        raise _unusable(name, "has a radius that is no positive number")
    rise = radius_km / KM_PER_DEGREE
    if abs(lat) + rise > _HIGHEST_CIRCLE:
        raise _unusable(name, "reaches a pole")
    run = rise / math.cos(math.radians(lat))
    if abs(lon) + run > _HALF_TURN:
        raise _unusable(name, "crosses the date line")
    turns = [2 * math.pi * step / _CIRCLE_STEPS for step in range(_CIRCLE_STEPS)]
    # Corners stand a little outside, so that the sides touch the circle instead of cutting it.
    out = 1 / math.cos(math.pi / _CIRCLE_STEPS)
    return Polygon([(lon + run * out * math.cos(turn), lat + rise * out * math.sin(turn)) for turn in turns])


def swapped(shape: Shape) -> shapely.Geometry:
    """Return the shape as it would be with latitude and longitude exchanged."""
    return shapely.transform(shape.geometry, lambda points: points[:, ::-1])
