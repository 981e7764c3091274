"""USGS GeoJSON: the summary feeds, the detail of one event, and the answers of fdsnws/event.

``https://earthquake.usgs.gov/earthquakes/feed/v1.0/geojson.php``. An event's id is that of its preferred
solution and changes with it; all ids that were ever merged into it stand in ``ids``. A summary is a window
of time: an event that is no longer in it has not been deleted. A deletion shows as status ``deleted`` where
fdsnws is asked with ``includedeleted``, and as answer 409 for a single event: see :func:`deleted`.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any

from gateway.alerts.model import Status
from gateway.feeds.contract import Adapter, FeedRefused, Reading, Solution
from gateway.feeds.findings import finding
from gateway.feeds.solving import (
    Entry,
    EntryRefused,
    agency_name,
    collect,
    coordinates,
    cut,
    features,
    json_object,
    number,
    part,
    solve,
    words,
)

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.feeds.contract import Review
    from gateway.feeds.document import Document

KIND = "usgs"
_OK = 200
_REVIEWS: dict[str, Review] = {"automatic": "automatic", "reviewed": "reviewed"}
_LONG_NETWORKS = re.compile(r"(iscgem|official|duputel|atlas|choy|gcmt|ismp|pde)", re.IGNORECASE)
"""Contributors whose code is longer than the two letters of a network."""


def deleted(event_id: str, answer: bytes = b"", at: datetime | None = None) -> Solution:
    """Return the withdrawal that answer 409 to a query for one event means.

    ``fdsnws/event/1/query?eventid=...`` answers 409 Conflict where the event has been deleted, 404 where
    there never was one, which withdraws nothing.

    Args:
        event_id: The id that was asked for.
        answer: The body of the answer.
        at: When it came, UTC.
    """
    return Solution(
        agency=_network(event_id),
        ids=(event_id,),
        original=answer or f"409 {event_id}".encode(),
        withdrawn=True,
        status=Status.ACTUAL,
        updated=at,
    )


def _network(event_id: str) -> str:
    long = _LONG_NETWORKS.match(event_id)
    return agency_name(long[0] if long else event_id[:2])


def _recognises(document: Document) -> bool:
    start = document.start
    return document.looks_like_json and '"feature' in start and "earthquake.usgs.gov" in start


def _read(document: Document) -> Reading:
    body = json_object(document)
    _check_answer(body)
    found = features(body)
    alone = body.get("type") == "Feature"
    reading = collect(
        KIND,
        (
            (Entry(f"features[{at}]"), partial(_solution, feature=one, whole=document.data if alone else b""))
            for at, one in enumerate(found)
        ),
    )
    _complete(reading, body, len(found))
    return reading


def _check_answer(body: dict[str, Any]) -> None:
    status = part(body, "metadata").get("status", _OK)
    if status != _OK:
        raise FeedRefused("error_page", f"the source answered with status {words(status, 20) or 'unknown'}")


def _complete(reading: Reading, body: dict[str, Any], found: int) -> None:
    metadata = part(body, "metadata")
    reading.generated = Entry("metadata").millis("generated", metadata.get("generated"))
    count = number(metadata.get("count"))
    if count is not None and count > found:
        reading.findings.append(finding("feed_truncated", "features", "fewer events than the source counted"))


def _solution(entry: Entry, *, feature: Any, whole: bytes) -> Solution:  # noqa: ANN401 - of strangers' JSON
    about = part(feature, "properties")
    if not about:
        raise EntryRefused("item_malformed", "the event has no properties")
    lon, lat, depth = coordinates(feature)
    kind = about.get("type")
    status = words(about.get("status")).lower()
    return solve(
        entry,
        agency=about.get("net") or _network(words(feature.get("id"))),
        ids=_ids(feature, about),
        original=whole or cut(feature),
        time=entry.millis("time", about.get("time")),
        lat=lat,
        lon=lon,
        depth_km=depth,
        magnitude=about.get("mag"),
        magnitude_type=about.get("magType"),
        place=about.get("place"),
        review=_REVIEWS.get(status, "unknown"),
        withdrawn=status == "deleted" or kind == "not existing",
        event_type="" if kind == "not existing" else kind,
        version=about.get("updated"),
        updated=entry.millis("updated", about.get("updated")),
    )


def _ids(feature: dict[str, Any], about: dict[str, Any]) -> list[str]:
    """Return the preferred id, then the others; ``ids`` is written ``,a,b,``."""
    own = words(feature.get("id")) or words(about.get("net")) + words(about.get("code"))
    merged = about.get("ids")
    return [own, *(merged.split(",") if isinstance(merged, str) else [])]


ADAPTER = Adapter(KIND, _recognises, _read, deleted=deleted)
