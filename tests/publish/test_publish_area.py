"""Who is told of an area: what touches, what certainly lies elsewhere, and what nobody can tell."""

from __future__ import annotations

import orjson
import pytest
import shapely

from gateway.alerts.parse import parse
from gateway.audience.locate import Region
from gateway.publish.area import AreaFileRefused, Interest, load_shape, touches

# Invented: two counties side by side, the second as two townships.
REGIONS = [
    Region("999901000000", "甲县", "county", geometry=shapely.box(100, 30, 101, 31)),
    Region("999902000000", "乙县", "county"),
    Region("999902101000", "北镇", "township", geometry=shapely.box(101, 30, 102, 30.5)),
    Region("999902102000", "南镇", "township", geometry=shapely.box(101, 30.5, 102, 31)),
    Region("999903000000", "丙县", "county", geometry=shapely.box(110, 30, 111, 31)),
    Region("999904000000", "丁县", "county"),
    Region("999904101000", "西镇", "township", geometry=shapely.box(112, 30, 113, 31)),
    Region("999904102000", "东镇", "township"),
]


def alert(area: str):
    return parse(
        f"""<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>A</identifier>
        <sender>a@example.org</sender><sent>2026-07-01T10:00:00+08:00</sent><status>Actual</status>
        <msgType>Alert</msgType><scope>Public</scope><info><category>Met</category><event>x</event>
        <urgency>Past</urgency><severity>Minor</severity><certainty>Likely</certainty>{area}</info></alert>""".encode()
    ).alert


def code(value: str, name: str = "GB/T 2260") -> str:
    pair = f"<geocode><valueName>{name}</valueName><value>{value}</value></geocode>"
    return f"<area><areaDesc>there</areaDesc>{pair}</area>"


def box(west: float, south: float, east: float, north: float) -> str:
    ring = f"{south},{west} {south},{east} {north},{east} {north},{west} {south},{west}"
    return f"<area><areaDesc>there</areaDesc><polygon>{ring}</polygon></area>"


WORDS = "<area><areaDesc>沿江一带</areaDesc></area>"
FIRST, SECOND, THIRD = Interest(("999901",)), Interest(("999902",)), Interest(("999903",))
HALF_LOADED, NOT_LOADED = Interest(("999904",)), Interest(("999905",))
SHAPE = Interest(shape=shapely.box(101, 30, 102, 31))

YES, NO, UNSURE = (True, False), (False, False), (True, True)


class TestTouching:
    @pytest.mark.parametrize(
        ("interest", "area", "expected"),
        [
            (Interest(), "", YES),
            (Interest(), WORDS, YES),
            # By code, up and down
            (FIRST, code("999901000000"), YES),
            (FIRST, code("999901101000"), YES),
            (FIRST, code("980000"), NO),
            (FIRST, code("990000"), YES),
            (Interest(("999901101",)), code("999901"), YES),
            (Interest(("9999",)), code("999903"), YES),
            (SECOND, code("999901"), NO),
            (SECOND, code("999901,999902101"), YES),
            # By shape, against codes whose shape is loaded
            (FIRST, box(100.5, 30, 100.6, 31), YES),
            (FIRST, box(105, 30, 106, 31), NO),
            (SECOND, box(101.5, 30.7, 101.6, 30.8), YES),
            (SECOND, box(105, 30, 106, 31), NO),
            # A common border is a touch
            (SECOND, box(100.5, 30, 101, 31), YES),
            # Codes that are not loaded, or not whole, cannot be compared with shapes
            (NOT_LOADED, box(100.5, 30, 100.6, 31), UNSURE),
            (HALF_LOADED, box(100.5, 30, 100.6, 31), UNSURE),
            (NOT_LOADED, code("999901"), NO),
            # A partner's own shape
            (SHAPE, box(101.5, 30, 105, 31), YES),
            (SHAPE, box(105, 30, 106, 31), NO),
            (SHAPE, code("999902"), YES),
            (SHAPE, code("999903"), NO),
            (SHAPE, code("999905"), UNSURE),
            (Interest(("999903",), SHAPE.shape), code("999903"), YES),
            (Interest(("999905",), SHAPE.shape), box(105, 30, 106, 31), UNSURE),
            # What nobody can locate
            (FIRST, "", UNSURE),
            (FIRST, WORDS, UNSURE),
            (FIRST, code("XYZ123", "SAME"), UNSURE),
            (FIRST, code("abc"), UNSURE),
            (FIRST, code("000000"), UNSURE),
            (FIRST, code("999903") + WORDS, UNSURE),
            (FIRST, code("999901") + WORDS, YES),
            (FIRST, "<area><areaDesc>x</areaDesc><polygon>1,1 2,2</polygon></area>", UNSURE),
            (FIRST, "<area><areaDesc>x</areaDesc><circle>30.5,100.5 0</circle></area>", UNSURE),
        ],
    )
    def test_a_table_of_areas(self, interest, area, expected):
        touch = touches(alert(area), interest, REGIONS)
        assert (touch.sends, bool(touch.note)) == expected

    def test_without_any_region_loaded_shapes_go_to_everybody(self):
        assert touches(alert(box(1, 1, 2, 2)), FIRST, []).sends

    def test_the_note_names_what_could_not_be_located(self):
        assert "沿江一带" in touches(alert(WORDS), FIRST, REGIONS).note


class TestTheFile:
    SQUARE = {"type": "Polygon", "coordinates": [[[1, 2], [3, 2], [3, 4], [1, 4], [1, 2]]]}  # noqa: RUF012

    @pytest.mark.parametrize(
        "held",
        [
            SQUARE,
            {"type": "Feature", "properties": {}, "geometry": SQUARE},
            {"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": SQUARE}] * 2},
        ],
    )
    def test_each_form_of_geojson(self, tmp_path, held):
        path = tmp_path / "area.geojson"
        path.write_bytes(orjson.dumps(held))
        assert shapely.bounds(load_shape(path)).tolist() == [1, 2, 3, 4]

    @pytest.mark.parametrize(
        "text",
        [
            "", "[]", "{}", "x", '{"type": "FeatureCollection"}',
            '{"type": "FeatureCollection", "features": []}',
            '{"type": "Point", "coordinates": [1, 2]}', '{"type": "Feature", "geometry": null}',
            '{"type": "Polygon", "coordinates": [[[100, 2000], [300, 2000], [300, 4000], [100, 2000]]]}',
        ],
    )  # fmt: skip
    def test_anything_else_is_refused_in_one_sentence(self, tmp_path, text):
        path = tmp_path / "area.geojson"
        path.write_text(text)
        with pytest.raises(AreaFileRefused, match=r"area\.geojson"):
            load_shape(path)
