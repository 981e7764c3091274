"""Several CAP alerts in one document: EDXL-DE 1.0 and 2.0 (OASIS; NSW RFS), and bare ``alerts`` (SMHI)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.alerts.model import Status
from gateway.feeds.cap_item import cap_elements, cut_out, listed_keys, own_bytes
from gateway.feeds.contract import Adapter, Reading
from gateway.feeds.index import read_stamp, text_of
from gateway.feeds.noted import Noted
from gateway.feeds.outside import outside, whole_root
from gateway.feeds.shelf import Shelf

if TYPE_CHECKING:
    from gateway.feeds.document import Document

ROOTS = ("EDXLDistribution", "alerts")


def recognises(document: Document) -> bool:
    """Whether the root is one of the two."""
    return outside(document).name in {root.lower() for root in ROOTS}


def read(document: Document) -> Reading:
    """Read the alerts of a document. It lists what is in force, unless one of them is refused.

    Raises:
        FeedRefused: It is neither of the two, or not whole.
    """
    root = whole_root(document, *ROOTS)
    noted, own = Noted(), own_bytes(root, document.data)
    reading = Reading("edxl", generated=read_stamp(text_of(root, "dateTimeSent")))
    shelf = Shelf(reading.items)
    for number, element in enumerate(cap_elements(root), 1):
        shelf.put(cut_out(element, own.get(element), f"alert[{number}]", noted))
    _hold_to(text_of(root, "distributionStatus"), reading, noted)
    reading.findings = noted.all()
    if not noted.count("item_refused"):
        reading.listed = listed_keys(reading.items)
    return reading


def _hold_to(status: str, reading: Reading, noted: Noted) -> None:
    """Refuse real alerts in a wrapper that says it is a test: one of the two is wrong."""
    if status in {"", Status.ACTUAL}:
        return
    kept = [item for item in reading.items if item.alert.status != Status.ACTUAL]
    for _ in range(len(reading.items) - len(kept)):
        message = "the wrapper's distributionStatus is not Actual and the alert's status is"
        noted.add("item_refused", "distributionStatus", message)
    reading.items = kept


ADAPTER = Adapter("edxl", recognises, read)
