"""Many alerts of one document in bounded memory."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from gateway.feeds.contract import FeedRefused

if TYPE_CHECKING:
    from gateway.alerts.model import Alert, Area, Polygon
    from gateway.feeds.contract import Item

MOST = 3000
"""Alerts of one document; the largest feeds of whole countries have half as many."""
ROOM = 40 * 1024 * 1024
"""Bytes of memory for all alerts of a document, by the estimate below."""
_PER_ALERT = 6000
_PER_INFO = 1500
_PER_ELEMENT = 250
_PER_POINT = 112
"""Bytes that these take as models, measured by tests/benchmarks/feed_check.py."""


class Shelf:
    """Takes the alerts of one document.

    Equal shapes are kept once: a message in eight languages, as Germany's, has each of them eight times.
    """

    def __init__(self, items: list[Item], room: int = ROOM) -> None:
        """Put what comes into ``items``."""
        self._items = items
        self._left = room
        self._polygons: dict[Polygon, Polygon] = {}

    def put(self, item: Item | None) -> None:
        """Take an alert, if there is one.

        Raises:
            FeedRefused: The alerts are more than :data:`MOST`, or together would need more memory than one
                document may have.
        """
        if item is None:
            return
        if len(self._items) == MOST:
            raise FeedRefused("feed_too_large", f"the document has more than {MOST} alerts")
        self._spend(_weight(item))
        self._items.append(dataclasses.replace(item, alert=self._shared(item.alert)))

    def _spend(self, weight: int) -> None:
        self._left -= weight
        if self._left < 0:
            raise FeedRefused("feed_too_large", "the document has more alerts, or larger ones, than are kept")

    def _shared(self, alert: Alert) -> Alert:
        if not any(area.polygons for info in alert.infos for area in info.areas):
            return alert
        infos = tuple(
            info.model_copy(update={"areas": tuple(map(self._area, info.areas))}) for info in alert.infos
        )
        return alert.model_copy(update={"infos": infos})

    def _area(self, area: Area) -> Area:
        return area.model_copy(update={"polygons": tuple(map(self._polygon, area.polygons))})

    def _polygon(self, polygon: Polygon) -> Polygon:
        if polygon not in self._polygons:
            self._spend(_PER_POINT * len(polygon))
        return self._polygons.setdefault(polygon, polygon)


def _weight(item: Item) -> int:
    """Estimate the memory of an alert without its shapes, out of the elements or fields of its original."""
    elements = item.original.count(b"</") or item.original.count(b'":')
    return _PER_ALERT + _PER_INFO * len(item.alert.infos) + _PER_ELEMENT * elements + 2 * len(item.original)
