"""MeteoAlarm: CAP as JSON (``/api/v1/warnings/feeds-{country}``), and pages of the EDR index.

Source: https://feeds.meteoalarm.org, https://api.meteoalarm.org (EUMETNET).

The JSON has the elements of CAP under their own names. It is written out as CAP and read as such, so the
same rules hold and a warning has the same key and meaning whichever way it came. Level 1, green, says that
there is no warning. A feed is all that is in force in its country.

A page of the EDR index leads to CAP documents. Its object ids are used again for other warnings, so nothing
goes by them; an entry with ``supersededAt`` has been replaced.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lxml import etree

from gateway.alerts.node import ORDER, REPEATED
from gateway.alerts.write import NAMESPACE
from gateway.feeds.cap_item import cap_item, listed_keys
from gateway.feeds.contract import Adapter, Link, Reading
from gateway.feeds.index import resolved
from gateway.feeds.making import (
    EntryRefused,
    Loose,
    first_of,
    json_object,
    list_of,
    original_of,
    peek,
    properties,
    read_entries,
)
from gateway.feeds.noted import Noted

if TYPE_CHECKING:
    from gateway.feeds.contract import Item
    from gateway.feeds.document import Document

KIND = "meteoalarm"
_KINDS = {
    "info": "info",
    "area": "area",
    "resource": "resource",
    "eventCode": "pair",
    "parameter": "pair",
    "geocode": "pair",
}
"""Elements that hold others -> their own sequence."""


def _recognises(document: Document) -> bool:
    value = peek(document)
    if isinstance(value.get("warnings"), list):
        return not value["warnings"] or "alert" in first_of(value["warnings"])
    return "hubLink" in properties(first_of(value.get("features")))


def _read(document: Document) -> Reading:
    value = json_object(document)
    if "features" in value:
        return _index(value, document.url)
    noted = Noted()
    warnings = list_of(value, "warnings")
    items = read_entries(warnings, "warnings", noted, lambda entry: _item(entry, noted))
    whole = len(items) == len(warnings)
    return Reading(
        KIND,
        items=items,
        findings=noted.all(),
        heartbeat=not warnings,
        listed=listed_keys(items) if whole else None,
    )


def _item(entry: Loose, noted: Noted) -> Item | None:
    alert = entry.value.get("alert")
    if not isinstance(alert, dict):
        raise EntryRefused("it has no alert")
    item = cap_item(etree.tostring(_element("alert", alert, "alert"), encoding="utf-8"), entry.path, noted)
    return item and replace(item, original=original_of(entry.value), is_cap=False)


def _element(name: str, value: dict[str, Any], kind: str) -> etree._Element:
    """An object as an element of CAP; what CAP does not know is left out."""
    element = etree.Element(f"{{{NAMESPACE}}}{name}", nsmap={None: NAMESPACE})
    for child in ORDER[kind]:
        inside = value.get(child)
        many = inside if isinstance(inside, list) and child in REPEATED else [inside]
        element.extend(_child(child, one) for one in many if one is not None)
    return element


def _child(name: str, value: object) -> etree._Element:
    if name in _KINDS and isinstance(value, dict):
        return _element(name, value, _KINDS[name])
    if name in _KINDS or not isinstance(value, str | int | float):
        raise EntryRefused(f"{name} is not what CAP has there")
    element = etree.Element(f"{{{NAMESPACE}}}{name}")
    try:
        element.text = str(value)
    except ValueError:
        raise EntryRefused(f"{name} has a character that XML cannot carry") from None
    return element


def _index(value: dict[str, Any], base: str) -> Reading:
    noted = Noted()
    links: dict[str, Link] = {}
    for number, feature in enumerate(list_of(value, "features"), 1):
        link = _link(feature, f"features[{number}]", base, noted)
        if link is not None:
            links.setdefault(link.url, link)
    _note_other_pages(value.get("metadata"), noted)
    return Reading(KIND, links=list(links.values()), findings=noted.all())


def _link(feature: object, path: str, base: str, noted: Noted) -> Link | None:
    about = properties(feature if isinstance(feature, dict) else {})
    href = about.get("hubLink")
    if about.get("supersededAt"):
        return None
    if not isinstance(href, str):
        noted.add("link_missing", path)
        return None
    url, wrong = resolved(href.strip(), base, etree.Element("link"))
    if wrong:
        noted.add("link_refused", path, wrong)
        return None
    return Link(url, str(about.get("alertId") or ""), str(about.get("hubTime") or ""))


def _note_other_pages(metadata: object, noted: Noted) -> None:
    pages = metadata.get("total_pages") if isinstance(metadata, dict) else None
    if isinstance(pages, int) and pages > 1:
        noted.add(
            "link_missing", "metadata", f"The index has {pages} pages; each must be a source of its own."
        )


ADAPTER = Adapter(KIND, _recognises, _read)
