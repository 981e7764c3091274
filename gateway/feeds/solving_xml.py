"""What QuakeML and SeisComPML share: an event names its preferred origin and magnitude among several.

Elements are found by their local names, since the namespace changes with the version. An id may name nothing
in the document, and the value of a list may be none of the list: such a value is left out, the event stays.
"""

from __future__ import annotations

import re
from copy import deepcopy
from typing import TYPE_CHECKING, NamedTuple

from lxml import etree

from gateway.feeds.solving import EARTHQUAKE, Entry, EntryRefused, agency_name, solve, words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from gateway.feeds.contract import Review, Solution

_MODES: dict[str, Review] = {"manual": "reviewed", "automatic": "automatic"}
_LOOKED_AT = frozenset({"confirmed", "reviewed", "final"})
_STATUSES = _LOOKED_AT | {"preliminary", "rejected", "reported"}
MOST_PARTS = 500
"""Origins, and magnitudes, of one event."""
WITHDRAWN_TYPE = "not existing"
SKIPPED_TYPE = "not reported"
_OTHER_TYPES = frozenset(
    """anthropogenic event|collapse|cavity collapse|mine collapse|building collapse|explosion|
    accidental explosion|chemical explosion|controlled explosion|experimental explosion|industrial explosion|
    mining explosion|quarry blast|quarry|road cut|blasting levee|nuclear explosion|rock burst|
    reservoir loading|fluid injection|fluid extraction|crash|plane crash|train crash|boat crash|other event|
    other|atmospheric event|atmospheric meteor explosion|sonic boom|sonic blast|acoustic noise|thunder|
    avalanche|snow avalanche|debris avalanche|hydroacoustic event|ice quake|frost quake|calving|slide|
    landslide|submarine landslide|rockslide|meteorite|meteor impact|volcanic eruption|volcanic long-period|
    volcanic very-long-period|volcanic hybrid|volcanic rockfall|volcanic tremor|tremor pulse|pyroclastic flow|
    lahar|rocket launch|rocket|rocket impact|artillery strike|bomb detonation|moving aircraft|
    not locatable|outside of network interest|duplicate""".replace("\n    ", "").split("|")
)
"""EventType of QuakeML 1.2 and SeisComP, without those that are earthquakes."""
_EARTHQUAKES = frozenset(
    {EARTHQUAKE, "induced earthquake", "induced or triggered event", "volcano-tectonic", ""}
)
_PLACES = ("earthquake name", "region name", "Flinn-Engdahl region", "nearest cities")
"""Types of a description that say where it was, the best first."""
_WGS84 = re.compile(r"4326|4979|wgs[-_ ]?84", re.IGNORECASE)
_AUTHORITY = re.compile(r"(?:smi|quakeml):([\w.-]+)/", re.IGNORECASE)
_LABELS = {"anss": "us", "scedc": "ci", "ncedc": "nc", "gfz-potsdam": "gfz"} | {
    name: name for name in ("ingv", "sed", "geonet", "emsc", "gfz", "resif", "renass", "isc", "koeri", "us")
}
"""Part of the authority of an id -> agency."""


def local(element: etree._Element) -> str:
    """Return the name of an element without its namespace."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def kids(element: etree._Element | None, name: str) -> list[etree._Element]:
    """Return the children of a local name."""
    return [] if element is None else [one for one in element if local(one) == name]


def find(element: etree._Element | None, *path: str) -> etree._Element | None:
    """Return the first element along a path of local names."""
    for name in path:
        element = next(iter(kids(element, name)), None)
    return element


def text(element: etree._Element | None, *path: str) -> str:
    """Return the text of the first element along a path; empty where there is none."""
    found = find(element, *path)
    return "" if found is None else (found.text or "").strip()


def public_id(element: etree._Element) -> str:
    """Return the publicID of an element."""
    return (element.get("publicID") or "").strip()


class Parts(NamedTuple):
    """An event, and what there is to choose from."""

    event: etree._Element
    origins: list[etree._Element]
    magnitudes: list[etree._Element]
    magnitude_value: tuple[str, str]
    """Path of a magnitude's number."""
    depth_km: Callable[[Entry, str], object]
    """Makes kilometres of the text of a depth."""


