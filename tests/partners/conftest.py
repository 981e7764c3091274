"""The partner API on a real port, over a real database, desk, intake and Valkey. Partners are invented."""

from __future__ import annotations

import hashlib
import itertools
import json
from datetime import timedelta
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from aiohttp.test_utils import TestServer
from redis.asyncio import Redis

from gateway.clock import HandClock
from gateway.desk.service import Desk
from gateway.feeds.intake import Intake
from gateway.partners import keys
from gateway.partners.keys import NewKey, Scope
from gateway.partners.requests import payload
from gateway.partners.service import open_partners
from gateway.settings import load_settings
from gateway.store.database import Database
from gateway.web import make_app
from gateway.webhook_signature import ID, SIGNATURE, TIMESTAMP, secret_bytes, sign
from tests.desk.conftest import NORTH, START, fill, make_office

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

    from aiohttp import ClientResponse
    from aiohttp.test_utils import TestClient
    from aiohttp.web import Application

ALERTS = "/api/v1/alerts"
CAP = "application/cap+xml"
JSON = "application/json"
SERVER_KEY = hashlib.sha256(b"invented").hexdigest()
PARTNERS: dict[str, Any] = {
    "water": {"name": "虚构水利局", "rule": {"action": "draft"}, "push_per_minute": 5000},
    "quake": {"name": "虚构地震局", "signature": "optional"},
}
_numbers = itertools.count(1)


def form(**changes: Any) -> dict[str, Any]:
    """An alert in JSON; every call makes another one."""
    info = {
        "language": "zh-CN",
        "categories": ["Met"],
        "event": "暴雨",
        "urgency": "Expected",
        "severity": "Moderate",
        "certainty": "Likely",
        "expires": (START + timedelta(hours=3)).isoformat(),
        "sender_name": "虚构水利局",
        "headline": "虚构暴雨黄色预警",
        "description": "虚构：预计3小时内降雨量将达50毫米以上",
        "instruction": "请远离山沟和低洼地带",
        "areas": [{"area_desc": "北山镇", "geocodes": [{"value_name": "GB/T 2260", "value": NORTH}]}],
    }
    info |= changes.pop("info", {})
    plain = {
        "identifier": f"invented-{next(_numbers)}",
        "sender": "water@example.org",
        "sent": START.isoformat(),
        "status": "Actual",
        "msg_type": "Alert",
        "scope": "Public",
        "infos": [info],
    }
    return plain | changes


def encode(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode()


class Partner(NamedTuple):
    """A partner with its key, and the connection it speaks through."""

    client: TestClient
    key: NewKey
    clock: HandClock

    def headers(
        self,
        method: str,
        target: str,
        body: bytes = b"",
        *,
        nonce: str | None = None,
        at: datetime | None = None,
        secret: str | None = None,
    ) -> dict[str, str]:
        nonce, at = nonce or f"try-{next(_numbers)}", at or self.clock.now()
        signature = sign(secret_bytes(secret or self.key.secret), nonce, at, payload(method, target, body))
        return {
            "Authorization": f"Bearer {self.key.text}",
            ID: nonce,
            TIMESTAMP: str(int(at.timestamp())),
            SIGNATURE: signature,
        }

    async def push(
        self,
        body: bytes | dict[str, Any],
        *,
        target: str = ALERTS,
        kind: str = JSON,
        idempotency: str | None = None,
        headers: dict[str, str] | None = None,
        **how: Any,
    ) -> ClientResponse:
        data = encode(body) if isinstance(body, dict) else body
        sent = {"Content-Type": kind, "Idempotency-Key": idempotency or f"request-{next(_numbers)}"}
        sent |= self.headers("POST", target, data, **how) | (headers or {})
        return await self.client.post(target, data=BytesIO(data), headers=sent)

    async def get(self, path: str = "", **how: Any) -> ClientResponse:
        return await self.client.get(
            ALERTS + path, headers={"Authorization": f"Bearer {self.key.text}"}, **how
        )

    async def pushed(self, **changes: Any) -> dict[str, Any]:
        response = await self.push(form(**changes))
        assert response.status == 202, await response.text()
        return await response.json()


@pytest.fixture
def clock() -> HandClock:
    return HandClock(START)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database(database_url, size=8) as opened:
        await fill(opened)
        yield opened


@pytest.fixture
async def redis(redis_url) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as opened:
        yield opened


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return load_settings(state_dir=tmp_path / "state", partners=PARTNERS, secrets={"partner_key": SERVER_KEY})


@pytest.fixture
def office():
    return make_office()


@pytest.fixture
def intake(database, clock, office, settings) -> Intake:
    return Intake(database, clock, Desk(database, clock, office), settings)


@pytest.fixture
def build(settings, database, redis, clock, office, intake):
    """Return the application; ``settings``, ``redis``, ``intake`` and ``database`` may be others."""

    def make(**changed: Any) -> Application:
        said = {"settings": settings, "database": database, "redis": redis, "intake": intake} | changed
        made = open_partners(**said, hazards=office.hazards, clock=clock)
        return make_app(said["settings"], said["database"], redis, _no_reports, clock, made)

    return make


@pytest.fixture
def serve(build, aiohttp_client):
    """Start the application; returns a client of it."""

    async def start(**changed: Any) -> TestClient:
        return await aiohttp_client(TestServer(build(**changed)))

    return start


def _no_reports(*_: Any) -> Any:
    raise AssertionError("no report is expected")


@pytest.fixture
def make_key(database, clock):
    """Make a key of a partner; narrowed by the fields of Scope."""

    async def make(name: str = "water", *, expires: timedelta = timedelta(days=30), **scope: Any) -> NewKey:
        until = clock.now() + expires
        return await keys.add(database, name, Scope(**scope), until, SERVER_KEY.encode(), clock)

    return make


@pytest.fixture
async def client(serve) -> TestClient:
    return await serve()


@pytest.fixture
def partner(client, make_key, clock):
    """Return a partner with a key of its own; scope as keywords."""

    async def make(name: str = "water", **scope: Any) -> Partner:
        return Partner(client, await make_key(name, **scope), clock)

    return make


@pytest.fixture
async def water(partner) -> Partner:
    return await partner()


async def problem(response: ClientResponse) -> str:
    """Return the code of a problem, which must be well formed."""
    assert response.content_type == "application/problem+json", await response.text()
    said = await response.json()
    assert set(said) == {"type", "title", "status", "detail"}
    assert said["status"] == response.status
    assert said["detail"]
    return said["type"].removeprefix("urn:tongda:problem:")
