"""Live events: what every open page hears of, by one stream of server-sent events, ``GET /desk/live``.

A page names the events it wants in base.html's block ``events``; the stream carries these only, and only
to people whose roles give the right. One look at the database each second serves every listener of a
process, and only while somebody listens; each text is rendered once per language and sent as the same
bytes to all. A listener that is slow gets the latest of each event, never a queue of old ones.

=========  ==============  ==============================================================================
Event      Right           Data
=========  ==============  ==============================================================================
beat       signed_in       the server's time, ISO 8601, every 4 s; a page that misses it shows the banner
away       signed_in       the database does not answer; the time of what was read last. Repeated with
                           each beat, until
back       signed_in       it answers again; the time
ended      signed_in       the session is over: the page asks to sign in
drill      signed_in       JSON ``{"title": "..."}`` of the drill that runs, or ``{"title": null}``
board      see             HTML of the board: warnings in force, health, duty
waiting    see             a version; where it differs from the page's, the page fetches what waits
release    see, lead       JSON, one event for each release that changed (below)
alarm      see             JSON ``{"open": 3, "fresh": 1, "version": "..."}``: alarms that are open, and
                           how many of them were not a second ago
lead       lead, see       HTML of the leader's page
=========  ==============  ==============================================================================

``release`` is sent for each release that is not closed or whose warning is in force, when a number of it
changed, and once when a page begins to listen::

    {"id": 12, "version": 18231, "at": "2026-07-01T02:00:01+00:00", "mode": "live", "state": "open",
     "channels": {"sms": {"planned": 120, "accepted": 30, "delivered": 400, "confirmed": 2}}}

Counts are deliveries by the name of their :class:`channels.base.Proof` in lower case (``planned`` stands
for all that is not settled yet); a state without any is left out. ``version`` only rises for one release
(:func:`gateway.store.board.version_of`), so that an older event is known as one.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog
from aiohttp import web

from gateway.store import board as store
from gateway.store.database import heed
from gateway.store.faults import DATABASE_FAULTS
from gateway.web.console import board, lead
from gateway.web.console.routing import Routes
from gateway.web.console.words import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

    from gateway.desk.policy import Step
    from gateway.store.board import Pulse
    from gateway.web.console.parts import Console
    from gateway.web.console.visit import Visit

routes = Routes()
log = structlog.get_logger(__name__)

LOOK_EVERY = 1.0
"""Seconds between two looks at the database."""
BEAT_EVERY = 4.0
"""Seconds between two beats; the page's banner comes after three that were missed."""
REFRESH_LOOKS = 10
"""Looks after which the board is rendered anew though nothing changed: a duty began, a source fell silent."""
LEAD_LOOKS = 10
"""Looks after which the leader's page is told again how old its figures are."""
PATIENCE = 5.0
"""Seconds that a look may take before the database counts as away."""
STALLED = 8.0
"""Seconds after which a reader that takes nothing is let go; its browser comes again by itself."""
MOST_STREAMS = 200
"""Streams of one session in one process, one for each page that is open; the oldest is ended beyond that."""
RETRY_MS = 2000
"""Milliseconds until a browser comes again."""

RIGHTS: dict[str, tuple[Step, ...]] = {
    "board": ("see",),
    "waiting": ("see",),
    "release": ("see", "lead"),
    "alarm": ("see",),
    "lead": ("lead", "see"),
}
"""Any of these rights is needed to hear an event; those that are not here are for everybody signed in."""


class Listener:
    """One open page, and the latest of each event that it was not sent yet."""

    def __init__(self, session: int, roles: tuple[str, ...], language: str, wanted: frozenset[str]) -> None:
        """Keep who listens, and to which events."""
        self.session, self.roles, self.language, self.wanted = session, roles, language, wanted
        self._unsent: dict[str, bytes] = {}
        self._bell = asyncio.Event()
        self._over = False

    def put(self, key: str, event: bytes) -> None:
        """Hold an event ready; an unsent one with the same key is dropped."""
        if not self._over:
            self._unsent[key] = event
            self._bell.set()

    def end(self) -> None:
        """Let the stream end once it has sent what is ready."""
        self._over = True
        self._bell.set()

    async def events(self) -> AsyncIterator[bytes]:
        """Yield what is ready, as one piece, until the stream is to end."""
        while True:
            await self._bell.wait()
            self._bell.clear()
            ready, self._unsent = self._unsent, {}
            if ready:
                yield b"".join(ready.values())
            elif self._over:
                return
            if self._over:
                self._bell.set()


