"""The whole schema: importing this module registers every table on :data:`metadata`."""

from __future__ import annotations

from gateway.store import (
    console_tables,
    incoming_tables,
    partner_tables,
    publish_tables,
    seismic_tables,
    source_tables,
    tables,
)
from gateway.store.columns import metadata

__all__ = [
    "console_tables",
    "incoming_tables",
    "metadata",
    "partner_tables",
    "publish_tables",
    "seismic_tables",
    "source_tables",
    "tables",
]
