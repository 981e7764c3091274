from __future__ import annotations

import asyncpg
import orjson
import pytest

from gateway.audience import AreaSpec, resolve
from gateway.audience.contacts import import_contacts
from gateway.audience.county_files import write_files
from gateway.audience.lines import FileRefused
from gateway.audience.regions import load_regions

SQUARE = {"type": "Polygon", "coordinates": [[[106, 30], [107, 30], [107, 31], [106, 31], [106, 30]]]}


def collection(*features, **more):
    listed = [
        {"type": "Feature", "properties": properties, "geometry": geometry}
        for properties, geometry in features
    ]
    return orjson.dumps({"type": "FeatureCollection", "features": listed, **more})


@pytest.fixture
def load(database, tmp_path):
    async def load(**files):
        paths = []
        for name, content in files.items():
            path = tmp_path / name.replace("_", ".")
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
            paths.append(path)
        return await load_regions(database, paths)

    return load


async def rows(database):
    connection = await asyncpg.connect(database.url)
    found = await connection.fetch(
        "SELECT code, name, level, parent, population, lon, geometry IS NULL FROM regions ORDER BY code"
    )
    await connection.close()
    return [tuple(row) for row in found]


async def test_the_shipped_files_load_and_serve_an_import_and_a_preview(database, county, checks, tmp_path):
    write_files(county, tmp_path)
    report = await load_regions(database, [tmp_path / "townships.geojson", tmp_path / "villages.csv"])
    assert (report.created, report.refused) == (len(county.divisions), [])
    brought = await import_contacts(database, tmp_path / "contacts.csv", checks)
    assert (brought.read, brought.created, brought.notes) == (200, 200, [])
    village = county.villages[0]
    audience = await resolve(database, AreaSpec(circles=((village.lat, village.lon, 3.0),)))
    assert audience.people


async def test_table_and_polygons_add_to_one_another_in_any_order(load, database):
    await load(a_csv="代码,名称,人口,经度,纬度\n990101003001,上河村,500,106.5,30.5\n990101003,柳溪镇,,,\n")
    await load(
        b_geojson=collection(
            ({"adcode": 990101003, "name": "柳溪镇"}, SQUARE), ({"code": "990101", "name": "县"}, None)
        )
    )
    await load(c_csv="code,name,population\n990101003,柳溪镇,1000\n")
    assert await rows(database) == [
        ("990101000000", "县", "county", None, None, None, True),
        ("990101003000", "柳溪镇", "township", "990101000000", 1000, None, False),
        ("990101003001", "上河村", "village", "990101003000", 500, 106.5, True),
    ]


@pytest.mark.parametrize(
    ("properties", "geometry", "reason"),
    [
        ({"name": "镇"}, SQUARE, "a division code has 6, 9, 12 or 14 digits"),
        ({"code": "000000", "name": "镇"}, SQUARE, "a division code of zeros names no division"),
        ({"code": "990101003"}, SQUARE, "the name is empty"),
        (
            {"code": "990101003", "name": "镇\x00"},
            SQUARE,
            "a line break or control character in the cell",
        ),
        (
            {"code": "990101003", "name": "镇\r"},
            SQUARE,
            "a line break or control character in the cell",
        ),
        ({"code": "990101003", "name": "镇" * 100_000}, SQUARE, "longer than 100 characters"),
        ({"code": "9901\x0001003", "name": "镇"}, SQUARE, "a line break or control character in the cell"),
        ({"code": "990101003", "name": ["镇"]}, SQUARE, "name is neither text nor number"),
        (
            {"code": "990101003", "adcode": 990101004, "name": "镇"},
            SQUARE,
            "several properties for code, which differ",
        ),
        ({"code": "990101003", "name": "镇", "population": "many"}, SQUARE, "population is no number"),
        ({"code": "990101003", "name": "镇", "population": -1}, SQUARE, "the population is negative"),
        ({"code": "990101003", "name": "镇", "lon": 106}, SQUARE, "one coordinate is missing"),
        ({"code": "990101003", "name": "镇", "lon": 30, "lat": 106}, SQUARE, "lat is out of range"),
        (
            {"code": "990101003", "name": "镇"},
            {"type": "Point", "coordinates": [106, 30]},
            "the geometry is no polygon",
        ),
        ({"code": "990101003", "name": "镇"}, {"type": "Polygon"}, "the geometry is no GeoJSON"),
        ({"code": "990101003", "name": "镇"}, "POLYGON", "the geometry is no GeoJSON"),
        (
            {"code": "990101003", "name": "镇"},
            {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]},
            "the border of the polygon crosses itself",
        ),
        (
            {"code": "990101003", "name": "镇"},
            {
                "type": "Polygon",
                "coordinates": [[[500000, 3000000], [500001, 3000000], [500001, 3000001], [500000, 3000000]]],
            },
            "the geometry is not in degrees",
        ),
    ],
)
async def test_a_bad_feature_is_refused_and_the_others_load(load, database, properties, geometry, reason):
    report = await load(
        a_geojson=collection((properties, geometry), ({"code": "990101004", "name": "乙镇"}, SQUARE))
    )
    assert [(error.file, error.row, error.reason) for error in report.refused] == [("a.geojson", 1, reason)]
    assert [row[0] for row in await rows(database)] == ["990101004000"]


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"features": 3}', b"\xff", b"<kml/>"])
async def test_what_is_no_collection_is_refused(load, content):
    with pytest.raises(FileRefused, match=r"^a\.geojson: "):
        await load(a_geojson=content)


async def test_another_coordinate_system_is_refused(load):
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::2421"}}
    with pytest.raises(FileRefused, match="not WGS-84"):
        await load(a_geojson=collection(crs=crs))


async def test_a_table_without_its_columns_is_refused(load):
    with pytest.raises(FileRefused, match="columns code and name"):
        await load(a_csv="x,y\n1,2\n")


async def test_a_name_that_no_database_holds_costs_its_own_row_only(load, database):
    report = await load(a_csv="code,name\n990101003,镇\x00\n990101004,乙镇\n990101005,丙\r镇\n")
    assert str(report.refused[0]) == (
        "a.csv, row 2, name: a line break or control character in the cell; delete it"
    )
    assert [error.row for error in report.refused] == [2, 4]
    assert [row[0] for row in await rows(database)] == ["990101004000"]


async def test_several_properties_for_a_field_that_agree_are_one(load, database):
    properties = {"gb": "156990101003", "code": "990101003000", "name": "镇", "population": 1000.0}
    report = await load(a_geojson=collection((properties, SQUARE)))
    assert report.refused == []
    assert [(row[0], row[4]) for row in await rows(database)] == [("990101003000", 1000)]


async def test_of_two_columns_for_one_field_the_first_counts_and_the_other_is_named(load, database):
    report = await load(a_csv="code,name,code,名称,备注\n990101003,镇,990101004,乙镇,x\n")
    assert report.unknown_columns == ["a.csv, code", "a.csv, 名称", "a.csv, 备注"]
    assert [row[:2] for row in await rows(database)] == [("990101003000", "镇")]
