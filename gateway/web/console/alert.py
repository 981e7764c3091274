"""The page of one alert, in any state: what it says, to whom, who signed it, and what may be done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from gateway.web.console import alert_view
from gateway.web.console.came_words import say_sentence
from gateway.web.console.filters import N_
from gateway.web.console.routing import Routes
from gateway.web.console.timeline import ACTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web
    from sqlalchemy import Row

    from gateway.web.console.visit import Visit

routes = Routes()

CHANGED = {
    "level": N_("Level"),
    "channels": N_("Channels"),
    "starts": N_("Begins"),
    "ends": N_("Valid until"),
    "area": N_("Area"),
    "event": N_("Kind of event"),
    "headline": N_("Headline"),
    "description": N_("Warning text"),
    "instruction": N_("Instructions"),
    "sender_name": N_("Issued by"),
    "contact": N_("Contact"),
    "text": N_("Text as sent"),
}
"""What may differ between two versions."""
LANES = {"urgent": N_("Urgent lane"), "normal": N_("Normal lane"), "drill": N_("Drill lane")}
WHY_ASKED = {
    "first": N_("asked first"),
    "silent": N_("asked after silence"),
    "deputy": N_("asked as deputy"),
}
TOLD = {
    "reason": N_("because:"),
    "asked": N_("asked:"),
    "silent": N_("did not sign:"),
    "of": N_("of alert"),
    "by": N_("by alert"),
    "update_of": N_("Update of alert"),
    "version": N_("version"),
    "release": N_("release"),
    "name": N_("file:"),
}
"""Details of a step that are worth a look, and what stands before them."""


@routes.get(r"/alerts/{id:\d{1,18}}", "see")
async def show(visit: Visit) -> web.StreamResponse:
    """Show the alert."""
    return await page(visit)


async def page(visit: Visit, fault: str = "", status: int = 200) -> web.Response:
    """Return the page; with what was wrong about the form that was sent."""
    view = await alert_view.look(visit)
    form = {} if visit.request.method == "GET" else dict(await visit.form())
    kept = {name: form.get(name, "") for name in ("place", "count", "reason")}
    return visit.render(
        "alert/page.html",
        status,
        **_context(visit, view),
        blocks=alert_view.blocks(view.alert, view.row.level),
        area=alert_view.area_json(view.alert),
        details=lambda record, people: _details(visit, record, people),
        fault=fault,
        kept=kept,
    )


@routes.get(r"/alerts/{id:\d{1,18}}/standing", "see")
async def standing(visit: Visit) -> web.StreamResponse:
    """Show how far the approval is: a part of the page that is fetched again when something changed."""
    return visit.render("alert/standing.html", **_context(visit, await alert_view.look(visit, whole=False)))


def _context(visit: Visit, view: alert_view.View) -> dict[str, Any]:
    hazard = visit.console.office.hazards.by_key(view.row.hazard)
    return {
        "view": view,
        "row": view.row,
        "mode": view.row.mode,
        "zone": visit.console.zone,
        "hazard": (hazard.zh if visit.language == "zh-CN" else hazard.en) if hazard else None,
        "STEPS": ACTIONS,
        "CHANGED": CHANGED,
        "LANES": LANES,
        "WHY_ASKED": WHY_ASKED,
    }


def _details(visit: Visit, record: Row[Any], people: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return (label, value) of what is worth a look; logins as names."""
    said = orjson.loads(record.detail)
    found = []
    for name, label in TOLD.items():
        if value := said.get(name):
            values = value if isinstance(value, list) else [value]
            told = (
                people.get(str(one)) or say_sentence(str(one), visit.say, visit.console.zone)
                for one in values
            )
            found.append((label, visit.say(", ").join(told)))
    return found
