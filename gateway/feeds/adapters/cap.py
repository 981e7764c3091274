"""One CAP document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.feeds.contract import Adapter, FeedRefused, Reading

if TYPE_CHECKING:
    from gateway.feeds.document import Document


def _read(_: Document) -> Reading:
    raise FeedRefused("unknown_format", "not built yet")


ADAPTER = Adapter("cap", lambda _: False, _read)
