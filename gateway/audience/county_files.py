"""The invented county as files, in the forms that ``tongda audience`` reads: GeoJSON and CSV."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import orjson
import shapely

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gateway.audience.county import County

SAMPLE = 200
"""Rows of the sample of contacts."""

_CONTACT_COLUMNS = ("编号", "姓名", "行政区划代码", "角色", "语言", "手机", "邮箱", "经度", "纬度", "分组")
_ROLE_WORDS = {"responsible": "责任人", "resident": "居民"}


def write_files(county: County, folder: Path) -> None:
    """Write ``townships.geojson``, ``villages.csv`` and ``contacts.csv``; the same county, the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "townships.geojson").write_bytes(townships(county))
    (folder / "villages.csv").write_text(villages(county), encoding="utf-8", newline="")
    (folder / "contacts.csv").write_text(contacts(county), encoding="utf-8", newline="")


def townships(county: County) -> bytes:
    """Return the county and its townships as a GeoJSON FeatureCollection (RFC 7946)."""
    features = [
        {
            "type": "Feature",
            "properties": {"code": one.code, "name": one.name, "population": one.population},
            "geometry": orjson.loads(shapely.to_geojson(shapely.from_wkb(one.geometry)) or ""),
        }
        for one in (county.divisions[0], *county.townships)
    ]
    lines = b",\n".join(orjson.dumps(feature) for feature in features)
    return b'{"type":"FeatureCollection","features":[\n' + lines + b"\n]}\n"


def villages(county: County) -> str:
    """Return the villages with point and population as CSV."""
    rows = [(one.code, one.name, one.population, one.lon, one.lat) for one in county.villages]
    return _table(("code", "name", "population", "lon", "lat"), rows)


def contacts(county: County, most: int = SAMPLE) -> str:
    """Return some of the persons as CSV with Chinese headers, spread over the county."""
    persons = [one for one in county.contacts if one.role in _ROLE_WORDS]
    rows = []
    for one in persons[:: max(1, len(persons) // most)][:most]:
        by_channel = dict(one.addresses)
        role = _ROLE_WORDS[one.role or "resident"]
        places = (one.lon, one.lat)
        reached_by = (by_channel.get("sms"), by_channel.get("email"))
        rows.append(
            (
                one.external_id,
                one.name,
                one.region,
                role,
                one.language,
                *reached_by,
                *places,
                ";".join(one.groups),
            )
        )
    return _table(_CONTACT_COLUMNS, rows)


def _table(header: tuple[str, ...], rows: Sequence[tuple[object, ...]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()
