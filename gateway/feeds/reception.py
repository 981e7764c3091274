"""Everything that comes in, put together: alerts to the inbox, solutions to the seismology."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from gateway.feeds.intake import Intake
from gateway.feeds.origins import PARTNER
from gateway.feeds.seismic.seismology import Seismology, open_setup
from gateway.ops.sources import SettingsRefused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.alerts.hazards import Hazards
    from gateway.clock import Clock
    from gateway.desk.service import Desk
    from gateway.settings import Settings
    from gateway.store.database import Database


def check_rules(settings: Settings, hazards: Hazards) -> None:
    """Refuse rules that name what there is not: they would silently hold, or never release, everything.

    Raises:
        SettingsRefused: the setting, and the nearest name that there is.
    """
    rules = {f"sources.{name}.rule": one.rule for name, one in settings.sources.items()}
    rules |= {f"partners.{name}.rule": one.rule for name, one in settings.partners.items()}
    names = [*settings.sources, *(PARTNER + name for name in settings.partners)]
    for place, rule in rules.items():
        _check(f"{place}.agrees_with", rule.agrees_with, names)
    rules["feeds.seismic_rule"] = settings.feeds.seismic_rule  # it agrees with agencies, which have no list
    for place, rule in rules.items():
        _check(f"{place}.hazards", rule.hazards, [one.key for one in hazards.all()])


def _check(place: str, given: Sequence[str], known: Sequence[str]) -> None:
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are: {', '.join(known) or 'none'}"
            raise SettingsRefused(f"{place}: there is no {name!r}; {hint}")


def open_intake(database: Database, clock: Clock, desk: Desk, settings: Settings) -> Intake:
    """Return the intake of a gateway.

    Raises:
        SeismicRefused, HazardsRefused: a file of the settings cannot be used; the file and the entry to mend.
        SettingsRefused: a rule names a hazard or a source that there is not.
    """
    check_rules(settings, desk.office.hazards)
    intake = Intake(database, clock, desk, settings)
    intake.seismology = Seismology(database, intake, settings, open_setup(settings))
    return intake
