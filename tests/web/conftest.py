"""The real application on a real port, over a real database, ledger and Valkey."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp.test_utils import TestServer
from redis.asyncio import Redis

from channels.base import Proof
from gateway.clock import HandClock
from gateway.receipts.ledger import Ledger
from gateway.settings import load_settings
from gateway.store.database import Database
from gateway.web import make_app
from tests.coverage.build import NORTH_1, RELEASED, Person, Sent, build

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

# Invented keys.
CONFIRM, CONFIRM_OLD, CALLBACK, CALLBACK_OLD = (
    hashlib.sha256(b"invented %d" % number).hexdigest() for number in range(4)
)


class RecordingSink:
    """Keeps what it is given and acknowledges it only when told to."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, str, str, Any]] = []
        self.waiting: list[Any] = []
        self.durable = True

    def __call__(self, channel: str, source: str, mode: str):
        def take(reports, acknowledge) -> None:
            self.taken += [(channel, source, mode, report) for report in reports]
            if self.durable:
                acknowledge()
            else:
                self.waiting.append(acknowledge)

        return take


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database(database_url, size=3) as opened:
        yield opened


@pytest.fixture
async def ledger(database) -> AsyncIterator[Ledger]:
    async with Ledger(database, interval=0.005) as opened:
        yield opened


@pytest.fixture
def clock() -> HandClock:
    return HandClock(RELEASED)


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return load_settings(
        state_dir=tmp_path / "state",
        secrets={
            "confirm_key": CONFIRM,
            "old_confirm_keys": [CONFIRM_OLD],
            "callback_keys": {"sms": CALLBACK, "email": [CALLBACK, CALLBACK_OLD], "sms.drill": CALLBACK_OLD},
        },
    )


@pytest.fixture
def recording() -> RecordingSink:
    return RecordingSink()


@pytest.fixture
async def redis(redis_url) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as opened:
        yield opened


@pytest.fixture
async def serve(settings, database, redis, clock, aiohttp_client):
    """Start the application over a sink; returns a client of it."""

    async def start(sink, **how):
        app = make_app(settings, database, redis, sink, clock, **how)
        return await aiohttp_client(TestServer(app))

    return start


@pytest.fixture
async def client(serve, ledger):
    return await serve(ledger.sink)


@pytest.fixture
def release(database):
    """Write a release to one responsible person over SMS; returns what was written."""

    async def make(state: Proof = Proof.ACCEPTED, language: str = "zh-CN", **how):
        return await build(
            database, [Person(NORTH_1, "responsible", {"sms": Sent(state)}, language=language)], **how
        )

    return make
