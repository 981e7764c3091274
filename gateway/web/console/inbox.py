"""The inbox: what sources and partners brought, what it would become, and what a person decides about it."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from aiohttp import web

from channels.base import plain_text
from gateway.alerts.hazards import level_of
from gateway.alerts.model import Alert, Info, MsgType
from gateway.desk.compose import Changes
from gateway.desk.refused import DeskRefused
from gateway.feeds.by_hand import OPEN
from gateway.feeds.origins import PARTNER, SEISMIC, Origins
from gateway.store import drafts, inbox_page
from gateway.store import incoming as messages
from gateway.web.console import came, refusals
from gateway.web.console.came_words import ACTIONS, CAP, say_alarm, say_sentence
from gateway.web.console.filters import N_
from gateway.web.console.routing import Routes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.alerts.hazards import Hazards
    from gateway.store.desk import AlertRow
    from gateway.store.inbox_page import Line
    from gateway.store.incoming import IncomingRow
    from gateway.web.console.visit import Visit

routes = Routes()

PAGE = 50
"""Messages in one list."""
SOURCE = re.compile(r"[a-z0-9_.]{1,64}")
DIGITS = 18
"""Of the largest number that is looked for."""
COUNTED = timedelta(days=30)
"""Of this time the messages in each state are counted."""

VIEWS: dict[str, tuple[str, ...]] = {
    "open": ("inbox", "held", "quarantined"),
    "inbox": ("inbox",),
    "held": ("held",),
    "quarantined": ("quarantined",),
    "stored": ("stored",),
    "drafted": ("drafted", "submitted", "released"),
    "over": ("superseded", "taken_back", "dismissed"),
    "all": (),
}
"""What a list shows -> the states in it."""
VIEW_WORDS = {
    "open": N_("To decide"),
    "inbox": N_("For the desk"),
    "held": N_("Held"),
    "quarantined": N_("Quarantined"),
    "stored": N_("Only kept"),
    "drafted": N_("In work or sent"),
    "over": N_("Done with"),
    "all": N_("All"),
}
STATES = {
    "inbox": N_("For the desk"),
    "held": N_("Held"),
    "quarantined": N_("Quarantined"),
    "stored": N_("Only kept"),
    "superseded": N_("Superseded"),
    "drafted": N_("Drafted"),
    "submitted": N_("Submitted for approval"),
    "released": N_("Sent"),
    "taken_back": N_("Cancelled by its source"),
    "dismissed": N_("Discarded"),
}
SIGNATURES = {
    "valid-trusted": N_("Signature good, signer trusted"),
    "valid-untrusted": N_("Signature good, signer not known here"),
    "invalid": N_("Signature wrong: changed on its way"),
    "absent": N_("Not signed"),
    "unverifiable": N_("Signature cannot be checked"),
}
POLICIES = {
    "ignore": N_("signatures of this source are not looked at"),
    "flag": N_("this source need not sign"),
    "require": N_("this source must sign"),
}
EVENTS = {"open": N_("Being followed"), "withdrawn": N_("Withdrawn"), "merged": N_("Merged into another")}
REVIEWS = {
    "automatic": N_("computed by machine"),
    "reviewed": N_("reviewed by people"),
    "unknown": N_("review not known"),
}
WORDS = {
    "state": STATES,
    "view": VIEW_WORDS,
    "signature": SIGNATURES,
    "policy": POLICIES,
    "action": ACTIONS,
    "cap": CAP,
    "event": EVENTS,
    "review": REVIEWS,
}
"""Kind of word -> value -> English words."""


@routes.get("/inbox", "see")
async def listing(visit: Visit) -> web.StreamResponse:
    """Show the messages of one view, the newest first, and the open alarms."""
    query = visit.request.query
    view = query.get("view", "open")
    source = query.get("source", "")
    source = source if SOURCE.fullmatch(source) else ""
    states = VIEWS.get(view, VIEWS["open"])
    async with visit.console.database.begin() as connection:
        rows = await inbox_page.listed(connection, states, source, _before(visit), PAGE + 1)
        counts = await inbox_page.counts(connection, visit.now - COUNTED)
    shown: dict[str, Any] = {
        "rows": [_line(visit, row) for row in rows[:PAGE]],
        "next": rows[PAGE - 1].id if len(rows) > PAGE else None,
        "counts": {name: sum(counts.get(one, 0) for one in VIEWS[name]) for name in VIEWS if VIEWS[name]},
        "view": view if view in VIEWS else "open",
        "source": source,
    }
    if visit.partial:
        return visit.render("inbox/rows.html", **shown, **_helpers(visit))
    shown["alarms"] = await visit.console.inbox.alarms()
    return visit.render("inbox/list.html", **shown, sources=_sources(visit), **_helpers(visit))


@routes.get(r"/inbox/{id:\d{1,18}}", "see")
async def message(visit: Visit) -> web.StreamResponse:
    """Show one message: what it says, whether to trust it, and what it would become."""
    row = await _row(visit)
    alert = Alert.model_validate(row.content)
    chain = await came.chain(visit, row)
    return visit.render(
        "inbox/message.html",
        row=row,
        alert=alert,
        level=_level(alert, visit.console.office.hazards),
        hazard=came.hazard_name(visit, row.hazard),
        trust=_trust(visit, row.source),
        verdict=await came.verdict(visit, row),
        area=came.area(row, alert),
        is_open=row.state in OPEN,
        is_cancel=row.msg_type == MsgType.CANCEL,
        pretty=came.pretty(row),
        chain=chain,
        offer=await _offer(visit, row),
        **await _beside(visit, row),
        **_helpers(visit),
    )


@routes.get(r"/inbox/{id:\d{1,18}}/original", "see")
async def original(visit: Visit) -> web.StreamResponse:
    """Give the bytes as they came; browsers save them and never show them."""
    row = await _row(visit)
    suffix = "xml" if row.is_cap else "bin"
    saved = f'attachment; filename="message-{row.id}.{suffix}"'
    headers = {"Content-Disposition": saved, "Content-Type": "application/octet-stream"}
    return web.Response(body=row.original, headers=headers)


@routes.post(r"/inbox/{id:\d{1,18}}/draft", "draft")
async def draft(visit: Visit) -> web.StreamResponse:
    """Make a draft of ours from a message, and go on with it."""
    row = await visit.console.inbox.draft(visit.number(), visit.login, await _changes(visit))
    return visit.go(f"/alerts/{row.id}/edit")


@routes.post(r"/inbox/{id:\d{1,18}}/merge", "draft")
async def merge(visit: Visit) -> web.StreamResponse:
    """Make an Update of a warning in force from a message that does not name it."""
    chosen = await visit.text("alert")
    if not chosen.isdecimal() or len(chosen) > DIGITS:
        raise DeskRefused("no_warning", "choose the warning that the message belongs to")
    changes = await _changes(visit)
    row = await visit.console.inbox.merge(visit.number(), int(chosen), visit.login, changes)
    return visit.go(f"/alerts/{row.id}/edit")


@routes.post(r"/inbox/{id:\d{1,18}}/dismiss", "draft")
async def dismiss(visit: Visit) -> web.StreamResponse:
    """Lay a message aside with a reason."""
    await visit.console.inbox.dismiss(
        visit.number(), visit.login, plain_text(await visit.text("reason"))[:500]
    )
    return visit.go("/inbox")


@routes.post(r"/inbox/alarms/{id:\d{1,18}}/seen", "draft")
async def seen(visit: Visit) -> web.StreamResponse:
    """Close an alarm that somebody has looked at."""
    await visit.console.inbox.see(visit.number(), visit.login)
    back = await visit.text("back")
    return visit.go(back if back.startswith("/desk/") else "/inbox")


@routes.get("/inbox/seismic", "see")
async def seismic(visit: Visit) -> web.StreamResponse:
    """Show the earthquakes that the solutions of all agencies amount to."""
    async with visit.console.database.begin() as connection:
        rows = await inbox_page.events(connection, _before(visit), PAGE + 1)
    older = rows[PAGE - 1].id if len(rows) > PAGE else None
    return visit.render("inbox/seismic.html", rows=rows[:PAGE], next=older, **_helpers(visit))


@routes.get(r"/inbox/seismic/{id:\d{1,18}}", "see")
async def earthquake(visit: Visit) -> web.StreamResponse:
    """Show one earthquake with its solutions in all their versions and the warnings made of it."""
    async with visit.console.database.begin() as connection:
        row = await inbox_page.event(connection, visit.number())
        if row is None:
            raise web.HTTPNotFound
        solutions = await inbox_page.solutions(connection, row.id)
        warnings = await inbox_page.warnings(connection, row.id)
    return visit.render(
        "inbox/earthquake.html", row=row, solutions=solutions, warnings=warnings, **_helpers(visit)
    )


def _before(visit: Visit) -> int | None:
    """Return the number before which a list goes on; None from the newest."""
    given = visit.request.query.get("before", "")
    return int(given) if given.isdecimal() and len(given) <= DIGITS else None


async def _row(visit: Visit) -> IncomingRow:
    async with visit.console.database.begin() as connection:
        row = await messages.one(connection, visit.number())
    if row is None:
        raise web.HTTPNotFound
    return row


async def _changes(visit: Visit) -> Changes:
    """Return what the form decides otherwise; an empty choice leaves it to the message."""
    chosen = {name: plain_text(await visit.text(name)) or None for name in ("region", "hazard", "level")}
    return Changes(**chosen)


async def _offer(visit: Visit, row: IncomingRow) -> dict[str, Any] | None:
    """Return what drafting would make, or why it would be refused; None for who may not draft."""
    if not visit.may("draft") or row.state not in OPEN or row.msg_type == MsgType.CANCEL:
        return None
    try:
        made = await visit.console.inbox.preview(row.id, visit.login)
    except DeskRefused as refused:
        return {"made": None, "refused": refusals.words(visit, refused), "code": refused.code}
    return {"made": made, "hazard": came.hazard_name(visit, made.hazard), "refused": "", "code": ""}


async def _beside(visit: Visit, row: IncomingRow) -> dict[str, Any]:
    """Return what the forms and lists beside the message need."""
    async with visit.console.database.begin() as connection:
        brought = await inbox_page.brought(connection, row.id)
        names = await drafts.names_of_places(connection, row.regions)
        places = await drafts.places(connection)
        event = (
            await inbox_page.event_of(connection, row.sender, row.identifier)
            if row.source == SEISMIC
            else None
        )
    alarms = [one for one in await visit.console.inbox.alarms() if one.subject == f"incoming {row.id}"]
    return {
        "brought": brought,
        "regions": [names.get(code, code) for code in row.regions],
        "places": [one for one in places if one.level != "village"],
        "event": event,
        "alarms": alarms,
        "hazards": visit.console.office.hazards.all(),
        "standing": await _standing(visit),
    }


async def _standing(visit: Visit) -> list[AlertRow]:
    """Return the live warnings in force: what a message may be merged into."""
    rows = await visit.console.desk.alerts("released", 100)
    return [one for one in rows if one.mode == "live" and one.msg_type != MsgType.CANCEL]


def _line(visit: Visit, row: Line) -> dict[str, Any]:
    found = _level([Info.model_validate(one) for one in row.infos], visit.console.office.hazards)
    return {
        "row": row,
        "level": found,
        "hazard": came.hazard_name(visit, row.hazard),
        "trust": _trust(visit, row.source),
    }


def _level(said: Alert | Sequence[Info], hazards: Hazards) -> str:
    """Return the gravest colour that a message has by its own words; empty where it has none."""
    infos = said.infos if isinstance(said, Alert) else said
    found = [one.level for info in infos if (one := level_of(info, hazards)) and one.level]
    return min(found, key=lambda level: level.rank).value if found else ""


def _trust(visit: Visit, source: str) -> dict[str, Any]:
    """Return what the settings think of a source."""
    origins = Origins(visit.console.settings)
    known = (
        source == SEISMIC
        or source in visit.console.settings.sources
        or source.removeprefix(PARTNER) in visit.console.settings.partners
    )
    return {
        "known": known,
        "official": origins.official(source),
        "policy": origins.signature_policy(source),
        "rule": origins.rule(source),
    }


def _sources(visit: Visit) -> list[str]:
    settings = visit.console.settings
    return [*sorted(settings.sources), *(PARTNER + name for name in sorted(settings.partners)), SEISMIC]


def _finding(visit: Visit, found: str) -> str:
    """Return a finding, which was kept with its path, in words."""
    path, _, message = found.partition(": ")
    where = refusals.place(visit, path) or path
    said = say_sentence(message, visit.say, visit.console.zone)
    return f"{where}{'：' if visit.language == 'zh-CN' else ': '}{said}"


def _helpers(visit: Visit) -> dict[str, Any]:
    def of(value: str, kind: str) -> str:
        return visit.say(WORDS[kind][value]) if value in WORDS[kind] else value

    return {
        "of": of,
        "told": lambda sentence: say_sentence(sentence, visit.say, visit.console.zone),
        "finding": lambda found: _finding(visit, found),
        "alarm_words": lambda alarm: say_alarm(alarm, visit.say),
        "zone": visit.console.zone,
        "VIEWS": VIEWS,
        "LEVEL_WORDS": ("red", "orange", "yellow", "blue"),
    }
