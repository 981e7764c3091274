"""Loading of regions: GeoJSON with the polygons of townships, CSV or XLSX with the points of villages."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
import shapely

from gateway.audience import codes
from gateway.audience.columns import Fault, clean, safe_title, short, strip, title_key
from gateway.audience.contacts import RowError
from gateway.audience.lines import FileRefused, Limits
from gateway.audience.sheets import read_lines
from gateway.store import contacts as statements
from gateway.store.contacts import Division

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import asyncpg

    from gateway.store.database import Database

FIELDS = {
    "code": ("code", "adcode", "gb", "行政区划代码", "区划代码", "代码"),
    "name": ("name", "名称", "地名", "区划名称"),
    "population": ("population", "人口", "人口数", "常住人口"),
    "lon": ("lon", "lng", "longitude", "经度"),
    "lat": ("lat", "latitude", "纬度"),
}
"""Field -> names of its column or property."""

_KEYS = {title_key(title): field for field, titles in FIELDS.items() for title in titles}
_COUNTRY = "156"
"""ISO 3166-1 of China, which the property ``gb`` has before the code."""
_WGS84 = ("crs84", "4326", "4490")
_MOST_MEGABYTES = 256


class RegionsReport(NamedTuple):
    """What became of the files."""

    read: int
    created: int
    updated: int
    refused: list[RowError]
    unknown_columns: list[str]
    """Columns of tables that were not read, with their file: strange ones, and a second one for a field."""


class Read(NamedTuple):
    """What files of regions say."""

    divisions: list[Division]
    rows: int
    refused: list[RowError]
    unknown_columns: list[str]


async def load_regions(database: Database, paths: Sequence[Path]) -> RegionsReport:
    """Insert or update the regions of all files in one transaction; files may add to one another.

    Raises:
        FileRefused: a file as a whole cannot be read.
    """
    found = await asyncio.to_thread(read_regions, paths)
    async with database.raw() as connection:
        return await bring_in(connection, found)


async def bring_in(connection: asyncpg.Connection, found: Read) -> RegionsReport:
    """Insert or update what was read."""
    created, updated = await statements.load_regions(connection, found.divisions)
    return RegionsReport(found.rows, created, updated, found.refused, found.unknown_columns)


def read_regions(paths: Sequence[Path]) -> Read:
    """Read the regions of all files; raises :class:`FileRefused` where one cannot be read as a whole."""
    divisions: dict[str, Division] = {}
    refused: list[RowError] = []
    unknown: list[str] = []
    rows = 0
    for path in paths:
        lines = _geojson(path) if path.suffix.lower() in {".geojson", ".json"} else _table(path, unknown)
        for number, values in lines:
            rows += 1
            try:
                one = _division(values)
            except Fault as fault:
                refused.append(RowError(path.name, number, fault.field, fault.reason, fault.way_out))
                continue
            divisions[one.code] = _joined(divisions.get(one.code), one)
    return Read(list(divisions.values()), rows, refused, unknown)


def _joined(before: Division | None, one: Division) -> Division:
    if before is None:
        return one
    return before._replace(**{name: value for name, value in one._asdict().items() if value is not None})


def _table(path: Path, unknown: list[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Return (number of the row, values); add the columns that are not read to ``unknown``."""
    lines = read_lines(
        path, lambda cells: sum(title_key(cell) in _KEYS for cell in cells), Limits(rows=1_000_000)
    )
    header = next(lines)
    places = _places(header.cells)
    if not {"code", "name"} <= places.keys():
        raise FileRefused(
            f"{path.name}, row {header.number}: the first row must name the columns code and name"
        )
    for place, title in enumerate(header.cells):
        if title.strip() and place not in places.values():
            unknown.append(f"{path.name}, {safe_title(title, place + 1)}")
    for line in lines:
        values = {name: line.cells[place] for name, place in places.items() if place < len(line.cells)}
        yield line.number, values | ({"fault": line.fault} if line.fault else {})


def _places(header: Sequence[str]) -> dict[str, int]:
    """Return field -> its column; of two columns for one field the first counts."""
    places: dict[str, int] = {}
    for place, cell in enumerate(header):
        if field := _KEYS.get(title_key(cell)):
            places.setdefault(field, place)
    return places


