"""A desk that releases, a signer of an invented bureau, and a partner's server that keeps a ledger."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
import pytest
from aiohttp import web
from sqlalchemy import text

from gateway.clock import HandClock
from gateway.desk.compose import Changes
from gateway.desk.service import Desk
from gateway.publish.publication import Publisher, Signer, Subscriber
from gateway.publish.settings import WebhookSettings
from gateway.publish.webhooks import Webhooks
from gateway.store.database import Database
from gateway.store.desk import Person
from gateway.webhook_signature import secret_bytes, verify
from tests.alerts.pki import Holder, make
from tests.desk.conftest import PEOPLE, START, fill, make_office

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

BASE = "https://warnings.example.org"
# Invented secrets of receivers that do not exist.
SECRET, OLD_SECRET = (
    "whsec_" + base64.b64encode(hashlib.sha256(b"invented %d" % number).digest()).decode()
    for number in range(2)
)


class Call(NamedTuple):
    """One request that the partner's server got."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def data(self) -> dict[str, Any]:
        return orjson.loads(self.body)["data"]

    def check(self, now, *secrets: str):
        """Verify the signature as a receiver does."""
        given = (self.headers[f"webhook-{name}"] for name in ("id", "timestamp", "signature"))
        return verify([secret_bytes(one) for one in secrets or (SECRET,)], *given, self.body, now)


class Partner:
    """A server that answers as it is told and keeps every call."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.script: list[Any] = []
        """What comes next: a status, (status, headers), "drop", or "hang"; then 204 for ever."""
        self.came = asyncio.Event()
        self.free = asyncio.Event()

    async def take(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.calls.append(Call(request.path, headers, await request.read()))
        self.came.set()
        step = self.script.pop(0) if self.script else 204
        if step == "drop":
            request.transport.close()
            return web.Response()
        if step == "hang":
            await self.free.wait()
            return web.Response()
        status, more = step if isinstance(step, tuple) else (step, {})
        return web.Response(status=status, headers=more)

    @property
    def told(self) -> list[str]:
        return [one.data["identifier"] for one in self.calls]


@pytest.fixture
def clock() -> HandClock:
    return HandClock(START)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database(database_url, size=6) as opened:
        await fill(opened)
        yield opened


@pytest.fixture
async def desk(database, clock) -> Desk:
    made = Desk(database, clock, make_office())
    for login, roles in PEOPLE.items():
        await made.set_person(Person(login, f"虚构 {login}", roles, active=True))
    return made


@pytest.fixture(scope="session")
def bureau() -> Holder:
    return make("Invented bureau")


@pytest.fixture
def signer(bureau) -> Signer:
    return Signer(bureau.key, [bureau.certificate])


@pytest.fixture
async def partner(aiohttp_server):
    made = Partner()
    app = web.Application()
    app.router.add_post("/{tail:.*}", made.take)
    server = await aiohttp_server(app)
    made.url = str(server.make_url("/hook"))
    yield made
    made.free.set()


def hook(url: str, **changes: Any) -> WebhookSettings:
    how = {"url": url, "secrets": SECRET, "allow_http": True, "allow_private": True}
    return WebhookSettings.model_validate(how | changes)


@pytest.fixture
def outgoing(database, clock, signer):
    """Make a publisher and webhooks for these targets."""

    def made(**hooks: WebhookSettings) -> tuple[Publisher, Webhooks]:
        subscribers = {name: Subscriber.load(one) for name, one in hooks.items() if one.enabled}
        publisher = Publisher(database, signer, subscribers, clock=clock)
        webhooks = Webhooks(database, hooks, BASE, published=publisher.published, lease=0.2, clock=clock)
        return publisher, webhooks

    return made


@pytest.fixture
def publisher(outgoing) -> Publisher:
    return outgoing()[0]


@pytest.fixture
def sql(database):
    """Run a statement and return its rows."""

    async def run(statement: str, **values: Any):
        async with database.begin() as connection:
            result = await connection.execute(text(statement), values)
            return result.all() if result.returns_rows else []

    return run


async def follow(desk: Desk, row: Any, **changes: Any):
    """Send a drafted or prepared follower; returns it as it then is."""
    if changes:
        await desk.edit(row.id, "author", Changes(**changes))
    row = await desk.submit(row.id, "author")
    for person in ("first", "second", "third"):
        if (await desk.approve(row.id, row.digest, person)).alert.state != "submitted":
            break
    if (await desk.show(row.id)).alert.state == "approved":
        await desk.release(row.id, "sender")
    return (await desk.show(row.id)).alert