def read_event(entry: Entry, parts: Parts, *, ids: Sequence[str], original: bytes) -> Solution:
    """Return the solution of one event: its preferred origin and magnitude.

    Raises:
        EntryRefused: The agency does not report the event, or it has no place or time, or more than
            :data:`MOST_PARTS` to choose from.
    """
    if max(len(parts.origins), len(parts.magnitudes)) > MOST_PARTS:
        raise EntryRefused("item_malformed", f"the event has more than {MOST_PARTS} origins or magnitudes")
    kind = text(parts.event, "type").lower().replace("_", " ")
    if kind == SKIPPED_TYPE:
        raise EntryRefused("not_an_earthquake", "the agency does not report this event; it was left out")
    origin = _origin(entry, parts)
    magnitude = _magnitude(entry, parts, origin)
    rejected = _status(entry, origin) == "rejected"
    return solve(
        entry,
        agency=_agency(parts.event, origin),
        ids=ids,
        original=original,
        time=entry.time("time", text(origin, "time", "value")),
        lat=text(origin, "latitude", "value"),
        lon=text(origin, "longitude", "value"),
        depth_km=parts.depth_km(entry, text(origin, "depth", "value")),
        magnitude=text(magnitude, *parts.magnitude_value),
        magnitude_type=text(magnitude, "type"),
        place=_place(parts.event),
        review=_review(entry, origin),
        withdrawn=rejected or kind == WITHDRAWN_TYPE,
        event_type=_event_type(entry, kind),
        version=text(parts.event, "creationInfo", "version") or text(origin, "creationInfo", "version"),
        updated=_updated(entry, parts.event, origin, magnitude),
    )


def _origin(entry: Entry, parts: Parts) -> etree._Element | None:
    wanted = text(parts.event, "preferredOriginID")
    named = [one for one in parts.origins if wanted and public_id(one) == wanted]
    origin = _choose(entry, "preferredOriginID", named or _hypocentres(parts), wanted)
    if origin is not None and not _has_wgs84(origin):
        entry.note("datum_not_wgs84", "origin")
    return origin


def _hypocentres(parts: Parts) -> list[etree._Element]:
    """Return the origins without the centroids of moment tensors, which say where most of the energy was."""
    tensors = [
        one for mechanism in kids(parts.event, "focalMechanism") for one in kids(mechanism, "momentTensor")
    ]
    centroids = {text(one, "derivedOriginID") for one in tensors}
    return [one for one in parts.origins if public_id(one) not in centroids] or parts.origins


def _magnitude(entry: Entry, parts: Parts, origin: etree._Element | None) -> etree._Element | None:
    """Return the preferred magnitude; where none is named or there, one that belongs to the origin."""
    wanted = text(parts.event, "preferredMagnitudeID")
    of_origin = "" if origin is None else public_id(origin)
    near = [one for one in parts.magnitudes if of_origin and text(one, "originID") == of_origin]
    if near and wanted not in {public_id(one) for one in parts.magnitudes}:
        return _choose(entry, "preferredMagnitudeID", near, wanted)
    return _choose(entry, "preferredMagnitudeID", parts.magnitudes, wanted)


def _choose(entry: Entry, name: str, found: list[etree._Element], wanted: str) -> etree._Element | None:
    """Return the element that is wanted; where it is not there, the newest, with a finding."""
    named = next((one for one in found if wanted and public_id(one) == wanted), None)
    if named is not None:
        return named
    if wanted:
        entry.note("preferred_dangling", name)
    elif len(found) > 1:
        entry.note("preferred_missing", name)
    return max(enumerate(found), key=_newness, default=(0, None))[1]