def _geojson(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Return (number of the feature, values with ``geometry``)."""
    try:
        if path.stat().st_size > _MOST_MEGABYTES << 20:
            raise FileRefused(f"{path.name}: larger than {_MOST_MEGABYTES} MB; split it")
        document = orjson.loads(path.read_bytes())
        features = list(document["features"])
    except OSError as error:
        raise FileRefused(
            f"{path.name}: cannot be read: {(error.strerror or 'unknown reason').lower()}"
        ) from None
    except (ValueError, TypeError, KeyError):
        raise FileRefused(f"{path.name}: no GeoJSON FeatureCollection (RFC 7946)") from None
    _check_crs(path, document)
    for number, feature in enumerate(features, 1):
        yield number, _properties(feature)


def _check_crs(path: Path, document: Mapping[str, Any]) -> None:
    crs = orjson.dumps(document.get("crs") or "crs84").decode().lower()
    if not any(known in crs for known in _WGS84):
        raise FileRefused(f"{path.name}: its coordinate system is not WGS-84 or CGCS2000; convert it")


def _properties(feature: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever the file holds
    if not isinstance(feature, dict) or not isinstance(feature.get("properties"), dict):
        return {"fault": "the feature has no properties"}
    values: dict[str, Any] = {}
    for title, value in feature["properties"].items():
        field = _KEYS.get(title_key(title))
        if not field or value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            return {"fault": f"{field} is neither text nor number"}
        text = _property(title, value)
        if not _agree(field, text, values.setdefault(field, text)):
            return {"fault": f"several properties for {field}, which differ"}
    return values | {"geometry": feature.get("geometry")}


def _property(title: str, value: str | float) -> str:
    whole = isinstance(value, float) and value.is_integer()
    text = strip(str(int(value) if whole else value))
    return text.removeprefix(_COUNTRY) if title_key(title) == "gb" else text


def _agree(field: str, one: str, other: str) -> bool:
    """Whether two properties say the same; the zeros at the end of a code may be missing."""
    return one == other or (field == "code" and one.ljust(12, "0") == other.ljust(12, "0"))


def _division(values: Mapping[str, Any]) -> Division:
    if "fault" in values:
        raise Fault(values["fault"], "correct it")
    try:
        code = codes.parse_code(_text(values, "code"))
    except codes.CodeRefused as refused:
        raise Fault(str(refused), "write the 12 digits") from None
    lon, lat = _number(values, "lon", float, 180), _number(values, "lat", float, 90)
    if (lon is None) != (lat is None):
        raise Fault("one coordinate is missing", "give longitude and latitude, or neither")
    population = _number(values, "population", int, 2_000_000_000)
    if population is not None and population < 0:
        raise Fault("the population is negative", "correct it")
    geometry = _geometry(values.get("geometry"))
    return Division(code.digits, _name(values), code.level, population, lon, lat, geometry)


def _name(values: Mapping[str, Any]) -> str:
    name = _text(values, "name")
    if not name:
        raise Fault("the name is empty", "fill it")
    return name


def _text(values: Mapping[str, Any], field: str) -> str:
    try:
        return short(clean(values.get(field, "")))
    except Fault as fault:
        raise Fault(fault.reason, fault.way_out, field) from None


def _number(values: Mapping[str, Any], name: str, kind: Callable[[str], Any], most: float) -> Any:  # noqa: ANN401
    text = _text(values, name)
    if not text:
        return None
    try:
        value = kind(text)
    except ValueError:
        raise Fault(f"{name} is no number", "correct it or leave it empty") from None
    if not abs(value) <= most:
        raise Fault(f"{name} is out of range", "longitude and latitude may be exchanged")
    return value


def _geometry(geometry: Any) -> bytes | None:  # noqa: ANN401 - whatever the file holds
    if geometry is None:
        return None
    try:
        shape = shapely.from_geojson(orjson.dumps(geometry))
    except (shapely.GEOSException, TypeError):
        raise Fault("the geometry is no GeoJSON", "draw it again") from None
    if shape.geom_type not in {"Polygon", "MultiPolygon"} or shapely.is_empty(shape):
        raise Fault("the geometry is no polygon", "draw it again")
    west, south, east, north = shapely.bounds(shape)
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):  # noqa: PLR2004 - the Earth
        raise Fault("the geometry is not in degrees", "convert it to WGS-84, longitude first")
    if not shapely.is_valid(shape):
        raise Fault("the border of the polygon crosses itself", "draw it again")
    return bytes(shapely.to_wkb(shape))
