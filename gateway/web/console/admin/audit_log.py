"""The audit log: read by actor, action, subject and day, proved, and given out as a file."""

from __future__ import annotations

import csv
from contextlib import aclosing
from datetime import date, datetime, time, timedelta
from io import StringIO
from typing import TYPE_CHECKING, Any

import orjson
import structlog
from aiohttp import web

from gateway.coverage.sheet import inert
from gateway.store import audit, audit_pages
from gateway.store import desk as desk_store
from gateway.store.audit_pages import Wanted
from gateway.web.console.admin import words
from gateway.web.console.routing import Routes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Row

    from gateway.web.console.visit import Visit

log = structlog.get_logger(__name__)

routes = Routes()

SHOWN = 100
"""Records on a page."""
_LONGEST = 120
COLUMNS = ("seq", "at", "actor", "action", "subject", "detail", "previous", "hash")
_BOM = "\N{ZERO WIDTH NO-BREAK SPACE}"
_DAY = timedelta(days=1)


def wanted_by(visit: Visit) -> Wanted:
    """Return which records the address asks for; a day that is none does not choose."""
    query = visit.request.query
    actor, action, subject = (
        query.get(name, "").strip()[:_LONGEST] for name in ("actor", "action", "subject")
    )
    until = _day(visit, "until")
    subject = f"alert {subject}" if subject.isascii() and subject.isdigit() else subject
    return Wanted(actor, action, subject, _day(visit, "since"), until + _DAY if until else None)


def _day(visit: Visit, name: str) -> datetime | None:
    try:
        day = date.fromisoformat(visit.request.query.get(name, ""))
        return datetime.combine(day, time(), visit.console.zone) if 1970 < day.year < 9000 else None  # noqa: PLR2004 - years
    except ValueError:
        return None


@routes.get("/admin/audit", "audit")
async def read(visit: Visit) -> web.StreamResponse:
    """Show records, newest first."""
    before = visit.request.query.get("before", "")
    limit = int(before) if before.isascii() and before.isdigit() and len(before) < 16 else None  # noqa: PLR2004 - bigint
    async with visit.console.database.begin() as connection:
        rows = await audit_pages.page(connection, wanted_by(visit), limit, SHOWN + 1)
        names = await desk_store.names_of(connection, {row.actor for row in rows})
        head = await audit.head(connection)
    query = visit.request.query
    asked = {
        name: query.get(name, "")[:_LONGEST] for name in ("actor", "action", "subject", "since", "until")
    }
    return visit.render(
        "admin/audit.html",
        rows=[_said(visit, row) for row in rows[:SHOWN]],
        more=rows[SHOWN - 1].seq if len(rows) > SHOWN else None,
        first=limit is None,
        names=names,
        head=head,
        actions=words.ACTIONS,
        asked=asked,
        kept={name: value for name, value in asked.items() if value},
        zone=visit.console.zone,
    )


def _said(visit: Visit, row: Row[Any]) -> dict[str, Any]:
    return {
        "row": row,
        "subject": words.subject(visit, row.subject),
        "details": words.details(visit, row.detail),
    }


@routes.get("/admin/audit/verify", "audit")
async def verify(visit: Visit) -> web.StreamResponse:
    """Read the whole log and say whether its chain holds, and where it breaks."""
    given = visit.request.query.get("head", "").strip().lower()[:64]
    async with visit.console.database.begin() as connection:
        report = await audit.verify(connection, given or None)
    log.info("audit verified", login=visit.login, records=report.records, broken_at=report.broken_at)
    why = words.fault(visit, report.reason)
    return visit.render("admin/audit_verify.html", report=report, why=why, given=given)


@routes.get(r"/admin/audit/export.{form:csv|jsonl}", "audit")
async def export(visit: Visit) -> web.StreamResponse:
    """Give the chosen records as a file: JSON Lines, of which each hash can be computed, or CSV."""
    form = visit.request.match_info["form"]
    kind, head, write = _FORMS[form]
    response = web.StreamResponse(
        headers={
            "Content-Type": kind,
            "Content-Disposition": f'attachment; filename="audit-{visit.now:%Y%m%dT%H%M%SZ}.{form}"',
        }
    )
    log.info("audit exported", login=visit.login, form=form)
    async with visit.console.database.begin() as connection:
        await response.prepare(visit.request)
        await response.write(head.encode())
        async with aclosing(audit_pages.every(connection, wanted_by(visit))) as pages:
            async for rows in pages:
                await response.write(write(rows))
    await response.write_eof()
    return response


def _lines(rows: Sequence[Row[Any]]) -> bytes:
    return b"".join(orjson.dumps({name: getattr(row, name) for name in COLUMNS}) + b"\n" for row in rows)


def _cells(rows: Sequence[Row[Any]]) -> bytes:
    file = StringIO()
    writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    for row in rows:
        cells = [row.at.isoformat() if name == "at" else str(getattr(row, name)) for name in COLUMNS]
        writer.writerow([inert(cell) for cell in cells])
    return file.getvalue().encode()


_FORMS: dict[str, tuple[str, str, Callable[[Sequence[Row[Any]]], bytes]]] = {
    "jsonl": ("application/x-ndjson; charset=utf-8", "", _lines),
    "csv": ("text/csv; charset=utf-8", _BOM + ",".join(f'"{name}"' for name in COLUMNS) + "\r\n", _cells),
}
