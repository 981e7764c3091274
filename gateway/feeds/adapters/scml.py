"""SeisComPML (``http://geofon.gfz-potsdam.de/ns/seiscomp3-schema/0.12`` and its neighbours).

The model is that of QuakeML, laid out otherwise: origins stand beside the events, magnitudes inside their
origins, and depth is in kilometres.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from gateway.feeds.contract import Adapter, FeedRefused
from gateway.feeds.outside import outside, whole_root
from gateway.feeds.solving import Entry, EntryRefused, collect
from gateway.feeds.solving_xml import MOST_PARTS, Parts, alone, each, find, kids, public_id, read_event

if TYPE_CHECKING:
    from lxml import etree

    from gateway.feeds.contract import Reading, Solution
    from gateway.feeds.document import Document

KIND = "scml"
_NAMESPACE = "http://geofon.gfz-potsdam.de/ns/seiscomp"


def _recognises(document: Document) -> bool:
    root = outside(document)
    return root.name == "seiscomp" and root.namespace.startswith(_NAMESPACE)


def _read(document: Document) -> Reading:
    root = whole_root(document, "seiscomp")
    parameters = find(root, "EventParameters")
    if parameters is None:
        raise FeedRefused("feed_malformed", "the SeisComPML has no EventParameters")
    events = kids(parameters, "event")
    whole = document.data if len(events) == 1 else None
    origins = {public_id(one): (one, kids(one, "magnitude")) for one in kids(parameters, "origin")}
    return collect(
        KIND,
        (
            (entry, partial(_solution, event=event, parameters=parameters, origins=origins, whole=whole))
            for entry, event in each(events)
        ),
    )


def _solution(
    entry: Entry,
    *,
    event: etree._Element,
    parameters: etree._Element,
    origins: dict[str, tuple[etree._Element, list[etree._Element]]],
    whole: bytes | None,
) -> Solution:
    names = dict.fromkeys((one.text or "").strip() for one in kids(event, "originReference"))
    names[_preferred(event)] = None
    found = [origins[name] for name in names if name in origins]
    if sum(len(magnitudes) for _, magnitudes in found) > MOST_PARTS:
        raise EntryRefused("item_malformed", f"the event has more than {MOST_PARTS} magnitudes")
    own = [origin for origin, _ in found]
    magnitudes = [one for _, several in found for one in several]
    parts = Parts(event, own, magnitudes, ("magnitude", "value"), _kilometres)
    original = whole or alone(parameters, [*own, event])
    return read_event(entry, parts, ids=[public_id(event)], original=original)


def _preferred(event: etree._Element) -> str:
    found = find(event, "preferredOriginID")
    return "" if found is None else (found.text or "").strip()


def _kilometres(_: Entry, text: str) -> object:
    return text


ADAPTER = Adapter(KIND, _recognises, _read)
