"""How the sources are, judged from the database by the clock: by any process, also where no reader lives.

Alarms have the subject ``source NAME`` and one of these codes; each is cleared when it is over.

``silent``
    No good answer for ``alarm_intervals`` intervals, at a stream no sign of life.
``connection``
    One host of a stream is silent while another still speaks.
``frozen``
    The source answers, but its own stamp stands still, or where its kind has no stamp and promises change,
    its document. An answer 'not modified' is no standstill, except for kinds that stamp each minute.
``certificate``
    The certificate of its host expires within 14 days.
``troubles``
    Entries or links that could not be read or fetched, and so may be missing here.

A source that people turned off has no alarms; once it is on again its silence counts from that moment.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

import structlog

from gateway.feeds.fetch.refused import FIXES
from gateway.feeds.shown import moment
from gateway.feeds.taking import host_of, place_of
from gateway.store import alarms, switches
from gateway.store import sources as store
from gateway.store.database import heed
from gateway.store.faults import DATABASE_FAULTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.clock import Clock
    from gateway.feeds.settings import SourceSettings
    from gateway.settings import Settings
    from gateway.store.alarms import Alarm
    from gateway.store.database import Database
    from gateway.store.sources import Connection, KnownTrouble, State
    from gateway.store.switches import SwitchRow

log = structlog.get_logger(__name__)

CODES = ("silent", "connection", "frozen", "certificate", "troubles")
"""Of the alarms that are raised and cleared here."""
EVERY = 5.0
"""Seconds between two looks."""
CERTIFICATE_DAYS = 14
STREAM_TROUBLES = timedelta(hours=1)
"""How long a message of a stream that could not be read is an alarm: it does not come again."""
LEAST_SILENCE = timedelta(seconds=30)
"""A document may take 20 s, and a sign of life is written down every 5 s only."""
LEAST_STANDSTILL = timedelta(minutes=10)
STANDSTILLS = {"jma": timedelta(hours=2)}
"""Kind -> longest that its stamp may stand still, where that is more than the usual."""
PROMISES = dict.fromkeys(("nmc", "list12379", "cma"), timedelta(hours=6))
"""Kinds without a stamp whose document, a list of a whole country, must change within this time."""


class Health(NamedTuple):
    """One source, as it is shown."""

    name: str
    kind: str
    state: State | None
    """None: it was never read."""
    connections: list[Connection]
    alarms: list[Alarm]
    troubles: list[KnownTrouble]
    failing_links: int
    off: SwitchRow | None = None
    """Who turned it off, and why; None: it is read."""


class Overview(NamedTuple):
    """All sources of the settings that are enabled."""

    at: datetime
    """In the desk's offset, in which all its times are told."""
    reader: str | None
    """Host and process that read them; None: nobody does."""
    sources: list[Health]


async def watch(database: Database, settings: Settings, clock: Clock) -> None:
    """Raise the alarms that are due and clear those that are over; raises what the database raises."""
    now = clock.now().astimezone(settings.desk.zone)
    enabled = _enabled(settings)
    async with database.begin() as connection:
        await store.ensure(connection, enabled, now)
        due = await _due(connection, enabled, settings.feeds.alarm_intervals, now)
        standing = {(one.subject, one.code): one.sentence for one in await _ours(connection)}
        for key in sorted(due):
            if standing.get(key) != due[key] and await alarms.sound(connection, *key, due[key], now):
                log.error("source alarm", subject=key[0], code=key[1], sentence=due[key], alarm=True)
        for key in sorted(standing.keys() - due.keys()):
            await alarms.clear(connection, *key, now)
            log.info("source alarm is over", subject=key[0], code=key[1])


async def keep_watch(database: Database, settings: Settings, clock: Clock, every: float = EVERY) -> None:
    """Watch for as long as the process lives."""
    while True:
        heed()
        try:
            await watch(database, settings, clock)
        except DATABASE_FAULTS as error:
            log.warning("the watch waits for the database", error=type(error).__name__)
        except Exception:
            log.exception("the watch failed", alarm=True)
        await asyncio.sleep(every)


