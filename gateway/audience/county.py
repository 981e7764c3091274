"""An invented county for demonstrations and tests: regions, people, chat groups and terminals.

Everything is made up and marked so: division codes of 990101 belong to no place, phone numbers
from 19900000001 on are an invented block, mail goes to example.org, and every person is called 演练
("drill"). The same seed gives the same county.
"""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, NamedTuple

import shapely

from gateway.audience.shapes import KM_PER_DEGREE
from gateway.store import contacts as statements
from gateway.store.contacts import Contact, Division

if TYPE_CHECKING:
    from gateway.store.database import Database

CODE = "990101"
NAME = "虚构县"
CENTRE = (30.5, 106.5)
"""(latitude, longitude), degrees."""
RADIUS_KM = 30.0

RESPONSIBLE = 600
MAIL_SHARE = 0.3
LOCATED_SHARE = 0.7
ENGLISH_SHARE = 0.02

_TOWNSHIPS = (
    *("青禾镇", "白石镇", "柳溪镇", "云台镇", "长滩镇", "东坪镇"),
    *("南湾乡", "北岭乡", "西塘乡", "古桥镇", "石门乡", "金竹乡"),
)
_VILLAGES_EACH = (15, 19)
_STEMS = (
    *("上河", "下河", "新民", "前进", "团结", "红星", "大塘", "小塘", "松林", "竹园"),
    *("桃源", "梨树", "石桥", "水口", "中和", "双龙", "三合", "凤鸣", "高坎"),
)
_OUTLINE_POINTS = 40
_RELAXATIONS = 3


class County(NamedTuple):
    """The whole of it, ready to load."""

    divisions: tuple[Division, ...]
    """The county, its townships with polygons, its villages with points and population."""
    contacts: tuple[Contact, ...]
    """With channels ``sms``, ``email``, ``wecom`` (a chat group for each township) and ``radio``."""

    @property
    def townships(self) -> tuple[Division, ...]:
        """The townships, by code."""
        return tuple(one for one in self.divisions if one.level == "township")

    @property
    def villages(self) -> tuple[Division, ...]:
        """The villages, by code."""
        return tuple(one for one in self.divisions if one.level == "village")


def synthetic_county(seed: int = 1, contacts: int = 20_000) -> County:
    """Return an invented county.

    Args:
        seed: the same seed gives the same county.
        contacts: how many persons; chat groups and terminals come on top. At most 9,999 x 10,000.
    """
    chance = random.Random(seed)  # noqa: S311 - an invented county needs no secrets
    outline = _outline(chance)
    cells = _cells(chance, outline, len(_TOWNSHIPS))
    townships = [
        Division(f"{CODE}{n:03}000", name, "township", None, *_centre(cell), shapely.to_wkb(cell))
        for n, (name, cell) in enumerate(zip(_TOWNSHIPS, cells, strict=True), 1)
    ]
    villages = [
        village
        for town, cell in zip(townships, cells, strict=True)
        for village in _villages(chance, town, cell)
    ]
    people = sum(one.population or 0 for one in villages)
    county = Division(f"{CODE}000000", NAME, "county", people, *_centre(outline), shapely.to_wkb(outline))
    divisions = (county, *[_counted(town, villages) for town in townships], *villages)
    persons = _persons(chance, [county, *townships, *villages], villages, contacts)
    return County(divisions, (*persons, *_posts(villages, townships, len(persons))))


async def load_county(database: Database, county: County) -> None:
    """Load the county's regions and contacts; a second time changes nothing."""
    async with database.raw() as connection:
        await statements.load_regions(connection, county.divisions)
        channels = {channel for one in county.contacts for channel, _ in one.addresses}
        await statements.bring(connection, county.contacts, channels=channels, groups=True)


def _outline(chance: random.Random) -> shapely.Geometry:
    lat, lon = CENTRE
    waves = [(chance.uniform(0.04, 0.12), k, chance.uniform(0, math.tau)) for k in (2, 3, 5)]
    points = []
    for step in range(_OUTLINE_POINTS):
        turn = math.tau * step / _OUTLINE_POINTS
        reach = RADIUS_KM / KM_PER_DEGREE * (1 + sum(a * math.sin(k * turn + at) for a, k, at in waves))
        points.append(
            (lon + reach * math.cos(turn) / math.cos(math.radians(lat)), lat + reach * math.sin(turn))
        )
    return _rounded(shapely.Polygon(points))


