"""What holds for everybody who works at the desk: who administers whom, regions, the last administrator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.desk import scope
from gateway.desk.refused import DeskRefused
from gateway.store import desk as store
from gateway.store import rights

if TYPE_CHECKING:
    from gateway.desk.steps import Step
    from gateway.store.desk import Person

MACHINES = ("source.", "partner.")
"""How the logins begin under which sources and partners draft; nobody signs in with one."""
LONGEST = 60
"""Characters of a name or a unit."""


def is_machine(login: str) -> bool:
    """Return whether a login stands for a source or a partner."""
    return login.startswith(MACHINES)


async def administrator(step: Step, *regions: str | None) -> Person:
    """Return the actor, or refuse: who administers one region only touches nothing outside of it.

    Args:
        step: The step that this is part of.
        regions: What it is about; None stands for everywhere.
    """
    person = await step.may("administer")
    if all(scope.covers(person, one) if one else person.region is None for one in regions):
        return person
    raise DeskRefused(
        "administers",
        f"{person.login} administers {person.region} only: ask an administrator without a region",
        person=person.login,
        region=person.region,
    )


async def known(step: Step, login: str) -> Person:
    """Return somebody who works here, or did; refuse where there is nobody of this login."""
    person = await store.person(step.connection, login)
    if person is None:
        raise DeskRefused("no_person", f"there is nobody {login!r} at this desk", person=login)
    return person


async def check(step: Step, before: Person | None, after: Person) -> None:
    """Refuse a region that is not loaded, a unit that is no line, and the end of the last administrator."""
    await check_region(step, after.region)
    if len(after.name) > LONGEST or len(after.unit) > LONGEST or not (after.unit or " ").isprintable():
        raise DeskRefused("unit", f"name and unit are lines of at most {LONGEST} characters", most=LONGEST)
    roles = step.policy.roles.administer
    if before is None or not _administers(before, roles) or _administers(after, roles):
        return
    if not await rights.others_with(step.connection, roles, before.login):
        raise DeskRefused(
            "last_administrator",
            f"{before.login} is the last administrator without a region: make somebody else one first",
            person=before.login,
        )


async def check_region(step: Step, code: str | None) -> None:
    """Refuse a region that is not loaded."""
    if code is not None and await store.region_name(step.connection, code) is None:
        raise DeskRefused("region", f"there is no region {code}", region=code)


def _administers(person: Person, roles: frozenset[str]) -> bool:
    return person.active and person.region is None and not roles.isdisjoint(person.roles)
