"""The demo as a desk that stays up: the invented county, its people, and a console to work with.

Everybody gets a password and a second factor that are made for this run and end with it. What can be
reached are the played providers of this process and nothing else.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
import pyotp
from rich.live import Live
from rich.table import Table

from gateway.accounts.enrolment import enrol
from gateway.accounts.sealing import sealing_of
from gateway.audience.county import NAME, load_county, synthetic_county
from gateway.clock import SYSTEM
from gateway.demo.providers import Providers, providers
from gateway.demo.recording import load, playing
from gateway.demo.townsfolk import Townsfolk
from gateway.desk.compose import Changes, Words
from gateway.desk.office import open_office
from gateway.desk.rota import Span, add_duties
from gateway.desk.service import Desk
from gateway.desk.steps import step
from gateway.dispatch.queues import Doorbells
from gateway.ops.gateway import environment, processes, running
from gateway.ops.supervisor import Supervisor
from gateway.settings import load_settings
from gateway.share import share
from gateway.store.database import Database
from gateway.store.desk import Person

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from gateway.accounts.sealing import Sealing
    from gateway.ops.services import Services
    from gateway.settings import Settings

PEOPLE = (
    Person("demo-author", "演练甲", ("author",), active=True),
    Person("demo-approver-1", "演练乙", ("approver",), active=True),
    Person("demo-approver-2", "演练丙", ("approver", "releaser"), active=True),
    Person("demo-registrar", "演练丁", ("registrar",), active=True),
    Person("demo-administrator", "演练戊", ("administrator", "auditor"), active=True),
    Person("demo-leader", "演练己", ("leader",), active=True),
)
"""The desk; nobody real."""

PORT = 8080
"""Where the console listens, unless told otherwise."""
VALID = timedelta(hours=6)
ROSTERED = 14
"""Days that the roster is filled for."""
RECORDED = {"recording": "config/demo/feed", "earthquakes": "config/demo/quake.geojson"}
"""Source -> what is played for it."""
WAITING = "config/demo/rainstorm_orange.xml"
POLICY = "config/demo/approval.toml"
"""Who must agree at the demo's desk."""
TOWNSHIP = "990101001000"
FIRST_WORDS = (
    Words(
        language="zh-CN",
        headline="虚构县气象台发布暴雨黄色预警",
        description="预计未来6小时，青禾镇降雨量将达50毫米以上，并伴有雷电和短时大风，山洪、滑坡和低洼地带积水的风险较高。",
    ),
    Words(
        language="en",
        headline="Yellow rainstorm warning for Qinghe",
        description="More than 50 mm of rain expected within 6 hours in Qinghe, with lightning and gusts. "
        "Risk of flash floods, landslides and flooding of low ground.",
    ),
)
NEXT_WORDS = (
    Words(
        language="zh-CN",
        headline="虚构县气象台更新暴雨橙色预警",
        description="预计未来3小时，全县降雨量将达50毫米以上，并伴有雷电和短时大风，山洪、滑坡和低洼地带积水的风险高。",
    ),
    Words(
        language="en",
        headline="Orange rainstorm warning for Xugou County",
        description="More than 50 mm of rain expected within 3 hours in the whole county, with lightning and "
        "gusts. High risk of flash floods, landslides and flooding of low ground.",
    ),
)
"""What the warning in force says, and what its Update says that waits."""


def address(port: int) -> str:
    """Return where a browser finds the console."""
    return f"http://127.0.0.1:{port}/desk/"


class User(NamedTuple):
    """How somebody of the demo signs in."""

    person: Person
    password: str
    totp_key: str

    @property
    def code(self) -> str:
        """The second factor at this moment."""
        return pyotp.TOTP(self.totp_key).at(SYSTEM.now())


