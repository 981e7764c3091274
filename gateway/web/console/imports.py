"""Imports (导入): a file of contacts or regions is checked first, and brought in when its sender agrees."""

from __future__ import annotations

import asyncio
import csv
import io
from typing import TYPE_CHECKING, Any

from aiohttp import web
from aiohttp.web_request import FileField

from gateway.coverage.sheet import inert
from gateway.desk import importing
from gateway.store import people_pages as store
from gateway.web.console.filters import N_
from gateway.web.console.people import SEEN, checks_of, step_of
from gateway.web.console.people_words import IMPORT_KINDS, IMPORT_STATES, reason, table
from gateway.web.console.routing import Routes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine

    from gateway.store.people_pages import ImportRow
    from gateway.web.console.visit import Visit

routes = Routes()

MOST_LISTED = 20
MOST_ROWS = 100
"""Rows of a report on its page; the download has those that are kept."""
_BOM = "\ufeff"


class Jobs:
    """The files that this process works on."""

    def __init__(self) -> None:
        """Nothing is under way."""
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin with a file and keep at it until it ends or the server stops."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def idle(self) -> None:
        """Wait until nothing is under way."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def end(self) -> None:
        """Let go of what is under way; it has changed nothing."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


JOBS = web.AppKey("imports", Jobs)


def begin(app: web.Application) -> None:
    """Have the application end what is under way when it stops."""
    app[JOBS] = Jobs()

    async def around(app: web.Application) -> AsyncIterator[None]:
        yield
        await app[JOBS].end()

    app.cleanup_ctx.append(around)


@routes.get("/people/imports", SEEN)
async def imports(visit: Visit) -> web.StreamResponse:
    """Show the form, and the files that were sent lately."""
    mine = visit.login if visit.person.region else None
    async with visit.console.database.begin() as connection:
        await store.fail_silent_imports(connection, visit.now - importing.SILENT, visit.now)
        await store.forget_files(connection, visit.now - importing.KEPT)
        rows = await store.recent_imports(connection, mine, MOST_LISTED)
    megabytes = importing.LIMITS.megabytes
    return visit.render(
        "people/imports.html",
        rows=rows,
        kinds=table(visit, IMPORT_KINDS),
        states=table(visit, IMPORT_STATES),
        megabytes=megabytes,
    )


@routes.post("/people/imports", SEEN)
async def send(visit: Visit) -> web.StreamResponse:
    """Take a file and check it; nothing is brought in by that."""
    (name, data), kind = await _file(visit), await visit.text("kind")
    async with step_of(visit) as one:
        known = kind if kind in IMPORT_KINDS else "contacts"
        number = await importing.send(one, known, name, data)
    visit.request.config_dict[JOBS].start(importing.rehearse(*_work(visit, number)))
    return visit.go(f"/people/imports/{number}")


@routes.get("/people/imports/{id:[0-9]{1,18}}", SEEN)
async def show(visit: Visit) -> web.StreamResponse:
    """Show how far a file is, what would happen or has happened; htmx asks for the part that changes."""
    row = await _row(visit)
    part = "people/import_part.html" if visit.partial else "people/import.html"
    report = row.report or {}
    return visit.render(
        part,
        row=row,
        mine=row.made_by == visit.login,
        kinds=table(visit, IMPORT_KINDS),
        states=table(visit, IMPORT_STATES),
        report=report,
        fault=reason(visit, report["fault"]) if report.get("fault") else "",
        refused=_rows(visit, report.get("refused", [])[:MOST_ROWS]),
        notes=_rows(visit, report.get("notes", [])[:MOST_ROWS]),
        busy=row.state in {"checking", "running"},
    )


@routes.post("/people/imports/{id:[0-9]{1,18}}/confirm", SEEN)
async def confirm(visit: Visit) -> web.StreamResponse:
    """Bring the checked file in."""
    number, partly = visit.number(), bool(await visit.text("partly"))
    async with step_of(visit) as one:
        await importing.confirm(one, number, partly=partly)
    visit.request.config_dict[JOBS].start(importing.bring(*_work(visit, number)))
    return visit.go(f"/people/imports/{number}")


@routes.get("/people/imports/{id:[0-9]{1,18}}/report.csv", SEEN)
async def report(visit: Visit) -> web.StreamResponse:
    """Give the rows that were refused, or that need a look, as a table; no cell is ever computed."""
    row = await _row(visit)
    file = io.StringIO()
    writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    heads = (N_("What"), N_("Row"), N_("Column"), N_("Reason"), N_("Way out"))
    writer.writerow([visit.say(head) for head in heads])
    for words, name in ((visit.say("Refused"), "refused"), (visit.say("Remark"), "notes")):
        for line in _rows(visit, (row.report or {}).get(name, [])):
            writer.writerow([inert(str(cell)) for cell in (words, *line)])
    headers = {"Content-Disposition": f'attachment; filename="import-{row.id}.csv"'}
    return web.Response(
        text=_BOM + file.getvalue(), content_type="text/csv", charset="utf-8", headers=headers
    )


async def _file(visit: Visit) -> tuple[str, bytes]:
    """Return name and bytes of the file that was sent, both empty where none was."""
    sent = (await visit.form()).get("file")
    if not isinstance(sent, FileField):
        return "", b""
    with sent.file:
        return sent.filename, sent.file.read()


def _work(visit: Visit, number: int) -> tuple[Any, ...]:
    console = visit.console
    office, drills = console.office, console.office.group("drill")
    return console.database, console.clock, office.policy, number, checks_of(visit), drills


async def _row(visit: Visit) -> ImportRow:
    async with visit.console.database.begin() as connection:
        await store.fail_silent_imports(connection, visit.now - importing.SILENT, visit.now)
        row = await store.import_(connection, visit.number())
    if row is None or (visit.person.region and row.made_by != visit.login):
        raise web.HTTPNotFound
    return row


def _rows(visit: Visit, rows: list[list[Any]]) -> list[tuple[int, str, str, str]]:
    """Return (row, column, reason, way out) in the language of the visit."""
    return [
        (
            number,
            reason(visit, column) if column else "",
            reason(visit, why),
            reason(visit, way) if way else "",
        )
        for number, column, why, way in rows
    ]
