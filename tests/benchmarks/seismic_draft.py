"""How long it takes from a solution to the draft at the desk, in milliseconds.

Run: pytest -m benchmark -s tests/benchmarks/seismic_draft.py
"""

from __future__ import annotations

import statistics
import time
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.audience.county import load_county, synthetic_county
from gateway.clock import HandClock
from gateway.desk.service import Desk
from gateway.feeds.intake import Intake
from gateway.feeds.seismic.seismology import Seismology, open_setup
from gateway.settings import load_settings
from gateway.store.database import Database
from tests.desk.conftest import make_office
from tests.feeds.seismic_made import ORIGIN, solution

pytestmark = pytest.mark.benchmark

QUAKES = 40
BEFORE = 2_000
"""Solutions of the same day that are kept already."""
TARGET_MS = 300


def elsewhere(number):
    return replace(solution(f"ak{number}", seconds=40 * number, magnitude=2.0), lat=60.0, lon=-150.0)


@pytest.mark.timeout(600)
async def test_from_a_solution_to_a_draft(database_url):
    settings = load_settings(
        sources={"usgs": {"kind": "usgs", "url": "https://feed.example.org/usgs"}},
        feeds={"seismic_rule": {"action": "draft"}},
    )
    clock = HandClock(ORIGIN)
    async with Database(database_url) as database:
        await load_county(database, synthetic_county(contacts=20_000))
        intake = Intake(database, clock, Desk(database, clock, make_office()), settings)
        seismology = Seismology(database, intake, settings, open_setup(settings))
        began = time.perf_counter()
        await seismology.take("usgs", [elsewhere(n) for n in range(BEFORE)], at=clock.now())
        first = time.perf_counter() - began
        took = []
        for number in range(QUAKES):
            clock.advance(60)
            came = replace(
                solution(f"us{number}", magnitude=6.0),
                time=clock.now(),
                updated=clock.now() + timedelta(seconds=1),
            )
            began = time.perf_counter()
            (taken,) = await seismology.take("usgs", [came], at=clock.now())
            took.append((time.perf_counter() - began) * 1000)
            assert taken.state == "drafted"
    took.sort()
    median, worst = statistics.median(took), took[int(len(took) * 0.95)]
    print(f"\nfirst document of {BEFORE} solutions: {first * 1000:.0f} ms")  # noqa: T201 - the result
    print(f"solution to draft: median {median:.0f} ms, 95 % {worst:.0f} ms (target {TARGET_MS} ms)")  # noqa: T201
