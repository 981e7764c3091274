"""EQXML (``http://www.usgs.gov/ansseqmsg``), which older systems of the networks of the United States send.

One message may hold several events, each with an action: ``Update``, or ``Delete``, which withdraws it.
Depth is in kilometres. Source and number together are the event's name in all products of the USGS.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from gateway.alerts.model import Status
from gateway.feeds.contract import Adapter
from gateway.feeds.outside import outside, whole_root
from gateway.feeds.solving import Entry, collect, solve
from gateway.feeds.solving_xml import alone_in, each, kids, text

if TYPE_CHECKING:
    from lxml import etree

    from gateway.feeds.contract import Reading, Review, Solution
    from gateway.feeds.document import Document

KIND = "eqxml"
_NAMESPACE = "http://www.usgs.gov/ansseqmsg"
_REVIEWS: dict[str, Review] = {
    "automatic": "automatic",
    "reviewed": "reviewed",
    "confirmed": "reviewed",
    "published": "reviewed",
}
_WITHDRAWING = frozenset({"delete", "cancel"})
_USAGES = {"test": Status.TEST, "scenario": Status.EXERCISE, "exercise": Status.EXERCISE}
_HEAD = ("Source", "Sender", "Module", "MsgSrc", "MsgIdent", "Sent", "Version")
"""What a message says of itself, before its events."""
_TYPES = {"quarry": "quarry blast", "nuclear": "nuclear explosion", "sonic": "sonic boom"}


def _recognises(document: Document) -> bool:
    root = outside(document)
    return root.name == "eqmessage" and root.namespace == _NAMESPACE


def _read(document: Document) -> Reading:
    root = whole_root(document, "EQMessage")
    events = kids(root, "Event")
    head = [one for name in _HEAD for one in kids(root, name)[:1]]
    sent = text(root, "Sent")
    whole = document.data if len(events) == 1 else b""
    return collect(
        KIND,
        (
            (entry, partial(_solution, event=event, sent=sent, original=whole or alone_in(root, head, event)))
            for entry, event in each(events)
        ),
    )


def _solution(entry: Entry, *, event: etree._Element, sent: str, original: bytes) -> Solution:
    origin = _preferred(kids(event, "Origin"))
    magnitude = _preferred(kids(origin, "Magnitude"))
    source = text(event, "DataSource").lower()
    number = text(event, "EventID")
    kind = text(event, "Type").lower()
    return solve(
        entry,
        agency=source,
        ids=[f"{source}{number}" if number else ""],
        original=original,
        time=entry.time("Time", text(origin, "Time")),
        lat=text(origin, "Latitude"),
        lon=text(origin, "Longitude"),
        depth_km=text(origin, "Depth"),
        magnitude=text(magnitude, "Value"),
        magnitude_type=text(magnitude, "TypeKey"),
        review=_REVIEWS.get(text(origin, "Status").lower(), "unknown"),
        withdrawn=text(event, "Action").lower() in _WITHDRAWING,
        event_type=_TYPES.get(kind, kind),
        status=_USAGES.get(text(event, "Usage").lower(), Status.ACTUAL),
        version=text(event, "Version"),
        updated=entry.time("Sent", sent),
    )


def _preferred(found: list[etree._Element]) -> etree._Element | None:
    """Return the one that is marked as preferred, else the last."""
    marked = [one for one in found if text(one, "PreferredFlag").lower() == "true"]
    return next(iter((*marked, *reversed(found))), None)


ADAPTER = Adapter(KIND, _recognises, _read)
