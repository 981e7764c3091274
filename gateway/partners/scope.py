"""Whether an alert lies within what a key may push. What cannot be proved to lie inside is outside. Pure.

A key without a limit of some kind is not asked for a proof of that kind. An alert that is about
earlier ones changes them, so those must lie within the scope as well, whoever brought them; a
Cancel without an info block says nothing by itself and goes by what it takes back.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import shapely

from gateway.alerts.hazards import level_of
from gateway.alerts.model import MsgType
from gateway.audience import codes, shapes
from gateway.audience.area import AreaRefused, AreaSpec
from gateway.partners.refused import PartnerRefused

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gateway.alerts.hazards import Hazards, Level
    from gateway.alerts.model import Alert, Area, Info
    from gateway.partners.keys import Scope

_SEPARATORS = re.compile(r"[,，;；\s]+")
_TOUCH = 1e-6
"""Share of a shape that may lie outside: what is left of two equal borders after rounding."""


class Earlier(NamedTuple):
    """What an alert is about, of all that came in, whoever brought it."""

    alerts: tuple[Alert, ...] = ()
    complete: bool = True
    """Whether these are all that it is about."""


def check(
    scope: Scope, alert: Alert, earlier: Earlier, hazards: Hazards, outlines: Sequence[shapely.Geometry]
) -> None:
    """Return where everything lies within the scope.

    Args:
        scope: of the key.
        alert: as it came.
        earlier: what it refers to.
        hazards: the table.
        outlines: borders of the loaded regions that the scope names.

    Raises:
        PartnerRefused: with status 403 and what is outside, or cannot be proved not to be.
    """
    if not scope.is_narrow:
        return
    if alert.malformed_references:
        raise _outside("a reference of it is not sender,identifier,sent, so what it is about is not certain")
    if not alert.infos and not (alert.msg_type == MsgType.CANCEL and earlier.alerts and earlier.complete):
        raise _outside("it has no info block: only the Cancel of alerts that came in goes without one")
    border = shapely.union_all(outlines) if outlines else None
    _check_one(scope, alert, hazards, border)
    try:
        for one in earlier.alerts:
            _check_one(scope, one, hazards, border)
    except PartnerRefused:  # it may be another's, of which nothing is told
        raise _outside("it is about an alert that is outside of it") from None


def _check_one(scope: Scope, alert: Alert, hazards: Hazards, border: shapely.Geometry | None) -> None:
    for info in alert.infos:
        _check_level(scope, info, hazards)
        _check_hazard(scope, info, hazards)
        _check_areas(scope, info.areas, border)


def has_shapes(alerts: Iterable[Alert]) -> bool:
    """Whether the borders of regions are needed for a proof."""
    areas = (area for one in alerts for info in one.infos for area in info.areas)
    return any(area.polygons or area.circles for area in areas)


def _outside(why: str) -> PartnerRefused:
    return PartnerRefused(403, "outside_scope", f"the alert is not within what this key may push: {why}")


def _check_level(scope: Scope, info: Info, hazards: Hazards) -> None:
    told = {pair.value for pair in info.parameters if pair.value_name == hazards.colour_parameter}
    found = level_of(info, hazards)
    level: Level | None = found.level if found and len(told) <= 1 else None
    if level is None:
        raise _outside("its level is not clear; name one colour")
    if level.rank < scope.highest_level.rank:
        raise _outside(f"it is {level}, and the key goes up to {scope.highest_level}")


def _check_hazard(scope: Scope, info: Info, hazards: Hazards) -> None:
    if not scope.hazards:
        return
    found = hazards.hazard_of(info)
    if found is None or found.hazard.key not in scope.hazards:
        what = found.hazard.key if found else "of no hazard that is known here"
        raise _outside(f"it is {what}, and the key is for {', '.join(scope.hazards)}")


def _check_areas(scope: Scope, areas: Sequence[Area], border: shapely.Geometry | None) -> None:
    if not scope.regions:
        return
    if not areas:
        raise _outside("it has no area; name it by division codes (GB/T 2260) or draw it")
    for area in areas:
        _check_area(scope, area, border)


def _check_area(scope: Scope, area: Area, border: shapely.Geometry | None) -> None:
    if not (area.polygons or area.circles or area.geocodes):
        raise _outside("an area has words only; add its division code (GB/T 2260)")
    if area.unusable_polygons or area.unusable_circles:
        raise _outside("a shape cannot be used")
    for pair in area.geocodes:
        _check_code(scope, pair.value_name, pair.value)
    if area.polygons or area.circles:
        _check_shapes(area, border)


def _check_code(scope: Scope, code_list: str, value: str) -> None:
    if codes.list_key(code_list) not in codes.CODE_LISTS:
        raise _outside(f"the code list {code_list[:40]!r} is not held here; use GB/T 2260")
    found = [one for one in _SEPARATORS.split(value) if one]
    try:
        inside = all(codes.parse_code(one).prefix.startswith(scope.regions) for one in found)
    except codes.CodeRefused as refused:
        raise _outside(str(refused)) from None
    if not (found and inside):
        raise _outside(f"{value[:40]!r} is outside of {', '.join(scope.regions)}")


def _check_shapes(area: Area, border: shapely.Geometry | None) -> None:
    circles = tuple((one.lat, one.lon, one.radius_km) for one in area.circles)
    try:
        drawn, _ = shapes.build(AreaSpec(polygons=area.polygons, circles=circles))
    except AreaRefused as refused:
        raise _outside(refused.sentence) from None
    if len(drawn) != len(area.polygons) + len(area.circles):
        raise _outside("a circle of radius 0 encloses nothing")
    if border is None or not all(_covers(border, one.geometry) for one in drawn):
        raise _outside(
            "a shape reaches outside, or the gateway has no borders to compare; use division codes"
        )


def _covers(border: shapely.Geometry, shape: shapely.Geometry) -> bool:
    outside = shapely.area(shapely.difference(shape, border))
    return float(outside) <= _TOUCH * float(shapely.area(shape))
