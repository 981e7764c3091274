"""QuakeML 1.2 (Basic Event Description) and the 1.0 of older services.

The solution is the preferred origin with the preferred magnitude, which need not stand first. Depth is in
metres in 1.2; files of the 1.0 namespace, and some of 1.2, have kilometres: see :func:`_depth_km`.
An event of type ``not existing``, or with a rejected origin, withdraws what was said under its publicID.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from gateway.feeds.contract import Adapter, FeedRefused
from gateway.feeds.outside import outside, whole_root
from gateway.feeds.solving import DEPTHS, Entry, collect, number
from gateway.feeds.solving_xml import Parts, alone, each, find, kids, public_id, read_event

if TYPE_CHECKING:
    from collections.abc import Callable

    from lxml import etree

    from gateway.feeds.contract import Reading, Solution
    from gateway.feeds.document import Document

KIND = "quakeml"
_NAMESPACE = "http://quakeml.org/xmlns/"
_CATALOG = "{http://anss.org/xmlns/catalog/0.1}"
"""Attributes by which the networks of the United States name an event: ``us`` + ``6000697y``."""
_NUMBER_OF_QUERY = re.compile(r"[?&]eventid=([0-9]{4,20})(?:&|$)", re.IGNORECASE)
_SEISCOMP = re.compile(r"[/#]([a-z]{2,8}(?:19|20)[0-9]{2}[a-z]{3,12})$")
"""The last part of a publicID where it is unique by itself: ``gfz2024abcd``. Without the agency's letters it
only says in which minute of the year the event was, as that of any other agency may."""
_METRES_AT_LEAST = 100
"""Smaller depths in a file of 1.2 are taken for kilometres: nothing is located to within some metres."""


def _recognises(document: Document) -> bool:
    root = outside(document)
    return root.name == "quakeml" and root.namespace.startswith(_NAMESPACE)


def _read(document: Document) -> Reading:
    root = whole_root(document, "quakeml")
    parameters = find(root, "eventParameters")
    if parameters is None:
        raise FeedRefused("feed_malformed", "the QuakeML has no eventParameters")
    events = kids(parameters, "event")
    whole = document.data if len(events) == 1 else None
    depth = _depth_of_old if "quakeml/1.0" in str(root.tag) else _depth_km
    return collect(
        KIND,
        (
            (entry, partial(_solution, event=event, parameters=parameters, whole=whole, depth=depth))
            for entry, event in each(events)
        ),
    )


def _solution(
    entry: Entry,
    *,
    event: etree._Element,
    parameters: etree._Element,
    whole: bytes | None,
    depth: Callable[[Entry, str], object],
) -> Solution:
    parts = Parts(event, kids(event, "origin"), kids(event, "magnitude"), ("mag", "value"), depth)
    return read_event(entry, parts, ids=_ids(event), original=whole or alone(parameters, [event]))


def _ids(event: etree._Element) -> list[str]:
    """Return the publicID, and the names under which other formats of the same agency know the event."""
    name = public_id(event)
    source, code = (event.get(_CATALOG + one) or "" for one in ("eventsource", "eventid"))
    short = _NUMBER_OF_QUERY.search(name) or _SEISCOMP.search(name)
    return [name, f"{source}{code}" if source and code else "", short[1] if short else ""]


def _depth_km(entry: Entry, text: str) -> object:
    """Return kilometres of a depth of 1.2, which is metres unless it is too small to be."""
    depth = number(text)
    if depth is None or depth == 0:
        return text
    if DEPTHS[0] <= depth < _METRES_AT_LEAST:
        entry.note("depth_unit_assumed", "origin/depth")
        return depth
    return depth / 1000


def _depth_of_old(entry: Entry, text: str) -> object:
    """Return kilometres of a depth of 1.0, which is written in them by those who use it still."""
    depth = number(text)
    if depth is None or depth == 0:
        return text
    entry.note("depth_unit_assumed", "origin/depth")
    return depth if DEPTHS[0] <= depth <= DEPTHS[1] else depth / 1000


ADAPTER = Adapter(KIND, _recognises, _read)
