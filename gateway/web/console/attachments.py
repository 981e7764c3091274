"""Files beside an alert: taken by their first bytes, given back as downloads and never shown in place."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from aiohttp import web

from gateway.desk import notes
from gateway.desk.refused import DeskRefused
from gateway.store import notes as store
from gateway.web.console.routing import Routes

if TYPE_CHECKING:
    from gateway.web.console.visit import Visit

routes = Routes()


@routes.post(r"/alerts/{id:\d{1,18}}/attachments", "draft")
async def add(visit: Visit) -> web.StreamResponse:
    """Keep a file; what was submitted already is a draft again."""
    sent = (await visit.form()).get("file")
    if not isinstance(sent, web.FileField):
        raise DeskRefused("attachment", "choose a file", why="empty")
    with sent.file:
        data = sent.file.read(notes.LARGEST_FILE + 1)
    await notes.attach(visit.console.desk, visit.number(), visit.login, name=sent.filename, data=data)
    return visit.go(f"/alerts/{visit.number()}/edit#files")


@routes.post(r"/attachments/{id:\d{1,18}}/remove", "draft")
async def remove(visit: Visit) -> web.StreamResponse:
    """Take a file away; what was submitted already is a draft again."""
    alert_id = await notes.detach(visit.console.desk, visit.number(), visit.login)
    return visit.go(f"/alerts/{alert_id}/edit#files")


@routes.get(r"/attachments/{id:\d{1,18}}", "see")
async def give(visit: Visit) -> web.StreamResponse:
    """Give a file as a download."""
    async with visit.console.database.begin() as connection:
        found = await store.attachment(connection, visit.number())
        if found is None:
            raise web.HTTPNotFound
        data = await store.data_of(connection, found.id)
    return web.Response(
        body=data,
        content_type=found.mime,
        headers={
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(found.name)}",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "sandbox; default-src 'none'",
            "Cache-Control": "private, no-store",
        },
    )
