"""A document as it came, with what adapters ask for: its JSON read strictly, its XML with doors shut."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Any

from gateway.alerts.findings import Findings, Refused
from gateway.alerts.xml import Limits, read_tree
from gateway.feeds.contract import FeedRefused
from gateway.feeds.strict_json import JsonRefused, read_json

if TYPE_CHECKING:
    from lxml import etree

LARGEST = 5 * 1024 * 1024
"""Bytes of a document, after decompression."""
XML_LIMITS = Limits(bytes=LARGEST, elements=100_000, points=400_000)
"""Of a whole feed; each CAP document in it is held to the limits of gateway.alerts.xml."""


_LONG_TAG = re.compile(rb"<[^<>!?][^<>]{262144}")
"""A tag that long; the parser would need some hundred bytes for each of its attributes."""


class Document:
    """Bytes from a source.

    Attributes:
        data: As received, decompressed.
        url: Where from; relative links start here. Empty: not known.
    """

    def __init__(self, data: bytes, url: str = "") -> None:
        """Keep the bytes; nothing is read yet.

        Raises:
            FeedRefused: there are more than :data:`LARGEST`.
        """
        if len(data) > LARGEST:
            raise FeedRefused("feed_too_large", f"the document has more than {LARGEST} bytes")
        self.data = data
        self.url = url

    @cached_property
    def start(self) -> str:
        """The first characters in small letters, without byte order mark and white space, to look at."""
        head = self.data[:2048]
        encoding = "utf-16" if head[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8"
        return head.decode(encoding, "replace").lstrip("\ufeff \t\r\n").lower()

    @property
    def looks_like_json(self) -> bool:
        """Whether it begins as JSON does."""
        return self.start[:1] in {"{", "["}

    @property
    def looks_like_xml(self) -> bool:
        """Whether it begins as XML does, and not as a web page."""
        return self.start.startswith("<") and not self.start.startswith(("<!doctype html", "<html"))

    @property
    def json(self) -> Any:  # noqa: ANN401 - whatever it holds
        """The JSON value.

        Raises:
            FeedRefused: it is not strict JSON, or no JSON at all.
        """
        read = self._json
        if isinstance(read, JsonRefused):
            self._require_json()
            raise FeedRefused(read.code, read.message)
        return read

    def _require_json(self) -> None:
        """Refuse what does not begin as JSON: it is neither broken JSON nor half of it."""
        if not self.start.strip("\x00"):
            raise FeedRefused("feed_truncated", "the document is empty")
        if not self.looks_like_json:
            raise FeedRefused("feed_malformed", "the document is not JSON: it does not begin with { or [")

    @cached_property
    def _json(self) -> Any:  # noqa: ANN401 - whatever it holds, or why it is refused: many ask
        try:
            return read_json(self.data)
        except JsonRefused as refused:
            return refused.with_traceback(None)

    @cached_property
    def root(self) -> etree._Element:
        """The root element.

        Raises:
            FeedRefused: it is no XML that may be read.
        """
        if _LONG_TAG.search(self.data):
            raise FeedRefused("feed_malformed", "a tag of the XML is longer than is read")
        try:
            return read_tree(self.data, XML_LIMITS, Findings())
        except Refused as refused:
            raise FeedRefused("feed_malformed", refused.message) from None
