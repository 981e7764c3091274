"""The steps of the demo, told as they happen."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from gateway.audience.county import NAME, load_county, synthetic_county
from gateway.clock import SYSTEM
from gateway.coverage import coverage, recount, render_csv, render_html, render_text
from gateway.demo import stay
from gateway.demo.providers import providers
from gateway.demo.recording import Recording
from gateway.demo.screen import Screen, standing
from gateway.demo.source import Source
from gateway.demo.townsfolk import Townsfolk
from gateway.desk.compose import Changes
from gateway.desk.office import open_office
from gateway.desk.service import Desk
from gateway.dispatch.queues import Doorbells
from gateway.ops.gateway import environment, processes, running
from gateway.ops.supervisor import Supervisor
from gateway.settings import load_settings
from gateway.share import share
from gateway.store import audit
from gateway.store.coverage import counts_by_channel
from gateway.store.database import Database
from gateway.store.desk import Person

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from rich.console import Console

    from gateway.demo.screen import Standing
    from gateway.desk.leaving import Released
    from gateway.ops.services import Services
    from gateway.settings import Settings
    from gateway.store.desk import AlertRow

PEOPLE = (
    Person("demo-author", "演练甲（录入）", ("author",), active=True),
    Person("demo-approver-1", "演练乙（审核）", ("approver",), active=True),
    Person("demo-approver-2", "演练丙（签发）", ("approver", "releaser"), active=True),
)
"""The desk of the demo; nobody real."""

VALID = timedelta(hours=6)
"""How long the demo's warning holds from the moment it is drafted."""
LOOK_SECONDS = 0.25
QUIET_SECONDS = 3.0
"""The demo's receipts are in once nothing has changed for so long."""
LONGEST_SECONDS = 75.0


class CapFile(NamedTuple):
    """A CAP file that somebody brought to the desk."""

    name: str
    data: bytes


