"""The outside of an XML document: what its root is called, and whether the whole of it is there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from gateway.alerts.foreign import split_name
from gateway.feeds.contract import FeedRefused

if TYPE_CHECKING:
    from lxml import etree

    from gateway.feeds.document import Document

_ROOT = re.compile(
    r"(?>\s+|<\?(?>.*?\?>)|<!--(?>.*?-->))*+<(?:(?P<prefix>[\w.-]++):)?(?P<name>[\w.-]++)(?P<rest>[^>]*+)",
    re.DOTALL,
)
_TAIL = 256


class Outside(NamedTuple):
    """The root element as far as the first 2 kB show it, in small letters; empty where there is none."""

    name: str = ""
    """Without its prefix."""
    namespace: str = ""
    """The address that its prefix, or no prefix, is bound to there."""


def outside(document: Document) -> Outside:
    """Look at the root of a document without reading it; never raises."""
    match = _ROOT.match(document.start) if document.looks_like_xml else None
    if match is None:
        return Outside()
    declared = rf"""\sxmlns{re.escape(":" + match["prefix"]) if match["prefix"] else ""}\s*=\s*["']([^"']*)"""
    namespace = re.search(declared, match["rest"])
    return Outside(match["name"], namespace[1] if namespace else "")


def whole_root(document: Document, *names: str) -> etree._Element:
    """Return the root element, which has one of the local names.

    Raises:
        FeedRefused: It is an error page, ends in the middle, is broken, or is something else.
    """
    if not document.data.strip(b"\x00 \t\r\n"):
        raise FeedRefused("feed_truncated", "the document is empty")
    if not document.looks_like_xml:
        _refuse_other(document)
    try:
        root = document.root
    except FeedRefused:
        if not _has_end(document, outside(document).name):
            raise FeedRefused("feed_truncated", "the document ends in the middle") from None
        raise
    name = split_name(root.tag)[1]
    if name not in names:
        raise FeedRefused("feed_malformed", f"the root element is not {' or '.join(names)}")
    return root


def _refuse_other(document: Document) -> NoReturn:
    if document.start.startswith("<"):
        raise FeedRefused("error_page", "the document is a web page")
    if document.looks_like_json:
        raise FeedRefused("error_page", "the document is JSON where XML is due")
    raise FeedRefused("feed_malformed", "the document is not XML: it does not begin with <")


def _has_end(document: Document, name: str) -> bool:
    """Whether the root's end tag is the last thing but comments; also where there is no root to speak of."""
    # UTF-16 has zero bytes between the letters.
    tail = document.data[-_TAIL:].replace(b"\x00", b"").decode("utf-8", "replace").rstrip().lower()
    return (
        not name or tail.endswith(("/>", "-->")) or re.search(rf"</([\w.-]+:)?{name}\s*>$", tail) is not None
    )
