"""Who works at the desk, and what each may do."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from gateway.desk import staff
from gateway.desk.refused import DeskRefused
from gateway.desk.steps import SYSTEM, check_login
from gateway.store import accounts
from gateway.store import desk as store
from gateway.store.audit import canonical

if TYPE_CHECKING:
    from gateway.desk.steps import Step
    from gateway.store.desk import Person


async def hold(one: Step) -> None:
    """Wait until nobody else changes people, and keep others from it until the step ends.

    Two administrators cannot take the right from each other at once then. Whoever reads somebody in order
    to change what was read holds this first: what is read is kept as it is until the step ends, and two who
    had read each other would wait for each other.
    """
    await store.hold_name(one.connection, "people of the desk")


async def put(one: Step, person: Person) -> None:
    """Add somebody to the desk, or replace what that person may do, inside a step.

    Whose rights change has to sign in again; whoever is no longer active is out at once.

    Raises:
        DeskRefused: login, name or a role cannot be; ``login``, ``machine``, ``name``, ``roles``.
    """
    _check(one, person)
    await hold(one)
    if other := await store.login_like(one.connection, person.login):
        raise DeskRefused(
            "login",
            f"there is {other!r} already, which differs in upper and lower case only: use that",
            why="taken",
            other=other,
        )
    before = await store.person(one.connection, person.login)
    if before is None and one.actor != SYSTEM and staff.is_machine(person.login):
        raise DeskRefused(
            "machine", f"{person.login} would be taken for a source or a partner", login=person.login
        )
    await staff.check(one, before, person)
    await store.set_person(one.connection, person)
    if before is not None and _rights(before) != _rights(person):
        await accounts.end_sessions(one.connection, person.login, one.now)
    said = {"roles": list(person.roles), "active": person.active}
    one.record("person", f"person {person.login}", **said, region=person.region, unit=person.unit)


def version(person: Person) -> str:
    """Return what a page carries, so that it can be told whether a person is still as it was shown."""
    return hashlib.sha256(canonical(person._asdict())).hexdigest()[:16]


def check_seen(before: Person, seen: str) -> None:
    """Refuse what somebody decided on a page that shows the person otherwise: it would undo a later change.

    ``seen`` is the :func:`version` on the page, empty where the form has none: that is refused as well.
    """
    if seen != version(before):
        raise DeskRefused(
            "changed",
            f"{before.login} was changed meanwhile: look at the page again",
            why="person",
            person=before.login,
        )


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
