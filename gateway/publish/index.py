"""The index of what is in force, as Atom (RFC 4287) and as RSS 2.0. Pure: entries in, bytes out.

Each entry leads to one CAP document and says in elements of CAP's namespace what it is about. The entries
are a service: what counts is the document. An entry's name is its address, which never changes.
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from lxml import etree

from gateway.alerts.write import NAMESPACE as CAP

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

CAP_TYPE = "application/cap+xml"
ATOM_TYPE = "application/atom+xml"
RSS_TYPE = "application/rss+xml"
ATOM = "http://www.w3.org/2005/Atom"
BEFORE_ALL = datetime(1970, 1, 1, tzinfo=UTC)
"""When an index without any entry was last changed; both formats want a time."""
_TOLD = (
    *("identifier", "sender", "sent", "status", "msgType", "scope", "category", "event", "urgency"),
    *("severity", "certainty", "effective", "onset", "expires"),
)


class Entry(NamedTuple):
    """One alert of the index."""

    url: str
    published_at: datetime
    summary: Mapping[str, Any]
    """As :func:`gateway.publish.summary.summary_of` makes it."""


class Head(NamedTuple):
    """What the index says of itself."""

    title: str
    author: str
    """The authority in words."""
    url: str
    """Its own address."""
    home: str
    """The address of the server."""
    updated: datetime | None
    """When it last changed; None: never."""


def atom(head: Head, entries: Sequence[Entry]) -> bytes:
    """Return the index as Atom; the entries in the order given."""
    feed = etree.Element(f"{{{ATOM}}}feed", nsmap={None: ATOM, "cap": CAP})
    _put(feed, ATOM, "id", head.url)
    _put(feed, ATOM, "title", head.title)
    _put(feed, ATOM, "updated", _stamp(head.updated))
    _put(etree.SubElement(feed, f"{{{ATOM}}}author"), ATOM, "name", head.author)
    etree.SubElement(feed, f"{{{ATOM}}}link", rel="self", type=ATOM_TYPE, href=head.url)
    for entry in entries:
        _atom_entry(etree.SubElement(feed, f"{{{ATOM}}}entry"), entry)
    return _bytes(feed)


def _atom_entry(element: etree._Element, entry: Entry) -> None:
    _put(element, ATOM, "id", entry.url)
    _put(element, ATOM, "title", _title(entry.summary))
    _put(element, ATOM, "updated", _stamp(entry.published_at))
    _put(element, ATOM, "published", _stamp(entry.published_at))
    etree.SubElement(element, f"{{{ATOM}}}link", rel="alternate", type=CAP_TYPE, href=entry.url)
    _put(element, ATOM, "summary", _summary(entry.summary))
    _cap(element, entry.summary)


def rss(head: Head, entries: Sequence[Entry]) -> bytes:
    """Return the index as RSS 2.0; the entries in the order given."""
    root = etree.Element("rss", version="2.0", nsmap={"cap": CAP, "atom": ATOM})
    channel = etree.SubElement(root, "channel")
    _put(channel, "", "title", head.title)
    _put(channel, "", "link", head.home)
    _put(channel, "", "description", f"{head.title} - {head.author}")
    _put(channel, "", "lastBuildDate", format_datetime(head.updated or BEFORE_ALL))
    etree.SubElement(channel, f"{{{ATOM}}}link", rel="self", type=RSS_TYPE, href=head.url)
    for entry in entries:
        _rss_item(etree.SubElement(channel, "item"), entry)
    return _bytes(root)


def _rss_item(element: etree._Element, entry: Entry) -> None:
    _put(element, "", "title", _title(entry.summary))
    _put(element, "", "link", entry.url)
    _put(element, "", "description", _summary(entry.summary))
    for category in entry.summary.get("category", ()):
        _put(element, "", "category", category)
    etree.SubElement(element, "guid", isPermaLink="true").text = entry.url
    _put(element, "", "pubDate", format_datetime(entry.published_at))
    etree.SubElement(element, f"{{{ATOM}}}link", rel="alternate", type=CAP_TYPE, href=entry.url)
    _cap(element, entry.summary)


def _cap(element: etree._Element, summary: Mapping[str, Any]) -> None:
    for name, text in _told(summary):
        _put(element, CAP, name, text)


def _told(summary: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in _TOLD:
        value = summary.get(name)
        for one in value if isinstance(value, list) else [value]:
            if one:
                yield name, str(one)
    for area in summary["areas"]:
        yield "areaDesc", area


def _title(summary: Mapping[str, Any]) -> str:
    return str(summary.get("headline") or summary["identifier"])


def _summary(summary: Mapping[str, Any]) -> str:
    return str(summary.get("description") or _title(summary))


def _put(parent: etree._Element, namespace: str, name: str, text: str) -> None:
    etree.SubElement(parent, f"{{{namespace}}}{name}" if namespace else name).text = text


def _stamp(time: datetime | None) -> str:
    return (time or BEFORE_ALL).astimezone(UTC).replace(microsecond=0).isoformat()


def _bytes(root: etree._Element) -> bytes:
    made: bytes = etree.tostring(root, encoding="UTF-8", xml_declaration=True, pretty_print=True)
    return made
