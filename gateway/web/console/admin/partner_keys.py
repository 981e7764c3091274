"""Keys of partner agencies: made, shown once, changed over and revoked."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

from aiohttp import web

from gateway.alerts.hazards import Level
from gateway.audience.codes import CodeRefused, parse_code
from gateway.desk import staff
from gateway.partners import keys
from gateway.partners.keys import KeyRefused, Scope
from gateway.web.console.admin import shown
from gateway.web.console.admin.forms import begin, done, moment, refuse, written
from gateway.web.console.admin.words import SCOPES
from gateway.web.console.filters import N_
from gateway.web.console.routing import Routes

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.store.partners import KeyRow
    from gateway.web.console.visit import Visit

routes = Routes()

DAYS = 365
LONGEST = timedelta(days=3660)
PREFIX = r"{prefix:[0-9a-f]{12}}"
STATES = {"live": N_("In force"), "expired": N_("Expired"), "revoked": N_("Revoked")}

_BEGINNING = re.compile(r"\d{2,12}", re.ASCII)
_SEPARATORS = re.compile(r"[,，;；\s]+")


def state_of(row: KeyRow, now: datetime) -> str:
    """Return the state of a key, one of :data:`STATES`."""
    if row.revoked_at is not None:
        return "revoked"
    return "expired" if row.expires_at <= now else "live"


@routes.get("/admin/keys", "administer")
async def every(visit: Visit) -> web.StreamResponse:
    """List all keys, never the keys themselves."""
    rows = [(row, state_of(row, visit.now)) for row in await keys.listed(visit.console.database)]
    hazards = visit.console.office.hazards.all()
    return visit.render(
        "admin/keys.html",
        rows=sorted(rows, key=lambda pair: pair[1] != "live"),
        states=STATES,
        scopes=SCOPES,
        partners={name: one.name for name, one in sorted(visit.console.settings.partners.items())},
        hazards=hazards,
        names={one.key: one.en if visit.language == "en" else one.zh for one in hazards},
        expires=written(visit, visit.now + timedelta(days=DAYS)),
        zone=visit.console.zone,
        done=done(visit),
    )


@routes.post("/admin/keys", "administer", proved=True)
async def add(visit: Visit) -> web.StreamResponse:
    """Make a key and show it once."""
    partner = await visit.text("partner")
    if partner not in visit.console.settings.partners:
        refuse(visit, N_("There is no such partner in the settings."))
    return await _make(visit, partner, await _scope(visit), await moment(visit, "expires"))


@routes.post(f"/admin/keys/{PREFIX}/next", "administer", proved=True)
async def change_over(visit: Visit) -> web.StreamResponse:
    """Make the next key with what this one may do; this one holds until it is revoked."""
    row = await _row(visit)
    if row.partner not in visit.console.settings.partners:
        refuse(visit, N_("There is no such partner in the settings."))
    scope = Scope(tuple(row.scopes), tuple(row.regions), tuple(row.hazards), Level(row.highest_level))
    return await _make(visit, row.partner, scope, visit.now + timedelta(days=DAYS))


@routes.post(f"/admin/keys/{PREFIX}/revoke", "administer")
async def revoke(visit: Visit) -> web.StreamResponse:
    """End a key at once."""
    await _everywhere(visit)
    row = await _row(visit)
    await keys.revoke(visit.console.database, row.prefix, visit.console.clock, by=visit.login)
    return visit.go("/admin/keys?done=revoked")


async def _make(visit: Visit, partner: str, scope: Scope, expires: datetime) -> web.Response:
    await _everywhere(visit)
    if not visit.now < expires <= visit.now + LONGEST:
        refuse(visit, N_("A key holds for a time that lies ahead, and ten years at most."))
    console = visit.console
    server_key = keys.server_keys(console.settings)[0]
    try:
        made = await keys.add(
            console.database, partner, scope, expires, server_key, console.clock, by=visit.login
        )
    except KeyRefused:
        refuse(visit, N_("%(name)s has two keys in force already: revoke one of them first."), name=partner)
    values = (made.text, made.secret)
    return visit.go(shown.keep(visit, "key", partner, values, holds_until=expires, back="/admin/keys"))


async def _everywhere(visit: Visit) -> None:
    """Refuse an administrator of one region: a partner's key may reach beyond it."""
    async with begin(visit) as one:
        await staff.administrator(one, None)


async def _row(visit: Visit) -> KeyRow:
    prefix = visit.request.match_info["prefix"]
    found = next((row for row in await keys.listed(visit.console.database) if row.prefix == prefix), None)
    if found is None:
        raise web.HTTPNotFound
    return found


async def _scope(visit: Visit) -> Scope:
    form, known = await visit.form(), visit.console.office.hazards
    scopes = tuple(one for one in keys.SCOPES if one in form.getall("scope", []))
    hazards = tuple(dict.fromkeys(str(one) for one in form.getall("hazard", [])))
    level = await visit.text("level")
    if not scopes or any(known.by_key(one) is None for one in hazards) or level not in set(Level):
        refuse(visit, N_("Choose what the key may do, and hazards and a level that there are."))
    regions = [one for one in _SEPARATORS.split(await visit.text("regions")) if one]
    return Scope(scopes, tuple(_beginning(visit, one) for one in regions), hazards, Level(level))


def _beginning(visit: Visit, text: str) -> str:
    """Return what the codes within a division begin with; a short code is a beginning by itself."""
    if not _BEGINNING.fullmatch(text):
        refuse(visit, N_("A division code, or its beginning, has 2 to 12 digits."))
    try:
        return parse_code(text).prefix
    except CodeRefused:
        return text