def _rounded(geometry: shapely.Geometry) -> shapely.Geometry:
    return shapely.set_precision(geometry, 1e-4)


def _cells(chance: random.Random, outline: shapely.Geometry, count: int) -> list[shapely.Geometry]:
    """Return Voronoi cells clipped to the outline, relaxed so that none is tiny."""
    seeds = [_within(chance, outline) for _ in range(count)]
    cells: list[shapely.Geometry] = []
    for _ in range(_RELAXATIONS):
        raw = shapely.voronoi_polygons(shapely.MultiPoint(seeds), extend_to=outline).geoms
        cells = [_rounded(shapely.intersection(cell, outline)) for cell in raw]
        seeds = [shapely.centroid(cell) for cell in cells]
    # North to south, so that codes run as on a map.
    return sorted(cells, key=lambda cell: (-round(shapely.centroid(cell).y, 3), shapely.centroid(cell).x))


def _within(chance: random.Random, area: shapely.Geometry) -> shapely.Point:
    west, south, east, north = shapely.bounds(area)
    while True:
        point = shapely.Point(round(chance.uniform(west, east), 5), round(chance.uniform(south, north), 5))
        if shapely.contains(area, point):
            return point


def _centre(area: shapely.Geometry) -> tuple[float, float]:
    point = shapely.point_on_surface(area)
    return round(point.x, 5), round(point.y, 5)


def _villages(chance: random.Random, town: Division, cell: shapely.Geometry) -> list[Division]:
    names = chance.sample(_STEMS, chance.randint(*_VILLAGES_EACH))
    points = [_within(chance, cell) for _ in names]
    return [
        Division(
            f"{town.code[:9]}{200 + n:03}",
            f"{name}村",
            "village",
            chance.randint(350, 3200),
            point.x,
            point.y,
        )
        for n, (name, point) in enumerate(zip(names, points, strict=True))
    ]


def _counted(town: Division, villages: list[Division]) -> Division:
    return town._replace(
        population=sum(one.population or 0 for one in villages if one.code[:9] == town.code[:9])
    )


def _persons(
    chance: random.Random, duties: list[Division], villages: list[Division], count: int
) -> list[Contact]:
    """Return responsible persons, some for each division, and residents spread by population."""
    responsible = min(RESPONSIBLE, count)
    weights = [one.population or 1 for one in villages]
    homes = chance.choices(villages, weights, k=count - responsible)
    regions = [duties[n % len(duties)] for n in range(responsible)] + homes
    return [_person(chance, n, region, n <= responsible) for n, region in enumerate(regions, 1)]


def _person(chance: random.Random, number: int, region: Division, responsible: bool) -> Contact:
    addresses = [("sms", f"86199{number:08}")]
    if chance.random() < MAIL_SHARE or responsible:
        addresses.append(("email", f"yanlian{number:05}@example.org"))
    located = not responsible and chance.random() < LOCATED_SHARE
    lon, lat = _near(chance, region) if located else (None, None)
    return Contact(
        number,
        f"YL-{number:06}",
        f"演练甲{number:04}",
        region.code,
        "responsible" if responsible else "resident",
        "en" if chance.random() < ENGLISH_SHARE else "zh-CN",
        lon,
        lat,
        tuple(addresses),
        ("责任人",) if responsible else (),
    )


def _near(chance: random.Random, region: Division) -> tuple[float, float]:
    """Return a home within about 600 m of the village's point."""
    assert region.lon is not None
    assert region.lat is not None
    return round(region.lon + chance.gauss(0, 0.003), 5), round(region.lat + chance.gauss(0, 0.003), 5)


def _posts(villages: list[Division], townships: list[Division], before: int) -> list[Contact]:
    """Return one chat group for each township and one terminal for each village."""
    rows = [
        ("group", town, f"演练群{town.name}", "wecom", f"yanlian-group-{town.code}", ("微信群",))
        for town in townships
    ] + [
        ("device", one, f"演练终端{one.code[6:]}", "radio", f"{one.code}/r{one.code[6:]}", ("应急广播",))
        for one in villages
    ]
    return [
        Contact(
            before + n,
            f"YL-{role[0].upper()}{n:05}",
            name,
            region.code,
            role,
            "zh-CN",
            None,
            None,
            ((channel, address),),
            groups,
        )
        for n, (role, region, name, channel, address, groups) in enumerate(rows, 1)
    ]
