"""A whole drill beside a live warning: another lane, another provider, and a mark on every message."""

from __future__ import annotations

import asyncio
import json

import pytest

from gateway.store.database import Database
from tests.faults import village
from tests.faults.harness import TRIED, House, Smsc

pytestmark = [pytest.mark.faults, pytest.mark.timeout(240)]

ROUTE = {"rate": 2_000, "window": 60}
PEOPLE = 400


async def texts(smsc: Smsc) -> list[str]:
    """What a provider took."""
    file = await smsc.ledger()
    return [json.loads(line)["text"] for line in file.read_text(encoding="utf-8").splitlines()]


async def test_w5_a_drill_reaches_no_live_provider_and_a_live_warning_no_provider_of_drills(house: House):
    """W5: 400 people each get one live warning and one drill, sent by three workers at one time."""
    await house.open(PEOPLE, route=ROUTE)
    folder = house.folder / "drill"
    folder.mkdir()
    drills = await asyncio.to_thread(Smsc, folder, {"seed": house.seed})
    try:
        house.given["channels"]["sms"]["drill"] = drills.settings | ROUTE
        house.reconciler()
        house.worker()
        house._start("drill", "worker", "sms.drill")
        async with Database(house.url, size=2) as database:
            desk = await village.open_desk(database, house.given)
            await asyncio.gather(
                village.release(desk, "orange"), village.release(desk, "orange", mode="drill")
            )
        await house.until_quiet(TRIED, looks=60)
        live, drill = await texts(house.smsc), await texts(drills)
    finally:
        drills.close()
    assert (len(live), len(drill)) == (PEOPLE, PEOPLE)
    assert all("演练" not in text for text in live)
    assert all("【演练】" in text for text in drill)
