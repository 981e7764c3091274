"""Weather alerts of Environment and Climate Change Canada as GeoJSON (GeoMet, OGC API - Features).

Source: https://api.weather.gc.ca/collections/weather-alerts (MSC GeoMet).

Each feature is one alert in one forecast region, in English and French; its id stays while the alert goes
on. The messages are made here and are none of the office's own CAP: their sender is :data:`SENDER`, their
identifier the id with the time of publication. Ended alerts are listed for a while, as a Cancel.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

from gateway.alerts.model import Alert, Category, Certainty, Info, MsgType, Scope, Severity, Status, Urgency
from gateway.feeds.cap_item import listed_keys
from gateway.feeds.contract import Adapter, Item, Reading
from gateway.feeds.making import (
    Loose,
    features_of,
    first_of,
    json_object,
    make,
    make_area,
    make_item,
    peek,
    properties,
    read_entries,
    shapes_of,
    stamp,
)
from gateway.feeds.noted import Noted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from gateway.alerts.model import ValuePair
    from gateway.feeds.document import Document

KIND = "eccc"
SENDER = "api.weather.gc.ca"
"""Not the sender of the office's CAP, so that the two never have one key and different contents."""
_TYPES = {
    "issued": MsgType.ALERT,
    "continued": MsgType.UPDATE,
    "updated": MsgType.UPDATE,
    "ended": MsgType.CANCEL,
}
_COLOURS = {"yellow": Severity.MODERATE, "orange": Severity.SEVERE, "red": Severity.EXTREME}
_WITHOUT_COLOUR = {
    "warning": Severity.SEVERE,
    "watch": Severity.MODERATE,
    "advisory": Severity.MINOR,
    "statement": Severity.MINOR,
}
_CONFIDENCE = {"high": Certainty.LIKELY, "moderate": Certainty.POSSIBLE, "low": Certainty.POSSIBLE}
_LANGUAGES = ("en", "fr")
_KEPT = ("alert_code", "alert_type", "status_en", "risk_colour_en", "impact_en", "confidence_en", "province")


def _recognises(document: Document) -> bool:
    value = peek(document)
    if value.get("type") != "FeatureCollection":
        return False
    if value.get("features"):
        return "alert_code" in properties(first_of(value["features"]))
    return "weather-alerts" in str(first_of(value.get("links")).get("href"))


def _read(document: Document) -> Reading:
    value = json_object(document)
    features = features_of(value)
    noted = Noted()
    items = read_entries(features, "features", noted, _item)
    whole = len(items) == len(features) == value.get("numberMatched", len(features))
    return Reading(
        KIND,
        items=items,
        findings=noted.all(),
        heartbeat=not features,
        listed=listed_keys(items) if whole else None,
        generated=stamp(value, "timeStamp"),
    )


def _item(feature: Loose) -> Item:
    entry = feature.inner("properties")
    sent, own_id = entry.need_time("publication_datetime"), entry.need("id")
    alert = make(
        entry,
        Alert,
        identifier=f"{own_id}_{sent.astimezone(UTC):%Y%m%d%H%M%S}",
        sender=SENDER,
        sent=sent,
        status=Status.ACTUAL,
        msg_type=_msg_type(entry),
        scope=Scope.PUBLIC,
        infos=tuple(_infos(feature, entry)),
    )
    return make_item(feature, alert, event_key=own_id)


def _msg_type(entry: Loose) -> MsgType:
    status = entry.text("status_en")
    known = _TYPES.get((status or "").lower())
    if known is None:
        entry.drop("status_en", "The status is unknown; the alert is taken for one that goes on.")
    return known or MsgType.UPDATE


def _infos(feature: Loose, entry: Loose) -> Iterator[Info]:
    facts = _facts(entry)
    shapes = shapes_of(entry, feature.value.get("geometry"))
    codes = entry.pair("eccc:feature_id", entry.text("feature_id"))
    for language in _LANGUAGES:
        name = entry.need(f"alert_name_{language}")
        area = make_area(entry, entry.text(f"feature_name_{language}") or "", shapes, codes)
        texts = {"event": name, "headline": name, "description": entry.text(f"alert_text_{language}")}
        yield make(entry, Info, language=f"{language}-CA", areas=(area,), **facts, **texts)


def _facts(entry: Loose) -> dict[str, Any]:
    """What is the same in both languages."""
    return {
        "categories": (Category.MET,),
        "urgency": Urgency.UNKNOWN,
        "severity": _severity(entry),
        "certainty": _CONFIDENCE.get((entry.text("confidence_en") or "").lower(), Certainty.UNKNOWN),
        "onset": entry.time("validity_datetime"),
        "expires": _expires(entry),
        "parameters": tuple(_parameters(entry)),
    }


def _severity(entry: Loose) -> Severity:
    """By the colour of the risk; alerts without one by their type."""
    colour = (entry.text("risk_colour_en") or "").lower()
    kind = (entry.text("alert_type") or "").lower()
    found = _COLOURS.get(colour) or _WITHOUT_COLOUR.get(kind)
    if found is None:
        entry.assume("severity", "Neither risk_colour_en nor alert_type tells the severity; Unknown was set.")
    return found or Severity.UNKNOWN


def _expires(entry: Loose) -> datetime | None:
    """The later of the end of the message and the end of the event."""
    expires, ends = entry.time("expiration_datetime"), entry.time("event_end_datetime")
    if expires and ends and ends > expires:
        entry.noted.add("ends_after_expires", entry.at("event_end_datetime"))
    return max((one for one in (expires, ends) if one), default=None)


def _parameters(entry: Loose) -> Iterator[ValuePair]:
    for name in (*_KEPT, "expiration_datetime", "event_end_datetime"):
        yield from entry.pair(f"eccc:{name}", entry.text(name))


ADAPTER = Adapter(KIND, _recognises, _read)