async def overview(database: Database, settings: Settings, clock: Clock) -> Overview:
    """Return how the sources are; raises what the database raises."""
    async with database.begin() as connection:
        states = await store.states(connection)
        connections = await store.connections(connection)
        troubles = await store.troubles(connection)
        failing = await store.failing_links(connection)
        standing = await alarms.standing(connection)
        reader = await store.holder(connection, "sources")
        turned = await switches.switches(connection, "source")
    sources = [
        Health(
            name,
            source.kind,
            states.get(name),
            [one for one in connections if one.source == name],
            [one for one in standing if one.subject == subject(name)],
            [one for one in troubles if one.source == name],
            failing.get(name, 0),
            row if (row := turned.get(name)) and row.off else None,
        )
        for name, source in _enabled(settings).items()
    ]
    return Overview(clock.now().astimezone(settings.desk.zone), reader, sources)


def subject(name: str) -> str:
    """Return the subject of a source's alarms."""
    return f"source {name}"


def _enabled(settings: Settings) -> dict[str, SourceSettings]:
    return {name: source for name, source in sorted(settings.sources.items()) if source.enabled}


async def _ours(connection: AsyncConnection) -> list[Alarm]:
    return [
        one
        for one in await alarms.standing(connection)
        if one.code in CODES and one.subject.startswith(subject(""))
    ]


async def _due(
    connection: AsyncConnection, enabled: dict[str, SourceSettings], intervals: int, now: datetime
) -> dict[tuple[str, str], str]:
    states = await store.states(connection)
    connections = await store.connections(connection)
    failing = await store.failing_links(connection)
    troubles = await store.troubles(connection)
    turned = await switches.switches(connection, "source")
    due: dict[tuple[str, str], str] = {}
    for name, source in enabled.items():
        if (switch := turned.get(name)) and switch.off:
            continue
        hosts = [one for one in connections if one.source == name]
        state = _since_on(states[name], switch)
        hosts = [_host_since_on(one, switch) for one in hosts]
        found = judge(source, state, hosts, now, intervals)
        links = await store.failing_urls(connection, name) if name in failing else []
        known = [one for one in troubles if one.source == name]
        if sentence := _troubles(source, states[name], links, known, now):
            found["troubles"] = sentence
        due |= {(subject(name), code): sentence for code, sentence in found.items()}
    return due


def _since_on(state: State, switch: SwitchRow | None) -> State:
    """Return a state whose silence counts from when its source was turned on again."""
    if switch is None:
        return state
    later = {
        name: max(at, switch.at)
        for name in ("since", "good_at", "heartbeat_at", "moved_at")
        if (at := getattr(state, name)) is not None
    }
    return replace(state, **later)


def _host_since_on(host: Connection, switch: SwitchRow | None) -> Connection:
    if switch is None or host.heartbeat_at is None:
        return host
    return host._replace(heartbeat_at=max(host.heartbeat_at, switch.at))


def judge(
    source: SourceSettings, state: State, hosts: list[Connection], now: datetime, intervals: int
) -> dict[str, str]:
    """Return the alarms that are due for a source, code to sentence; troubles are not among them.

    Args:
        source: its settings.
        state: what is known of it.
        hosts: of its stream; empty for a source that is polled.
        now: the time; the sentences tell times in its offset.
        intervals: how many may pass without an answer.
    """
    longest = max(source.interval * intervals, LEAST_SILENCE)
    found = {
        "silent": _silent(source, state, now, longest),
        "connection": _half_silent(source, state, hosts, now - longest),
        "frozen": _frozen(source, state, now, longest),
        "certificate": _certificate(state, now),
    }
    if found["silent"]:  # says all that the next two would
        found |= {"connection": "", "frozen": ""}
    return {code: sentence for code, sentence in found.items() if sentence}


def is_stream(source: SourceSettings) -> bool:
    """Whether a source pushes."""
    return not source.url.startswith(("http://", "https://"))


