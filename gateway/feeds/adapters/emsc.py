"""EMSC: the websocket of ``https://www.seismicportal.eu/realtime.html``, and its FDSN service's JSON.

Every event is pushed as ``{"action": "create"|"update"|"delete", "data": feature}``; nobody subscribes.
An update may be the first that is heard of an event. Nothing is sent twice, so what a broken connection
missed is asked for: :func:`backfill_query`. The agency is the one whose solution EMSC passes on (``auth``),
which may change from one update to the next; the ``unid`` stays.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from gateway.feeds.contract import Adapter, Solution
from gateway.feeds.solving import (
    EARTHQUAKE,
    Entry,
    EntryRefused,
    collect,
    coordinates,
    cut,
    features,
    is_absent,
    json_object,
    number,
    part,
    solve,
)

if TYPE_CHECKING:
    from gateway.feeds.contract import Reading
    from gateway.feeds.document import Document

KIND = "emsc"
ACTIONS = ("create", "update", "delete")
MOST = 500
"""Events that are asked for at once; the newest where there were more."""
OVERLAP = timedelta(days=1)
"""Events that are older than the silence may have been revised in it."""
_KINDS = {
    "e": EARTHQUAKE,
    "i": "induced earthquake",
    "r": "rock burst",
    "m": "mining explosion",
    "h": "chemical explosion",
    "x": "explosion",
    "n": "nuclear explosion",
    "l": "landslide",
}
"""Second letter of ``evtype``; the first says how sure it is (known, suspected, felt, damaging, unknown)."""


def backfill_query(since: datetime) -> str:
    """Return the query for ``archive_url`` that asks for what the websocket sent since a time.

    FDSN Web Services 1.2: ``starttime`` is the time of the earthquake, not of the message, and every node
    knows it; hence the day of overlap. Deletions do not show in the answer.
    """
    start = (since.astimezone(UTC) - OVERLAP).replace(microsecond=0, tzinfo=None)
    return urlencode({"format": "json", "starttime": start.isoformat(), "orderby": "time", "limit": MOST})


def _recognises(document: Document) -> bool:
    start = document.start
    told = '"unid"' in start and ('"flynn_region"' in start or '"evtype"' in start)
    return document.looks_like_json and told


def _read(document: Document) -> Reading:
    body = json_object(document)
    if "action" in body:
        one = partial(_pushed, body=body, original=document.data)
        return collect(KIND, [(Entry("data"), one)])
    found = features(body)
    return collect(
        KIND,
        (
            (Entry(f"features[{at}]"), partial(_solution, feature=one, original=cut(one), withdrawn=False))
            for at, one in enumerate(found)
        ),
    )


def _pushed(entry: Entry, *, body: dict[str, Any], original: bytes) -> Solution:
    action = body["action"]
    if action not in ACTIONS:
        raise EntryRefused("item_malformed", "the message is neither create, update nor delete")
    return _solution(entry, feature=body.get("data"), original=original, withdrawn=action == "delete")


def _solution(entry: Entry, *, feature: object, original: bytes, withdrawn: bool) -> Solution:
    about = part(feature, "properties")
    if not about:
        raise EntryRefused("item_malformed", "the event has no properties")
    lon, lat, height = coordinates(feature)
    updated = about.get("lastupdate")
    return solve(
        entry,
        agency=about.get("auth") or KIND,
        ids=[about.get("unid")],
        original=original,
        time=entry.time("time", about.get("time")),
        lat=_first(about.get("lat"), lat),
        lon=_first(about.get("lon"), lon),
        depth_km=_first(about.get("depth"), _below(height)),
        magnitude=about.get("mag"),
        magnitude_type=about.get("magtype"),
        place=about.get("flynn_region"),
        withdrawn=withdrawn,
        event_type=_event_type(entry, about.get("evtype")),
        version=updated,
        updated=entry.time("lastupdate", updated),
    )


def _first(*values: object) -> object:
    return next((one for one in values if not is_absent(one)), None)


def _below(height: object) -> float | None:
    """Return the depth that a third coordinate says, which is a height."""
    read = number(height)
    return None if read is None else 0.0 - read


def _event_type(entry: Entry, value: object) -> str:
    if is_absent(value):
        return EARTHQUAKE
    kind = _KINDS.get(value[1:2]) if isinstance(value, str) else None
    # Landslides are written "ls", without a letter for how sure it is.
    kind = "landslide" if value == "ls" else kind
    if kind is None:
        entry.note("value_dropped", "evtype")
    return kind or EARTHQUAKE


ADAPTER = Adapter(KIND, _recognises, _read, transport="websocket")
