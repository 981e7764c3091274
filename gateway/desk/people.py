"""Who works at the desk, and what each may do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.desk import staff
from gateway.desk.refused import DeskRefused
from gateway.desk.steps import check_login
from gateway.store import accounts
from gateway.store import desk as store

if TYPE_CHECKING:
    from gateway.desk.steps import Step
    from gateway.store.desk import Person


async def put(one: Step, person: Person) -> None:
    """Add somebody to the desk, or replace what that person may do, inside a step.

    Whose rights change has to sign in again; whoever is no longer active is out at once.

    Raises:
        DeskRefused: login, name or a role cannot be; ``login``, ``name``, ``roles``.
    """
    _check(one, person)
    # One at a time, so that two administrators cannot take the right from each other at once.
    await store.hold_name(one.connection, "people of the desk")
    if other := await store.login_like(one.connection, person.login):
        raise DeskRefused(
            "login",
            f"there is {other!r} already, which differs in upper and lower case only: use that",
            why="taken",
            other=other,
        )
    before = await store.person(one.connection, person.login)
    await staff.check(one, before, person)
    await store.set_person(one.connection, person)
    if before is not None and _rights(before) != _rights(person):
        await accounts.end_sessions(one.connection, person.login, one.now)
    said = {"roles": list(person.roles), "active": person.active}
    one.record("person", f"person {person.login}", **said, region=person.region, unit=person.unit)


def _check(one: Step, person: Person) -> None:
    check_login(person.login)
    if not person.name.strip() or not person.name.isprintable():
        raise DeskRefused("name", "a name is one line of text and not empty")
    if unknown := sorted(set(person.roles) - one.policy.known_roles):
        known = ", ".join(sorted(one.policy.known_roles))
        raise DeskRefused(
            "roles", f"there is no role {unknown[0]!r}: one of {known}", role=unknown[0], known=known
        )


def _rights(person: Person) -> tuple[object, ...]:
    return frozenset(person.roles), person.active, person.region, person.unit
