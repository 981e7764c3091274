from __future__ import annotations

import asyncpg
import pytest
import shapely

from channels.base import adapter
from gateway.audience.codes import parse_code
from gateway.audience.county import load_county, synthetic_county

KINDS = {"sms": "smpp", "email": "smtp", "wecom": "wecom", "radio": "mqtt"}


@pytest.fixture(scope="module")
def whole():
    return synthetic_county()


def test_it_has_the_size_that_the_demonstration_promises(whole):
    assert len(whole.townships) == 12
    assert 180 <= len(whole.villages) <= 228
    persons = [one for one in whole.contacts if one.role in {"responsible", "resident"}]
    assert len(persons) == 20_000
    assert sum(one.role == "responsible" for one in persons) == 600
    assert sum(one.role == "group" for one in whole.contacts) == 12
    assert sum(one.role == "device" for one in whole.contacts) == len(whole.villages)


def test_one_seed_is_one_county():
    assert synthetic_county(7, 100) == synthetic_county(7, 100)
    assert synthetic_county(7, 100) != synthetic_county(8, 100)


def test_its_townships_tile_it(whole):
    cells = [shapely.from_wkb(one.geometry) for one in whole.townships]
    outline = shapely.from_wkb(whole.divisions[0].geometry)
    assert all(cell.geom_type == "Polygon" and cell.is_valid for cell in cells)
    assert shapely.union_all(cells).area == pytest.approx(outline.area, rel=0.001)
    assert sum(cell.area for cell in cells) == pytest.approx(outline.area, rel=0.001)
    assert min(cell.area for cell in cells) > outline.area / 40


def test_each_village_lies_in_its_township(whole):
    cells = {one.code: shapely.from_wkb(one.geometry) for one in whole.townships}
    for village in whole.villages:
        assert cells[village.code[:9] + "000"].contains(shapely.Point(village.lon, village.lat))


def test_codes_are_unique_and_of_no_real_place(whole):
    codes = [one.code for one in whole.divisions]
    assert len(set(codes)) == len(codes)
    assert all(
        code.startswith("990101") and parse_code(code).level == one.level
        for code, one in zip(codes, whole.divisions, strict=True)
    )


def test_every_division_has_responsible_persons(whole):
    assert {one.region for one in whole.contacts if one.role == "responsible"} == {
        one.code for one in whole.divisions
    }


def test_every_address_is_invented_unique_and_in_the_form_its_adapter_stores(whole):
    seen = set()
    for one in whole.contacts:
        for channel, address in one.addresses:
            assert adapter(KINDS[channel]).check_address(address) == address
            assert (channel, address) not in seen
            seen.add((channel, address))
    assert all(address.startswith("861990") for channel, address in seen if channel == "sms")
    assert all(address.endswith("@example.org") for channel, address in seen if channel == "email")


async def test_loading_it_twice_changes_nothing(database, county):
    for _ in range(2):
        await load_county(database, county)
    connection = await asyncpg.connect(database.url)
    counts = [
        await connection.fetchval(f"SELECT count(*) FROM {table}")
        for table in ("regions", "contacts", "addresses")
    ]
    orphans = await connection.fetchval("SELECT count(*) FROM regions WHERE parent IS NULL")
    await connection.close()
    assert counts == [
        len(county.divisions),
        len(county.contacts),
        sum(len(one.addresses) for one in county.contacts),
    ]
    assert orphans == 1
