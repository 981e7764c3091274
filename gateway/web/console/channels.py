"""Channels: what is on, who attends them, how they flow, what went wrong last; and their kill switches."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import structlog
from aiohttp import web
from cryptography import x509
from pydantic import SecretStr
from redis.exceptions import RedisError

from gateway.desk.steps import step
from gateway.desk.switching import switch
from gateway.dispatch.queues import attendance
from gateway.store import channel_page, switches
from gateway.web.console.channel_words import REASONS, WORDS, plain
from gateway.web.console.routing import Routes
from gateway.web.state import STATE

if TYPE_CHECKING:
    from channels.base import RouteSettings
    from gateway.dispatch.queues import Attendance
    from gateway.store.channel_page import Devices, Queue, Traffic, Trouble
    from gateway.store.switches import SwitchRow
    from gateway.web.console.visit import Visit

log = structlog.get_logger(__name__)
routes = Routes()

MODES = ("live", "drill")
LANES = {"live": ("urgent", "normal"), "drill": ("drill",)}
MINUTE = timedelta(minutes=1)
TROUBLES_OF = timedelta(hours=24)
"""Troubles of this time are shown."""
REDIS_WITHIN = 1.0
"""Seconds that the queues are asked for; the page is shown without them then."""
CERTIFICATE_SOON = timedelta(days=14)
_CERTIFICATES = ("client_cert", "ca_file")


class Lane(NamedTuple):
    """One queue with its workers."""

    name: str
    attendance: Attendance | None
    """None: Redis does not answer."""
    queue: Queue | None
    """None: nothing waits."""


class Shown(NamedTuple):
    """One channel under the credentials of one mode."""

    channel: str
    mode: str
    kind: str
    settings: RouteSettings | None
    """None: there is no such route."""
    switch: SwitchRow | None
    lanes: list[Lane]
    waiting: int
    lately: dict[str, int]
    """Outcome -> parts within the last minute."""
    last: Traffic | None
    troubles: list[Trouble]
    devices: Devices | None

    @property
    def off(self) -> bool:
        """Whether people turned it off."""
        return self.switch is not None and self.switch.off

    @property
    def unattended(self) -> bool:
        """Whether a lane surely has no worker."""
        return any(lane.attendance is not None and not lane.attendance.workers for lane in self.lanes)


class Certificate(NamedTuple):
    """One certificate file of a route."""

    setting: str
    until: datetime | None
    """None: the file cannot be read."""


@routes.get("/channels", "see")
async def channels(visit: Visit) -> web.StreamResponse:
    """Show every channel in both modes."""
    shown = await look(visit)
    if visit.partial:
        return visit.render("channels/figures.html", shown=shown, **helpers(visit))
    certificates = await asyncio.to_thread(
        lambda: {(one.channel, one.mode): _certificates(one.settings) for one in shown}
    )
    return visit.render(
        "channels/index.html",
        shown=shown,
        certificates=certificates,
        secrets={(one.channel, one.mode): _secrets(one.settings) for one in shown},
        reasons=REASONS,
        soon=visit.now + CERTIFICATE_SOON,
        **helpers(visit),
    )


@routes.post("/channels/{channel:[a-z][a-z0-9_]{0,31}}/{mode:live|drill}/switch", "operate")
async def turn(visit: Visit) -> web.StreamResponse:
    """Turn a route off or on, with a reason."""
    channel, mode = (visit.request.match_info[name] for name in ("channel", "mode"))
    route = visit.console.office.routes.get(channel)
    if route is None or route.settings(mode) is None:
        raise web.HTTPNotFound
    off = await visit.text("off") == "1"
    office = visit.console.office
    async with step(visit.console.database, visit.login, visit.now, office.policy) as one:
        reason, seen = await visit.text("reason"), await visit.text("seen")
        await switch(one, "route", switches.route(channel, mode), off=off, reason=reason, seen=seen)
    return visit.go(f"/channels#{channel}-{mode}")


async def look(visit: Visit) -> list[Shown]:
    """Return every channel as it is at this moment."""
    office, names = visit.console.office, sorted(visit.console.office.routes)
    attended = await _attendance(visit, names)
    async with visit.console.database.begin() as connection:
        turned = await switches.switches(connection, "route")
        queues = await channel_page.queues(connection)
        waiting = await channel_page.waiting(connection)
        traffic = await channel_page.traffic(connection, visit.now - MINUTE)
        troubles = await channel_page.troubles(connection, names, visit.now - TROUBLES_OF)
        last = await channel_page.last_answers(connection, names)
        devices = await channel_page.devices(connection)
    newest = {(one.channel, one.mode): one for one in sorted(traffic, key=lambda one: one.last)}
    return [
        Shown(
            channel=name,
            mode=mode,
            kind=office.routes[name].kind,
            settings=office.routes[name].settings(mode),
            switch=turned.get(switches.route(name, mode)),
            lanes=[
                Lane(lane, attended.get(f"{name}.{lane}"), queues.get((name, lane))) for lane in LANES[mode]
            ],
            waiting=waiting.get((name, mode), 0),
            lately={
                one.outcome: int(one.parts) for one in traffic if (one.channel, one.mode) == (name, mode)
            },
            last=newest.get((name, mode)) or last.get((name, mode)),
            troubles=[one for one in troubles if (one.channel, one.mode) == (name, mode)],
            devices=devices.get(name),
        )
        for name in names
        for mode in MODES
    ]


async def _attendance(visit: Visit, names: list[str]) -> dict[str, Attendance]:
    queues = [f"{name}.{lane}" for name in names for mode in MODES for lane in LANES[mode]]
    redis = visit.request.config_dict[STATE].redis
    try:
        async with asyncio.timeout(REDIS_WITHIN):
            return await attendance(redis, queues) if queues else {}
    except (RedisError, OSError, TimeoutError) as error:
        log.warning("queues cannot be asked for", error=type(error).__name__)
        return {}


def _secrets(settings: RouteSettings | None) -> dict[str, bool]:
    """Return which secrets a route takes, and whether each is given; never their values."""
    found = (
        {} if settings is None else {name: getattr(settings, name) for name in type(settings).model_fields}
    )
    told = {name: bool(one.get_secret_value()) for name, one in found.items() if isinstance(one, SecretStr)}
    keys = {
        name: bool(one)
        for name, one in found.items()
        if isinstance(one, dict) and any(isinstance(value, SecretStr) for value in one.values())
    }
    return told | keys


def _certificates(settings: RouteSettings | None) -> list[Certificate]:
    paths = [(name, getattr(settings, name, "")) for name in _CERTIFICATES]
    return [Certificate(name, _until(Path(path))) for name, path in paths if path]


def _until(path: Path) -> datetime | None:
    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError):
        return None
    return min((one.not_valid_after_utc for one in found), default=None)


def helpers(visit: Visit) -> dict[str, Any]:
    """Return what the templates of channels, sources and tests call."""

    def of(value: str, kind: str) -> str:
        return visit.say(WORDS[kind][value]) if value in WORDS[kind] else value

    return {
        "of": of,
        "plain": lambda outcome, code: plain(outcome, code, visit.say),
        "zone": visit.console.zone,
        "now": visit.now.astimezone(UTC),
    }
