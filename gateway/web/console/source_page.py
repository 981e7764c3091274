"""Sources: when each was heard last, what is wrong with it and the way out; pause and resume."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from aiohttp import web

from gateway.desk.steps import step
from gateway.desk.switching import switch
from gateway.feeds.health import is_stream, overview
from gateway.feeds.taking import place_of
from gateway.web.console.came_words import say_alarm, say_sentence
from gateway.web.console.channel_words import REASONS
from gateway.web.console.channels import helpers
from gateway.web.console.filters import N_
from gateway.web.console.routing import Routes

if TYPE_CHECKING:
    from gateway.feeds.health import Health
    from gateway.feeds.settings import SourceSettings
    from gateway.web.console.visit import Visit

routes = Routes()

TROUBLES = 10
"""Shown of each source, the newest."""
WORDS = {
    "well": N_("Well"),
    "off": N_("Turned off"),
    "alarm": N_("Alarm"),
    "failing": N_("Last try failed"),
    "never": N_("Never read"),
}
ACTIONS = {
    "inbox": N_("into the inbox"),
    "draft": N_("drafted"),
    "submit": N_("submitted for approval"),
    "release": N_("sent by rule"),
}


class Shown(NamedTuple):
    """One source."""

    health: Health
    settings: SourceSettings
    state: str
    """A key of :data:`WORDS`."""
    place: str
    """Its address, without what may be a token."""
    stream: bool


@routes.get("/sources", "see")
async def sources(visit: Visit) -> web.StreamResponse:
    """Show every source of the settings that is enabled."""
    console = visit.console
    seen = await overview(console.database, console.settings, console.clock)
    shown = [_shown(one, console.settings.sources[one.name]) for one in seen.sources]
    template = "channels/source_rows.html" if visit.partial else "channels/sources.html"
    return visit.render(template, shown=shown, reader=seen.reader, reasons=REASONS, **_helpers(visit))


@routes.post("/sources/{name:[a-z][a-z0-9_]{0,31}}/switch", "operate")
async def turn(visit: Visit) -> web.StreamResponse:
    """Turn a source off or on, with a reason."""
    name, console = visit.request.match_info["name"], visit.console
    if name not in console.settings.sources:
        raise web.HTTPNotFound
    off, reason, seen = [await visit.text(field) for field in ("off", "reason", "seen")]
    async with step(console.database, visit.login, visit.now, console.office.policy) as one:
        await switch(one, "source", name, off=off == "1", reason=reason, seen=seen)
    return visit.go(f"/sources#{name}")


def _shown(one: Health, settings: SourceSettings) -> Shown:
    return Shown(one, settings, _state(one), place_of(settings.url), is_stream(settings))


def _state(one: Health) -> str:
    if one.off is not None:
        return "off"
    if one.alarms:
        return "alarm"
    if one.state is None or (one.state.good_at is None and one.state.heartbeat_at is None):
        return "never"
    return "failing" if one.state.failures else "well"


def _helpers(visit: Visit) -> dict[str, Any]:
    return helpers(visit) | {
        "told": lambda sentence: say_sentence(sentence, visit.say, visit.console.zone),
        "alarm_words": lambda alarm: say_alarm(alarm, visit.say),
        "state_words": lambda state: visit.say(WORDS[state]),
        "action_words": lambda action: visit.say(ACTIONS[action]),
        "TROUBLES": TROUBLES,
    }
