"""Shapes of the national message: circles in metres, and coordinates whose order is not certain.

No public text says whether latitude or longitude comes first. China's latitudes (3 to 54) and longitudes
(73 to 136) do not overlap, so a shape in China shows its order by itself.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from gateway.alerts.geometry import Problem, plain, read_circle, read_polygon, write_circle, write_polygon

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.alerts.model import Circle, Polygon

_LATITUDES = (3.0, 54.0)
_LONGITUDES = (73.0, 136.0)
_METRES = 3
"""Decimal places from kilometres to metres."""
_NUMBER = r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
_PAIR = re.compile(rf"({_NUMBER}),({_NUMBER})")
_CIRCLE = re.compile(rf"({_NUMBER}),({_NUMBER})\s+({_NUMBER})")


class ReadShape(NamedTuple):
    """A shape that was read.

    Attributes:
        polygon: The ring, where it was one and can be used.
        circle: The circle, where it was one and can be used.
        text: What stands for it in CAP where it cannot be used.
        problems: What is to be said about it.
    """

    polygon: Polygon | None
    circle: Circle | None
    text: str
    problems: list[Problem]

    @property
    def is_usable(self) -> bool:
        """Whether there is a shape."""
        return self.polygon is not None or self.circle is not None


def read_ring(text: str, *, lat_first: bool) -> ReadShape:
    """Read a polygon: pairs with white space between them."""
    matches = [_PAIR.fullmatch(token) for token in text.split()]
    pairs = [(match[1], match[2]) for match in matches if match]
    if len(pairs) < len(matches):
        return ReadShape(None, None, text, read_polygon(text)[1])
    ordered, doubts = _in_order(pairs, lat_first)
    cap_text = " ".join(f"{lat},{lon}" for lat, lon in ordered)
    polygon, problems = read_polygon(cap_text)
    return ReadShape(polygon, None, cap_text, [*(doubts if polygon else ()), *problems])


def read_round(text: str, *, lat_first: bool) -> ReadShape:
    """Read a circle: its centre and, after a space, its radius in metres."""
    match = _CIRCLE.fullmatch(text.strip())
    if match is None:
        return ReadShape(
            None, None, text, [Problem("circle_malformed", "the circle is not a centre and metres")]
        )
    ((lat, lon),), doubts = _in_order([(match[1], match[2])], lat_first)
    km = format(Decimal(match[3]).scaleb(-_METRES), "f")
    cap_text = f"{lat},{lon} {km}"
    circle, problems = read_circle(cap_text)
    return ReadShape(None, circle, cap_text, [*(doubts if circle else ()), *problems])


def _in_order(
    pairs: Sequence[tuple[str, str]], lat_first: bool
) -> tuple[list[tuple[str, str]], list[Problem]]:
    said = list(pairs) if lat_first else _swapped(pairs)
    if _in_china(said):
        return said, []
    other = _swapped(said)
    if _in_china(other):
        order = "longitude" if lat_first else "latitude"
        return other, [
            Problem("axes_swapped", f"the shape lies in China only if {order} comes first; so read")
        ]
    return said, [Problem("axes_unclear", "the shape lies outside of China in either order of coordinates")]


def _swapped(pairs: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(second, first) for first, second in pairs]


def _in_china(pairs: Sequence[tuple[str, str]]) -> bool:
    return all(
        _LATITUDES[0] <= float(lat) <= _LATITUDES[1] and _LONGITUDES[0] <= float(lon) <= _LONGITUDES[1]
        for lat, lon in pairs
    )


def write_ring(polygon: Polygon, *, lat_first: bool) -> str:
    """Return the national text of a ring."""
    return write_polygon(polygon if lat_first else tuple((lon, lat) for lat, lon in polygon))


def write_round(circle: Circle, *, lat_first: bool) -> str:
    """Return the national text of a circle, its radius in metres."""
    metres = format(Decimal(plain(circle.radius_km)).scaleb(_METRES), "f")
    centre = write_circle(circle).split(" ")[0]
    return f"{centre if lat_first else _turned(centre)} {metres}"


def _turned(pair: str) -> str:
    first, second = pair.split(",")
    return f"{second},{first}"
