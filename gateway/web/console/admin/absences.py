"""Who is away, and who stands in; everybody's for an administrator, and the own one for everybody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.desk import rota
from gateway.desk.rota import Span
from gateway.store import duty as store
from gateway.web.console.admin.forms import begin, done, everybody, moment, next_hour
from gateway.web.console.routing import Routes

if TYPE_CHECKING:
    from aiohttp import web

    from gateway.store.desk import Person
    from gateway.web.console.visit import Visit

routes = Routes()


@routes.get("/admin/absences", "administer", "audit")
async def every(visit: Visit) -> web.StreamResponse:
    """List who is away or will be, and whose absence leaves nobody to ask."""
    return visit.render("admin/absences.html", **await _context(visit, None))


@routes.post("/admin/absences", "administer")
async def add(visit: Visit) -> web.StreamResponse:
    """Note somebody's absence."""
    await _add(visit, await visit.text("login"), own=False)
    return visit.go("/admin/absences?done=saved")


@routes.post(r"/admin/absences/{id:\d{1,18}}/end", "administer")
async def end(visit: Visit) -> web.StreamResponse:
    """End somebody's absence."""
    async with begin(visit) as one:
        await rota.end_absence(one, visit.number())
    return visit.go("/admin/absences?done=ended")


@routes.get("/me/absence", "signed_in")
async def own(visit: Visit) -> web.StreamResponse:
    """Show the own absences."""
    return visit.render("admin/my_absence.html", **await _context(visit, visit.login))


@routes.post("/me/absence", "signed_in")
async def add_own(visit: Visit) -> web.StreamResponse:
    """Note the own absence."""
    await _add(visit, visit.login, own=True)
    return visit.go("/me/absence?done=saved")


@routes.post(r"/me/absence/{id:\d{1,18}}/end", "signed_in")
async def end_own(visit: Visit) -> web.StreamResponse:
    """End the own absence."""
    async with begin(visit) as one:
        await rota.end_absence(one, visit.number(), own=True)
    return visit.go("/me/absence?done=ended")


async def _add(visit: Visit, login: str, *, own: bool) -> None:
    span = Span(await moment(visit, "begins"), await moment(visit, "ends"))
    deputy, reason = await visit.text("deputy"), await visit.text("reason")
    async with begin(visit) as one:
        await rota.add_absence(one, login, span, deputy or None, reason, own=own)


async def _context(visit: Visit, login: str | None) -> dict[str, Any]:
    async with visit.console.database.begin() as connection:
        rows = await store.absences_from(connection, visit.now, login)
        deputies = await store.deputies(connection, visit.now)
    persons = await everybody(visit)
    by_login = {one.login: one for one in persons}
    return {
        "rows": rows,
        "asked": {name: _asked(visit, by_login, deputy) for name, deputy in deputies.items()},
        "approvers": {one.login for one in persons if _may_approve(visit, one)},
        "names": {one.login: one.name for one in persons},
        "persons": [one for one in persons if one.active],
        "now": visit.now,
        "begins": next_hour(visit),
        "ends": next_hour(visit, 24),
        "zone": visit.console.zone,
        "done": done(visit),
    }


def _asked(visit: Visit, by_login: dict[str, Person], deputy: str | None) -> str | None:
    """Return who is asked in the end, where that person may still sign."""
    person = by_login.get(deputy or "")
    return deputy if person and _may_approve(visit, person) else None


def _may_approve(visit: Visit, person: Person) -> bool:
    return person.active and visit.console.office.policy.allows("approve", person.roles)
