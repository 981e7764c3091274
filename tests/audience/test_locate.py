from __future__ import annotations

import pytest
import shapely
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.audience.area import AreaRefused, AreaSpec, of_region
from gateway.audience.county import synthetic_county
from gateway.audience.locate import Region, check_text, locate

COUNTY = synthetic_county(contacts=1)
REGIONS = [
    Region(one.code, one.name, one.level, one.lon, one.lat, one.geometry and shapely.from_wkb(one.geometry))
    for one in COUNTY.divisions
]
BY_CODE = {region.code: region for region in REGIONS}
TOWN = BY_CODE["990101003000"]
VILLAGE = next(
    region for region in REGIONS if region.level == "village" and region.code.startswith("990101003")
)


def ring_of(geometry):
    return tuple((lat, lon) for lon, lat in geometry.exterior.coords)


def code(*values, name="GB/T 2260"):
    return AreaSpec(geocodes=tuple((name, value) for value in values))


def hits(area, share=0.0):
    return {hit.code for hit in locate(area, REGIONS, share).hits}


def refused(area, share=0.0):
    with pytest.raises(AreaRefused) as refusal:
        locate(area, REGIONS, share)
    return refusal.value


class TestAGeocode:
    @pytest.mark.parametrize("text", ["990101003", "990101003000", "99010100300000"])
    def test_a_township_means_itself_and_its_villages_alone(self, text):
        located = locate(code(text), REGIONS, 0.0)
        assert [hit.code for hit in located.hits] == ["990101003000"]
        assert located.everyone_in == {one.code for one in REGIONS if one.code.startswith("990101003")}
        assert not located.placed_in

    def test_a_county_city_or_province_means_the_whole_county(self):
        for text in ("990101", "990100", "990000"):
            assert locate(code(text), REGIONS, 0.0).everyone_in == set(BY_CODE)

    def test_a_village_that_is_not_loaded_never_becomes_its_township(self):
        assert refused(code("990101003999")).code == "outside"

    def test_a_code_that_begins_alike_within_a_level_is_another_division(self):
        assert refused(code("990110")).code == "outside"

    @pytest.mark.parametrize(
        "text", ["000000", "000000000000", "0", "", "*", "99", "9901", "990101%", "99010_", "'"]
    )
    def test_what_is_no_code_reaches_nobody(self, text):
        assert refused(code(text)).code == "outside"

    @pytest.mark.parametrize("name", ["SAME", "FIPS6", "UGC", "EMMA_ID", ""])
    def test_a_code_of_another_list_reaches_nobody(self, name):
        assert refused(code("990101003000", name=name)).code == "outside"

    def test_a_code_of_another_list_is_noted_beside_a_good_one(self):
        located = locate(AreaSpec(geocodes=(("SAME", "048201"), ("adcode", "990101003000"))), REGIONS, 0.0)
        assert [one.code for one in located.findings] == ["geocode_not_located"]
        assert [hit.code for hit in located.hits] == ["990101003000"]

    def test_a_list_of_codes_in_one_value_is_taken_apart(self):
        assert hits(code("990101001000,990101002000;990101003")) == {
            "990101001000",
            "990101002000",
            "990101003000",
        }

    def test_a_code_finer_than_a_village_reaches_the_village_with_a_note(self):
        located = locate(code(VILLAGE.code + "07"), REGIONS, 0.0)
        assert [hit.code for hit in located.hits] == [VILLAGE.code]
        assert [one.code for one in located.findings] == ["geocode_finer"]


class TestAShape:
    def test_a_common_border_is_no_touch(self):
        assert hits(AreaSpec(polygons=(ring_of(TOWN.geometry),))) == {"990101003000"}

    def test_a_small_circle_in_a_township_touches_it(self):
        lon, lat = shapely.point_on_surface(TOWN.geometry).coords[0]
        assert hits(AreaSpec(circles=((lat, lon, 0.05),))) >= {"990101003000"}

    def test_under_a_share_only_villages_inside_are_reached_and_the_township_is_named(self):
        located = locate(AreaSpec(circles=((VILLAGE.lat, VILLAGE.lon, 0.3),)), REGIONS, 0.1)
        assert {hit.code for hit in located.hits} == {VILLAGE.code}
        assert [(one.code, one.path) for one in located.findings] == [("share_too_small", "990101003000")]

    def test_shares_of_several_shapes_add_up(self):
        west, south, east, north = TOWN.geometry.bounds
        cuts = [south + (north - south) * n / 20 for n in range(21)]
        stripes = tuple(
            ((low, west), (low, east), (high, east), (high, west))
            for low, high in zip(cuts[4:8:2], cuts[5:9:2], strict=True)
        )
        assert "990101003000" in hits(AreaSpec(polygons=stripes), share=0.09)
        assert "990101003000" not in hits(AreaSpec(polygons=stripes[:1]), share=0.09)

    def test_outside_of_the_county_it_is_refused_by_name_with_the_way_out(self):
        refusal = refused(AreaSpec(circles=((39.9, 116.4, 20.0),), description="某市"))
        assert refusal.code == "outside"
        assert "某市 (circle 1)" in refusal.sentence
        assert "choose a region by its code" in refusal.sentence

    def test_a_part_outside_is_noted(self):
        located = locate(
            AreaSpec(circles=((39.9, 116.4, 20.0),), geocodes=(("adcode", "990101003"),)), REGIONS, 0.0
        )
        assert [one.code for one in located.findings] == ["shape_outside"]

    def test_exchanged_coordinates_that_both_exist_are_seen_by_where_they_would_lie(self):
        mirrored = [
            region._replace(
                lon=region.lon - 60,
                lat=region.lat,
                geometry=region.geometry and shapely.transform(region.geometry, lambda p: p - [60, 0]),
            )
            for region in REGIONS
        ]
        with pytest.raises(AreaRefused) as refusal:
            locate(AreaSpec(circles=((TOWN.lon - 60, TOWN.lat, 1.0),)), mirrored, 0.0)
        assert refusal.value.code == "shape_unusable"

    def test_radius_zero_alone_is_refused(self):
        assert refused(AreaSpec(circles=((TOWN.lat, TOWN.lon, 0.0),))).code == "outside"

    def test_a_county_polygon_alone_never_turns_a_small_shape_into_the_county(self):
        county = [region for region in REGIONS if region.level == "county"]
        located = locate(AreaSpec(circles=((TOWN.lat, TOWN.lon, 1.0),)), county, 0.0)
        assert not located.hits
        assert not located.placed_in


