"""Steps on authorisations: which unit may have which warnings issued (授权)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from gateway.alerts.hazards import Level
from gateway.desk import scope, staff
from gateway.desk.refused import DeskRefused
from gateway.store import rights as store

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.alerts.hazards import Hazards
    from gateway.desk.steps import Step

LONGEST = timedelta(days=3660)
LONGEST_DOCUMENT = 200


class Granted(NamedTuple):
    """What an authorisation says."""

    unit: str
    hazard: str
    """Key in hazards.toml, ``*`` for all."""
    level: str
    """The highest that it covers."""
    region: str | None
    begins_at: datetime
    ends_at: datetime
    document: str
    """Number of the paper that gives it."""


async def grant(step: Step, hazards: Hazards, granted: Granted) -> int:
    """Enter an authorisation and return its number."""
    await staff.administrator(step, granted.region)
    _check(hazards, granted)
    await staff.check_region(step, granted.region)
    values = granted._asdict() | {"made_by": step.actor, "made_at": step.now}
    number = await store.add_authorisation(step.connection, **values)
    step.record("authorise", f"authorisation {number}", **granted._asdict())
    return number


async def revoke(step: Step, number: int) -> None:
    """End an authorisation at once; ended already it stays as it was."""
    found = await store.authorisation(step.connection, number)
    if found is None:
        raise DeskRefused("no_authorisation", f"there is no authorisation {number}")
    await staff.administrator(step, found.region)
    if await store.revoke_authorisation(step.connection, number, step.now):
        step.record("authorisation_revoked", f"authorisation {number}", unit=found.unit)


def _check(hazards: Hazards, granted: Granted) -> None:
    for name, text, most in (
        ("unit", granted.unit, staff.LONGEST),
        ("document", granted.document, LONGEST_DOCUMENT),
    ):
        if not text.strip() or len(text) > most or not text.isprintable():
            raise DeskRefused(name, f"{name} is one line of 1 to {most} characters", most=most)
    hazard = None if granted.hazard == scope.ALL else hazards.by_key(granted.hazard)
    if hazard is None and granted.hazard != scope.ALL:
        raise DeskRefused("hazard", f"there is no hazard {granted.hazard!r}", hazard=granted.hazard)
    if granted.level not in set(Level):
        raise DeskRefused("level", f"there is no level {granted.level!r}", level=granted.level)
    if not granted.begins_at < granted.ends_at <= granted.begins_at + LONGEST:
        raise DeskRefused("span", "the end comes after the beginning, within ten years", hours=None)
