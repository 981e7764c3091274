"""Polygons and circles: read, judged and written.

CAP writes ``latitude,longitude`` in degrees (WGS-84) and a circle's radius in kilometres (CAP 1.2, 3.2.4).
A ring that crosses the date line goes the short way round, never over the other side of the globe.
A ring that cannot be used is never repaired into something larger.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import shapely

from gateway.alerts.model import Circle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.alerts.model import Polygon

_HALF_EARTH_KM = math.pi * 6371.0088
_MOST_LATITUDE = 90
_HALF_TURN = 180
_TURN = 360
_FEWEST_POINTS = 4
_FLAT = 1e-12
_NUMBER = r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
_PAIR = re.compile(rf"({_NUMBER}),({_NUMBER})")
_CIRCLE = re.compile(rf"({_NUMBER}),({_NUMBER})\s+({_NUMBER})")


class Problem(NamedTuple):
    """What is wrong with a shape: a code of the findings table and a sentence."""

    code: str
    message: str


def read_polygon(text: str) -> tuple[Polygon | None, list[Problem]]:
    """The closed ring that the text describes, and what is to be said about it.

    ``None`` where it cannot be used. A ring left open is closed; nothing else is ever changed.
    """
    points: list[tuple[float, float]] = []
    for token in text.split():
        match = _PAIR.fullmatch(token)
        if match is None:
            return None, [Problem("polygon_malformed", f"point {len(points) + 1} is not lat,lon")]
        points.append((float(match[1]), float(match[2])))
    fatal = _fatal(points)
    if fatal:
        return None, [fatal]
    closed = points if points[0] == points[-1] else [*points, points[0]]
    return tuple(closed), _small(points)


def judge_ring(points: Sequence[tuple[float, float]]) -> list[Problem]:
    """What is wrong with a ring, without a look at self-crossing; one problem where it cannot be used."""
    fatal = _fatal(points)
    return [fatal] if fatal else _small(points)


def _small(points: Sequence[tuple[float, float]]) -> list[Problem]:
    problems = []
    if points[0] != points[-1]:
        problems.append(
            Problem("polygon_unclosed", "the first and the last point differ; the ring was closed")
        )
    if any(abs(lon) > _HALF_TURN for _, lon in points):
        problems.append(Problem("longitude_over_180", "a longitude is beyond 180 degrees"))
    return problems


def _fatal(points: Sequence[tuple[float, float]]) -> Problem | None:
    if len(points) < _FEWEST_POINTS:
        return Problem("polygon_too_few_points", f"the polygon has {len(points)} points; 4 are the least")
    misplaced = _misplaced(points)
    if misplaced:
        return misplaced
    if _on_one_line(points):
        return Problem("polygon_no_area", "all points of the polygon lie on one line")
    return None


def _misplaced(points: Sequence[tuple[float, float]]) -> Problem | None:
    if all(abs(lat) <= _MOST_LATITUDE and abs(lon) <= _TURN for lat, lon in points):
        return None
    if all(abs(lon) <= _MOST_LATITUDE and abs(lat) <= _HALF_TURN for lat, lon in points):
        return Problem(
            "coordinates_swapped", "the points look like longitude,latitude; CAP has latitude first"
        )
    return Problem("coordinates_out_of_range", "a latitude is beyond 90 or a longitude beyond 360 degrees")


def _on_one_line(points: Sequence[tuple[float, float]]) -> bool:
    lat0, lon0 = points[0]
    rays = [(lat - lat0, lon - lon0) for lat, lon in points]
    far_lat, far_lon = max(rays, key=lambda ray: ray[0] * ray[0] + ray[1] * ray[1])
    reach = far_lat * far_lat + far_lon * far_lon
    return all(abs(lat * far_lon - lon * far_lat) <= _FLAT * reach for lat, lon in rays)


def read_circle(text: str) -> tuple[Circle | None, list[Problem]]:
    """The circle that the text describes; ``None`` where it cannot be used."""
    match = _CIRCLE.fullmatch(text.strip())
    if match is None:
        return None, [
            Problem("circle_malformed", "the circle is not lat,lon radius, the radius a bare number of km")
        ]
    lat, lon, radius = (float(part) for part in match.groups())
    if not 0 <= radius <= _HALF_EARTH_KM:
        return None, [
            Problem("circle_radius_impossible", "the radius is negative or reaches around the Earth")
        ]
    misplaced = _misplaced([(lat, lon)])
    if misplaced:
        return None, [misplaced]
    circle = Circle(lat=lat, lon=lon, radius_km=radius)
    return circle, judge_circle(circle)


def judge_circle(circle: Circle) -> list[Problem]:
    """What is to be said about a circle that can be used."""
    return (
        [Problem("longitude_over_180", "a longitude is beyond 180 degrees")]
        if abs(circle.lon) > _HALF_TURN
        else []
    )


def write_polygon(points: Polygon) -> str:
    """CAP's text of a ring."""
    return " ".join(f"{plain(lat)},{plain(lon)}" for lat, lon in points)


def write_circle(circle: Circle) -> str:
    """CAP's text of a circle."""
    return f"{plain(circle.lat)},{plain(circle.lon)} {plain(circle.radius_km)}"


def plain(number: float) -> str:
    """The shortest decimal that reads back as the same number, never with an exponent."""
    short = repr(number)
    return format(Decimal(short), "f") if "e" in short else short


def unwrapped(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """(x, y) of a ring without a jump at the date line; x may leave -180..180."""
    if all(abs(after[1] - before[1]) <= _HALF_TURN for before, after in pairwise(points)):
        return [(lon, lat) for lat, lon in points]
    out: list[tuple[float, float]] = []
    shift = 0.0
    for lat, lon in points:
        if out:
            step = lon + shift - out[-1][0]
            shift -= _TURN * round(step / _TURN) if abs(step) > _HALF_TURN else 0
        out.append((lon + shift, lat))
    return out


def crosses_date_line(ring: Sequence[tuple[float, float]]) -> bool:
    """Whether an unwrapped ring goes over the 180th meridian."""
    xs = [x for x, _ in ring]
    return min(xs) < -_HALF_TURN or max(xs) > _HALF_TURN


def width(ring: Sequence[tuple[float, float]]) -> float:
    """Degrees of longitude from one end of an unwrapped ring to the other."""
    xs = [x for x, _ in ring]
    return max(xs) - min(xs)


def is_simple(ring: Sequence[tuple[float, float]]) -> bool:
    """Whether the border of an unwrapped ring does not cross itself."""
    return bool(shapely.Polygon(ring).is_valid)
