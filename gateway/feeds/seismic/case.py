"""What is known of one event when it is decided whether to warn. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gateway.alerts.model import Alert, MsgType, ValuePair

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from gateway.alerts.hazards import Hazards, Level
    from gateway.feeds.seismic.settings import SeismicSettings
    from gateway.feeds.seismic.versions import Known
    from gateway.settings import DeskSettings

HAZARD = "earthquake"
"""Key in hazards.toml."""


class Setup(NamedTuple):
    """What warnings are made with."""

    rules: SeismicSettings
    hazards: Hazards
    desk: DeskSettings

    @property
    def sender(self) -> str:
        """CAP sender of the warnings: ``seismic@`` and what follows the @ in the desk's own sender."""
        return f"seismic@{self.desk.sender.rpartition('@')[2]}"

    @property
    def codes(self) -> tuple[ValuePair, ...]:
        """The event code of an earthquake; none where a deployment's hazard table has no earthquakes."""
        found = self.hazards.by_key(HAZARD)
        return (self.hazards.code_pair(found),) if found else ()


class Report(NamedTuple):
    """A warning that was made of an event."""

    number: int
    alert: Alert
    magnitude: float | None
    townships: Mapping[str, Level]
    agreeing: tuple[str, ...]
    doubts: tuple[str, ...] = ()
    """Codes of what held it for a person."""


class Case(NamedTuple):
    """Everything that is known of one event."""

    event: int
    solutions: Sequence[Known]
    """Its members; empty where they all went to another event."""
    reports: Sequence[Report]
    """The warnings so far, oldest first."""
    at: datetime
    split: bool = False
    """Whether it was part of another event before."""

    @property
    def chain(self) -> list[Report]:
        """The reports since the last Cancel."""
        ends = [place for place, one in enumerate(self.reports) if one.alert.msg_type == MsgType.CANCEL]
        return list(self.reports[ends[-1] + 1 if ends else 0 :])

    @property
    def standing(self) -> Report | None:
        """The warning in force, if any."""
        last = next(reversed(self.chain), None)
        ends = last.alert.expires if last else None
        return last if ends is not None and ends > self.at else None


def epicentre(one: Known) -> tuple[float, float, float]:
    """Return latitude, longitude and magnitude of a solution that has them."""
    assert one.point is not None
    assert one.magnitude is not None
    return (*one.point, one.magnitude)


def gravest(levels: Mapping[str, Level]) -> Level:
    """Return the gravest of the levels of townships."""
    return min(levels.values(), key=lambda level: level.rank)


def is_old(case: Case, chosen: Known, setup: Setup) -> bool:
    """Whether an earthquake is too long ago for a warning without a person."""
    return chosen.time is not None and case.at - chosen.time > setup.rules.plausible.oldest
