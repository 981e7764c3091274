"""S3: whether the time of a refusal tells that a login exists.

Known and unknown logins are asked about in turn over HTTP, each from an address of its own so that no
pause is met, and the medians are compared. Run with
``pytest tests/benchmarks/test_sign_in_gap.py -m benchmark -s`` on a quiet machine. Everybody is invented.
"""

from __future__ import annotations

import random
import statistics
import time

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer
from redis.asyncio import Redis

from gateway.accounts.enrolment import enrol
from gateway.accounts.sealing import sealing_of
from gateway.clock import HandClock
from gateway.desk.service import Desk
from gateway.feeds.by_hand import ByHand
from gateway.settings import load_settings
from gateway.store.database import Database
from gateway.store.desk import Person
from gateway.web import make_app
from gateway.web.console import Console
from tests.accounts.conftest import KEY, PASSWORD
from tests.desk.conftest import START, make_office
from tests.web.conftest import CONFIRM, RecordingSink

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(900)]

ASKED, WARM_UP = 400, 20
"""Times that each login is asked about."""
PROMISED = 0.10
CASES = {"exists": "author", "does not": "nobody", "left": "gone", "without an account": "late"}


async def test_the_time_of_a_refusal_tells_no_login(database_url, redis_url, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    clock = HandClock(START)
    settings = load_settings(state_dir=tmp_path / "state", secrets={"confirm_key": CONFIRM})
    settings.console.behind_proxy = True
    spent: dict[str, list[float]] = {case: [] for case in CASES}
    async with Database(database_url, size=4) as database, Redis.from_url(redis_url) as redis:
        desk = Desk(database, clock, make_office())
        for login in ("author", "gone", "late"):
            await desk.set_person(Person(login, f"虚构 {login}", ("author",), active=True))
        async with database.begin() as connection:
            for login in ("author", "gone"):
                await enrol(connection, sealing_of(settings), login, PASSWORD, KEY, START)
        await desk.set_person(Person("gone", "虚构 gone", ("author",), active=False))
        by_hand = ByHand(database, clock, desk, settings)
        console = Console(settings, database, desk, by_hand, clock, sealing_of(settings))
        app = make_app(settings, database, redis, RecordingSink(), clock, console=console)
        async with TestServer(app) as server, ClientSession() as session:
            url = server.make_url("/desk/sign-in")
            origin = str(server.make_url("")).rstrip("/")
            addresses = (f"198.18.{n // 250}.{n % 250 + 1}" for n in range(250 * 250))

            async def ask(login: str) -> float:
                form = {"login": login, "password": "wrong invented password", "code": "000000"}
                headers = {
                    "Origin": origin,
                    "X-Forwarded-For": next(addresses),
                    "Cookie": "tongda_language=en",
                }
                began = time.perf_counter()
                async with session.post(url, data=form, headers=headers, allow_redirects=False) as answer:
                    text = await answer.text()
                took = time.perf_counter() - began
                assert (answer.status, "code is wrong" in text) == (422, True)
                return took

            order = random.Random(1)
            for number in range(WARM_UP + ASKED):
                cases = list(CASES.items())
                order.shuffle(cases)
                for case, login in cases:
                    took = await ask(login)
                    if number >= WARM_UP:
                        spent[case].append(took * 1000)
    medians = {case: statistics.median(taken) for case, taken in spent.items()}
    gaps = {case: median / medians["exists"] - 1 for case, median in medians.items()}
    told = ", ".join(f"{case} {medians[case]:.1f} ms ({gaps[case]:+.1%})" for case in CASES)
    print(f"\nmedian of {ASKED} refusals each: {told}")  # noqa: T201 - the figure is what it is for
    assert max(abs(gap) for gap in gaps.values()) <= PROMISED
