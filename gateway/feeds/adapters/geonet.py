"""GeoNet (New Zealand): ``https://api.geonet.org.nz/quake?MMI=3``, GeoJSON, and the same for one event.

Deleted events stay in the list with quality ``deleted``. The shaking intensity (``mmi``) is left to the
house's own estimate.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from gateway.feeds.contract import Adapter, Solution
from gateway.feeds.solving import (
    Entry,
    EntryRefused,
    collect,
    coordinates,
    cut,
    features,
    json_object,
    part,
    solve,
)

if TYPE_CHECKING:
    from gateway.feeds.contract import Reading, Review
    from gateway.feeds.document import Document

KIND = "geonet"
_REVIEWS: dict[object, Review] = {"best": "reviewed", "automatic": "automatic"}
"""``preliminary`` says neither."""


def _recognises(document: Document) -> bool:
    start = document.start
    return document.looks_like_json and all(
        f'"{name}"' in start for name in ("features", "publicid", "locality", "quality")
    )


def _read(document: Document) -> Reading:
    found = features(json_object(document))
    return collect(
        KIND, ((Entry(f"features[{at}]"), partial(_solution, feature=one)) for at, one in enumerate(found))
    )


def _solution(entry: Entry, *, feature: object) -> Solution:
    about = part(feature, "properties")
    if not about:
        raise EntryRefused("item_malformed", "the event has no properties")
    lon, lat, _ = coordinates(feature)
    updated = about.get("modificationTime")
    return solve(
        entry,
        agency=KIND,
        ids=[about.get("publicID")],
        original=cut({"type": "FeatureCollection", "features": [feature]}),
        time=entry.time("time", about.get("time")),
        lat=lat,
        lon=lon,
        depth_km=about.get("depth"),
        magnitude=about.get("magnitude"),
        magnitude_type=about.get("magnitudeType"),
        place=about.get("locality"),
        review=_REVIEWS.get(str(about.get("quality")), "unknown"),
        withdrawn=about.get("quality") == "deleted",
        version=updated,
        updated=entry.time("modificationTime", updated),
    )


ADAPTER = Adapter(KIND, _recognises, _read)
