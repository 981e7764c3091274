"""Which unit may have which warnings issued: unit, hazard, highest level, region, validity, paper."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from gateway.desk import authority, scope
from gateway.desk.authority import Granted
from gateway.store import rights as store
from gateway.web.console.admin.forms import begin, done, moment, region, written
from gateway.web.console.filters import N_
from gateway.web.console.routing import Routes

if TYPE_CHECKING:
    from datetime import datetime

    from aiohttp import web

    from gateway.store.rights import Authorisation
    from gateway.web.console.visit import Visit

routes = Routes()

SOON = timedelta(days=30)
STATES = {
    "live": N_("In force"),
    "soon": N_("Ends within 30 days"),
    "future": N_("Not yet in force"),
    "over": N_("Expired"),
    "revoked": N_("Revoked"),
}


def state_of(one: Authorisation, now: datetime) -> str:
    """Return the state of an authorisation, a key of :data:`STATES`."""
    if one.revoked_at is not None:
        return "revoked"
    if one.ends_at <= now:
        return "over"
    if one.begins_at > now:
        return "future"
    return "soon" if one.ends_at - now < SOON else "live"


@routes.get("/admin/authorisations", "administer", "audit")
async def every(visit: Visit) -> web.StreamResponse:
    """List what was ever given, and ask for more."""
    async with visit.console.database.begin() as connection:
        rows = await store.all_authorisations(connection)
        choices, units = await store.region_choices(connection), await store.units(connection)
        regions = await store.region_names(connection, {one.region for one in rows if one.region})
    hazards = visit.console.office.hazards.all()
    shown = [(one, state_of(one, visit.now)) for one in rows]
    return visit.render(
        "admin/authorisations.html",
        rows=sorted(shown, key=lambda pair: pair[1] in {"over", "revoked"}),
        states=STATES,
        hazards=hazards,
        names={one.key: one.en if visit.language == "en" else one.zh for one in hazards},
        every=scope.ALL,
        regions=regions,
        choices=choices,
        units=units,
        required=visit.console.office.policy.authorisations.required,
        begins=written(visit, visit.now),
        ends=written(visit, visit.now + timedelta(days=365)),
        zone=visit.console.zone,
        done=done(visit),
    )


@routes.post("/admin/authorisations", "administer", proved=True)
async def add(visit: Visit) -> web.StreamResponse:
    """Enter an authorisation."""
    granted = Granted(
        unit=await visit.text("unit"),
        hazard=await visit.text("hazard"),
        level=await visit.text("level"),
        region=await region(visit),
        begins_at=await moment(visit, "begins"),
        ends_at=await moment(visit, "ends"),
        document=await visit.text("document"),
    )
    async with begin(visit) as one:
        await authority.grant(one, visit.console.office.hazards, granted)
    return visit.go("/admin/authorisations?done=saved")


@routes.post(r"/admin/authorisations/{id:\d{1,18}}/revoke", "administer")
async def revoke(visit: Visit) -> web.StreamResponse:
    """End an authorisation at once."""
    async with begin(visit) as one:
        await authority.revoke(one, visit.number())
    return visit.go("/admin/authorisations?done=revoked")
