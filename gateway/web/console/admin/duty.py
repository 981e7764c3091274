"""The duty roster (值班表): main post, second post and leader for the next two weeks, with its gaps."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, NamedTuple

from gateway.desk import rota
from gateway.desk.rota import MOST_DAYS, Span
from gateway.store import duty as store
from gateway.web.console.admin.forms import begin, done, everybody, moment, number, written
from gateway.web.console.board import POSTS
from gateway.web.console.routing import Routes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

    from aiohttp import web

    from gateway.store.duty import Absence, Duty
    from gateway.web.console.visit import Visit

routes = Routes()

DAYS = 14
WATCHED = frozenset({"main", "leader"})
"""Posts that are filled around the clock; the second one is for days that need it (主副班)."""


class Entry(NamedTuple):
    """One duty as a day shows it."""

    duty: Duty
    begins: str
    ends: str
    away: Absence | None
    """The absence that falls into it, if any."""


class Cell(NamedTuple):
    """One post on one day."""

    post: str
    entries: list[Entry]
    gaps: list[str]


class Day(NamedTuple):
    """One day of the roster."""

    date: datetime
    cells: list[Cell]


@routes.get("/duty", "see")
async def roster(visit: Visit) -> web.StreamResponse:
    """Show the roster."""
    zone = visit.console.zone
    first = datetime.combine(visit.now.astimezone(zone).date(), time(), zone)
    async with visit.console.database.begin() as connection:
        duties = await store.duties_between(connection, first, first + timedelta(days=DAYS))
        absences = await store.absences_from(connection, first)
    days = [day_of(first + timedelta(days=n), duties, absences, visit.now) for n in range(DAYS)]
    return visit.render(
        "admin/duty.html",
        days=days,
        posts=POSTS,
        order=store.POSTS,
        persons=[one for one in await everybody(visit) if one.active],
        gaps=sum(bool(cell.gaps) for day in days for cell in day.cells),
        most=MOST_DAYS,
        begins=written(visit, first + timedelta(hours=8)),
        ends=written(visit, first + timedelta(hours=32)),
        edits=visit.may("operate", "administer"),
        zone=zone,
        done=done(visit),
    )


@routes.post("/duty", "operate", "administer")
async def add(visit: Visit) -> web.StreamResponse:
    """Put somebody on duty."""
    span = Span(await moment(visit, "begins"), await moment(visit, "ends"))
    login, post, days = await visit.text("login"), await visit.text("post"), await number(visit, "days", 1)
    async with begin(visit) as one:
        await rota.add_duties(one, login, post, span, days)
    return visit.go("/duty?done=saved")


@routes.post(r"/duty/{id:\d{1,18}}/remove", "operate", "administer")
async def remove(visit: Visit) -> web.StreamResponse:
    """Take one duty out."""
    async with begin(visit) as one:
        await rota.remove_duty(one, visit.number())
    return visit.go("/duty?done=removed")


def day_of(
    begins: datetime, duties: Sequence[Duty], absences: Sequence[Absence], now: datetime | None = None
) -> Day:
    """Return what one day holds, post by post; hours that are over are no gap."""
    ends = begins + timedelta(days=1)
    here = [one for one in duties if one.begins_at < ends and one.ends_at > begins]
    cells = []
    for post in store.POSTS:
        own = [one for one in here if one.post == post]
        entries = [_entry(one, begins, ends, absences) for one in own]
        filled = [entry.duty for entry in entries if entry.duty.active and entry.away is None]
        since = max(begins, now) if now else begins
        cells.append(Cell(post, entries, gaps(since, ends, filled) if post in WATCHED else []))
    return Day(begins, cells)


def gaps(begins: datetime, ends: datetime, duties: Sequence[Duty]) -> list[str]:
    """Return the hours, e.g. ``08:00-20:00``, that no duty of these covers."""
    found, reached = [], begins
    for one in sorted(duties, key=lambda duty: duty.begins_at):
        if one.begins_at > reached:
            found.append(_hours(reached, min(one.begins_at, ends), ends, ends.tzinfo))
        reached = max(reached, one.ends_at)
    if reached < ends:
        found.append(_hours(reached, ends, ends, ends.tzinfo))
    return found


def _entry(one: Duty, begins: datetime, ends: datetime, absences: Sequence[Absence]) -> Entry:
    away = next(
        (
            absence
            for absence in absences
            if absence.login == one.login
            and absence.begins_at < min(one.ends_at, ends)
            and absence.ends_at > max(one.begins_at, begins)
        ),
        None,
    )
    start = _clock(max(one.begins_at, begins), ends, ends.tzinfo)
    return Entry(one, start, _clock(min(one.ends_at, ends), ends, ends.tzinfo), away)


def _hours(begins: datetime, until: datetime, ends: datetime, zone: tzinfo | None) -> str:
    return f"{_clock(begins, ends, zone)}–{_clock(until, ends, zone)}"


def _clock(at: datetime, ends: datetime, zone: tzinfo | None) -> str:
    return "24:00" if at == ends else f"{at.astimezone(zone):%H:%M}"
