"""How fast the page of a release of 1,000,000 deliveries opens, and what its dear parts cost.

Run with ``pytest tests/benchmarks/test_release_page.py -m benchmark -s``. All people are invented.
"""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

import pytest
from aiohttp import ClientSession, CookieJar
from aiohttp.test_utils import TestServer
from redis.asyncio import Redis

from gateway.accounts.sealing import sealing_of
from gateway.accounts.sessions import Origin, open_session
from gateway.clock import HandClock
from gateway.desk.service import Desk
from gateway.feeds.by_hand import ByHand
from gateway.settings import load_settings
from gateway.store.database import Database
from gateway.store.desk import Person
from gateway.web import make_app
from gateway.web.console import Console
from gateway.web.console.words import prepare
from tests.desk.conftest import PEOPLE, START, fields, fill, make_office
from tests.web.conftest import CONFIRM, RecordingSink

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(600)]

TARGETS, CHANNELS, VILLAGES, BATCH = 500_000, ("email", "sms"), 500, 500
OPENS = 30
PROMISED_MS = 300
ASIDE = (
    "/unreached",
    "/unreached?who=all",
    "/unreached?who=all&why=5",  # nobody
    "/unreached?who=all&why=-1",  # nobody: all addresses are looked at
    "/unreached?who=all&why=1",
    "/timeline",
    "/coverage",
    "/receipts?q=虚构",
)


def village(number: int) -> str:
    return f"99990110{number // 100 + 3}{number % 100 + 1:03d}"


def states() -> Iterator[int]:
    """Most are delivered; the rest is spread over all that can be."""
    while True:
        yield from (8, 8, 8, 10, 8, 8, 5, 8, 8, 7, 8, 8, 3, 8, 8, 0)


async def grow(database: Database, release: int, target_list: int) -> None:
    """Give a release a million deliveries, its batches and the counters that fit."""
    async with database.raw() as connection:
        regions = [(village(number), f"虚构村{number}", "village", 800) for number in range(VILLAGES)]
        columns = ("code", "name", "level", "population")
        await connection.copy_records_to_table("regions", columns=columns, records=regions)
        targets = (
            (target_list, 1_000_000 + number, village(number % VILLAGES),
             "responsible" if number % 100 == 0 else "resident", "zh-CN",
             f'{{"email": "{number}@example.org", "sms": "86199{number:08d}"}}')
            for number in range(TARGETS)
        )  # fmt: skip
        columns = ("list_id", "contact_id", "region", "role", "language", "addresses")
        await connection.copy_records_to_table("targets", columns=columns, records=targets)
        first = await connection.fetchval("SELECT min(id) FROM targets WHERE contact_id >= 1000000")
        batches = TARGETS * len(CHANNELS) // BATCH
        await connection.execute(
            "INSERT INTO batches (release_id, channel, ordinal, state, due_at)"
            " SELECT $1, ($2::text[])[1 + n % 2], n + 10,"
            " CASE WHEN n % 16 = 0 THEN 'open' ELSE 'done' END, now()"
            " FROM generate_series(1, $3) AS n",
            release, list(CHANNELS), batches,
        )  # fmt: skip
        batch = await connection.fetchval("SELECT min(id) FROM batches WHERE ordinal > 10")
        state = states()
        deliveries = (
            (release, first + number, batch + number // BATCH, channel, village(number % VILLAGES),
             f"86199{number:08d}", "zh-CN", now := next(state), START if now >= 8 else None,
             START if now == 10 else None)
            for channel in CHANNELS
            for number in range(TARGETS)
        )  # fmt: skip
        columns = (
            "release_id", "target_id", "batch_id", "channel", "region", "address", "text_key", "state",
            "delivered_at", "confirmed_at",
        )  # fmt: skip
        await connection.copy_records_to_table("deliveries", columns=columns, records=deliveries)
        await connection.execute("DELETE FROM counters")
        await connection.execute(
            "INSERT INTO counters SELECT release_id, channel, region, state, count(*) FROM deliveries"
            " GROUP BY 1, 2, 3, 4"
        )
        await connection.execute("ANALYZE")


async def released(desk: Desk) -> tuple[int, int]:
    for login, roles in PEOPLE.items():
        await desk.set_person(Person(login, f"虚构 {login}", roles, active=True))
    row = await desk.submit((await desk.draft(fields(), "author")).id, "author")
    for person in ("first", "second"):
        if (await desk.approve(row.id, row.digest, person)).alert.state == "approved":
            break
    sent = await desk.release(row.id, "sender")
    return sent.id, row.target_list_id


async def test_a_release_of_a_million_opens_at_once(database_url, redis_url, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = load_settings(state_dir=tmp_path / "state", secrets={"confirm_key": CONFIRM})
    clock = HandClock(START)
    async with Database(database_url, size=8) as database, Redis.from_url(redis_url) as redis:
        await fill(database)
        desk = Desk(database, clock, make_office())
        number, target_list = await released(desk)
        await grow(database, number, target_list)
        by_hand = ByHand(database, clock, desk, settings)
        console = Console(settings, database, desk, by_hand, clock, sealing_of(settings))
        async with database.begin() as connection:
            token = await open_session(connection, "author", START, Origin("127.0.0.1", "invented browser"))
        app = make_app(settings, database, redis, RecordingSink(), clock, console=console)
        jar = CookieJar(unsafe=True)
        async with (
            TestServer(app) as server,
            ClientSession(cookies={"tongda": token}, cookie_jar=jar) as session,
        ):

            async def opened(part: str = "") -> float:
                began = time.perf_counter()
                async with session.get(server.make_url(f"/desk/releases/{number}{part}")) as response:
                    text = await response.text()
                    assert response.status == 200, text
                return (time.perf_counter() - began) * 1000

            prepare()  # as the web process does when it starts
            first = await opened()
            page = [await opened() for _ in range(OPENS)]
            live = [await opened("/live") for _ in range(OPENS)]
            told = {part: await opened(part) for part in ASIDE}
            again = await opened("/coverage")
    aside = ", ".join(f"{part} {ms:.0f} ms" for part, ms in told.items())
    print(  # noqa: T201 - the figure is what a benchmark is for
        f"\nrelease page of {TARGETS * len(CHANNELS):,}: first {first:.0f} ms, "
        f"median {statistics.median(page):.0f} ms, slowest {max(page):.0f} ms; "
        f"live part median {statistics.median(live):.0f} ms; aside {aside}; coverage kept {again:.0f} ms"
    )
    assert statistics.median(page) < PROMISED_MS
