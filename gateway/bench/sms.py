"""One release of many one-part SMS through the whole chain.

Desk, PostgreSQL, Valkey, RQ, worker processes, our SMPP session and an SMSC in a process of its
own that sends a receipt for every message. The clock runs from the moment the release is
committed; what went before it (freezing the targets, planning the deliveries) is told apart.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from channels.smpp.bench import bare_loop
from gateway.alerts.model import Area, ValuePair
from gateway.clock import SYSTEM
from gateway.desk.compose import Fields
from gateway.desk.office import open_office
from gateway.desk.service import Desk
from gateway.dispatch.queues import Doorbells
from gateway.ops.gateway import environment, processes, running
from gateway.ops.supervisor import Supervisor
from gateway.settings import load_settings
from gateway.store import bench, contacts
from gateway.store.contacts import Division
from gateway.store.database import Database
from gateway.store.desk import Person

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from gateway.desk.leaving import Released
    from gateway.ops.services import Services
    from gateway.settings import Settings

TOWNSHIP = "990101001000"
QUEUE = "sms.urgent"
WINDOW = 500
"""PDUs unanswered on a connection; a loopback SMSC allows it, a carrier rarely does."""
UNLIMITED = 10_000_000.0
"""Parts a second: the contract must not be what is measured."""
BARE_MOST = 100_000
LOOK_SECONDS = 0.02
LONGEST_SECONDS = 900.0
AUTHOR = Person("bench-author", "invented", ("author",), active=True)
APPROVERS = [
    Person(f"bench-approver-{number}", "invented", ("approver", "releaser"), active=True)
    for number in range(1, 6)
]
"""As many as the policy may ask for: a crowd takes more of them."""


class Played(NamedTuple):
    """An SMSC in a process of its own."""

    process: asyncio.subprocess.Process
    settings: dict[str, Any]

    async def ask(self, command: dict[str, Any]) -> dict[str, Any]:
        """Give it one command and return its answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(command).encode() + b"\n")
        await self.process.stdin.drain()
        return dict(json.loads(await self.process.stdout.readline()))


class Result(NamedTuple):
    """What was measured; times in milliseconds, rates in messages a second."""

    messages: int
    workers: int
    freeze_ms: float
    """Finding and freezing the targets, at submission."""
    release_ms: float
    """The release transaction: deliveries, batches, counters, doorbells."""
    first_message_ms: float
    """From the committed release to the first message in the SMSC's ledger."""
    attempts_per_s: float
    """From the committed release until the last attempt was recorded."""
    receipts_per_s: float
    """From the committed release until the last receipt was recorded."""
    bare_loop_per_s: float
    """Our SMPP session alone in one process, no database, receipts acknowledged."""
    rss_mb: float
    """Peak memory of the largest worker."""
    rss_mb_by_process: dict[str, float]


async def measure(count: int, workers: int, state_dir: Path, found: Services) -> Result:
    """Release ``count`` messages with so many worker processes and return the figures."""
    async with played_smsc() as smsc, Database(found.database_url) as database:
        route = smsc.settings | {"window": WINDOW, "rate": UNLIMITED}
        given = _given(state_dir, found, route, workers)
        settings = load_settings(**given)
        desk = Desk(database, SYSTEM, open_office(settings))
        await _load(database, desk, count)
        alert, freeze_s = await _approved(desk)
        async with _processes(settings, environment(given)) as supervisor:
            began = time.monotonic()
            released = await desk.release(alert, APPROVERS[0].login)
            committed = time.monotonic()
            attempts_s, receipts_s = await _recorded(database, released, count, committed)
            memory = _memory(supervisor, smsc)
        first = await _first_message(smsc, state_dir) - committed
        await _check(database, count)
        smsc_alone = await bare_loop(smsc.settings | {"window": WINDOW}, min(count, BARE_MOST))
    return Result(
        messages=count,
        workers=workers,
        freeze_ms=_ms(freeze_s),
        release_ms=_ms(committed - began),
        first_message_ms=_ms(first),
        attempts_per_s=round(count / attempts_s),
        receipts_per_s=round(count / receipts_s),
        bare_loop_per_s=round(smsc_alone),
        rss_mb=max(size for name, size in memory.items() if name.startswith(QUEUE)),
        rss_mb_by_process=memory,
    )


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)


