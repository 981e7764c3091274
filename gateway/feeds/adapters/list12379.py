"""The list of 12379.cn, ``data/alarm_list_all.html``: JSON, published without documentation.

``{"alertData": [{"identifier", "headline", "description", "sendTime"}]}``. Colour and event are in the
headline only (``...道路结冰黄色预警/III/较重``). The CAP sender ``12379.cn`` is made up here;
``identifier`` is that of the national message. What is absent from the list may have been pushed out of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.feeds.chinese import Row, china_time, row_item
from gateway.feeds.contract import Adapter, Reading
from gateway.feeds.making import json_object, list_of, peek, read_entries
from gateway.feeds.noted import Noted

if TYPE_CHECKING:
    from gateway.feeds.contract import Item
    from gateway.feeds.document import Document
    from gateway.feeds.making import Loose

KIND = "list12379"
SENDER = "12379.cn"


def _recognises(document: Document) -> bool:
    return isinstance(peek(document).get("alertData"), list)


def _read(document: Document) -> Reading:
    noted = Noted()
    items = read_entries(list_of(json_object(document), "alertData"), "alertData", noted, _item)
    return Reading(KIND, items=items, findings=noted.all())


def _item(entry: Loose) -> Item:
    return row_item(
        entry,
        Row(
            sender=SENDER,
            identifier=entry.need("identifier"),
            sent=china_time(entry, "sendTime"),
            title=entry.need("headline"),
            title_field="headline",
            description=entry.text("description"),
        ),
    )


ADAPTER = Adapter(KIND, _recognises, _read, official=False)
