"""Warnings of the German weather service (DWD), republished by Bright Sky: for information only.

Source: https://brightsky.dev/docs, ``/alerts``.

The answer names the place that was asked for, not the area of a warning: that place is all that is said of
where. The official form is DWD's CAP (https://opendata.dwd.de/weather/alerts).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.alerts.model import (
    Alert,
    Category,
    Certainty,
    Info,
    MsgType,
    ResponseType,
    Scope,
    Severity,
    Status,
    Urgency,
)
from gateway.feeds.contract import Adapter, Item, Reading
from gateway.feeds.making import (
    Loose,
    first_of,
    json_object,
    list_of,
    make,
    make_area,
    make_item,
    peek,
    read_entries,
)
from gateway.feeds.noted import Noted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.alerts.model import Area
    from gateway.feeds.document import Document

KIND = "brightsky"
SENDER = "api.brightsky.dev"
"""Not DWD's, whose messages these are made from."""
_LANGUAGES = {"de": "de-DE", "en": "en"}


def _recognises(document: Document) -> bool:
    value = peek(document)
    if not isinstance(value.get("alerts"), list):
        return False
    return "alert_id" in first_of(value["alerts"]) or "location" in value


def _read(document: Document) -> Reading:
    value = json_object(document)
    alerts = list_of(value, "alerts")
    noted = Noted()
    items = read_entries(alerts, "alerts", noted, lambda entry: _item(entry, value.get("location")))
    return Reading(KIND, items=items, findings=noted.all(), heartbeat=not alerts)


def _item(entry: Loose, location: object) -> Item:
    entry.noted.add("unofficial", entry.path)
    alert = make(
        entry,
        Alert,
        identifier=entry.need("alert_id"),
        sender=SENDER,
        sent=entry.need_time("effective"),
        status=entry.need_choice("status", Status),
        msg_type=MsgType.ALERT,
        scope=Scope.PUBLIC,
        infos=tuple(_infos(entry, location)),
    )
    return make_item(entry, alert)


def _infos(entry: Loose, location: object) -> Iterator[Info]:
    facts, areas = _facts(entry), _areas(entry, location)
    for short, language in _LANGUAGES.items():
        yield make(
            entry,
            Info,
            language=language,
            event=entry.need(f"event_{short}"),
            headline=entry.text(f"headline_{short}"),
            description=entry.text(f"description_{short}"),
            instruction=entry.text(f"instruction_{short}"),
            areas=areas,
            **facts,
        )


def _facts(entry: Loose) -> dict[str, Any]:
    """What is the same in both languages."""
    return {
        "categories": entry.choices("category", Category) or (Category.MET,),
        "response_types": entry.choices("response_type", ResponseType),
        "urgency": entry.level("urgency", Urgency),
        "severity": entry.level("severity", Severity),
        "certainty": entry.level("certainty", Certainty),
        "event_codes": entry.pair("II", entry.text("event_code")),
        "onset": entry.time("onset"),
        "expires": entry.time("expires"),
    }


def _areas(entry: Loose, location: object) -> tuple[Area, ...]:
    if not isinstance(location, dict):
        return ()
    place = Loose(location, entry.at("location"), entry.noted)
    codes = place.pair("WARNCELLID", place.text("warn_cell_id"))
    return (make_area(entry, place.text("name") or "", geocodes=codes),)


ADAPTER = Adapter(KIND, _recognises, _read, official=False)
