"""Receipts and coverage of what came of a push, and of nobody in person."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import text

from gateway.desk.service import Desk
from gateway.store.desk import Person
from tests.desk.conftest import NORTH, PEOPLE

from .conftest import form


@pytest.fixture
async def released(water, database, clock, office):
    """An alert that was pushed, approved and sent; returns its number."""
    told = await water.pushed()
    desk = Desk(database, clock, office)
    for login, roles in PEOPLE.items():
        await desk.set_person(Person(login, f"虚构 {login}", roles, active=True))
    async with database.begin() as connection:
        number = (await connection.execute(text("SELECT alert_id FROM incoming"))).scalar_one()
    row = await desk.submit(number, "author")
    for person in ("first", "second"):
        if (await desk.approve(row.id, row.digest, person)).alert.state == "approved":
            break
    await desk.release(row.id, "sender")
    return told["id"]


async def write(database, statement: str) -> None:
    async with database.begin() as connection:
        await connection.execute(text(statement))


class TestReceipts:
    async def test_they_count_deliveries_by_channel_and_region(self, water, released, database):
        await write(database, "UPDATE counters SET state = 8 WHERE channel = 'sms'")
        await write(database, "UPDATE counters SET state = 3 WHERE channel = 'email'")
        answer = await (await water.get(f"/{released}/receipts")).json()
        (release,) = answer["releases"]
        assert (release["mode"], release["state"]) == ("live", "open")
        assert release["total"] == {"delivered": 3, "unknown": 3, "pending": 3}
        assert {one["channel"]: one["states"] for one in release["channels"]} == {
            "sms": {"delivered": 3},
            "email": {"unknown": 3},
            "radio": {"pending": 3},
        }
        assert {one["region"] for one in release["regions"]} == {NORTH}

    async def test_villages_are_summed_to_their_township(self, water, released, database):
        await write(database, f"UPDATE counters SET region = '{NORTH[:9]}201' WHERE channel = 'sms'")
        await write(
            database,
            "INSERT INTO counters (release_id, channel, region, state, count) SELECT release_id, channel, "
            f"'{NORTH[:9]}202', 8, 1 FROM counters WHERE channel = 'sms'",
        )
        (release,) = (await (await water.get(f"/{released}/receipts")).json())["releases"]
        rows = [one for one in release["regions"] if one["channel"] == "sms"]
        assert rows == [{"channel": "sms", "region": NORTH, "states": {"pending": 3, "delivered": 1}}]

    async def test_coverage_has_nothing_finer_than_a_township(self, water, released, database):
        await write(database, f"UPDATE deliveries SET region = '{NORTH[:9]}201'")
        answer = await (await water.get(f"/{released}/coverage")).json()
        assert {one["code"] for one in answer["townships"]} == {NORTH}
        assert f"{NORTH[:9]}201" not in json.dumps(answer)

    async def test_the_state_tells_that_it_was_sent(self, water, released):
        answer = await (await water.get(f"/{released}")).json()
        assert answer["alert"]["state"] == "released"
        assert answer["alert"]["released_at"]

    async def test_coverage_has_the_figures_of_the_report(self, water, released, database):
        await write(
            database,
            "UPDATE deliveries SET state = 8, delivered_at = now() WHERE channel = 'sms' AND id % 2 = 0",
        )
        answer = await (await water.get(f"/{released}/coverage")).json()
        assert answer["people"]["intended"] == 3
        assert answer["release"]["mode"] == "live"
        assert answer["deliveries"]["delivered"] >= 1
        assert {one["channel"] for one in answer["channels"]} == {"sms", "email", "radio"}

    async def test_no_address_and_no_name_of_a_person_is_in_any_answer(self, water, released):
        told = "".join([await (await water.get(path)).text() for path in self.paths(released)])
        for personal in ("19900000", "invented1", "terminal-1", "虚构1", "虚构 first", "groups", "approvals"):
            assert personal not in told

    async def test_another_partner_is_told_nothing_of_it(self, partner, released):
        other = await partner("quake")
        for path in self.paths(released)[1:]:
            assert (await other.get(path)).status == 404

    async def test_who_repeats_the_alert_later_gets_no_receipts(self, water, partner, database, released):
        async with database.begin() as connection:
            original = (await connection.execute(text("SELECT original FROM incoming"))).scalar_one()
        other = await partner("quake")
        told = await (await other.push(original)).json()
        assert told["id"] == released
        assert (await (await other.get(f"/{released}/receipts")).json())["releases"] == []
        assert (await other.get(f"/{released}/coverage")).status == 404

    @staticmethod
    def paths(number: int) -> list[str]:
        return ["", f"/{number}", f"/{number}/receipts", f"/{number}/coverage"]

    async def test_a_drill_says_that_it_is_one(self, water):
        told = await water.pushed(status="Exercise")
        assert told["status"] == "Exercise"


class TestForm:
    async def test_all_of_the_form_comes_through_to_the_inbox(self, water, database):
        value = form(
            source="invented",
            note="a note",
            codes=["x"],
            incidents=["two words"],
            info={
                "response_types": ["Prepare"],
                "resources": [
                    {"resource_desc": "map", "mime_type": "image/png", "uri": "https://example.org/map.png"}
                ],
                "areas": [
                    {
                        "area_desc": "北山镇",
                        "polygons": [[[30, 110], [30, 111], [31, 111]]],
                        "circles": [{"lat": 30.5, "lon": 110.5, "radius_km": 1.5}],
                        "altitude": 10,
                        "ceiling": 20,
                    }
                ],
            },
        )
        assert (await water.push(value)).status == 202
        async with database.begin() as connection:
            content = (await connection.execute(text("SELECT content FROM incoming"))).scalar_one()
        (info,) = content["infos"]
        (area,) = info["areas"]
        assert area["polygons"] == [[[30, 110], [30, 111], [31, 111], [30, 110]]]
        assert (float(area["altitude"]), float(area["ceiling"])) == (10, 20)
        assert content["incidents"] == ["two words"]
        assert info["resources"][0]["uri"] == "https://example.org/map.png"