def _newness(numbered: tuple[int, etree._Element]) -> tuple[bool, str, int]:
    """Order by not being rejected, then by creation (ISO 8601 compares as text), then as they stand."""
    at, element = numbered
    made = _stamp(element)
    return text(element, "evaluationStatus") != "rejected", made, at


def _stamp(element: etree._Element | None) -> str:
    """Return when something was made or changed; SeisComP keeps both."""
    return text(element, "creationInfo", "modificationTime") or text(element, "creationInfo", "creationTime")


def _updated(
    entry: Entry,
    event: etree._Element,
    origin: etree._Element | None,
    magnitude: etree._Element | None,
) -> datetime | None:
    """Return the event's own time; only where it has none, that of its parts, which is older or the same."""
    own = _stamp(event) or max(_stamp(origin), _stamp(magnitude))
    return entry.time("creationTime", own)


def _has_wgs84(origin: etree._Element) -> bool:
    system = text(origin, "referenceSystemID")
    return not system or _WGS84.search(system) is not None


def _status(entry: Entry, origin: etree._Element | None) -> str:
    status = text(origin, "evaluationStatus").lower()
    if status and status not in _STATUSES:
        entry.note("value_dropped", "evaluationStatus")
        return ""
    return status


def _review(entry: Entry, origin: etree._Element | None) -> Review:
    if _status(entry, origin) in _LOOKED_AT:
        return "reviewed"
    mode = text(origin, "evaluationMode").lower()
    if mode and mode not in _MODES:
        entry.note("value_dropped", "evaluationMode")
    return _MODES.get(mode, "unknown")


def _event_type(entry: Entry, kind: str) -> str:
    if kind in _OTHER_TYPES:
        return kind
    if kind not in _EARTHQUAKES and kind != WITHDRAWN_TYPE:
        entry.note("value_dropped", "type")
    return EARTHQUAKE


def _agency(event: etree._Element, origin: etree._Element | None) -> str:
    """Return who made the solution: the agency of the event, of its origin, or of its id."""
    told = text(event, "creationInfo", "agencyID") or text(origin, "creationInfo", "agencyID")
    return agency_name(told) or authority(public_id(event))


def authority(name: str) -> str:
    """Return the agency of an id: ``smi:webservices.ingv.it/...`` is ``ingv``; empty for other names."""
    match = _AUTHORITY.match(name)
    if match is None:
        return ""
    labels = match[1].lower().split(".")
    return next((_LABELS[label] for label in labels if label in _LABELS), agency_name(match[1]))


def _place(event: etree._Element) -> str:
    """Return the best description; some say only the number of a region, and felt reports no place."""
    told = {text(one, "type"): text(one, "text") for one in kids(event, "description")}
    usable = {kind: words(said) for kind, said in told.items() if not said.isdecimal()}
    return next((usable[kind] for kind in (*_PLACES, "") if usable.get(kind)), "")


def alone(parameters: etree._Element, elements: Sequence[etree._Element]) -> bytes:
    """Return a document that holds these elements only, under the same root."""
    above = parameters.getparent()
    root = etree.Element(above.tag, nsmap=above.nsmap)
    inner = etree.SubElement(root, parameters.tag, nsmap=parameters.nsmap)
    for element in elements:
        copy = deepcopy(element)
        copy.tail = None
        inner.append(copy)
    return bytes(etree.tostring(root, encoding="utf-8"))


def alone_in(root: etree._Element, head: Sequence[etree._Element], event: etree._Element) -> bytes:
    """Return a document that holds one event only, behind the elements of ``head``."""
    copy = etree.Element(root.tag, attrib=dict(root.attrib), nsmap=root.nsmap)
    copy.extend(deepcopy(one) for one in (*head, event))
    return bytes(etree.tostring(copy, encoding="utf-8"))


def each(found: Sequence[etree._Element]) -> Iterator[tuple[Entry, etree._Element]]:
    """Yield each event with where it stands."""
    for at, event in enumerate(found, start=1):
        yield Entry(f"event[{at}]"), event
