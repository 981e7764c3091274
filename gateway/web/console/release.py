"""The page of one release: how far it is, on which channels, and what can be done about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from aiohttp import web

from gateway.coverage.model import Tally
from gateway.coverage.progress import progress
from gateway.store import coverage as coverage_store
from gateway.store import desk as desk_store
from gateway.store import release_page as store
from gateway.store import switches
from gateway.store.coverage import Standing
from gateway.web.console.pace import Seen, pace
from gateway.web.console.routing import Routes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.store.desk import AlertRow
    from gateway.store.switches import SwitchRow
    from gateway.web.console.visit import Visit

routes = Routes()

STANDINGS = tuple(map(Standing, (2, 2, 2, 1, 0, 3, 0, 0, 4, 5, 6)))
"""Standing of a delivery by its :class:`channels.base.Proof`, as in :mod:`gateway.store.coverage`."""
STALLED_SECONDS = 15.0
"""A batch that is due for so long has no worker."""


class Lane(NamedTuple):
    """One channel of a release at this moment."""

    channel: str
    tally: Tally
    rate: float | None
    """Deliveries settled in a second; None where it was not seen yet."""
    left_s: float | None
    """Seconds until nothing is under way, at this rate."""
    switch: SwitchRow | None
    """Where people turned the route off."""
    stalled_s: float | None
    """Seconds that work has been waiting though nothing keeps it, i.e. for want of a worker."""


async def head_of(visit: Visit, connection: AsyncConnection) -> Row[Any]:
    """Return the head of the release in the address, or answer that there is none."""
    found = await store.head(connection, visit.number())
    if found is None:
        raise web.HTTPNotFound
    return found


@routes.get(r"/alerts/{id:\d{1,18}}/release", "see")
async def of_alert(visit: Visit) -> web.StreamResponse:
    """Lead from an alert to its release."""
    async with visit.console.database.begin() as connection:
        found = await desk_store.release_of(connection, visit.number())
    if found is None:
        return visit.refused(visit.say("This alert was not released."), 404)
    return visit.go(f"/releases/{found.id}")


@routes.get(r"/releases/{id:\d{1,18}}", "see")
async def page(visit: Visit) -> web.StreamResponse:
    """Show the release; what is dear to measure comes as parts of the page."""
    async with visit.console.database.begin() as connection:
        head = await head_of(visit, connection)
        context = await live_context(visit, connection, head)
        context |= await _next_steps(visit, connection, head)
        related = await coverage_store.related(connection, head.id, head.warning_id)
    return visit.render(
        "release/page.html",
        **context,
        related=related,
        area=area_of(head),
        ask=visit.request.query.get("ask"),
    )


@routes.get(r"/releases/{id:\d{1,18}}/live", "see")
async def live(visit: Visit) -> web.StreamResponse:
    """Show the part of the page that moves."""
    async with visit.console.database.begin() as connection:
        head = await head_of(visit, connection)
        context = await live_context(visit, connection, head)
    return visit.render("release/live.html" if visit.partial else "release/live_page.html", **context)


async def live_context(visit: Visit, connection: AsyncConnection, head: Row[Any]) -> dict[str, Any]:
    """Return what the moving part of the page shows."""
    counts = await coverage_store.counts_by_channel(connection, head.id)
    lanes = _lanes(
        visit, head, counts, await store.batches(connection, head.id), await switches.off_routes(connection)
    )
    whole = Tally.of(_standings(_added(counts.values())))
    return {
        "head": head,
        "mode": head.mode,
        "said": said_of(head, visit.language),
        "lanes": lanes,
        "whole": whole,
        "progress": progress(head.state, whole.pending),
        "now": visit.now,
        "zone": visit.console.zone,
    }


def said_of(head: Row[Any], language: str) -> dict[str, str]:
    """Return headline, event and area of an alert's content in a language, else in its first one."""
    infos = head.content["infos"]
    wanted = language.partition("-")[0]
    info = next((one for one in infos if (one["language"] or "").partition("-")[0] == wanted), infos[0])
    comma = "、" if wanted == "zh" else ", "
    areas = comma.join(one["area_desc"] for one in info["areas"])
    return {"headline": info["headline"] or info["event"], "event": info["event"], "area": areas}


def area_of(head: Row[Any]) -> dict[str, Any]:
    """Return the warned area as the map takes it."""
    areas = [one for info in head.content["infos"][:1] for one in info["areas"]]
    return {
        "regions": [one["code"] for one in (head.area or {}).get("regions", ())],
        "polygons": [polygon for one in areas for polygon in one.get("polygons", ())],
        "circles": [
            [circle["lat"], circle["lon"], circle["radius_km"]]
            for one in areas
            for circle in one.get("circles", ())
        ],
    }


def _lanes(
    visit: Visit,
    head: Row[Any],
    counts: Mapping[str, Mapping[int, int]],
    batches: Mapping[str, Any],
    off: Mapping[str, SwitchRow],
) -> list[Lane]:
    tallies = {channel: Tally.of(_standings(states)) for channel, states in counts.items()}
    settled = {channel: tally.intended - tally.pending for channel, tally in tallies.items()}
    rates = pace(visit.console.database).note(head.id, Seen(visit.now, settled))
    lanes = []
    for channel, tally in tallies.items():
        rate, switch = rates.get(channel), off.get(switches.route(channel, head.mode))
        waits = batches[channel].waits if channel in batches else None
        stalled = head.state == "open" and switch is None and (waits or 0) > STALLED_SECONDS and not rate
        left = tally.pending / rate if rate and tally.pending and switch is None else None
        lanes.append(Lane(channel, tally, rate, left, switch, waits if stalled else None))
    return lanes


def _standings(states: Mapping[int, int]) -> dict[int, int]:
    found: dict[int, int] = {}
    for state, number in states.items():
        found[STANDINGS[state]] = found.get(STANDINGS[state], 0) + number
    return found


def _added(counts: Any) -> dict[int, int]:  # noqa: ANN401 - the values of a mapping
    found: dict[int, int] = {}
    for states in counts:
        for state, number in states.items():
            found[state] = found.get(state, 0) + number
    return found


async def _next_steps(visit: Visit, connection: AsyncConnection, head: Row[Any]) -> dict[str, Any]:
    """Return what can be done about the warning: its prepared Cancel, an Update that is in work."""
    cancel = await desk_store.prepared_cancel(connection, head.alert_id)
    return {
        "cancel": cancel,
        "cancel_texts": _texts(cancel),
        "cancel_approvers": visit.console.office.policy.cancel.approvers,
        "approvers": await _approvers(visit, connection, cancel),
        "update": await desk_store.update_in_work(connection, head.alert_id),
    }


def _texts(cancel: AlertRow | None) -> list[dict[str, str]]:
    return [dict(info) for info in cancel.content["infos"]] if cancel else []


async def _approvers(
    visit: Visit, connection: AsyncConnection, cancel: AlertRow | None
) -> Sequence[Row[Any]]:
    """Return who may approve the Cancel once this person has asked for it."""
    if cancel is None:
        return []
    authors = {*(cancel.plan or {}).get("authors", ()), visit.login}
    if cancel.state != "draft":
        authors = {*(cancel.plan or {}).get("authors", ()), cancel.author}
    roles = visit.console.office.policy.roles.approve
    return await store.may_approve(connection, roles, authors)