class Story:
    """One run of the demo."""

    def __init__(
        self, console: Console, state_dir: Path, found: Services, folder: Path, language: str
    ) -> None:
        """``folder`` takes coverage.html and coverage.csv, written in ``language``."""
        self.console = console
        self.folder = folder
        self._language = language
        self._state_dir = state_dir
        self._found = found
        self._began = time.monotonic()

    def tell(self, text: str) -> None:
        """Write one step with the seconds since the start."""
        self.console.print(
            f"[dim]{time.monotonic() - self._began:5.1f} s[/dim]  {text}", highlight=False, soft_wrap=True
        )

    async def run(self, told: CapFile | Recording, area: str | None) -> None:
        """Play all of it; raises DeskRefused or AreaRefused where the product would refuse."""
        async with Database(self._found.database_url) as database, providers() as played:
            await self._load(database)
            given = self._given(played.channels)
            settings = load_settings(**given)
            desk = Desk(database, SYSTEM, open_office(settings))
            for person in PEOPLE:
                await desk.set_person(person)
            row = await self._bring(told, desk, given, area)
            alert, lane = await self._submit(desk, row)
            async with (
                self._processes(settings, environment(given), lane),
                running(Townsfolk(played.played["sms"]).run()),
            ):
                released = await self._approve_and_release(desk, alert)
                await self._watch(database, released)
                await self._measure(database, released, settings)

    async def _load(self, database: Database) -> None:
        county = synthetic_county()
        await load_county(database, county)
        responsible = sum(1 for one in county.contacts if one.role == "responsible")
        persons = sum(1 for one in county.contacts if one.role not in {"group", "device"})
        self.tell(
            f"[bold]{NAME}[/bold], invented: {len(county.townships)} townships, {len(county.villages)} "
            f"villages, {persons:,} contacts, {responsible} of them responsible persons"
        )

    def _given(self, channels: dict[str, Any]) -> dict[str, Any]:
        return {
            "state_dir": str(self._state_dir),
            "database_url": self._found.database_url,
            "redis_url": self._found.redis_url,
            "channels": channels,
            "approval_file": str(share(stay.POLICY)),
            "web": {"port": free_port()},
            "log": {"level": "warning", "format": "text"},
        }

    async def _bring(
        self, told: CapFile | Recording, desk: Desk, given: dict[str, Any], area: str | None
    ) -> AlertRow:
        """Return the draft: of a file that somebody brought, or of what a source sent."""
        changes = Changes(region=area, expires=SYSTEM.now() + VALID)
        author = PEOPLE[0].login
        if isinstance(told, Recording):
            row = await Source(desk, self.tell).bring(told, given, author, changes)
        else:
            row = await desk.draft_from_cap(told.data, author, changes=changes)
        origin = told.name if isinstance(told, CapFile) else "what the source sent"
        self.tell(
            f"[bold]drafted[/bold] from {origin} by {row.author}: {row.hazard}, {row.level}, alert {row.id}"
        )
        return row

    async def _submit(self, desk: Desk, row: AlertRow) -> tuple[int, str]:
        row = await desk.submit(row.id, PEOPLE[0].login)
        sheet = await desk.show(row.id)
        self.tell(
            f"[bold]submitted[/bold]: {sheet.recipients:,} recipients frozen, digest {str(row.digest)[:12]}, "
            f"{sheet.need} approver(s) needed"
        )
        return row.id, str((row.plan or {})["lane"])

    async def _approve_and_release(self, desk: Desk, alert: int) -> Released:
        row = (await desk.show(alert)).alert
        for person in PEOPLE[1:]:
            signed = await desk.approve(alert, str(row.digest), person.login)
            self.tell(f"[bold]approved[/bold] by {person.login}: {signed.have} of {signed.need}")
            if signed.have >= signed.need:
                break
        released = await desk.release(alert, PEOPLE[2].login)
        planned = ", ".join(f"{name} {count:,}" for name, count in released.deliveries.items())
        self.tell(f"[bold]released[/bold] {released.reference}: {planned} deliveries; the Cancel is prepared")
        return released

    @contextlib.asynccontextmanager
    async def _processes(self, settings: Settings, env: dict[str, str], lane: str) -> AsyncIterator[None]:
        """Run web, reconciler and one worker for each channel's queue of this lane."""
        wanted = {"web", "reconcile"} | {f"{channel}.{lane}" for channel in settings.channels}
        children = [child for child in processes(settings, env) if child.name in wanted]
        supervisor = Supervisor(children, signals=False)
        async with running(supervisor.run(), stop=supervisor.stop):
            await self._attended([child.name for child in children if "." in child.name])
            self.tell(f"[bold]up[/bold]: {', '.join(sorted(wanted))}")
            yield

    async def _attended(self, queues: list[str]) -> None:
        """Wait until every queue has its worker, as at a desk that is up already."""
        bells = Doorbells(self._found.redis_url)
        try:
            for queue in queues:
                await bells.attended(queue)
        finally:
            bells.close()

    async def _watch(self, database: Database, released: Released) -> None:
        """Show how it goes until the receipts are in."""
        began = changed = time.monotonic()
        before: Mapping[str, Standing] = {}
        with Screen(self.console) as screen:
            while True:
                async with database.begin() as connection:
                    counts = await counts_by_channel(connection, released.id)
                standings = {name: standing(states) for name, states in counts.items()}
                if standings != before:
                    before, changed = standings, time.monotonic()
                    screen.show(standings)
                quiet = time.monotonic() - changed > QUIET_SECONDS
                pending = any(one.pending for one in standings.values())
                if (quiet and not pending) or time.monotonic() - began > LONGEST_SECONDS:
                    return
                await asyncio.sleep(LOOK_SECONDS)

    async def _measure(self, database: Database, released: Released, settings: Settings) -> None:
        zone = settings.desk.zone
        measured = await coverage(database, released.id)
        self.console.print()
        self.console.print(
            render_text(measured, self._language, zone), highlight=False, markup=False, soft_wrap=True
        )
        differences = await recount(database, released.id)
        async with database.begin() as connection:
            chain = await audit.verify(connection)
        verdict = "counters and rows agree" if not differences else f"{len(differences)} counters differ"
        self.tell(f"{verdict}; the audit chain of {chain.records} records verifies")
        for name, text in (
            ("coverage.html", render_html(measured, self._language, zone)),
            ("coverage.csv", render_csv(measured, self._language, zone)),
        ):
            (self.folder / name).write_text(text, encoding="utf-8")
        self.tell(f"wrote {self.folder / 'coverage.html'} and coverage.csv")
        self.tell(
            f"to work at this desk yourself: [bold]make run[/bold], then {stay.address(stay.PORT)} as "
            f"{', '.join(one.login for one in stay.PEOPLE)}; it prints their passwords and codes"
        )


def free_port() -> int:
    """Return a loopback port that nobody listens on at this moment."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
