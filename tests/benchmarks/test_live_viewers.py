"""What a hundred open watch boards cost the web process while counters change twice a second.

Run with ``pytest tests/benchmarks/test_live_viewers.py -m benchmark -s``. Viewers and the changes live in
a process of their own; the database is one as well, so that the figure is the web process alone.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path

import pytest
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
from tests.desk.conftest import PEOPLE, START, fill, make_office, sent
from tests.web.conftest import CONFIRM, RecordingSink

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(300)]

VIEWERS, SECONDS, WARM_UP, WARNINGS, VILLAGES = 100, 20, 5, 5, 500
PROMISED = 0.05
"""Of one core."""
VIEWER = """
import asyncio, json, sys
import asyncpg
from aiohttp import ClientSession, ClientTimeout, TCPConnector

url, token, database = sys.argv[1:4]
viewers, seconds = map(int, sys.argv[4:6])

async def view(session, heard):
    async with session.get(url, params={"events": "board waiting release alarm"}) as response:
        async for line in response.content:
            if line.startswith(b"event: "):
                name = line[7:].decode().strip()
                heard[name] = heard.get(name, 0) + 1

async def change():
    connection = await asyncpg.connect(database)
    while True:
        await connection.execute(
            "UPDATE counters SET count = count + 1 WHERE ctid IN (SELECT ctid FROM counters LIMIT 40)")
        await asyncio.sleep(0.5)

async def main():
    heard = {}
    connector = TCPConnector(limit=0)
    async with ClientSession(cookies={"tongda": token, "tongda_language": "zh-CN"}, connector=connector,
                             timeout=ClientTimeout(total=None)) as session:
        tasks = [asyncio.create_task(view(session, heard)) for _ in range(viewers)]
        tasks.append(asyncio.create_task(change()))
        await asyncio.wait(tasks, timeout=seconds)
        print(json.dumps(heard))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

asyncio.run(main())
"""


async def widen(database: Database) -> None:
    """Give each release the counters of a large one: four channels, many villages, four states."""
    async with database.raw() as connection:
        await connection.execute(
            "INSERT INTO counters (release_id, channel, region, state, count)"
            " SELECT r.id, c, lpad(n::text, 12, '9'), s, 120 FROM releases AS r,"
            " unnest(ARRAY['sms', 'email', 'wecom', 'radio']) AS c, generate_series(1, $1::int) AS n,"
            " unnest(ARRAY[0, 5, 8, 10]) AS s ON CONFLICT DO NOTHING",
            VILLAGES,
        )
        await connection.execute("ANALYZE counters")


def resident_mb() -> float:
    """What this process, the web server's, holds in memory."""
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE") / 1e6


async def test_a_hundred_viewers(database_url, redis_url, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    clock = HandClock(START)
    async with Database(database_url, size=12) as database, Redis.from_url(redis_url) as redis:
        await fill(database)
        desk = Desk(database, clock, make_office())
        for login, roles in PEOPLE.items():
            await desk.set_person(Person(login, f"虚构 {login}", roles, active=True))
        for _ in range(WARNINGS):
            await sent(desk)
        await widen(database)
        settings = load_settings(state_dir=tmp_path / "state", secrets={"confirm_key": CONFIRM})
        by_hand = ByHand(database, clock, desk, settings)
        console = Console(settings, database, desk, by_hand, clock, sealing_of(settings))
        async with database.begin() as connection:
            token = await open_session(connection, "author", clock.now(), Origin("127.0.0.1", "invented"))
        app = make_app(settings, database, redis, RecordingSink(), clock, console=console)
        async with TestServer(app) as server:
            url = str(server.make_url("/desk/live"))
            numbers = (str(VIEWERS), str(WARM_UP + SECONDS + 2))
            command = (sys.executable, "-c", VIEWER, url, token, database_url, *numbers)
            before = resident_mb()
            process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
            await asyncio.sleep(WARM_UP)
            spent, begun = time.process_time(), time.perf_counter()
            await asyncio.sleep(SECONDS)
            share = (time.process_time() - spent) / (time.perf_counter() - begun)
            memory = resident_mb() - before
            heard = json.loads((await process.communicate())[0])
    print(  # noqa: T201 - the figure is what it is for
        f"\n{VIEWERS} viewers, {WARNINGS} releases: {share:.1%} of a core, {memory:.0f} MB more; "
        f"events heard: {heard}"
    )
    assert heard["board"] >= VIEWERS * (SECONDS // 2)
    assert share < PROMISED
