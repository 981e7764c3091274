"""Atom indexes of CAP documents (RFC 4287): MeteoAlarm, NWS, USGS, PTWC, JMA, IFRC's list of sources.

JMA's entries lead to telegrams in JMA's own XML, and USGS's only to CAP where there is one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.feeds.contract import Adapter, Reading
from gateway.feeds.index import Candidate, Entry, children, read_index, text_of
from gateway.feeds.outside import outside, whole_root

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lxml import etree

    from gateway.feeds.document import Document

NAMESPACE = "http://www.w3.org/2005/Atom"


def recognises(document: Document) -> bool:
    """Whether the root is Atom's feed."""
    root = outside(document)
    return root.name == "feed" and root.namespace == NAMESPACE.lower()


def read(document: Document) -> Reading:
    """Read an Atom index.

    Raises:
        FeedRefused: It is no Atom, or not whole.
    """
    root = whole_root(document, "feed")
    return read_index("atom", document, root, _entries(root), text_of(root, "updated"))


def _entries(root: etree._Element) -> Iterator[Entry]:
    for number, element in enumerate(children(root, "entry"), 1):
        yield Entry(
            element,
            text_of(element, "title"),
            text_of(element, "updated", "published"),
            [candidate(link) for link in children(element, "link")],
            f"entry[{number}]",
        )


def candidate(link: etree._Element) -> Candidate:
    """Return what Atom's link element says, also inside of RSS."""
    media = str(link.get("type", "")).partition(";")[0].strip().lower()
    return Candidate(str(link.get("href", "")).strip(), media, str(link.get("rel", "")).strip().lower())


ADAPTER = Adapter("atom", recognises, read)
