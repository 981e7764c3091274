"""Who works at the desk: roles, region, unit, how each signs in."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

from aiohttp import web

from gateway.accounts import invitations, sessions
from gateway.desk import people, staff
from gateway.desk.policy import Roles
from gateway.desk.signing import folded
from gateway.store import desk as desk_store
from gateway.store import rights
from gateway.store.desk import Person
from gateway.web.console.admin import shown
from gateway.web.console.admin.forms import begin, done, region
from gateway.web.console.admin.words import RIGHTS
from gateway.web.console.filters import ROLES
from gateway.web.console.routing import Routes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.desk.policy import Policy
    from gateway.web.console.visit import Visit

routes = Routes()

LOGIN = r"{login:[A-Za-z0-9_.@+-]{1,64}}"


def rights_of(policy: Policy) -> dict[str, list[str]]:
    """Return each role, in the order of their work, with the rights that it gives."""
    known = sorted(policy.known_roles, key=lambda role: ([*ROLES, role].index(role), role))
    return {
        role: [name for name in Roles.model_fields if role in getattr(policy.roles, name)] for role in known
    }


def same_names(persons: Sequence[Person]) -> list[tuple[Person, Person]]:
    """Return the pairs of active accounts that bear the same name: they may be one person."""
    active = [one for one in persons if one.active]
    return [(one, two) for one, two in combinations(active, 2) if folded(one.name) == folded(two.name)]


@routes.get("/admin/people", "administer")
async def everybody(visit: Visit) -> web.StreamResponse:
    """List everybody, and the accounts that may belong to one person."""
    async with visit.console.database.begin() as connection:
        persons = await desk_store.list_people(connection)
        sign_ins = await rights.sign_ins(connection, visit.now)
        regions = await rights.region_names(connection, {one.region for one in persons if one.region})
    return visit.render(
        "admin/people.html",
        persons=sorted(persons, key=lambda one: (not one.active, one.login)),
        sign_ins=sign_ins,
        regions=regions,
        machines={one.login for one in persons if staff.is_machine(one.login)},
        doubles=same_names(persons),
        zone=visit.console.zone,
        done=done(visit),
    )


@routes.get("/admin/new-person", "administer")
async def new(visit: Visit) -> web.StreamResponse:
    """Ask for somebody new."""
    return visit.render("admin/person.html", **await _form(visit, None))


@routes.post("/admin/new-person", "administer", proved=True)
async def add(visit: Visit) -> web.StreamResponse:
    """Add somebody."""
    login = await visit.text("login")
    async with begin(visit) as one:
        await people.hold(one)
        if await desk_store.person(one.connection, login) is not None:
            return visit.refused(
                visit.say("There is %(login)s already: open that person instead.", login=login)
            )
        person = await _person(visit, login, active=True)
        await staff.administrator(one, person.region)
        await people.put(one, person)
    return visit.go(f"/admin/people/{login}?done=saved")


@routes.get(f"/admin/people/{LOGIN}", "administer")
async def show(visit: Visit) -> web.StreamResponse:
    """Show one person."""
    async with visit.console.database.begin() as connection:
        found = await desk_store.person(connection, visit.request.match_info["login"])
    if found is None:
        raise web.HTTPNotFound
    return visit.render("admin/person.html", **await _form(visit, found))


@routes.post(f"/admin/people/{LOGIN}", "administer", proved=True)
async def change(visit: Visit) -> web.StreamResponse:
    """Change name, roles, region and unit; whoever's rights change signs in anew."""
    login = visit.request.match_info["login"]
    async with begin(visit) as one:
        await people.hold(one)
        before = await staff.known(one, login)
        people.check_seen(before, await visit.text("seen"))
        after = await _person(visit, login, active=before.active)
        await staff.administrator(one, before.region, after.region)
        await people.put(one, after)
    return visit.go(f"/admin/people/{login}?done=saved")


@routes.post(f"/admin/people/{LOGIN}/active", "administer", proved=True)
async def activate(visit: Visit) -> web.StreamResponse:
    """Let somebody in again, or shut somebody out at once."""
    login, active = visit.request.match_info["login"], await visit.text("active") == "yes"
    async with begin(visit) as one:
        await people.hold(one)
        before = await staff.known(one, login)
        people.check_seen(before, await visit.text("seen"))
        await staff.administrator(one, before.region)
        await people.put(one, before._replace(active=active))
    return visit.go(f"/admin/people/{login}?done=saved")


@routes.post(f"/admin/people/{LOGIN}/code", "administer", proved=True)
async def code(visit: Visit) -> web.StreamResponse:
    """Make the code with which somebody sets a password and a second factor."""
    login = visit.request.match_info["login"]
    purpose = await visit.text("purpose")
    async with begin(visit) as one:
        await staff.administrator(one, (await staff.known(one, login)).region)
        made = await invitations.invite(one, login, "reset" if purpose == "reset" else "invite")
    until, back = visit.now + invitations.HOLDS, f"/admin/people/{login}"
    return visit.go(shown.keep(visit, "code", login, (made,), holds_until=until, back=back))


@routes.post(f"/admin/people/{LOGIN}/sign-out", "administer")
async def sign_out(visit: Visit) -> web.StreamResponse:
    """End every session of a person."""
    login = visit.request.match_info["login"]
    async with begin(visit) as one:
        await staff.administrator(one, (await staff.known(one, login)).region)
        await sessions.end_all(one, login)
    return visit.go(f"/admin/people/{login}?done=ended")


async def _person(visit: Visit, login: str, *, active: bool) -> Person:
    roles = tuple(str(one) for one in (await visit.form()).getall("role", []))
    name, unit = await visit.text("name"), await visit.text("unit")
    return Person(login, name, tuple(dict.fromkeys(roles)), active, await region(visit), unit)


async def _form(visit: Visit, person: Person | None) -> dict[str, Any]:
    """Return what the page of one person, or of a new one, is made of."""
    limits = visit.console.settings.console.limits
    async with visit.console.database.begin() as connection:
        persons = await desk_store.list_people(connection)
        sign_in = (await rights.sign_ins(connection, visit.now)).get(person.login) if person else None
        choices, units = await rights.region_choices(connection), await rights.units(connection)
    login = person.login if person else ""
    opened = await sessions.open_ones(visit.console.database, visit.now, limits, login) if person else []
    return {
        "person": person,
        "seen": people.version(person) if person else "",
        "roles": rights_of(visit.console.office.policy),
        "rights": RIGHTS,
        "choices": choices,
        "units": units,
        "sign_in": sign_in,
        "machine": staff.is_machine(login),
        "opened": opened,
        "alike": [pair for pair in same_names(persons) if login in {one.login for one in pair}],
        "zone": visit.console.zone,
        "done": done(visit),
    }
