"""What the page of one message in the inbox shows besides its columns."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, NamedTuple

import structlog
from lxml import etree

from gateway.alerts.signature import load_certificates, verify
from gateway.feeds.origins import PARTNER

if TYPE_CHECKING:
    from gateway.alerts.model import Alert
    from gateway.alerts.signature import Verdict
    from gateway.store.incoming import IncomingRow
    from gateway.web.console.visit import Visit

log = structlog.get_logger(__name__)

SHOWN = 200_000
"""Characters of an original that are shown; the whole of it can be saved."""


class Chain(NamedTuple):
    """The messages that one is tied to."""

    replaces: list[IncomingRow]
    """What it updates or cancels, the oldest first."""
    replaced_by: list[IncomingRow]


async def chain(visit: Visit, row: IncomingRow) -> Chain:
    """Return what a message replaces and what replaces it, as far as both came in."""
    ordered = await visit.console.inbox.order(row)
    after = {one.key for one in ordered.superseded_by(row.key)}
    return Chain(
        [one.row for one in ordered.replaced(row.key) if one.row.id != row.id],
        [one.row for one in ordered.messages if one.key in after and one.row.id != row.id],
    )


async def verdict(visit: Visit, row: IncomingRow) -> Verdict | None:
    """Return what each signature is worth, looked at anew; None where there is none or nobody to trust."""
    if not row.is_cap or row.signature == "absent":
        return None
    settings = visit.console.settings
    known = (
        settings.partners.get(row.source.removeprefix(PARTNER))
        if row.source.startswith(PARTNER)
        else settings.sources.get(row.source)
    )
    signers = known.signers if known else []
    try:
        return await asyncio.to_thread(
            lambda: verify(row.original, load_certificates(signers), row.received_at)
        )
    except (OSError, ValueError) as error:
        log.warning("signers cannot be read", source=row.source, error=type(error).__name__)
        return None


def area(row: IncomingRow, alert: Alert) -> dict[str, Any]:
    """Return where a message lies, as the map takes it."""
    areas = [one for info in alert.infos for one in info.areas]
    return {
        "regions": row.regions,
        "polygons": [polygon for one in areas for polygon in one.polygons],
        "circles": [[circle.lat, circle.lon, circle.radius_km] for one in areas for circle in one.circles],
    }


def hazard_name(visit: Visit, key: str) -> str:
    """Return the name of a hazard in the language of the visit; empty where the table has none."""
    hazard = visit.console.office.hazards.by_key(key)
    if hazard is None:
        return ""
    return hazard.zh if visit.language == "zh-CN" else hazard.en


def pretty(row: IncomingRow) -> str:
    """Return the bytes as text to look at: XML and JSON with their structure, anything else as it came."""
    text = row.original.decode("utf-8", "replace")
    if row.is_cap:
        text = _pretty_xml(row.original) or text
    elif text.lstrip()[:1] in {"{", "["}:
        text = _pretty_json(text) or text
    return text[:SHOWN]


def _pretty_xml(data: bytes) -> str:
    safe = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_blank_text=True
    )
    try:
        text: str = etree.tostring(etree.fromstring(data, safe), pretty_print=True, encoding="unicode")
    except etree.XMLSyntaxError:
        return ""
    return text


def _pretty_json(text: str) -> str:
    try:
        return json.dumps(json.loads(text), ensure_ascii=False, indent=2)
    except (ValueError, RecursionError):
        return ""
