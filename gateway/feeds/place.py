"""Where an alert lies among the regions of this gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gateway.audience.area import AreaRefused, from_alert
from gateway.audience.codes import parse_code
from gateway.audience.locate import locate
from gateway.audience.resolve import all_regions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.alerts.model import Alert
    from gateway.audience.locate import Region
    from gateway.clock import Clock
    from gateway.store.database import Database

FRESH_SECONDS = 60.0
"""How long the regions that were read are taken for those that are there."""


class Place(NamedTuple):
    """What of our regions an alert reaches."""

    codes: tuple[str, ...]
    """Codes of the regions reached; empty where nothing could be located."""
    outside: bool = False
    """Whether the area was understood and lies elsewhere."""
    why: str = ""


class Gazetteer:
    """The regions of the gateway, read once a minute."""

    def __init__(self, database: Database, clock: Clock) -> None:
        """Nothing is read yet."""
        self._database = database
        self._clock = clock
        self._regions: Sequence[Region] = ()
        self._read_at: float | None = None

    async def place(self, alert: Alert) -> Place:
        """Return what an alert reaches; any touch counts."""
        return place_of(alert, await self._all())

    async def _all(self) -> Sequence[Region]:
        at = self._clock.monotonic()
        if self._read_at is None or at - self._read_at > FRESH_SECONDS:
            self._regions = await all_regions(self._database)
            self._read_at = at
        return self._regions


def place_of(alert: Alert, regions: Sequence[Region]) -> Place:
    """Return what an alert reaches among these regions."""
    try:
        located = locate(from_alert(alert), regions, share=0.0)
    except AreaRefused as refused:
        return Place((), outside=refused.code == "outside" and _is_drawn(alert), why=refused.sentence)
    codes = tuple(sorted({hit.code for hit in located.hits}))
    return Place(codes, why="" if codes else "it reaches no township and no village")


def _is_drawn(alert: Alert) -> bool:
    """Whether the area has shapes: a code of a list that is not held here may mean any place."""
    return any(area.polygons or area.circles for info in alert.infos for area in info.areas)


def overlap(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether two sets of region codes have a region in common, or one that lies in another."""
    ours, theirs = ([parse_code(code).prefix for code in codes] for codes in (one, other))
    return any(a.startswith(b) or b.startswith(a) for a in ours for b in theirs)
