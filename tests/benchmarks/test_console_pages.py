"""How fast every page of the console answers while a release of 100,000 is being sent.

The real processes: web, reconciler, two workers, an SMSC of its own, embedded PostgreSQL and Valkey. The
county of the demo (20,000 contacts) has 100,000 more residents in one township; the route's contract is
:data:`RATE` messages a second, so that the release lasts as long as the asking. Run with
``pytest tests/benchmarks/test_console_pages.py -m benchmark -s``. All people are invented.
"""

from __future__ import annotations

import os
import re
import statistics
import time
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from aiohttp import ClientSession, CookieJar

from gateway.accounts.sessions import Origin, open_session
from gateway.alerts.model import Area, ValuePair
from gateway.audience.county import load_county, synthetic_county
from gateway.bench.sms import APPROVERS, AUTHOR, QUEUE, TOWNSHIP, WINDOW, played_smsc
from gateway.clock import SYSTEM
from gateway.demo.story import free_port
from gateway.desk import drills
from gateway.desk.compose import Fields
from gateway.desk.office import open_office
from gateway.desk.service import Desk
from gateway.dispatch.queues import Doorbells
from gateway.feeds.intake import Intake
from gateway.ops.gateway import environment, processes, running
from gateway.ops.supervisor import Supervisor
from gateway.settings import load_settings
from gateway.store import bench
from gateway.store.database import Database
from gateway.store.desk import Person
from gateway.web.console.app import all_routes
from tests.feeds.conftest import item, message

if TYPE_CHECKING:
    from gateway.store.desk import AlertRow

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(900)]

RESIDENTS, RATE, ROUNDS, WORKERS = 100_000, 1000.0, 20, 2
PROMISED_MS = 100
DEAR = {"/people/places/{code}"}
"""Adds up every contact with and without an address: six times the demo county's here."""
EVERYTHING = Person(
    "bench-everything",
    "invented",
    ("author", "approver", "releaser", "registrar", "administrator", "auditor", "leader"),
    active=True,
)
LEFT_OUT = {
    "/live",  # a stream
    "/admin/shown/{name}",  # once
    "/assets/{hash}/{name}",
    "/attachments/{id}",
    "/channels/test/{id}",
    "/inbox/seismic/{id}",
    "/people/imports/{id}",
    "/people/imports/{id}/report.csv",
    "/sign-in/back",
    "/sign-in/elsewhere",
    "/welcome",
}
"""What the invented desk has none of, or nobody looks at."""


class Desks(NamedTuple):
    """What there is to look at, by what stands in addresses."""

    numbers: dict[str, str]

    def fill(self, path: str) -> str:
        """Return a route's address with something that exists."""
        kind = path.split("/")[1]
        own = self.numbers.get(path) or self.numbers.get(f"{path.partition('{')[0]}{{id}}")
        found = own or self.numbers.get(kind, "1")
        path = path.replace("report.{kind}", "report.html").replace("export.{form}", "export.csv")
        return re.sub(r"\{\w+\}", found, path)


def patterns() -> list[str]:
    """Every address of a GET page, its variables without their patterns."""
    paths = (route.path for route in all_routes() if route.method == "GET")
    plain = (re.sub(r"\{(\w+):(?:[^{}]|\{[^{}]*\})*\}", r"{\1}", path) for path in paths)
    return [path for path in plain if path not in LEFT_OUT]


def fields(level: str, **more: object) -> Fields:
    code = ValuePair(value_name="GB/T 2260", value=TOWNSHIP)
    return Fields.model_validate(
        {
            "hazard": "11B03",
            "level": level,
            "areas": (Area(area_desc="虚构镇", geocodes=(code,)),),
            "event": "暴雨",
            "description": "过去3小时降雨量已达50毫米，预计仍将持续",
            "instruction": "请立即远离山沟、河道和低洼地带",
            "expires": SYSTEM.now() + timedelta(hours=6),
            "sender_name": "虚构县气象台",
        }
        | more
    )


async def submitted(desk: Desk, level: str, **more: object) -> AlertRow:
    return await desk.submit((await desk.draft(fields(level, **more), AUTHOR.login)).id, AUTHOR.login)


async def released(desk: Desk, row: AlertRow) -> int:
    for person in APPROVERS:
        signed = await desk.approve(row.id, str(row.digest), person.login)
        if signed.have >= signed.need:
            break
    return (await desk.release(row.id, APPROVERS[0].login)).id


async def fill(database: Database, desk: Desk, intake: Intake) -> AlertRow:
    """Lay the county and its desk; return the warning that is ready to be approved and sent."""
    await load_county(database, synthetic_county())
    async with database.raw() as connection:
        await bench.load_residents(connection, TOWNSHIP, RESIDENTS)
    for person in (AUTHOR, *APPROVERS, EVERYTHING):
        await desk.set_person(person)
    await drills.end(desk, await drills.start(desk, "虚构演练", EVERYTHING.login), EVERYTHING.login)
    await intake.take("weather", "cap", item(message()))
    await desk.draft(fields("blue"), EVERYTHING.login)
    await submitted(desk, "yellow")
    return await submitted(desk, "orange")


