"""The borders of the desk's regions, for every map of the console."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import weakref
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import orjson
import shapely
from aiohttp import web

from gateway.store import people_pages as store
from gateway.web.console.routing import Routes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.store.database import Database
    from gateway.web.console.visit import Visit

routes = Routes()

FINENESS = 3000
"""A border is drawn as exactly as a picture of so many points across needs."""
_DIGITS = 5
_COMPRESSION = 6


class Outlines(NamedTuple):
    """The borders as they are sent."""

    mark: str
    etag: str
    packed: bytes


class _Kept:
    """The borders of one database, made once for each state of its regions."""

    def __init__(self) -> None:
        self.outlines: Outlines | None = None
        self.lock = asyncio.Lock()


_kept: weakref.WeakKeyDictionary[Database, _Kept] = weakref.WeakKeyDictionary()


@routes.get("/regions.geojson", "see", "lead", "contacts")
async def regions(visit: Visit) -> web.Response:
    """Answer with every region above the villages: code, name, level and simplified border (RFC 7946).

    The member ``note`` is what must stand on the map.
    """
    found = await outlines(visit.console.database, visit.console.settings.desk.map_note)
    headers = {"ETag": found.etag, "Cache-Control": "private, no-cache", "Vary": "Accept-Encoding"}
    if found.etag in visit.request.headers.get("If-None-Match", ""):
        return web.Response(status=304, headers=headers)
    kind = "application/geo+json"
    if "gzip" in visit.request.headers.get("Accept-Encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return web.Response(body=found.packed, content_type=kind, headers=headers)
    return web.Response(body=gzip.decompress(found.packed), content_type=kind, headers=headers)


async def outlines(database: Database, note: str) -> Outlines:
    """Return the borders of a database, made anew only when its regions or the note have changed."""
    kept = _kept.setdefault(database, _Kept())
    async with kept.lock:
        async with database.begin() as connection:
            mark = f"{await store.outline_mark(connection)} {note}"
            if kept.outlines is not None and kept.outlines.mark == mark:
                return kept.outlines
            rows = await store.outlines(connection)
        kept.outlines = await asyncio.to_thread(pack, rows, note, mark)
        return kept.outlines


def pack(rows: Sequence[Any], note: str, mark: str = "") -> Outlines:
    """Return rows of (code, name, level, geometry as WKB) as one packed document."""
    shapes = _simplified(
        [(row.level, shapely.from_wkb(row.geometry) if row.geometry else None) for row in rows]
    )
    features = [
        {
            "type": "Feature",
            "properties": {"code": row.code, "name": row.name, "level": row.level},
            "geometry": orjson.Fragment(shapely.to_geojson(shape)) if shape is not None else None,
        }
        for row, shape in zip(rows, shapes, strict=True)
    ]
    body = orjson.dumps({"type": "FeatureCollection", "note": note, "features": features})
    etag = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
    return Outlines(mark, etag, gzip.compress(body, _COMPRESSION, mtime=0))


def _simplified(given: Sequence[tuple[str, Any]]) -> list[Any]:
    """Return the shapes with fewer points; neighbours of one level keep their common border."""
    shapes: list[Any] = [shape for _, shape in given]
    drawn = [shape for shape in shapes if shape is not None]
    if not drawn:
        return shapes
    west, south, east, north = shapely.total_bounds(drawn)
    tolerance = max(east - west, north - south) / FINENESS
    for level in {level for level, _ in given}:
        places = [n for n, (own, shape) in enumerate(given) if own == level and shape is not None]
        simple = shapely.coverage_simplify([shapes[n] for n in places], tolerance)
        for place, shape in zip(places, simple, strict=True):
            kept = shapes[place] if shapely.is_empty(shape) else shape
            shapes[place] = shapely.transform(kept, lambda points: np.round(points, _DIGITS))
    return shapes