class TestNothing:
    """W6: no area is never everyone."""

    def test_no_area_is_refused(self):
        assert refused(AreaSpec()).code == "no_area"

    def test_words_alone_are_refused(self):
        assert refused(AreaSpec(description="全县", words=("全县",))).code == "no_area"

    def test_a_lost_shape_is_refused_even_where_nothing_else_is_left(self):
        assert refused(AreaSpec(lost=("a shape of 青禾镇",))).code == "shape_unusable"

    def test_no_regions_are_refused(self):
        with pytest.raises(AreaRefused, match="no regions are loaded"):
            locate(of_region("990101"), [], 0.0)


class TestTheText:
    """W6: an area that is wider than its words is refused or flagged."""

    everywhere = AreaSpec(polygons=(ring_of(BY_CODE["990101000000"].geometry.buffer(0.1)),))

    def check(self, area, text):
        return [one.code for one in check_text(locate(area, REGIONS, 0.0), text, REGIONS)]

    @pytest.mark.parametrize("text", ["柳溪镇将有暴雨", "柳溪将有暴雨", "虚构县柳溪镇：山洪"])
    def test_a_polygon_over_everything_is_refused_when_one_township_is_named(self, text):
        with pytest.raises(AreaRefused, match="柳溪镇 alone") as refusal:
            self.check(self.everywhere, text)
        assert refusal.value.code == "wider_than_text"

    @pytest.mark.parametrize("text", ["", "全县暴雨", "柳溪镇、青禾镇将有暴雨"])
    def test_otherwise_it_is_flagged(self, text):
        assert self.check(self.everywhere, text) == ["covers_every_township"]

    def test_a_county_by_its_code_was_meant_and_is_flagged(self):
        assert self.check(of_region("990101"), "柳溪镇将有暴雨") == [
            "covers_every_township",
            "wider_than_text",
        ]

    def test_a_township_needs_no_remark(self):
        assert self.check(of_region("990101003"), "柳溪镇将有暴雨") == []


points = st.tuples(st.floats(30.0, 31.0), st.floats(106.0, 107.2))
rings = st.lists(points, min_size=3, max_size=6, unique=True).map(tuple)


def try_locate(area, share=0.0):
    try:
        return locate(area, REGIONS, share)
    except AreaRefused:
        return None


class TestAnyShape:
    @settings(max_examples=150)
    @given(rings, st.sampled_from([0.0, 0.1]))
    def test_it_reaches_no_region_beyond_its_bounding_box(self, ring, share):
        located = try_locate(AreaSpec(polygons=(ring,)), share)
        if located is None:
            return
        box = shapely.box(*shapely.MultiPoint([(lon, lat) for lat, lon in ring]).bounds)
        for hit in located.hits:
            region = BY_CODE[hit.code]
            place = region.geometry if region.geometry is not None else shapely.Point(region.lon, region.lat)
            assert shapely.intersects(box, place)
        assert located.shape.within(box.buffer(1e-9))

    @settings(max_examples=100)
    @given(rings, rings, st.sampled_from([0.0, 0.1]))
    @example(
        ((30.0, 106.0), (30.0, 107.0), (30.5, 106.0)),
        ((31.0, 107.0), (30.875, 106.875), (30.68359375, 106.54531262593177)),
        0.0,
    )
    def test_a_further_one_never_takes_a_region_away(self, one, other, share):
        both = try_locate(AreaSpec(polygons=(one, other)), share)
        for ring in (one, other):
            alone = try_locate(AreaSpec(polygons=(ring,)), share)
            if both and alone:
                assert alone.placed_in <= both.placed_in

    @settings(max_examples=150)
    @given(
        st.lists(points, max_size=2).flatmap(
            lambda few: st.lists(st.sampled_from(few or [(30.5, 106.5)]), max_size=6)
        )
    )
    def test_a_degenerate_one_is_refused(self, ring):
        assert try_locate(AreaSpec(polygons=(tuple(ring),))) is None

    @settings(max_examples=200)
    @given(st.text("0123456789", min_size=0, max_size=14), st.sampled_from(["GB/T 2260", "adcode", "SAME"]))
    def test_a_code_reaches_only_what_begins_with_it(self, text, name):
        located = try_locate(AreaSpec(geocodes=((name, text),)))
        if located:
            stem = text.rstrip("0")
            assert stem
            assert all(reached.startswith(stem[:12]) for reached in located.everyone_in)