class Live:
    """The listeners of one process, and the one look at the database that serves them all."""

    def __init__(self, console: Console, glance: lead.Glance) -> None:
        """Nothing is read until somebody listens."""
        self._console = console
        self._glance = glance
        self._listeners: dict[Listener, None] = {}  # in the order in which they came
        self._tasks: list[asyncio.Task[None]] = []
        self._closed = False
        self._forget()

    def _forget(self) -> None:
        self._pulse: Pulse | None = None
        self._read_at: datetime | None = None
        self._away = False
        self._looks = 0
        self._latest: dict[str, tuple[str, bytes]] = {}
        self._coming: list[Listener] = []
        self._rest: board.Rest | None = None
        self._measured = -1

    def join(self, listener: Listener) -> None:
        """Begin to serve a page: at once with a beat, and whole from the next look that begins.

        What was read before may be older than the page that comes, and would undo what it shows.
        """
        listener.put("beat", self._beat())
        self._looks = 0
        self._listeners[listener] = None
        self._coming.append(listener)
        self._bound(listener.session)
        if self._closed:
            listener.end()
        elif not self._tasks:
            self._tasks = [asyncio.create_task(work()) for work in (self._look_on, self._beat_on)]

    def _bound(self, session: int) -> None:
        """End the oldest streams of a session that has too many."""
        theirs = [one for one in self._listeners if one.session == session]
        for listener in theirs[:-MOST_STREAMS]:
            listener.end()

    def leave(self, listener: Listener) -> None:
        """Serve a page no more; the last one ends the looking."""
        self._listeners.pop(listener, None)
        if not self._listeners:
            self._stop()

    def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._tasks = []
        self._forget()

    async def close(self, _: web.Application | None = None) -> None:
        """End every stream, and the looking: the server would wait for them."""
        self._closed = True
        stopped = self._tasks
        self._stop()
        for listener in list(self._listeners):
            listener.end()
        await asyncio.gather(*stopped, return_exceptions=True)
        await self._glance.close()

    # -- the look -------------------------------------------------------------------------------------

    async def _look_on(self) -> None:
        while True:
            heed()
            await self._look()
            await asyncio.sleep(LOOK_EVERY)

    async def _look(self) -> None:
        coming, self._coming = self._coming, []
        try:
            async with asyncio.timeout(PATIENCE):
                async with self._console.database.begin() as connection:
                    pulse = await store.pulse(connection)
                await self._tell(pulse)
            self._greet(coming)
        except DATABASE_FAULTS as error:
            if not self._away:
                log.warning("live events wait for the database", error=type(error).__name__)
            self._lost()
        except Exception:
            if not self._away:
                log.exception("live events failed", alarm=True)
            self._lost()

    def _greet(self, coming: list[Listener]) -> None:
        """Send what is kept to those who came before this look began."""
        for listener in coming:
            for key, (name, event) in self._latest.items():
                if name in listener.wanted:
                    listener.put(key, event)

    def _lost(self) -> None:
        self._away = True
        self._pulse = None  # everything is told again once it is back
        self._send("away", self._since())

    def _since(self) -> str:
        return (self._read_at or self._console.clock.now()).isoformat()

    async def _tell(self, pulse: Pulse) -> None:
        before, now = self._pulse, self._console.clock.now()
        due, lead_due = self._looks % REFRESH_LOOKS == 0, self._looks % LEAD_LOOKS == 0
        self._looks += 1  # before anything is waited for: a page that comes meanwhile sets it back
        changed = before is None or before.steps != pulse.steps or before.told() != pulse.told()
        if changed or due:
            self._rest = await board.rest(self._console, now)
        if changed or due or before is None or before.releases != pulse.releases:
            self._tell_board(pulse, now)
        self._tell_small(before, pulse, now)
        if self._is_wanted("lead"):
            await self._tell_lead(pulse, now_due=changed or lead_due)
        self._pulse, self._read_at = pulse, now
        if self._away:
            self._away = False
            self._send("back", now.isoformat())

    def _tell_board(self, pulse: Pulse, now: datetime) -> None:
        if self._rest is None or not self._is_wanted("board"):
            return
        picture = board.Picture(now, pulse, self._rest)
        for language in self._languages("board"):
            self._send("board", board.part(self._console, picture, language), language)

    def _tell_small(self, before: Pulse | None, pulse: Pulse, now: datetime) -> None:
        known = before.releases if before else {}
        for number, release in pulse.releases.items():
            if known.get(number) != release:
                told = json.dumps(release.as_event(now), ensure_ascii=False)
                self._keep("release", f"release {number}", told)
        for gone in known.keys() - pulse.releases.keys():
            self._latest.pop(f"release {gone}", None)
        if before is None or version(before) != version(pulse):
            self._keep("waiting", "waiting", version(pulse))
        if before is None or before.alarms != pulse.alarms:
            fresh = len(set(pulse.alarms) - set(before.alarms)) if before else 0
            told = json.dumps({"open": len(pulse.alarms), "fresh": fresh, "version": version(pulse)})
            self._keep("alarm", "alarm", told)
        if before is None or before.drill != pulse.drill:
            self._keep("drill", "drill", json.dumps({"title": pulse.drill}, ensure_ascii=False))

    async def _tell_lead(self, pulse: Pulse, *, now_due: bool) -> None:
        if self._rest is None or not (now_due or self._measured != self._glance.measured):
            return
        sheet = await self._glance.look(pulse, self._rest.in_force)
        self._measured = self._glance.measured
        for language in self._languages("lead"):
            self._send("lead", lead.part(self._console, sheet, language), language)

    # -- the beat -------------------------------------------------------------------------------------

    async def _beat_on(self) -> None:
        while True:
            heed()
            await asyncio.sleep(BEAT_EVERY)
            try:
                await self._end_old()
            except Exception:  # a stream without beats would look as if the line were cut
                log.exception("sessions of live events were not looked at", alarm=True)
            self._send_bytes("beat", "beat", self._beat())
            if self._away:
                self._send("away", self._since())

    def _beat(self) -> bytes:
        return packed("beat", self._console.clock.now().isoformat())

    async def _end_old(self) -> None:
        """End the streams of sessions that are over, or whose person's roles changed.

        Without the database nobody's session is known to be over, and nothing is sent from it either.
        """
        now, idle = self._console.clock.now(), self._console.settings.console.limits.idle
        listeners = list(self._listeners)  # who comes meanwhile is not asked about
        asked = {listener.session for listener in listeners}
        with suppress(*DATABASE_FAULTS):
            async with asyncio.timeout(PATIENCE), self._console.database.begin() as connection:
                roles = await store.roles_of_sessions(connection, asked, now, now - idle)
            for listener in listeners:
                if listener.session not in roles:
                    listener.put("ended", packed("ended", now.isoformat()))
                    listener.end()
                elif roles[listener.session] != listener.roles:
                    listener.end()  # its browser comes again, with the rights of this moment

    # -- sending --------------------------------------------------------------------------------------

    def _is_wanted(self, name: str) -> bool:
        return any(name in listener.wanted for listener in self._listeners)

    def _languages(self, name: str) -> list[str]:
        asked = {listener.language for listener in self._listeners if name in listener.wanted}
        return [language for language in LANGUAGES if language in asked]

    def _keep(self, name: str, key: str, data: str) -> None:
        """Send an event to everybody who wants it, and keep it for those who come."""
        event = packed(name, data)
        self._latest[key] = (name, event)
        self._send_bytes(name, key, event)

    def _send(self, name: str, data: str, language: str = "") -> None:
        self._send_bytes(name, name, packed(name, data), language)

    def _send_bytes(self, name: str, key: str, event: bytes, language: str = "") -> None:
        for listener in self._listeners:
            if (name in listener.wanted or name not in RIGHTS) and language in ("", listener.language):
                listener.put(key, event)


