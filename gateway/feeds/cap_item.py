"""CAP documents out of what sources send: each becomes an item, or a finding that says why not."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING
from xml.parsers import expat

from lxml import etree

from gateway.alerts.check import check
from gateway.alerts.foreign import split_name
from gateway.alerts.node import NAMESPACES
from gateway.alerts.parse import Refused, parse
from gateway.desk.compose import key_text
from gateway.feeds.contract import Item
from gateway.feeds.findings import finding
from gateway.feeds.making import in_force

if TYPE_CHECKING:
    from gateway.feeds.noted import Noted

_ALERTS = frozenset(f"{namespace} alert" for namespace in NAMESPACES)
"""Names of the root of CAP as expat writes them."""


def cap_item(data: bytes, path: str, noted: Noted) -> Item | None:
    """Read one CAP document; ``None``, with a finding ``item_refused``, where nobody may act on it.

    Args:
        data: The document, or the alert cut out of another one.
        path: Where it stands in the document of the source, for the finding.
        noted: Takes the finding.
    """
    checked = check(data)
    if checked.parsed is None:
        (refused,) = checked.findings
        where = f" ({refused.path})" if refused.path else ""
        noted.add("item_refused", path, f"{refused.code}: {refused.message}{where}")
        return None
    alert = checked.parsed.alert
    warns = in_force(alert)
    said = () if warns else (finding("not_in_force", "alert"),)
    return Item(alert=alert, original=data, is_cap=True, in_force=warns, findings=(*checked.findings, *said))


def listed_keys(items: list[Item]) -> frozenset[str]:
    """Return the key texts of items, for ``Reading.listed``."""
    return frozenset(key_text(item.alert) for item in items)


def cap_elements(element: etree._Element) -> list[etree._Element]:
    """Return the CAP alerts inside of an element, those within another alert left out."""
    found: list[etree._Element] = []
    for child in element:
        namespace, name = split_name(child.tag)
        if name == "alert" and namespace in NAMESPACES:
            found.append(child)
        elif len(child):
            found.extend(cap_elements(child))
    return found


def cut_out(element: etree._Element, own: bytes | None, path: str, noted: Noted) -> Item | None:
    """Read an alert that stands in another document.

    Args:
        element: The alert.
        own: Its bytes as they stand in the document, where they are known. They are kept if they can be
            read for themselves: a signature holds for nothing else. Otherwise the alert is written anew,
            with the namespaces that are declared around it.
        path: Where it stands, for the finding.
        noted: Takes the finding.
    """
    # A copy declares the namespaces that it uses, and not all that the document does.
    written = etree.tostring(deepcopy(element), encoding="utf-8", with_tail=False)
    return cap_item(own if own is not None and _say_the_same(own, written) else written, path, noted)


def _say_the_same(own: bytes, written: bytes) -> bool:
    """Whether an alert means by itself what it means where it stands: encodings and namespaces may differ."""
    try:
        return own == written or parse(own).alert == parse(written).alert
    except Refused:
        return False


def own_bytes(root: etree._Element, data: bytes) -> dict[etree._Element, bytes]:
    """Return the alerts inside of a root with their bytes in its document, where these can be told."""
    found, spans = cap_elements(root), _Spans(data)
    if not found:
        return {}
    try:
        spans.find()
    except (expat.ExpatError, LookupError, ValueError):
        return {}
    return dict(zip(found, spans.cut(), strict=True)) if len(found) == len(spans.found) else {}


class _Spans:
    """Where alerts begin and end; for documents that :func:`gateway.alerts.xml.read_tree` has passed."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._open: list[bool] = []
        self._start = 0
        self.found: list[tuple[int, int]] = []
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.StartElementHandler = self._begin
        self._parser.EndElementHandler = self._finish

    def find(self) -> None:
        self._parser.Parse(self._data, True)

    def cut(self) -> list[bytes]:
        return [self._data[start:end] for start, end in self.found]

    def _begin(self, name: str, _: dict[str, str]) -> None:
        begins = name in _ALERTS and True not in self._open
        if begins:
            self._start = self._parser.CurrentByteIndex
        self._open.append(begins)

    def _finish(self, _: str) -> None:
        if self._open.pop():
            end = self._data.index(b">", self._parser.CurrentByteIndex) + 1
            self.found.append((self._start, end))
