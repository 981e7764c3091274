"""How an address is shown to people who may not see it whole."""

from __future__ import annotations

import re

from channels.base import mask

_MAINLAND = re.compile(r"(?:\+?86)?(1[3-9]\d{9})")


def masked(address: str) -> str:
    """Return an address as pages and lists show it: ``138****1234``, ``z***@example.org``.

    A mainland mobile number goes without its country, as people there know it; every other address is
    masked as :func:`channels.base.mask` does it for logs.
    """
    mobile = _MAINLAND.fullmatch(address)
    return f"{mobile[1][:3]}****{mobile[1][-4:]}" if mobile else mask(address)