async def numbers(database: Database, release: int) -> Desks:
    async with database.raw() as connection:

        async def one(query: str) -> str:
            return str(await connection.fetchval(query))

        sent = await one(f"SELECT alert_id FROM releases WHERE id = {release}")
        return Desks(
            {
                "releases": str(release),
                "deliveries": await one(f"SELECT min(id) FROM deliveries WHERE release_id = {release}"),
                "alerts": await one("SELECT min(id) FROM alerts WHERE state = 'submitted'"),
                "/alerts/{id}/edit": await one("SELECT min(id) FROM alerts WHERE state = 'draft'"),
                "/alerts/{id}/release": sent,
                "inbox": await one("SELECT min(id) FROM incoming"),
                "people": await one("SELECT min(id) FROM contacts WHERE role = 'responsible'"),
                "/people/groups/{id}": await one("SELECT min(id) FROM contact_groups"),
                "/people/places/{code}": TOWNSHIP,
                "/people/places/{code}/gaps": TOWNSHIP,
                "admin": AUTHOR.login,
            }
        )


async def opened(session: ClientSession, url: str) -> tuple[int, float]:
    began = time.perf_counter()
    async with session.get(url, allow_redirects=False) as response:
        await response.read()
        return response.status, (time.perf_counter() - began) * 1000


def told(times: dict[str, list[float]]) -> str:
    """The pages as a table, the slowest first."""
    lines = sorted(times.items(), key=lambda one: -statistics.median(one[1]))
    rows = (
        f"| `{path}` | {statistics.median(ms):.0f} | {statistics.quantiles(ms, n=20)[-1]:.0f} |"
        for path, ms in lines
    )
    return "\n".join(("| page | median, ms | 95 %, ms |", "|---|---|---|", *rows))


def peak_mb(pid: int) -> int:
    return int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text("ascii"))[1]) // 1024


async def test_every_page_answers_while_a_release_is_sent(database_url, redis_url, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    async with AsyncExitStack() as stack:
        smsc = await stack.enter_async_context(played_smsc())
        database = await stack.enter_async_context(Database(database_url))
        given = {
            "state_dir": str(tmp_path / "state"),
            "database_url": database_url,
            "redis_url": redis_url,
            "channels": {"sms": {"kind": "smpp", "live": smsc.settings | {"window": WINDOW, "rate": RATE}}},
            "sources": {"weather": {"kind": "cap", "url": "https://feed.example.org/cap", "enabled": False}},
            "workers": {QUEUE: WORKERS},
            "web": {"port": free_port()},
            "log": {"level": "warning", "format": "text"},
        }
        settings = load_settings(**given)
        desk = Desk(database, SYSTEM, open_office(settings))
        ready = await fill(database, desk, Intake(database, SYSTEM, desk, settings))
        wanted = {"web", "reconcile", QUEUE}
        children = [
            child for child in processes(settings, environment(given)) if child.name.split("#")[0] in wanted
        ]
        supervisor = Supervisor(children, signals=False)
        await stack.enter_async_context(running(supervisor.run(), stop=supervisor.stop))
        bells = Doorbells(redis_url)
        await bells.attended(QUEUE, WORKERS)
        bells.close()
        async with database.begin() as connection:
            token = await open_session(connection, EVERYTHING.login, SYSTEM.now(), Origin("127.0.0.1", "x"))
        session = await stack.enter_async_context(
            ClientSession(
                f"http://127.0.0.1:{settings.web.port}",
                cookies={"tongda": token},
                cookie_jar=CookieJar(unsafe=True),
            )
        )
        release = await released(desk, ready)
        there = await numbers(database, release)
        times: dict[str, list[float]] = {path: [] for path in patterns()}
        first, strange = {}, {}
        for number in range(-1, ROUNDS):
            for path, taken in times.items():
                status, ms = await opened(session, f"/desk{there.fill(path)}")
                if number < 0:
                    first[path] = ms
                    strange |= {} if status in {200, 303} else {path: status}
                else:
                    taken.append(ms)
        async with database.raw() as connection:
            attempts, receipts = await bench.recorded(connection, release)
        memory = peak_mb(supervisor.pid("web") or os.getpid())
    slowest = ", ".join(f"{path} {ms:.0f}" for path, ms in sorted(first.items(), key=lambda one: -one[1])[:5])
    print(  # noqa: T201 - the figures are what it is for
        f"\n{told(times)}\nfirst open, ms: {slowest}\nmeanwhile {attempts:,} of {RESIDENTS:,} sent, "
        f"{receipts:,} receipts; web process at most {memory} MB; load {os.getloadavg()[0]:.1f}"
    )
    assert strange == {}
    assert attempts < RESIDENTS, "the release was over before the pages were asked"
    late = {path for path, ms in times.items() if statistics.median(ms) >= PROMISED_MS}
    assert late <= DEAR
