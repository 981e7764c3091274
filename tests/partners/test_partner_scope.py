"""What a narrow key may push: what cannot be proved to lie inside is outside."""

from __future__ import annotations

import pytest
import shapely
from sqlalchemy import update

from gateway.alerts.hazards import Level
from gateway.alerts.model import Alert
from gateway.desk.office import load_hazards
from gateway.partners.keys import Scope
from gateway.partners.refused import PartnerRefused
from gateway.partners.scope import Earlier, check
from gateway.share import share
from gateway.store.tables import regions
from tests.desk.conftest import COUNTY, NORTH, SOUTH

from .conftest import form, problem

HAZARDS = load_hazards(share("config/hazards.toml"))
SQUARE = shapely.box(110, 30, 111, 31)
NORTH_ONLY = Scope(regions=(NORTH[:9],))


def code(value: str, name: str = "GB/T 2260") -> dict:
    return {"area_desc": "x", "geocodes": [{"value_name": name, "value": value}]}


def ring(*points: tuple[float, float]) -> dict:
    return {"area_desc": "x", "polygons": [[*points, points[0]]]}


def box(south: float, west: float, north: float, east: float) -> dict:
    return ring((south, west), (south, east), (north, east), (north, west))


def circle(lat: float, lon: float, radius: float) -> dict:
    return {"area_desc": "x", "circles": [{"lat": lat, "lon": lon, "radius_km": radius}]}


def colour(value: str) -> dict:
    return {"parameters": [{"value_name": HAZARDS.colour_parameter, "value": value}]}


def alert(**changes) -> Alert:
    return Alert.model_validate(form(**changes))


def fits(scope: Scope, one: Alert, earlier: Earlier | None = None) -> bool:
    try:
        check(scope, one, earlier or Earlier(), HAZARDS, [SQUARE])
    except PartnerRefused as refused:
        return refused.status != 403
    return True


class TestRegions:
    """S2: a key that is limited to regions."""

    @pytest.mark.parametrize(
        ("areas", "inside"),
        [
            ([code(NORTH)], True),
            ([code(NORTH[:9])], True),
            ([code(NORTH[:9] + "001")], True),
            ([code(NORTH[:9] + "001"), code(NORTH)], True),
            ([code(f"{NORTH},{NORTH[:9]}002")], True),
            ([code(SOUTH)], False),
            ([code(COUNTY)], False),
            ([code(f"{NORTH} {SOUTH}")], False),
            ([code(NORTH), code(SOUTH)], False),
            ([code("000000")], False),
            ([code("")], False),
            ([code("99")], False),
            ([code(NORTH, "SAME")], False),
            ([code(NORTH), code("012345", "SAME")], False),
            ([{"area_desc": "北山镇"}], False),
            ([code(NORTH), {"area_desc": "and somewhere else"}], False),
            ([], False),
            ([box(30.1, 110.1, 30.9, 110.9)], True),
            ([box(30, 110, 31, 111)], True),
            ([box(30.1, 110.1, 31.1, 110.9)], False),
            ([box(40, 110, 41, 111)], False),
            ([box(30.1, 110.1, 30.9, 110.9), circle(30.5, 110.5, 10)], True),
            ([circle(30.5, 110.5, 60)], False),
            ([circle(30.5, 110.5, 0)], False),
            ([code(NORTH) | box(40, 110, 41, 111)], False),
            ([code(SOUTH) | box(30.1, 110.1, 30.9, 110.9)], False),
        ],
    )
    def test_every_part_of_every_area_lies_inside(self, areas, inside):
        assert fits(NORTH_ONLY, alert(info={"areas": areas})) is inside

    def test_a_shape_that_could_not_be_used_is_outside(self):
        unusable = alert().model_dump(mode="json")
        unusable["infos"][0]["areas"][0]["unusable_polygons"] = ["1,2 3"]
        assert not fits(NORTH_ONLY, Alert.model_validate(unusable))

    def test_every_language_counts(self):
        two = form()
        two["infos"] = [*two["infos"], {**two["infos"][0], "language": "en", "areas": [code(SOUTH)]}]
        assert not fits(NORTH_ONLY, Alert.model_validate(two))

    def test_a_key_without_regions_is_not_asked(self):
        assert fits(Scope(hazards=("rainstorm",)), alert(info={"areas": [code(SOUTH)]}))
        assert fits(Scope(), alert(infos=[]))


