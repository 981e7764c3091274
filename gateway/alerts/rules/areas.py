"""Where: shapes, codes and what they lack (CAP 1.2, 3.2.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.alerts.findings import CODES
from gateway.alerts.geometry import (
    crosses_date_line,
    is_simple,
    judge_circle,
    judge_ring,
    read_circle,
    read_polygon,
    unwrapped,
    width,
)
from gateway.alerts.model import MsgType, Status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.alerts.model import Area, Polygon, ValuePair
    from gateway.alerts.rules.context import Context

_MANY_POINTS = 100
_WIDE_DEGREES = 90
_LARGE_KM = 1000
_WARNING = (MsgType.ALERT, MsgType.UPDATE)
_HOLE = "EXCLUDE_POLYGON"


def about_areas(context: Context) -> None:
    """Every area of every info block."""
    alert = context.alert
    if alert.msg_type in _WARNING and alert.status != Status.SYSTEM:
        for path, info in context.infos():
            if not info.areas:
                context.found.add("area_missing", f"{path}/area")
    for path, area in context.areas():
        for code, where, message in _about(area):
            context.found.add(code, f"{path}{where}", message)
        _about_region(context, path, area)


def _about(area: Area) -> Iterator[tuple[str, str, str]]:
    for code in _about_location(area):
        yield code, "", ""
    for polygon in area.polygons:
        yield from ((code, "/polygon", message) for code, message in _about_polygon(polygon))
    for text in area.unusable_polygons:
        yield from ((code, "/polygon", message) for code, message in read_polygon(text)[1])
    for text in area.unusable_circles:
        yield from ((code, "/circle", message) for code, message in read_circle(text)[1])
    yield from ((code, "/circle", message) for code, message in _about_circles(area))
    yield from ((code, "/geocode", "") for pair in area.geocodes for code in _about_geocode(pair))
    yield from ((code, "/ceiling", "") for code in _about_height(area))


def _about_location(area: Area) -> Iterator[str]:
    if not area.area_desc:
        yield "area_desc_empty"
    if area.polygons or area.circles or area.unusable_polygons or area.unusable_circles:
        return
    yield "area_code_only" if area.geocodes else "area_text_only"


def _about_polygon(polygon: Polygon) -> Iterator[tuple[str, str]]:
    problems = judge_ring(polygon)
    yield from problems
    if any(CODES[problem.code].severity == "error" for problem in problems):
        return
    ring = unwrapped(polygon)
    if not is_simple(ring):
        yield "polygon_self_crossing", ""
    if crosses_date_line(ring):
        yield "polygon_antimeridian", ""
    if len(polygon) > _MANY_POINTS:
        yield "polygon_many_points", f"the polygon has {len(polygon)} points"
    if width(ring) > _WIDE_DEGREES:
        yield "polygon_very_wide", ""


def _about_circles(area: Area) -> Iterator[tuple[str, str]]:
    for circle in area.circles:
        yield from judge_circle(circle)
        if circle.radius_km == 0:
            yield "circle_radius_zero", ""
        if circle.radius_km > _LARGE_KM:
            yield "circle_very_large", f"the radius is {circle.radius_km:g} km"


def _about_geocode(pair: ValuePair) -> Iterator[str]:
    if not pair.value_name:
        yield "geocode_name_empty"
    if not pair.value:
        yield "geocode_value_empty"
    if pair.value_name.upper() == _HOLE:
        yield "geocode_exclude_polygon"
    elif any(mark in pair.value for mark in ",;，；、 \n\t"):
        yield "geocode_list_in_value"


def _about_height(area: Area) -> Iterator[str]:
    if area.ceiling is None:
        return
    if area.altitude is None:
        yield "ceiling_without_altitude"
    elif area.ceiling <= area.altitude:
        yield "ceiling_below_altitude"


def _about_region(context: Context, path: str, area: Area) -> None:
    bounds = context.source.bounds
    points = [point for ring in area.polygons for point in ring] + [(c.lat, c.lon) for c in area.circles]
    if bounds is None or not points or _meets(points, bounds):
        return
    if _meets([(lon, lat) for lat, lon in points], bounds):
        message = "with latitude and longitude swapped it would lie in the region of its source"
        context.found.add("coordinates_swapped", path, message)
    else:
        context.found.add("area_outside_source", path)


def _meets(points: list[tuple[float, float]], bounds: tuple[float, float, float, float]) -> bool:
    """Whether the box around the points and the region have anything in common."""
    south, west, north, east = bounds
    lats = [lat for lat, _ in points]
    lons = [lon for _, lon in points]
    return min(lats) <= north and max(lats) >= south and min(lons) <= east and max(lons) >= west
