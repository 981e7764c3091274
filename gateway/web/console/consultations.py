"""Notes of consultations (会商) beside an alert."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.desk import notes
from gateway.web.console import draft_form
from gateway.web.console.filters import N_
from gateway.web.console.routing import Routes

if TYPE_CHECKING:
    from aiohttp import web

    from gateway.web.console.visit import Visit

routes = Routes()

NO_TIME = N_("Say when the consultation was.")


@routes.post(r"/alerts/{id:\d{1,18}}/consultations", "draft")
async def add(visit: Visit) -> web.StreamResponse:
    """Keep a note; what was submitted already is a draft again."""
    held_at = draft_form.moment(await visit.text("held_at"), visit.console.zone)
    if held_at is None:
        return visit.refused(visit.say(NO_TIME))
    await notes.consult(
        visit.console.desk,
        visit.number(),
        visit.login,
        held_at=held_at,
        participants=await visit.text("participants"),
        minutes=await visit.text("minutes"),
    )
    return visit.go(f"/alerts/{visit.number()}/edit#consultations")
