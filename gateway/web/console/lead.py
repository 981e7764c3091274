"""The leader's page (领导一览): what is in force and who was reached, to read at a glance."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

import structlog
from aiohttp import web

from gateway.coverage import ReleaseUnknown, coverage
from gateway.store import board as store
from gateway.store.board import version_of
from gateway.store.faults import DATABASE_FAULTS
from gateway.web.console.board import Words, sent, words
from gateway.web.console.routing import Routes
from gateway.web.console.words import templates

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Row

    from gateway.coverage import Coverage
    from gateway.store.board import Pulse, ReleaseCounts
    from gateway.web.console.board import Sent
    from gateway.web.console.parts import Console
    from gateway.web.console.visit import Visit

routes = Routes()
log = structlog.get_logger(__name__)

KEPT_SECONDS = 10.0
"""A release is measured anew after this time at the earliest, and only if its counters changed."""
FIRST_WAIT = 0.5
"""Seconds that a page waits for figures that nobody has asked for before."""


_FAULTS: tuple[type[Exception], ...] = (*DATABASE_FAULTS, ReleaseUnknown)


class _Measured(NamedTuple):
    figures: Coverage
    counters: tuple[str, int]
    """What the counters said before it was measured."""
    read: float


class Glimpse(NamedTuple):
    """One warning in force."""

    row: Row[Any]
    sent: Sent
    figures: Coverage | None
    """None: it is being measured for the first time."""
    as_of: datetime
    """When the figures were true; of unchanged ones that is the moment of the look."""


class Sheet(NamedTuple):
    """All of them, as of one moment."""

    at: datetime
    glimpses: list[Glimpse]


class Glance:
    """Measures the warnings in force, one by one and aside: who looks never waits for a million rows."""

    def __init__(self, console: Console) -> None:
        """Nothing is measured until somebody looks."""
        self._console = console
        self._kept: dict[int, _Measured] = {}
        self._under_way: dict[int, asyncio.Task[None]] = {}
        self._one_by_one = asyncio.Lock()
        self.measured = 0
        """How often anything was measured: a page shows more once this has risen."""

    async def look(self, pulse: Pulse, rows: Sequence[Row[Any]], wait: float = 0.0) -> Sheet:
        """Return what is known, and begin to measure what is not or no longer.

        Args:
            pulse: with the counters of this moment.
            rows: the warnings in force.
            wait: seconds to wait for the first figures of a release.
        """
        now = self._console.clock.now()
        shown = [row for row in rows if row.msg_type != "Cancel"]
        self._kept = {id_: one for id_, one in self._kept.items() if id_ in {row.release_id for row in shown}}
        for row in shown:
            self._begin(row.release_id, pulse.releases.get(row.release_id))
        new = [task for id_, task in self._under_way.items() if id_ not in self._kept]
        if new and wait:
            await asyncio.wait(new, timeout=wait)
        return Sheet(now, [self._glimpse(row, pulse.releases.get(row.release_id), now) for row in shown])

    def _glimpse(self, row: Row[Any], counts: ReleaseCounts | None, now: datetime) -> Glimpse:
        kept = self._kept.get(row.release_id)
        if kept is None:
            return Glimpse(row, sent(counts), None, now)
        as_of = now if kept.counters == _counters(counts) else kept.figures.release.measured_at
        return Glimpse(row, sent(counts), kept.figures, as_of)

    def _begin(self, release: int, counts: ReleaseCounts | None) -> None:
        kept, said = self._kept.get(release), _counters(counts)
        fresh = kept is not None and (
            kept.counters == said or self._console.clock.monotonic() - kept.read < KEPT_SECONDS
        )
        if not fresh and release not in self._under_way:
            self._under_way[release] = asyncio.create_task(self._measure(release, said))

    async def _measure(self, release: int, said: tuple[str, int]) -> None:
        try:
            async with self._one_by_one:
                figures = await coverage(self._console.database, release, self._console.clock)
            self._kept[release] = _Measured(figures, said, self._console.clock.monotonic())
            self.measured += 1
        except _FAULTS as error:
            log.warning("coverage was not measured", release=release, error=type(error).__name__)
        finally:
            self._under_way.pop(release, None)

    async def close(self) -> None:
        """Give up what is being measured."""
        under_way = list(self._under_way.values())
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


def _counters(counts: ReleaseCounts | None) -> tuple[str, int]:
    return (counts.state, version_of(counts.channels)) if counts else ("", 0)


def part(console: Console, sheet: Sheet, language: str) -> str:
    """Return the part of the page that changes."""
    return templates(language).render("console/lead_now.html", **context(console, sheet, language))


def context(console: Console, sheet: Sheet, language: str) -> dict[str, Any]:
    """Return what ``lead_now.html`` shows."""
    said: list[tuple[Glimpse, Words]] = [
        (one, words(console, one.row.infos, language)) for one in sheet.glimpses
    ]
    live = [one for one in said if one[0].row.mode == "live"]
    return {
        "at": sheet.at,
        "zone": console.zone,
        "live": live,
        "drills": [one for one in said if one[0].row.mode == "drill"],
    }


async def read(console: Console, glance: Glance) -> Sheet:
    """Read what is in force and what is known of it; raises what the database raises."""
    async with console.database.begin() as connection:
        pulse = await store.pulse(connection)
        rows = await store.in_force(connection)
    return await glance.look(pulse, rows, FIRST_WAIT)


GLANCE = web.AppKey("glance", Glance)


@routes.get("/lead", "lead", "see")
async def lead(visit: Visit) -> web.StreamResponse:
    """Show the warnings in force and their coverage; there is nothing to press."""
    sheet = await read(visit.console, visit.request.config_dict[GLANCE])
    return visit.render("lead.html", **context(visit.console, sheet, visit.language))
