"""Sources through the whole reader: an index of many alerts, one large feed, a heartbeat beside it, a quake.

The sources are played by a process of its own; reader, intake, desk and PostgreSQL are the real ones. The
reading process may be bound to one core.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import time
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from gateway.alerts.model import Status
from gateway.audience.county import CENTRE, load_county, synthetic_county
from gateway.clock import SYSTEM
from gateway.desk.office import open_office
from gateway.desk.service import Desk
from gateway.feeds.contract import Solution
from gateway.feeds.reader import Reader
from gateway.feeds.reception import open_intake
from gateway.ops.gateway import running
from gateway.settings import load_settings
from gateway.store import bench
from gateway.store.database import Database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from gateway.alerts.model import Reference
    from gateway.feeds.intake import Intake
    from gateway.ops.services import Services
    from gateway.settings import Settings

LOOK_SECONDS = 0.1
LONGEST_SECONDS = 600.0
NEVER_OPENED = {"host": "127.0.0.1", "system_id": "invented"}
"""A draft needs a channel that it could be sent on; nothing is sent."""
QUAKES = 20
CONTACTS = 2_000


class Result(NamedTuple):
    """What was measured."""

    alerts: int
    """In the index, and again in the large feed."""
    cores: int
    """That the reading process could use."""
    index_per_minute: int
    """Alerts of the index that were fetched one by one, judged and stored in a minute."""
    index_cpu_s: float
    """Processor time of the reading process for it."""
    feed_s: float
    """Seconds for the large feed, read in one poll."""
    heartbeat_ms: float
    """Longest time that a heartbeat of another source waited while the large feed was read."""
    heartbeats: int
    """Heartbeats in that time."""
    quake_ms: float
    """Median from a seismic solution to the draft that is stored."""
    quake_worst_ms: float
    rss_mb: float
    """Peak memory of the reading process."""


async def measure(count: int, state_dir: Path, found: Services) -> Result:
    """Read ``count`` alerts from an index and as many from one feed, and return the figures."""
    async with _peer(count) as ports, Database(found.database_url, size=10) as database:
        await load_county(database, synthetic_county(contacts=CONTACTS))
        index_s, cpu_s = await _index(database, _settings(state_dir, found, ports, "atom"), count)
        feed_s, waits = await _feed(database, _settings(state_dir, found, ports, "fat"), count)
        quakes = await _quakes(database, _settings(state_dir, found, ports, "atom"))
    return Result(
        alerts=count,
        cores=len(os.sched_getaffinity(0)),
        index_per_minute=round(count / index_s * 60),
        index_cpu_s=round(cpu_s, 2),
        feed_s=round(feed_s, 2),
        heartbeat_ms=_ms(max(waits, default=0.0)),
        heartbeats=len(waits),
        quake_ms=_ms(statistics.median(quakes)),
        quake_worst_ms=_ms(max(quakes)),
        rss_mb=_peak_mb(),
    )


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)


def _peak_mb() -> float:
    with open("/proc/self/status", encoding="ascii") as status:  # noqa: PTH123 - a line of the kernel's
        line = next(line for line in status if line.startswith("VmHWM"))
    return round(int(line.split()[1]) / 1024, 1)


@asynccontextmanager
async def _peer(count: int) -> AsyncIterator[dict[str, int]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "gateway.bench.feed_peer", str(count)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield json.loads(await process.stdout.readline())
    finally:
        process.stdin.close()
        await process.wait()


def _settings(state_dir: Path, found: Services, ports: dict[str, int], name: str) -> Settings:
    local = {"allow_http": True, "allow_private": True}
    rule = {"action": "inbox", "most_per_hour": 1000}
    return load_settings(
        state_dir=str(state_dir),
        database_url=found.database_url,
        redis_url=found.redis_url,
        channels={"sms": {"kind": "smpp", "live": NEVER_OPENED}},
        sources={
            name: local
            | {"kind": "atom", "url": f"http://127.0.0.1:{ports['http']}/{name}.xml", "rule": rule}
            | {"interval_seconds": 3600},
            # With an archive each heartbeat is compared with what came in, which is where it is seen.
            "stream": local
            | {"kind": "naad", "url": f"tcp://127.0.0.1:{ports['tcp']}"}
            | {"archive_url": f"http://127.0.0.1:{ports['http']}/"},
        },
    )


async def _index(database: Database, settings: Settings, count: int) -> tuple[float, float]:
    """Read the index; return the seconds and the processor seconds of this process."""
    intake = open_intake(database, SYSTEM, Desk(database, SYSTEM, open_office(settings)), settings)
    cpu, began = time.process_time(), time.monotonic()
    async with running(Reader(database, intake, settings).run()):
        await _until(database, count)
        return time.monotonic() - began, time.process_time() - cpu


async def _feed(database: Database, settings: Settings, count: int) -> tuple[float, list[float]]:
    """Read the large feed; return the seconds, and how long each heartbeat beside it waited."""
    intake = open_intake(database, SYSTEM, Desk(database, SYSTEM, open_office(settings)), settings)
    waits = _watch(intake)
    began = time.monotonic()
    async with running(Reader(database, intake, settings).run()):
        await _until(database, 2 * count)
        return time.monotonic() - began, waits


def _watch(intake: Intake) -> list[float]:
    """Note, for each heartbeat that is handed over, how long ago it was sent."""
    waits: list[float] = []
    ask = intake.unknown

    async def unknown(references: Sequence[Reference]) -> list[Reference]:
        now = time.monotonic()
        waits.extend(now - float(one.identifier) for one in references)
        await ask(references)
        return []

    intake.unknown = unknown  # type: ignore[method-assign] # a probe, in a measurement
    return waits


async def _until(database: Database, count: int) -> None:
    until = time.monotonic() + LONGEST_SECONDS
    while await _stored(database) < count:
        if time.monotonic() > until:
            raise RuntimeError(f"the alerts were not in after {LONGEST_SECONDS:.0f} s")
        await asyncio.sleep(LOOK_SECONDS)


async def _stored(database: Database) -> int:
    async with database.raw() as connection:
        return await bench.incoming_rows(connection)


async def _quakes(database: Database, settings: Settings) -> list[float]:
    """Take solutions of strong earthquakes below the county; return the seconds until each draft is there."""
    intake = open_intake(database, SYSTEM, Desk(database, SYSTEM, open_office(settings)), settings)
    assert intake.seismology is not None
    took = []
    for number in range(QUAKES):
        at = SYSTEM.now() - timedelta(seconds=5)
        came = Solution(
            agency="bench",
            ids=(f"bench{number}",),
            original=b"invented",
            time=at,
            lat=CENTRE[0],
            lon=CENTRE[1],
            depth_km=10,
            magnitude=6.0,
            magnitude_type="mw",
            place="invented",
            review="reviewed",
            status=Status.ACTUAL,
            updated=at,
        )
        began = time.monotonic()
        taken = await intake.seismology.take("atom", [came], at=SYSTEM.now())
        took.append(time.monotonic() - began)
        if [one.state for one in taken] != ["drafted"]:
            raise RuntimeError(f"the quake led to no draft: {[one.reason for one in taken]}")
    return took


def one_core() -> None:
    """Keep this process on the first of its cores; the database and the sources may use the others."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
