"""The watch board (值班台), and the list of alerts."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from channels.base import Proof
from gateway.coverage.progress import progress
from gateway.feeds import health
from gateway.feeds.by_hand import OWED
from gateway.store import alarms, duty, summons
from gateway.store import board as store
from gateway.store import desk as people
from gateway.store.switches import off_routes, route
from gateway.web.console import refusals
from gateway.web.console.came_words import say_alarm
from gateway.web.console.filters import LEVELS, MODES, N_, STATES
from gateway.web.console.routing import Routes
from gateway.web.console.words import templates

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiohttp import web
    from sqlalchemy import Row

    from gateway.desk.policy import Policy
    from gateway.feeds.health import Overview
    from gateway.store.alarms import Alarm
    from gateway.store.board import Pulse, ReleaseCounts
    from gateway.store.duty import OnDuty
    from gateway.store.summons import Waiting
    from gateway.store.switches import SwitchRow
    from gateway.web.console.parts import Console
    from gateway.web.console.visit import Visit

routes = Routes()

POSTS = {"leader": N_("Leader on duty"), "main": N_("First officer"), "second": N_("Second officer")}
INCOMING = {"inbox": N_("to decide about"), "held": N_("held back"), "quarantined": N_("in quarantine")}
_DRAFTS = 8
"""Own drafts on the board; all are in the list of alerts."""


class Words(NamedTuple):
    """What an alert says of itself, in one language."""

    event: str
    areas: tuple[str, ...]
    headline: str


class Tile(NamedTuple):
    """One channel under the credentials of one mode."""

    name: str
    mode: str
    off: SwitchRow | None
    waiting: int
    """Batches that are still to be sent."""
    late: int
    """Of these, batches that no worker takes."""
    oldest: datetime | None
    refused: int
    """Deliveries of the releases that are watched."""
    unknown: int


class Rest(NamedTuple):
    """All of the board but its counters."""

    in_force: list[Row[Any]]
    on_duty: list[OnDuty]
    off: dict[str, SwitchRow]
    batches: dict[tuple[str, str], Row[Any]]
    sources: Overview
    names: dict[str, str]


class Picture(NamedTuple):
    """The board as of one moment, the same for everybody."""

    at: datetime
    pulse: Pulse
    rest: Rest


class Desk(NamedTuple):
    """What waits, as one person sees it."""

    to_sign: list[Waiting]
    to_release: list[Waiting]
    with_others: list[Waiting]
    drafts: list[Row[Any]]
    more_drafts: bool
    cosign: list[Row[Any]]
    incoming: list[Row[Any]]
    alarms: list[Alarm]

    @property
    def number(self) -> int:
        """How many things wait for this person."""
        return len(self.to_sign) + len(self.to_release) + len(self.cosign) + len(self.alarms)


async def rest(console: Console, now: datetime) -> Rest:
    """Read all of the board but its counters; raises what the database raises."""
    async with console.database.begin() as connection:
        in_force = await store.in_force(connection)
        on_duty = await duty.on_duty(connection, now)
        off = await off_routes(connection)
        batches = await store.batches(connection)
        names = await people.names_of(connection, {row.by for row in off.values()})
    sources = await health.overview(console.database, console.settings, console.clock)
    return Rest(in_force, on_duty, off, batches, sources, names)


async def picture(console: Console, now: datetime) -> Picture:
    """Read the board whole."""
    async with console.database.begin() as connection:
        pulse = await store.pulse(connection)
    return Picture(now, pulse, await rest(console, now))


def part(console: Console, seen: Picture, language: str) -> str:
    """Return the part of the page that is the same for everybody who may see it."""
    return templates(language).render("console/board_now.html", **context(console, seen, language))


def context(console: Console, seen: Picture, language: str) -> dict[str, Any]:
    """Return what ``board_now.html`` shows."""
    return {
        "at": seen.at,
        "zone": console.zone,
        "rows": [
            (row, words(console, row.infos, language), _counts(seen, row)) for row in seen.rest.in_force
        ],
        "duty": seen.rest.on_duty,
        "posts": POSTS,
        "tiles": list(_tiles(console, seen)),
        "names": seen.rest.names,
        "sources": seen.rest.sources,
        "short": lambda row: say_alarm(row, templates(language).say),
        "owed": OWED,
    }


def words(console: Console, infos: list[dict[str, Any]], language: str) -> Words:
    """Return what an alert says of itself in this language, else in its first one.

    The name of a hazard that the table knows is told in this language even where the alert is not.
    """
    wanted = language.partition("-")[0]
    spoken = next((one for one in infos if (one["language"] or "en").partition("-")[0] == wanted), None)
    chosen = spoken or next(iter(infos), {})
    event = chosen.get("event") or ""
    if spoken is None and (entry := console.office.hazards.by_name(event)):
        event = entry.zh if wanted == "zh" else entry.en
    return Words(event, tuple(filter(None, chosen.get("areas") or ())), chosen.get("headline") or "")


def infos_of(content: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what :func:`words` takes, from the content of an alert."""
    return [
        info | {"areas": [area.get("area_desc") for area in info.get("areas") or ()]}
        for info in content.get("infos") or ()
    ]


def next_call(policy: Policy, row: Waiting) -> datetime | None:
    """Return when the next approver is asked; None where nobody is."""
    seconds = policy.escalation.seconds()[row.level]
    return row.quiet_since + timedelta(seconds=seconds) if seconds and row.state == "submitted" else None


