"""RSS indexes of CAP documents (RSS 2.0, and 1.0 as RDF): the WMO's, most national ones, GDACS, MET Norway.

An item's ``link`` has no type and leads to CAP by custom. GDACS names its CAP in ``gdacs:cap`` and links to a
page for people; where an item has such an element, an enclosure or an Atom link of CAP's type, that counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.alerts.foreign import split_name
from gateway.feeds.adapters.atom import NAMESPACE as ATOM
from gateway.feeds.adapters.atom import candidate
from gateway.feeds.contract import Adapter, Reading
from gateway.feeds.index import Candidate, Entry, children, read_index, text_of
from gateway.feeds.outside import outside, whole_root

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lxml import etree

    from gateway.feeds.document import Document

GDACS = "http://www.gdacs.org"
RSS_1 = "http://purl.org/rss/1.0/"


def recognises(document: Document) -> bool:
    """Whether the root is RSS, or RDF that holds RSS 1.0."""
    name = outside(document).name
    return name == "rss" or (name == "rdf" and RSS_1 in document.start)


def read(document: Document) -> Reading:
    """Read an RSS index.

    Raises:
        FeedRefused: It is no RSS, or not whole.
    """
    root = whole_root(document, "rss", "RDF")
    channel = next(children(root, "channel"), root)
    stamp = text_of(channel, "lastBuildDate", "pubDate", "date")
    items = [*children(channel, "item"), *(children(root, "item") if channel is not root else ())]
    return read_index("rss", document, root, map(_entry, range(1, len(items) + 1), items), stamp)


def _entry(number: int, item: etree._Element) -> Entry:
    return Entry(
        item,
        text_of(item, "title"),
        text_of(item, "pubDate", "updated", "date"),
        list(_links(item)),
        f"item[{number}]",
    )


def _links(item: etree._Element) -> Iterator[Candidate]:
    for child in item:
        namespace, name = split_name(child.tag)
        text = str(child.text or "").strip()
        if namespace == ATOM and name == "link":
            yield candidate(child)
        elif name == "link" and text:
            yield Candidate(text)
        elif namespace == GDACS and name == "cap" and text:
            yield Candidate(text, "application/cap+xml")
        elif name == "enclosure" and child.get("url"):
            yield Candidate(
                str(child.get("url")).strip(), str(child.get("type", "")).strip().lower(), "enclosure"
            )


ADAPTER = Adapter("rss", recognises, read)
