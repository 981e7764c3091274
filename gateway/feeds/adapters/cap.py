"""One CAP document, 1.0 to 1.2 (OASIS CAP-v1.2)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gateway.alerts.node import NAMESPACES
from gateway.feeds.cap_item import cap_item
from gateway.feeds.contract import Adapter, Reading
from gateway.feeds.noted import Noted
from gateway.feeds.outside import outside, whole_root

if TYPE_CHECKING:
    from gateway.feeds.document import Document

_NATIONAL = re.compile(r"<(?:sendercode|sendtime|methodname)>")
"""What the national message holds, whose root has the same name and another namespace or none."""


def recognises(document: Document) -> bool:
    """Whether the root is CAP's alert, in its namespace or in a wrong one."""
    root = outside(document)
    own = root.namespace in NAMESPACES or not _NATIONAL.search(document.start)
    return root.name == "alert" and own


def read(document: Document) -> Reading:
    """Read a CAP document; one that nobody may act on is a finding.

    Raises:
        FeedRefused: It is no alert, or not whole.
    """
    whole_root(document, "alert")
    noted = Noted()
    item = cap_item(document.data, "alert", noted)
    return Reading("cap", items=[item] if item else [], findings=noted.all())


ADAPTER = Adapter("cap", recognises, read)