class Sent(NamedTuple):
    """Deliveries of one release so far."""

    intended: int
    settled: int
    delivered: int

    def progress(self, state: str) -> str:
        """Return how far the sending is, as :data:`gateway.web.console.filters.PROGRESS` names it."""
        return progress(state, self.intended - self.settled)


def sent(counts: ReleaseCounts | None) -> Sent:
    """Add up the running counters of a release."""
    if counts is None:
        return Sent(0, 0, 0)
    return Sent(counts.intended, counts.at_least(Proof.UNKNOWN), counts.at_least(Proof.DELIVERED))


def _counts(seen: Picture, row: Row[Any]) -> Sent:
    return sent(seen.pulse.releases.get(row.release_id))


def _tiles(console: Console, seen: Picture) -> Iterable[Tile]:
    for mode in MODES:
        for name in console.office.channels(mode):
            waits = seen.rest.batches.get((name, mode))
            states = [one.channels.get(name, {}) for one in seen.pulse.releases.values() if one.mode == mode]
            yield Tile(
                name,
                mode,
                seen.rest.off.get(route(name, mode)),
                waits.open if waits else 0,
                waits.late if waits else 0,
                waits.oldest if waits else None,
                sum(one.get(Proof.REJECTED, 0) for one in states),
                sum(one.get(Proof.UNKNOWN, 0) for one in states),
            )


async def personal(visit: Visit) -> Desk:
    """Read what waits, and for whom."""
    login = visit.login
    async with visit.console.database.begin() as connection:
        rows = await summons.waiting(connection, login, visit.now)
        drafts = await store.drafts(connection, login, _DRAFTS + 1)
        cosign = await store.cosignatures(connection)
        incoming = await store.incoming_counts(connection)
        standing = await alarms.standing(connection)
    mine = [row for row in rows if _waits_for(row, visit)]
    return Desk(
        to_sign=[row for row in mine if row.state == "submitted"],
        to_release=[row for row in mine if row.state == "approved"],
        with_others=[row for row in rows if row not in mine],
        drafts=drafts[:_DRAFTS],
        more_drafts=len(drafts) > _DRAFTS,
        cosign=[row for row in cosign if visit.may("approve") and row.person != login],
        incoming=incoming,
        alarms=standing,
    )


def _waits_for(row: Waiting, visit: Visit) -> bool:
    """Return whether this person can take the next step; the desk itself checks more when it is taken."""
    if row.state == "approved":
        return visit.may("release")
    return visit.may("approve") and not row.mine and not row.signed_by_me


async def _waiting_context(visit: Visit) -> dict[str, Any]:
    return {
        "desk": await personal(visit),
        "said": lambda row: words(visit.console, row.infos, visit.language),
        "told": lambda row: words(visit.console, infos_of(row.content), visit.language),
        "next_call": lambda row: next_call(visit.console.office.policy, row),
        "incoming_words": INCOMING,
        "owed": OWED,
        "alarm": lambda row: refusals.alarm(visit, row),
        "short": lambda row: say_alarm(row, visit.say),
    }


@routes.get("/", "see", "lead")
async def board(visit: Visit) -> web.StreamResponse:
    """Show what is in force and what waits; who may only lead is led to the leader's page."""
    if not visit.may("see"):
        return visit.go("/lead")
    seen = await picture(visit.console, visit.now)
    now = context(visit.console, seen, visit.language)
    return visit.render("board.html", **now | await _waiting_context(visit))


@routes.get("/board/waiting", "see")
async def waiting(visit: Visit) -> web.StreamResponse:
    """Show what waits, for the page that heard of a change."""
    return visit.render("board_waiting.html", **await _waiting_context(visit))


@routes.post(r"/board/alarms/{id:\d{1,18}}/seen", "draft")
async def see_alarm(visit: Visit) -> web.StreamResponse:
    """Close an alarm that the person has looked at."""
    await visit.console.inbox.see(visit.number(), visit.login)
    return visit.go("/")


@routes.get("/alerts", "see")
async def alerts(visit: Visit) -> web.StreamResponse:
    """List all alerts, by state, level, mode, words and day."""
    asked = _asked(visit)
    begin, end = _day(asked["day"], visit)
    filters = {name: asked[name] for name in ("state", "level", "mode", "words", "before")}
    async with visit.console.database.begin() as connection:
        rows = await store.alerts(connection, **filters, begin=begin, end=end)
    return visit.render(
        "alerts.html",
        rows=[(row, words(visit.console, row.infos, visit.language)) for row in rows[: store.PAGE]],
        asked=asked,
        more={**asked, "before": rows[store.PAGE - 1].id} if len(rows) > store.PAGE else None,
        states=STATES,
        levels=LEVELS,
        modes=MODES,
    )


def _asked(visit: Visit) -> dict[str, Any]:
    """Return the filters of the address; what is not one of the choices is left out."""
    query = visit.request.query
    before = query.get("before", "")
    asked: dict[str, Any] = {
        name: chosen if (chosen := query.get(name, "")) in choices else ""
        for name, choices in (("state", STATES), ("level", LEVELS), ("mode", MODES))
    }
    asked["words"] = query.get("words", "").replace("\0", "").strip()[:100]
    asked["day"] = query.get("day", "")
    asked["before"] = int(before) if re.fullmatch(r"[0-9]{1,18}", before) else None
    return asked


def _day(text: str, visit: Visit) -> tuple[datetime | None, datetime | None]:
    """Return begin and end of a day in the desk's zone; an unreadable one is no filter."""
    try:
        begin = datetime.combine(datetime.fromisoformat(text).date(), time(), visit.console.zone)
        return begin, begin + timedelta(days=1)
    except (ValueError, OverflowError):
        return None, None
