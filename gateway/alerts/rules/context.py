"""What every rule is given."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.alerts.findings import Findings
    from gateway.alerts.hazards import Hazards
    from gateway.alerts.model import Alert, Area, Info


@dataclass(frozen=True, slots=True)
class Source:
    """What is known of a sender beforehand.

    Attributes:
        may_supersede: Other senders whose alerts it may update or cancel.
        bounds: Its region: south, west, north, east in degrees.
        skew: How far its clock may be ahead.
        horizon: How long its messages may hold.
        max_age: How long a message without ``expires`` holds.
    """

    may_supersede: frozenset[str] = frozenset()
    bounds: tuple[float, float, float, float] | None = None
    skew: timedelta = timedelta(minutes=2)
    horizon: timedelta = timedelta(days=31)
    max_age: timedelta = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Context:
    """One message under examination."""

    alert: Alert
    now: datetime | None
    source: Source
    hazards: Hazards | None
    found: Findings

    def infos(self) -> Iterator[tuple[str, Info]]:
        """The info blocks with their paths."""
        for number, info in enumerate(self.alert.infos, 1):
            yield f"alert/info[{number}]", info

    def areas(self) -> Iterator[tuple[str, Area]]:
        """All areas with their paths."""
        for path, info in self.infos():
            for number, area in enumerate(info.areas, 1):
                yield f"{path}/area[{number}]", area
