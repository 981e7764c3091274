"""Codes and keys that are shown once, to the session that made them, and never again.

They are kept in this process for a few minutes, so that they stand in no address, no log and no database,
and so that a second click leads to the same page and makes no second key.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from gateway.web.console.filters import N_
from gateway.web.console.routing import Routes

if TYPE_CHECKING:
    from datetime import datetime

    from aiohttp import web

    from gateway.web.console.visit import Visit

routes = Routes()

FOR = timedelta(minutes=5)
MOST = 200

GONE = N_("This was shown already, or too long ago. It is kept nowhere: make another one.")


class Shown(NamedTuple):
    """What a page shows, and for whom."""

    session: int
    until: datetime
    kind: str
    """``code`` or ``key``."""
    subject: str
    """Whose it is: a login or a partner."""
    values: tuple[str, ...]
    holds_until: datetime
    back: str


_kept: dict[str, Shown] = {}


def keep(
    visit: Visit, kind: str, subject: str, values: tuple[str, ...], *, holds_until: datetime, back: str
) -> str:
    """Keep it for the session that asks and return the page on which it is shown."""
    assert visit.session is not None
    for name in [name for name, one in _kept.items() if one.until <= visit.now]:
        del _kept[name]
    while len(_kept) >= MOST:
        del _kept[next(iter(_kept))]
    name = secrets.token_urlsafe(16)
    _kept[name] = Shown(visit.session.id, visit.now + FOR, kind, subject, values, holds_until, back)
    return f"/admin/shown/{name}"


@routes.get(r"/admin/shown/{name:[0-9A-Za-z_-]{22}}", "administer")
async def show(visit: Visit) -> web.StreamResponse:
    """Show it to the session that made it."""
    one = _kept.get(visit.request.match_info["name"])
    assert visit.session is not None
    if one is None or one.session != visit.session.id or one.until <= visit.now:
        return visit.refused(visit.say(GONE), 404)
    return visit.render("admin/shown.html", one=one, base=visit.console.settings.web.base_url)
