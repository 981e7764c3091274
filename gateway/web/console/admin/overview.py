"""What an administrator should look at: gaps in duty and deputies, what ends soon, double accounts."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING

from gateway.accounts import sessions
from gateway.desk.staff import is_machine
from gateway.partners import keys
from gateway.store import audit, duty, rights
from gateway.store import desk as desk_store
from gateway.web.console.admin import authorisations, partner_keys, people
from gateway.web.console.admin.duty import DAYS, day_of
from gateway.web.console.routing import Routes

if TYPE_CHECKING:
    from aiohttp import web
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.web.console.visit import Visit

routes = Routes()

SOON = timedelta(days=30)


@routes.get("/admin", "administer", "audit")
async def overview(visit: Visit) -> web.StreamResponse:
    """Show what stands and what is amiss."""
    console = visit.console
    async with console.database.begin() as connection:
        persons = [one for one in await desk_store.list_people(connection) if not is_machine(one.login)]
        sign_ins = await rights.sign_ins(connection, visit.now)
        granted = await rights.all_authorisations(connection)
        head = await audit.head(connection)
        lapses = await _lapses(
            visit, connection, {one.login for one in persons if _approves(visit, one.roles)}
        )
        gaps = await _gaps(visit, connection)
    opened = await sessions.open_ones(console.database, visit.now, console.settings.console.limits)
    listed = await keys.listed(console.database)
    live = [row for row in listed if partner_keys.state_of(row, visit.now) == "live"]
    states = [authorisations.state_of(one, visit.now) for one in granted]
    return visit.render(
        "admin/overview.html",
        active=sum(one.active for one in persons),
        without=[one for one in persons if one.active and not sign_ins[one.login].has_second_factor],
        doubles=people.same_names(persons),
        opened=len(opened),
        head=head,
        lapses=[one.name for one in persons if one.login in lapses],
        gaps=gaps,
        days=DAYS,
        authorised=sum(state in {"live", "soon"} for state in states),
        ending=states.count("soon"),
        keys=len(live),
        keys_ending=sum(row.expires_at - visit.now < SOON for row in live),
    )


def _approves(visit: Visit, roles: tuple[str, ...]) -> bool:
    return visit.console.office.policy.allows("approve", roles)


async def _lapses(visit: Visit, connection: AsyncConnection, approvers: set[str]) -> list[str]:
    """Return who may approve, is away, and has nobody who is asked instead."""
    asked = await duty.deputies(connection, visit.now)
    return [login for login, deputy in asked.items() if login in approvers and deputy not in approvers]


async def _gaps(visit: Visit, connection: AsyncConnection) -> int:
    """Return on how many of the next days a post that must be filled is not."""
    zone = visit.console.zone
    first = datetime.combine(visit.now.astimezone(zone).date(), time(), zone)
    duties = await duty.duties_between(connection, first, first + timedelta(days=DAYS))
    absences = await duty.absences_from(connection, first)
    days = (day_of(first + timedelta(days=n), duties, absences, visit.now) for n in range(DAYS))
    return sum(any(cell.gaps for cell in day.cells) for day in days)
