"""What was done, by whom and when, told from the audit chain; and the CAP message as it was sent."""

from __future__ import annotations

import csv
from io import StringIO
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web

from gateway.coverage.sheet import inert
from gateway.store import coverage as coverage_store
from gateway.store import desk as desk_store
from gateway.store import release_page as store
from gateway.store.switches import route
from gateway.web.console.came_words import say_sentence
from gateway.web.console.filters import N_
from gateway.web.console.release import head_of
from gateway.web.console.release_figures import as_file
from gateway.web.console.routing import Routes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Row

    from gateway.store.desk import AlertRow
    from gateway.web.console.visit import Visit

routes = Routes()

_BOM = "\N{ZERO WIDTH NO-BREAK SPACE}"
ACTIONS = {
    "draft": N_("Drafted the alert"),
    "prepare_cancel": N_("Prepared the Cancel"),
    "edit": N_("Changed the alert"),
    "submit": N_("Submitted it for approval"),
    "approve": N_("Approved it"),
    "reject": N_("Sent it back"),
    "release": N_("Released it"),
    "stop": N_("Stopped sending it"),
    "update": N_("Replaced it by an Update"),
    "cancel": N_("Cancelled it"),
    "expire": N_("It expired"),
    "withdraw": N_("Withdrew it"),
    "emergency": N_("Released it on one signature"),
    "cosign": N_("Signed it afterwards"),
    "cosign_overdue": N_("The signature afterwards is overdue"),
    "send_overdue": N_("Approved and not sent"),
    "cancel_overdue": N_("Stopped and not cancelled"),
    "release_by_rule": N_("Released it by rule"),
    "escalate": N_("Asked the next approver"),
    "consultation": N_("Noted a consultation"),
    "attach": N_("Attached a file"),
    "detach": N_("Took a file off"),
    "turn_off": N_("Turned the route off"),
    "turn_on": N_("Turned the route on"),
}
"""Actions of the audit chain in words; another one is shown as it is."""
COLUMNS = (
    N_("Number of the record"),
    N_("Time of the step"),
    N_("Person"),
    N_("Step taken"),
    N_("About what"),
    N_("Details"),
    N_("Hash"),
)
"""Of the exported timeline; its cells are the record's own, by which its hash is computed."""
TOLD = ("reason", "of", "by", "update_of", "version", "release")
"""Details that are worth a look here; the audit page has them all."""


@routes.get(r"/releases/{id:\d{1,18}}/timeline", "see")
async def timeline(visit: Visit) -> web.StreamResponse:
    """Show every step of the warning and each turn of its routes since the release."""
    context = await _story(visit)
    return visit.render("release/timeline.html" if visit.partial else "release/timeline_page.html", **context)


@routes.get(r"/releases/{id:\d{1,18}}/timeline.csv", "see")
async def export(visit: Visit) -> web.StreamResponse:
    """Give the timeline as CSV with each record's number and hash, by which the audit log proves it."""
    context = await _story(visit)
    file = StringIO()
    writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow([visit.say(column) for column in COLUMNS])
    for row in context["records"]:
        cells = (row.seq, row.at.isoformat(), row.actor, row.action, row.subject, row.detail, row.hash)
        writer.writerow([inert(str(cell)) for cell in cells])
    return as_file(_BOM + file.getvalue(), f"timeline-{context['head'].reference}.csv", "text/csv")


async def _story(visit: Visit) -> dict[str, Any]:
    async with visit.console.database.begin() as connection:
        head = await head_of(visit, connection)
        chain = await store.chain(connection, head.warning_id)
        channels = await coverage_store.counts_by_channel(connection, head.id)
        names = [route(channel, head.mode) for channel in channels]
        records = await store.story(connection, [row.id for row in chain], names, head.released_at)
        people = await desk_store.names_of(connection, {row.actor for row in records})
    return {
        "head": head,
        "mode": head.mode,
        "records": records,
        "people": people,
        "chain": {f"alert {row.id}": row for row in chain},
        "actions": ACTIONS,
        "details": lambda record: _details(visit, record),
        "zone": visit.console.zone,
    }


def _details(visit: Visit, record: Row[Any]) -> Sequence[tuple[str, str]]:
    said: Mapping[str, Any] = orjson.loads(record.detail)
    return [
        (name, say_sentence(str(said[name]), visit.say, visit.console.zone))
        for name in TOLD
        if said.get(name)
    ]


@routes.get(r"/releases/{id:\d{1,18}}/cap", "see")
async def cap(visit: Visit) -> web.StreamResponse:
    """Show the CAP message as it was sent."""
    head, alert = await _alert(visit)
    text = (alert.xml or b"").decode(errors="backslashreplace")
    return visit.render("release/cap.html", head=head, mode=head.mode, text=text, size=len(alert.xml or b""))


@routes.get(r"/releases/{id:\d{1,18}}/cap.xml", "see")
async def cap_file(visit: Visit) -> web.StreamResponse:
    """Give the very bytes of the CAP message."""
    head, alert = await _alert(visit)
    headers = {"Content-Disposition": f'attachment; filename="{head.reference}.xml"'}
    return web.Response(body=alert.xml or b"", content_type="application/cap+xml", headers=headers)


async def _alert(visit: Visit) -> tuple[Row[Any], AlertRow]:
    async with visit.console.database.begin() as connection:
        head = await head_of(visit, connection)
        alert = await desk_store.alert(connection, head.alert_id)
    assert alert is not None
    return head, alert
