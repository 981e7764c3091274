"""MetAlerts 2.0 of MET Norway as GeoJSON.

Source: https://api.met.no/weatherapi/metalerts/2.0/documentation.

The GeoJSON has no ``sent``; it stands in the identifier (``2.49.0.1.578.0.YYMMDDhhmmss.…`` in UTC, also with
the century). Neither has it references: an Update stands for itself, and the list of all that is in force
tells what has gone. The messages are made here and are not the institute's CAP, which each feature links to:
their sender is :data:`SENDER`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gateway.alerts.model import Alert, Category, Certainty, Info, MsgType, Scope, Severity, Status, Urgency
from gateway.feeds.cap_item import listed_keys
from gateway.feeds.contract import Adapter, Item, Reading
from gateway.feeds.making import (
    EntryRefused,
    Loose,
    features_of,
    json_object,
    make,
    make_area,
    make_item,
    note_green,
    peek,
    read_entries,
    shapes_of,
    stamp,
)
from gateway.feeds.noted import Noted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.alerts.model import Area, ValuePair
    from gateway.feeds.document import Document

KIND = "metno"
SENDER = "api.met.no"
"""Not the sender of the institute's CAP, so that the two never have one key and different contents."""
_SENT = re.compile(r"2\.49\.0\.1\.578\.0\.(?:20)?(\d{12})\.")
_LANGUAGES = {"no": "no", "en": "en"}
_PLAIN = ("awareness_level", "awareness_type")
_KEPT = (
    *("altitude_above_sea_level", "ceiling_above_sea_level", "awarenessResponse", "awarenessSeriousness"),
    *("consequences", "eventAwarenessName", "eventEndingTime", "geographicDomain", "riskMatrixColor"),
    "triggerLevel",
)
"""Heights are metres above sea level, as they came."""


def _recognises(document: Document) -> bool:
    value = peek(document)
    return value.get("type") == "FeatureCollection" and "lastChange" in value and "lang" in value


def _read(document: Document) -> Reading:
    value = json_object(document)
    features = features_of(value)
    language = _LANGUAGES.get(str(value.get("lang")))
    noted = Noted()
    items = read_entries(features, "features", noted, lambda feature: _item(feature, language))
    return Reading(
        KIND,
        items=items,
        findings=noted.all(),
        heartbeat=not features,
        listed=listed_keys(items) if len(items) == len(features) else None,
        generated=stamp(value, "lastChange"),
    )


def _item(feature: Loose, language: str | None) -> Item:
    entry = feature.inner("properties")
    identifier = entry.need("id")
    alert = make(
        entry,
        Alert,
        identifier=identifier,
        sender=SENDER,
        sent=_sent(identifier),
        status=entry.need_choice("status", Status),
        msg_type=entry.need_choice("type", MsgType),
        scope=Scope.PUBLIC,
        infos=(_info(feature, entry, language),),
    )
    return make_item(feature, alert, in_force=note_green(entry, alert))


def _sent(identifier: str) -> datetime:
    match = _SENT.match(identifier)
    try:
        return datetime.strptime(match[1] if match else "", "%y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        raise EntryRefused("its id does not tell when it was sent") from None


def _info(feature: Loose, entry: Loose, language: str | None) -> Info:
    when = feature.inner("when")
    onset, expires = _interval(when)
    return make(
        entry,
        Info,
        language=language or "und",
        categories=(Category.MET,),
        event=entry.need("event"),
        urgency=entry.level("urgency", Urgency),
        severity=entry.level("severity", Severity),
        certainty=entry.level("certainty", Certainty),
        onset=onset,
        expires=expires,
        headline=entry.text("title"),
        description=entry.text("description"),
        instruction=entry.text("instruction"),
        web=entry.text("web"),
        contact=entry.text("contact"),
        parameters=tuple(_parameters(entry)),
        areas=(_area(feature, entry),),
    )


def _interval(when: Loose) -> tuple[datetime | None, datetime | None]:
    ends = when.value.get("interval")
    start, end = ends if isinstance(ends, list) and len(ends) == len(("from", "to")) else (None, None)
    interval = Loose({"from": start, "to": end}, when.at("interval"), when.noted)
    return interval.time("from"), interval.time("to")


def _parameters(entry: Loose) -> Iterator[ValuePair]:
    for name in _PLAIN:
        yield from entry.pair(name, entry.text(name))
    for name in _KEPT:
        yield from entry.pair(f"metno:{name}", entry.text(name))


def _area(feature: Loose, entry: Loose) -> Area:
    counties = [pair for code in entry.texts("county") for pair in entry.pair("metno:county", code)]
    return make_area(
        entry, entry.text("area") or "", shapes_of(entry, feature.value.get("geometry")), counties
    )


ADAPTER = Adapter(KIND, _recognises, _read)