class TestHazardsAndLevels:
    @pytest.mark.parametrize(
        ("info", "inside"),
        [
            ({}, True),
            ({"event": "大风"}, False),
            ({"event": "of no table"}, False),
            ({"event": "x", "event_codes": [{"value_name": "x", "value": "11B03"}]}, True),
        ],
    )
    def test_the_hazard_is_one_of_the_keys(self, info, inside):
        assert fits(Scope(hazards=("rainstorm",)), alert(info=info)) is inside

    @pytest.mark.parametrize(
        ("info", "inside"),
        [
            (colour("yellow"), True),
            (colour("blue"), True),
            (colour("orange"), False),
            (colour("red"), False),
            (colour("green"), False),
            ({"severity": "Moderate"}, True),
            ({"severity": "Extreme"}, False),
            ({"severity": "Unknown"}, False),
            ({"parameters": [*colour("yellow")["parameters"], *colour("red")["parameters"]]}, False),
        ],
    )
    def test_the_level_is_not_above_the_keys(self, info, inside):
        assert fits(Scope(highest_level=Level.YELLOW), alert(info=info)) is inside


class TestEarlier:
    def test_a_cancel_without_info_goes_by_what_it_takes_back(self):
        cancel = alert(msg_type="Cancel", infos=[])
        north, south = alert(), alert(info={"areas": [code(SOUTH)]})
        assert fits(NORTH_ONLY, cancel, Earlier((north,)))
        assert not fits(NORTH_ONLY, cancel, Earlier((south,)))
        assert not fits(NORTH_ONLY, cancel, Earlier((north, south)))
        assert not fits(NORTH_ONLY, cancel, Earlier((north,), complete=False))
        assert not fits(NORTH_ONLY, cancel)

    @pytest.mark.parametrize("msg_type", ["Alert", "Update", "Ack", "Error"])
    def test_nothing_else_goes_without_an_info_block(self, msg_type):
        assert not fits(NORTH_ONLY, alert(msg_type=msg_type, infos=[]), Earlier((alert(),)))

    def test_an_update_inside_of_an_alert_outside_is_outside(self):
        update = alert(msg_type="Update")
        assert not fits(NORTH_ONLY, update, Earlier((alert(info={"areas": [code(SOUTH)]}),)))


class TestOverHttp:
    async def test_a_narrow_key_is_held_to_its_region(self, partner):
        one = await partner(regions=(NORTH[:9],))
        assert (await one.push(form())).status == 202
        for target in ("/api/v1/alerts", "/api/v1/alerts?dry_run=true"):
            response = await one.push(form(info={"areas": [code(SOUTH)]}), target=target)
            assert (response.status, await problem(response)) == (403, "outside_scope")

    async def test_a_shape_is_compared_with_the_loaded_borders(self, partner, database):
        one = await partner(regions=(NORTH[:9],))
        inside = {"areas": [box(30.1, 110.1, 30.9, 110.9)]}
        assert (await one.push(form(info=inside))).status == 403
        async with database.begin() as connection:
            border = update(regions).where(regions.c.code == NORTH).values(geometry=shapely.to_wkb(SQUARE))
            await connection.execute(border)
        assert (await one.push(form(info=inside))).status == 202
        assert (await one.push(form(info={"areas": [box(30.1, 110.1, 31.9, 110.9)]}))).status == 403

    async def test_a_cancel_of_what_another_key_pushed_outside_is_refused(self, water, partner):
        narrow = await partner(regions=(NORTH[:9],))
        for area, status in ((code(NORTH), 202), (code(SOUTH), 403)):
            value = form(info={"areas": [area]})
            assert (await water.push(value)).status == 202
            reference = {name: value[name] for name in ("sender", "identifier", "sent")}
            cancel = form(msg_type="Cancel", infos=[], references=[reference])
            assert (await narrow.push(cancel)).status == status
