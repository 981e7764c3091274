"""GET /desk/regions.geojson: the borders that every map draws."""

from __future__ import annotations

import gzip
import json
from types import SimpleNamespace

import pytest
import shapely
from sqlalchemy import update

from gateway.audience.county import load_county, synthetic_county
from gateway.store.tables import regions as table
from gateway.web.console import regions

PATH = "/regions.geojson"
COUNTY = synthetic_county(contacts=0)


@pytest.fixture
async def county(database):
    """An invented county with borders, beside that of the desk."""
    await load_county(database, COUNTY)


class TestBorders:
    async def test_each_region_above_the_villages_is_there_with_its_border(self, visitor, county):
        answer = await (await visitor("author")).get(PATH)
        found = {one["properties"]["code"]: one for one in json.loads(answer.text)["features"]}
        assert answer.headers["Content-Type"] == "application/geo+json"
        assert {one.code for one in COUNTY.townships} < found.keys()
        assert not {one.code for one in COUNTY.villages} & found.keys()
        town = COUNTY.townships[0]
        assert found[town.code]["properties"] == {"code": town.code, "name": town.name, "level": "township"}
        drawn = shapely.from_geojson(json.dumps(found[town.code]["geometry"]))
        stored = shapely.from_wkb(town.geometry)
        assert shapely.area(shapely.symmetric_difference(drawn, stored)) < 0.01 * shapely.area(stored)

    async def test_a_region_without_a_border_is_there_to_be_chosen(self, visitor):
        features = json.loads((await (await visitor("author")).get(PATH)).text)["features"]
        assert {one["geometry"] for one in features} == {None}
        assert len(features) == 3

    async def test_the_note_of_the_settings_comes_with_them(self, console, county):
        found = await regions.outlines(console.database, "虚构地图 审图号 GS(0000)0000号")
        assert json.loads(gzip.decompress(found.packed))["note"] == "虚构地图 审图号 GS(0000)0000号"

    async def test_whoever_may_see_nothing_gets_none(self, visitor):
        assert (await (await visitor("nobody")).get(PATH)).status == 403
        assert (await (await visitor("leader")).get(PATH)).status == 200


class TestKeeping:
    async def test_a_browser_that_has_them_gets_nothing_again(self, visitor, county):
        browser = await visitor("author")
        first = await browser.get(PATH)
        again = await browser.get(PATH, **{"If-None-Match": first.headers["ETag"]})
        assert (again.status, again.text) == (304, "")

    async def test_a_change_is_seen_at_once(self, visitor, county, database):
        browser = await visitor("author")
        first = await browser.get(PATH)
        code = COUNTY.townships[0].code
        async with database.begin() as connection:
            await connection.execute(update(table).where(table.c.code == code).values(name="新名镇"))
        again = await browser.get(PATH, **{"If-None-Match": first.headers["ETag"]})
        assert again.status == 200
        assert "新名镇" in again.text

    async def test_they_are_made_once(self, console, county):
        first = await regions.outlines(console.database, "")
        assert await regions.outlines(console.database, "") is first


class TestSize:
    def test_neighbours_keep_their_common_border(self):
        left = shapely.Polygon([(0, 0), (1, 0), (1.00001, 0.5), (1, 1), (0, 1)])
        right = shapely.Polygon([(1, 0), (2, 0), (2, 1), (1, 1), (1.00001, 0.5)])
        rows = [
            SimpleNamespace(code=f"99{n}", name="甲", level="township", geometry=shapely.to_wkb(one))
            for n, one in enumerate((left, right))
        ]
        features = json.loads(gzip.decompress(regions.pack(rows, "").packed))["features"]
        one, other = (shapely.from_geojson(json.dumps(each["geometry"])) for each in features)
        assert shapely.area(shapely.intersection(one, other)) == 0
        assert shapely.area(one) + shapely.area(other) == pytest.approx(2)

    def test_a_country_of_counties_stays_small(self):
        rows = []
        for n in range(2_891):
            west, south = 80 + n % 60 * 0.8, 20 + n // 60 * 0.6
            edge = [(west + 0.8 * k / 40, south) for k in range(40)]
            ring = [*edge, (west + 0.8, south), (west + 0.8, south + 0.6), (west, south + 0.6)]
            rows.append(
                SimpleNamespace(
                    code=f"{n:06}000000",
                    name="虚构县",
                    level="county",
                    geometry=shapely.to_wkb(shapely.Polygon(ring)),
                )
            )
        assert len(regions.pack(rows, "").packed) < 1_500_000
