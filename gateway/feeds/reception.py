"""Everything that comes in, put together: alerts to the inbox, solutions to the seismology."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.feeds.intake import Intake
from gateway.feeds.seismic.seismology import Seismology, open_setup

if TYPE_CHECKING:
    from gateway.clock import Clock
    from gateway.desk.service import Desk
    from gateway.settings import Settings
    from gateway.store.database import Database


def open_intake(database: Database, clock: Clock, desk: Desk, settings: Settings) -> Intake:
    """Return the intake of a gateway.

    Raises:
        SeismicRefused, HazardsRefused: a file of the settings cannot be used; the file and the entry to mend.
    """
    intake = Intake(database, clock, desk, settings)
    intake.seismology = Seismology(database, intake, settings, open_setup(settings))
    return intake
