"""The curve of people reached over time, as coordinates for an inline SVG."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from gateway.coverage.words import seconds

if TYPE_CHECKING:
    from gateway.coverage.model import Coverage, Point

WIDTH, HEIGHT = 1000.0, 250.0
"""Of the drawing, which the page stretches to the room there is; its words stand beside it."""

_TICKS = (0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)
_MOST_TICKS = 10


class Tick(NamedTuple):
    """A place on an axis and what stands there."""

    at: float
    """In hundredths of the axis, from its left or its top."""
    label: str


class Chart(NamedTuple):
    """Everything the template draws; empty paths where nothing came back yet."""

    delivered: str
    area: str
    confirmed: str
    across: list[Tick]
    up: list[Tick]
    t90: float | None
    """In hundredths of the axis."""
    width: float = WIDTH
    height: float = HEIGHT


def chart(coverage: Coverage) -> Chart:
    """Return the curve as steps: the share of the intended, from 0 to 100 %."""
    points = coverage.curve if len(coverage.curve) > 1 else ()
    span = points[-1].seconds if points else 1.0
    whole = coverage.people.intended or 1

    def place(point: Point, people: int) -> tuple[float, float]:
        return round(WIDTH * point.seconds / span, 1), round(HEIGHT * (1 - people / whole), 1)

    delivered = _line([place(point, point.delivered) for point in points])
    return Chart(
        delivered=delivered,
        area=f"{delivered}V{HEIGHT}H0Z" if delivered else "",
        confirmed=_line([place(point, point.confirmed) for point in points]),
        across=[Tick(_hundredths(second, span), seconds(second)) for second in _marks(points)],
        up=[Tick(100 - part * 25, f"{part * 25}%") for part in range(5)],
        t90=_hundredths(coverage.t90_s, span) if points and coverage.t90_s is not None else None,
    )


def _hundredths(second: float, span: float) -> float:
    return round(100 * second / span, 2)


def _line(points: list[tuple[float, float]]) -> str:
    if not points:
        return ""
    (x, y), rest = points[0], points[1:]
    return f"M{x} {y}" + "".join(f"L{x} {y}" for x, y in rest)


def _marks(points: tuple[Point, ...]) -> list[float]:
    if not points:
        return []
    span = points[-1].seconds
    step = next((tick for tick in _TICKS if span / tick <= _MOST_TICKS), span)
    return [number * step for number in range(math.floor(span / step) + 1)]