LIVE = web.AppKey("live", Live)


def version(pulse: Pulse) -> str:
    """Return what changes with whatever may wait for somebody."""
    return hashlib.sha256(repr((pulse.steps, pulse.told())).encode()).hexdigest()[:16]


def packed(name: str, data: str) -> bytes:
    """Return one event as it goes over the line."""
    lines = "".join(f"data: {line}\n" for line in data.splitlines() or [""])
    return f"event: {name}\n{lines}\n".encode()


def begin(app: web.Application, console: Console) -> None:
    """Give the console its live events; they end when the server stops."""
    app[lead.GLANCE] = lead.Glance(console)
    app[LIVE] = Live(console, app[lead.GLANCE])
    app.on_shutdown.append(app[LIVE].close)


@routes.get("/live", "signed_in")
async def live(visit: Visit) -> web.StreamResponse:
    """Send events until the page is closed, the session is over or the server stops."""
    assert visit.session is not None
    asked = {name for name in visit.request.query.get("events", "").split() if name in RIGHTS}
    wanted = frozenset({name for name in asked if visit.may(*RIGHTS[name])} | {"drill"})
    listener = Listener(visit.session.id, visit.person.roles, visit.language, wanted)
    headers = {"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
    response = web.StreamResponse(headers=headers)
    hub = visit.request.config_dict[LIVE]
    try:
        await response.prepare(visit.request)
        await response.write(f"retry: {RETRY_MS}\n\n".encode())
        await _serve(hub, listener, response)
    except ConnectionResetError:
        pass
    except TimeoutError:  # who takes nothing does not take the end of the answer either
        if visit.request.transport is not None:
            visit.request.transport.abort()
    return response


async def _serve(hub: Live, listener: Listener, response: web.StreamResponse) -> None:
    hub.join(listener)
    try:
        async for events in listener.events():
            async with asyncio.timeout(STALLED):
                await response.write(events)
    finally:
        hub.leave(listener)
