"""Adapters, one module a family of formats, loaded when a source or a file asks for one."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.feeds.contract import Adapter
    from gateway.feeds.document import Document

KINDS: dict[str, str] = {
    # Alerts
    "cap": "cap",
    "atom": "atom",
    "rss": "rss",
    "edxl": "edxl",
    "zip": "zip_of_cap",
    "nws": "nws",
    "meteoalarm": "meteoalarm",
    "naad": "naad",
    "jma": "jma",
    "eccc": "eccc",
    "metno": "metno",
    "brightsky": "brightsky",
    "meteireann": "meteireann",
    # China
    "national": "national",
    "list12379": "list12379",
    "nmc": "nmc",
    "cma": "cma",
    # Seismic
    "usgs": "usgs",
    "fdsn_text": "fdsn_text",
    "quakeml": "quakeml",
    "emsc": "emsc",
    "geonet": "geonet",
    "cenc": "cenc",
    "scml": "scml",
    "eqxml": "eqxml",
    "usgs_pdl": "usgs_pdl",
}
"""Kind of a source -> its module here. A file is recognised in this order."""


def adapter(kind: str) -> Adapter:
    """Return the adapter of a kind; KeyError where there is none."""
    found: Adapter = importlib.import_module(f"{__name__}.{KINDS[kind]}").ADAPTER
    return found


def recognise(document: Document) -> Adapter | None:
    """Return the adapter whose format the document has, if any."""
    return next((one for one in map(adapter, KINDS) if one.recognises(document)), None)