def _silent(source: SourceSettings, state: State, now: datetime, longest: timedelta) -> str:
    heard = state.heartbeat_at if is_stream(source) else state.good_at
    if heard and heard - now > longest:  # the clock was set back: this says nothing of how long ago it was
        heard = None
    if now - (heard or state.since) < longest:
        return ""
    begun = moment(heard or state.since, now.tzinfo)
    since = f"since {begun}" if heard else f"ever; it is waited for since {begun}"
    why = f": {state.error}; {state.fix}" if state.error else "; check that 'tongda feeds' runs"
    return f"no {'sign of life' if is_stream(source) else 'good answer'} {since}{why}"


def _hosts(source: SourceSettings) -> set[str]:
    return {host_of(url) for url in (source.url, *source.more_urls)}


def _half_silent(source: SourceSettings, state: State, hosts: list[Connection], before: datetime) -> str:
    if not source.more_urls:
        return ""
    heard = {one.host: one.heartbeat_at for one in hosts}
    silent = sorted(host for host in _hosts(source) if (heard.get(host) or state.since) <= before)
    return f"silent: {', '.join(silent)}; the stream hangs on its other host" if silent else ""


def standstill(source: SourceSettings, *, stamped: bool, longest: timedelta) -> timedelta | None:
    """Return how long a source may stand still; None: for ever.

    Args:
        source: its settings, whose ``frozen_minutes`` counts first.
        stamped: whether its document has a stamp of its own.
        longest: the time after which it would be silent.
    """
    if source.frozen_minutes is not None:
        return timedelta(minutes=source.frozen_minutes) or None
    if not stamped:
        return PROMISES.get(source.kind)
    return max(longest, LEAST_STANDSTILL, STANDSTILLS.get(source.kind, LEAST_STANDSTILL))


def _frozen(source: SourceSettings, state: State, now: datetime, longest: timedelta) -> str:
    if is_stream(source) or state.moved_at is None:
        return ""
    most = standstill(source, stamped=state.generated_at is not None, longest=longest)
    if most is None or now - state.moved_at < most:
        return ""
    stamp, since = (moment(at, now.tzinfo) for at in (state.generated_at, state.moved_at))
    stands = f"its stamp stands at {stamp}" if state.generated_at else "it is the same"
    return f"answers, but {stands} since {since}; ask the source, or set frozen_minutes"


def _certificate(state: State, now: datetime) -> str:
    end = state.certificate_until
    if end is None or end - now > timedelta(days=CERTIFICATE_DAYS):
        return ""
    return f"the certificate of its host expires at {moment(end, now.tzinfo)}; tell the source"


def _troubles(
    source: SourceSettings, state: State, links: Sequence[str], known: Sequence[KnownTrouble], now: datetime
) -> str:
    """Return what may be missing of a source, with the newest trouble and its way out."""
    if is_stream(source):
        recent = (one for one in known if now - one.last_at < STREAM_TROUBLES and not _is_connection(one))
        newest = next(recent, None)
        return f"messages of {state.source} are missing or cannot be read{_words(newest)}" if newest else ""
    if not links and not state.troubled:
        return ""
    what = " and ".join(["links"] * bool(links) + ["entries"] * bool(state.troubled))
    how = "fetched or read" if links else "read"
    newest = next(_current(source, links, known, every=bool(state.troubled)), None)
    return f"{what} of {state.source} cannot be {how}{_words(newest)}"


def _is_connection(trouble: KnownTrouble) -> bool:
    """Whether a stream's connection broke, which has alarms of its own; its place is a host."""
    return trouble.code in FIXES and "/" not in trouble.place


def _current(
    source: SourceSettings, links: Sequence[str], known: Sequence[KnownTrouble], *, every: bool
) -> Iterator[KnownTrouble]:
    """Yield the troubles of the links, or every one that is no poll that failed."""
    places = {store.kept_place(place_of(url)) for url in links}
    within = tuple(f"{place} " for place in places)
    own = place_of(source.url)
    for one in known:
        if (every and one.place != own) or one.place in places or one.place.startswith(within):
            yield one


def _words(trouble: KnownTrouble | None) -> str:
    if trouble is None:  # it was one of too many to keep
        return "; see 'tongda feed status'"
    place = f"{trouble.place}: " if trouble.place else ""
    return f": {place}{trouble.sentence}; {trouble.fix}"