def _given(state_dir: Path, found: Services, route: dict[str, Any], workers: int) -> dict[str, Any]:
    return {
        "state_dir": str(state_dir),
        "database_url": found.database_url,
        "redis_url": found.redis_url,
        "channels": {"sms": {"kind": "smpp", "live": route}},
        "workers": {QUEUE: workers},
        "desk": {"signature": "X"},
        "log": {"level": "warning", "format": "text"},
    }


@asynccontextmanager
async def played_smsc() -> AsyncIterator[Played]:
    """Run the SMSC simulator in a process of its own, for as long as the body lasts."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "channels.simulate", "smpp"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        yield Played(process, json.loads(await process.stdout.readline())["settings"])
    finally:
        process.terminate()
        await process.wait()


async def _load(database: Database, desk: Desk, count: int) -> None:
    for person in (AUTHOR, *APPROVERS):
        await desk.set_person(person)
    divisions = [
        Division("990101000000", "虚构县", "county", count, 106.5, 30.5, None),
        Division(TOWNSHIP, "虚构镇", "township", count, 106.5, 30.5, None),
    ]
    async with database.raw() as connection:
        await contacts.load_regions(connection, divisions)
        await bench.load_residents(connection, TOWNSHIP, count)


async def _approved(desk: Desk) -> tuple[int, float]:
    """Approve an orange warning that fits one part; return it and the seconds its freezing took."""
    fields = Fields(
        hazard="11B03",
        level="orange",
        areas=(Area(area_desc="X", geocodes=(ValuePair(value_name="GB/T 2260", value=TOWNSHIP),)),),
        event="rain",
        language="en",
        description="Rain.",
        instruction="Stay in.",
        expires=SYSTEM.now() + timedelta(hours=6),
        sender_name="X",
    )
    row = await desk.draft(fields, AUTHOR.login)
    began = time.monotonic()
    row = await desk.submit(row.id, AUTHOR.login)
    frozen = time.monotonic() - began
    for person in APPROVERS:
        signed = await desk.approve(row.id, str(row.digest), person.login)
        if signed.have >= signed.need:
            break
    return row.id, frozen


@asynccontextmanager
async def _processes(settings: Settings, env: dict[str, str]) -> AsyncIterator[Supervisor]:
    children = [
        child for child in processes(settings, env) if child.name.split("#")[0] in {"reconcile", QUEUE}
    ]
    supervisor = Supervisor(children, signals=False)
    bells = Doorbells(str(settings.redis_url))
    async with running(supervisor.run(), stop=supervisor.stop):
        await bells.attended(QUEUE, len(children) - 1)
        bells.close()
        yield supervisor


async def _recorded(database: Database, released: Released, count: int, since: float) -> tuple[float, float]:
    """Return the seconds until every attempt, and until every receipt, was recorded."""
    attempts_s = 0.0
    async with database.raw() as connection:
        while (passed := time.monotonic() - since) < LONGEST_SECONDS:
            attempts, receipts = await bench.recorded(connection, released.id)
            if attempts >= count and not attempts_s:
                attempts_s = passed
            if receipts >= count:
                return attempts_s, passed
            await asyncio.sleep(LOOK_SECONDS)
    raise RuntimeError(f"only {receipts} of {count} receipts were recorded within {LONGEST_SECONDS:.0f} s")


def _memory(supervisor: Supervisor, smsc: Played) -> dict[str, float]:
    pids = {child.name: supervisor.pid(child.name) for child in supervisor.children}
    pids |= {"simulator": smsc.process.pid, "bench": os.getpid()}
    return {name: _peak_mb(pid) for name, pid in pids.items() if pid}


def _peak_mb(pid: int) -> float:
    """Return a process's peak resident memory in MB (proc(5), VmHWM)."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return round(int(line.split()[1]) / 1024, 1)


async def _first_message(smsc: Played, state_dir: Path) -> float:
    """Return when the SMSC took its first message; monotonic clocks are one on this machine."""
    path = state_dir / "ledger.jsonl"
    await smsc.ask({"dump": str(path)})
    with path.open(encoding="utf-8") as lines:
        return float(json.loads(lines.readline())["at"])


async def _check(database: Database, count: int) -> None:
    """Refuse figures of a run that did not do all the work."""
    async with database.raw() as connection:
        attempts, receipts = await bench.ledger_rows(connection)
    if attempts != count or receipts < count:
        raise RuntimeError(
            f"{count} messages left {attempts} attempts and {receipts} receipts: not one part each?"
        )