class Stay:
    """One run, until it is cancelled."""

    def __init__(self, console: Console, state_dir: Path, found: Services, port: int) -> None:
        """``port`` is where the web server listens on loopback."""
        self._console = console
        self._state_dir = state_dir
        self._found = found
        self._port = port

    @property
    def _url(self) -> str:
        return address(self._port)

    async def run(self, contacts: int, users_file: Path | None) -> None:
        """Fill the desk, start every process and show how to sign in.

        Args:
            contacts: persons of the county.
            users_file: takes the users as JSON, readable by its owner only: for scripts.
        """
        async with AsyncExitStack() as stack:
            database = await stack.enter_async_context(Database(self._found.database_url))
            live = await stack.enter_async_context(providers())
            drill = await stack.enter_async_context(providers())
            await load_county(database, synthetic_county(contacts=contacts))
            sources = {
                name: await stack.enter_async_context(playing(load(share(path)), SYSTEM.now()))
                for name, path in RECORDED.items()
            }
            given = self._given(live, drill, sources)
            settings = load_settings(**given)
            desk = Desk(database, SYSTEM, open_office(settings))
            users = await self._enrol(database, desk, sealing_of(settings))
            supervisor = Supervisor(processes(settings, environment(given)), signals=False)
            await stack.enter_async_context(running(supervisor.run(), stop=supervisor.stop))
            await stack.enter_async_context(running(Townsfolk(live.played["sms"]).run()))
            await self._attended(settings)
            await self._staff(desk)
            waits = await self._work(desk)
            if users_file is not None:
                self._write(users_file, users, waits)
            await self._show(users)

    def _given(self, live: Providers, drill: Providers, sources: dict[str, Any]) -> dict[str, Any]:
        channels = {
            name: one | {"drill": drill.channels[name]["live"]} for name, one in live.channels.items()
        }
        return {
            "state_dir": str(self._state_dir),
            "database_url": self._found.database_url,
            "redis_url": self._found.redis_url,
            "channels": channels,
            "approval_file": str(share(POLICY)),
            "sources": {
                name: one | {"rule": one["rule"] | {"action": "inbox"}} for name, one in sources.items()
            },
            "web": {"port": self._port},
            "log": {"level": "error", "format": "text"},
        }

    async def _enrol(self, database: Database, desk: Desk, sealing: Sealing) -> list[User]:
        users = []
        for person in PEOPLE:
            await desk.set_person(person)
            user = User(person, secrets.token_urlsafe(12), pyotp.random_base32())
            async with database.begin() as connection:
                await enrol(connection, sealing, person.login, user.password, user.totp_key, SYSTEM.now())
            users.append(user)
        return users

    async def _attended(self, settings: Settings) -> None:
        bells = Doorbells(self._found.redis_url)
        try:
            for queue in settings.worker_counts():
                await bells.attended(queue)
        finally:
            bells.close()

    async def _staff(self, desk: Desk) -> None:
        """Put somebody on duty for the days to come."""
        now = SYSTEM.now()
        today = now.astimezone(desk.office.settings.zone).replace(hour=0, minute=0, second=0, microsecond=0)
        span = Span(today, today + timedelta(days=1))
        author, _, leader, _, administrator, _ = (one.login for one in PEOPLE)
        async with step(desk.database, administrator, now, desk.office.policy) as one:
            for login, post in ((author, "main"), (leader, "leader")):
                await add_duties(one, login, post, span, ROSTERED)

    async def _work(self, desk: Desk) -> int:
        """Leave one warning in force, and one that waits for its approvers; return the number of that."""
        data = share(WAITING).read_bytes()
        author, first, second = (one.login for one in PEOPLE[:3])
        end = SYSTEM.now() + VALID
        sent = Changes(region=TOWNSHIP, level="yellow", expires=end, at_once=True, words=FIRST_WORDS)
        row = await desk.draft_from_cap(data, author, changes=sent)
        row = await desk.submit(row.id, author)
        await desk.approve(row.id, str(row.digest), first)
        await desk.release(row.id, second)
        waits = await desk.update(row.id, author)
        await desk.edit(waits.id, author, Changes(region="990101", level="orange", words=NEXT_WORDS))
        return (await desk.submit(waits.id, author)).id

    def _write(self, path: Path, users: list[User], waits: int) -> None:
        told = {
            "url": self._url,
            "waits": waits,
            "users": {
                one.person.login: {"password": one.password, "totp_key": one.totp_key} for one in users
            },
        }
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(orjson.dumps(told))

    async def _show(self, users: list[User]) -> None:
        """Show address and users; where a terminal is, with the codes of this moment."""
        self._console.print(
            f"{NAME}, invented from end to end, is up: {self._url}\nCtrl-C ends it.",
            highlight=False,
            soft_wrap=True,
        )
        if not self._console.is_terminal:
            for one in users:
                said = f"  {one.person.login}  password {one.password}  key of the code {one.totp_key}"
                self._console.print(said, highlight=False, soft_wrap=True)
            await asyncio.Event().wait()
        with Live(_table(users), console=self._console, auto_refresh=False) as shown:
            while True:
                shown.update(_table(users), refresh=True)
                await asyncio.sleep(1)


def _table(users: list[User]) -> Table:
    table = Table(box=None)
    for name in ("login", "password", "code"):
        table.add_column(name, no_wrap=True)
    table.add_column("who")
    for one in users:
        roles = ", ".join(one.person.roles)
        table.add_row(one.person.login, one.password, one.code, f"{one.person.name} ({roles})")
    return table
