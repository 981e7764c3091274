"""A source whose rule sends by itself, and takes back what it sent."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gateway.alerts.model import Alert, Reference
from gateway.clock import SYSTEM
from gateway.feeds.contract import Item
from gateway.feeds.intake import Intake
from gateway.settings import load_settings
from gateway.store.database import Database
from tests.faults import village
from tests.faults.checker import DELIVERED, SUPPRESSED
from tests.faults.harness import UNFINISHED, UNPROVEN, House

pytestmark = [pytest.mark.faults, pytest.mark.timeout(240)]

SENDER = "invented@weather.example.org"
RULE = {
    "action": "release",
    "regions": [village.COUNTY[:6]],
    "hazards": ["rainstorm"],
    "senders": [SENDER],
    "release_alone": True,
}


def brought(name: str, msg_type: str, about: tuple[Alert, ...] = ()) -> Item:
    """What the source brings: an orange rainstorm for the village."""
    fields = village.fields("orange")
    info = {
        "language": "zh-CN",
        "categories": ("Met",),
        "event": "暴雨",
        "urgency": "Expected",
        "severity": "Severe",
        "certainty": "Likely",
        **fields.model_dump(include={"description", "instruction", "sender_name", "expires", "areas"}),
    }
    alert = Alert(
        identifier=name,
        sender=SENDER,
        sent=datetime.now(UTC),
        status="Actual",
        msg_type=msg_type,
        scope="Public",
        references=tuple(Reference(sender=a.sender, identifier=a.identifier, sent=a.sent) for a in about),
        infos=(info,) if msg_type != "Cancel" else (),
    )
    return Item(alert=alert, original=alert.model_dump_json().encode())


async def test_e4_what_a_rule_sent_stops_and_is_taken_back_when_its_source_retracts(house: House):
    """E4: 2,000 messages at 400/s by a rule; the source's Cancel comes after a quarter of them."""
    await house.open(2_000, route={"rate": 400, "window": 60}, latency=0.1)
    house.reconciler()
    house.worker()
    source = {"weather": {"kind": "cap", "url": "https://feed.example.org/", "rule": RULE}}
    async with Database(house.url, size=2) as database:
        desk = await village.open_desk(database, house.given)
        intake = Intake(database, SYSTEM, desk, load_settings(**house.given, sources=source))
        first = brought("one", "Alert")
        assert (await intake.take("weather", "cap", first)).state == "released"
        await house.until_received(500)
        await intake.take("weather", "cap", brought("end", "Cancel", (first.alert,)))
        assert await house.number("SELECT count(*) FROM releases WHERE first") == 1
    await house.until_none(UNFINISHED)
    await house.until_none(f"{UNPROVEN} + (SELECT count(*) FROM releases WHERE state = 'open')")
    verdict = await house.verdict("E4")
    assert not verdict.violations
    assert verdict.states[DELIVERED] >= 2_500
    assert verdict.states[SUPPRESSED] > 500
