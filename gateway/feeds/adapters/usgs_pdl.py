"""Origin products of the USGS Product Distribution Layer: one file of properties for each version.

``https://usgs.github.io/pdl/``. A product with status ``DELETE`` withdraws the solution of its source; the
same id may be sent again later. Depth is in kilometres.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from gateway.feeds.contract import Adapter, FeedRefused
from gateway.feeds.outside import outside, whole_root
from gateway.feeds.solving import Entry, collect, solve
from gateway.feeds.solving_xml import kids

if TYPE_CHECKING:
    from lxml import etree

    from gateway.feeds.contract import Reading, Review, Solution
    from gateway.feeds.document import Document

KIND = "usgs_pdl"
_NAMESPACE = "http://earthquake.usgs.gov/distribution/product"
_REVIEWS: dict[str, Review] = {"automatic": "automatic", "reviewed": "reviewed"}


def _recognises(document: Document) -> bool:
    root = outside(document)
    return root.name == "product" and root.namespace == _NAMESPACE


def _read(document: Document) -> Reading:
    root = whole_root(document, "product")
    kind = _product_type(root)
    if kind != "origin":
        raise FeedRefused("feed_malformed", "the product is no origin")
    return collect(KIND, [(Entry("product"), partial(_solution, root=root, original=document.data))])


def _product_type(root: etree._Element) -> str:
    """Return the type in an id: ``urn:usgs-product:SOURCE:TYPE:CODE:UPDATETIME``."""
    parts = (root.get("id") or "").split(":")
    return parts[3] if len(parts) > 3 else ""  # noqa: PLR2004 - the fourth of six


def _solution(entry: Entry, *, root: etree._Element, original: bytes) -> Solution:
    told = {one.get("name") or "": one.get("value") or "" for one in kids(root, "property")}
    source, code = told.get("eventsource", "").lower(), told.get("eventsourcecode", "")
    return solve(
        entry,
        agency=source,
        ids=[f"{source}{code}" if source and code else "", told.get("quakeml-publicid")],
        original=original,
        time=entry.time("eventtime", told.get("eventtime")),
        lat=told.get("latitude"),
        lon=told.get("longitude"),
        depth_km=told.get("depth"),
        magnitude=told.get("magnitude"),
        magnitude_type=told.get("magnitude-type"),
        place=told.get("title"),
        review=_REVIEWS.get(told.get("review-status", "").lower(), "unknown"),
        withdrawn=(root.get("status") or "").upper() == "DELETE",
        event_type=told.get("event-type"),
        version=told.get("version"),
        updated=entry.time("updateTime", root.get("updateTime")),
    )


ADAPTER = Adapter(KIND, _recognises, _read)
