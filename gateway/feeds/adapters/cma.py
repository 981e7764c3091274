"""Alarms of the map of weather.cma.cn (``api/map/alarm``), and the same as FAN Studio passes them on.

Both are JSON without documentation: ``{"code": 0, "data": [...]}`` and ``{"Data": {...}, "md5"}``. An entry
has ``id``, ``headline``, ``effective``, ``description``, ``type``, and a point: the office's, and no area.
``type`` is the national event type with the colour (``11B03_YELLOW``), or a p-code (kind of event, then 1 red
to 4 blue). The CAP senders ``weather.cma.cn`` and ``fanstudio.weatheralarm`` are made up here.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from gateway.feeds.chinese import Row, Told, china_time, p_code, packaged_hazards, row_item
from gateway.feeds.contract import Adapter, FeedRefused, Reading
from gateway.feeds.making import first_of, json_object, list_of, peek, read_entries
from gateway.feeds.noted import Noted

if TYPE_CHECKING:
    from gateway.alerts.model import ValuePair
    from gateway.feeds.contract import Item
    from gateway.feeds.document import Document
    from gateway.feeds.making import Loose

KIND = "cma"
SENDER = "weather.cma.cn"
FAN_SENDER = "fanstudio.weatheralarm"
_TYPE = re.compile(r"([0-9]{2}[A-Z][0-9]{2})_([A-Za-z]+)")
_FIELDS = frozenset({"id", "headline", "effective", "type"})


def _recognises(document: Document) -> bool:
    value = peek(document)
    return first_of(value.get("data")).keys() >= _FIELDS or first_of([value.get("Data")]).keys() >= _FIELDS


def _read(document: Document) -> Reading:
    value = json_object(document)
    noted = Noted()
    if "Data" in value:
        entries, path, sender = [value["Data"]], "Data", FAN_SENDER
    else:
        if value.get("code") != 0:
            raise FeedRefused("error_page", "the source answered with an error code instead of its list")
        entries, path, sender = list_of(value, "data"), "data", SENDER
    items = read_entries(entries, path, noted, partial(_item, sender=sender))
    return Reading(KIND, items=items, findings=noted.all())


def _item(entry: Loose, *, sender: str) -> Item:
    title = "headline" if entry.text("headline") else "title"
    return row_item(
        entry,
        Row(
            sender=sender,
            identifier=entry.need("id"),
            sent=china_time(entry, "effective"),
            title=entry.need(title),
            title_field=title,
            told=_told(entry),
            description=entry.text("description"),
            parameters=_point(entry),
        ),
    )


def _told(entry: Loose) -> Told:
    text = entry.text("type") or ""
    match = _TYPE.fullmatch(text)
    told = _national(match[1], match[2]) if match else p_code(text)
    if text and told.level is None:
        entry.drop("type", "The type names no colour that is known.")
    return told


def _national(event_type: str, colour: str) -> Told:
    hazards = packaged_hazards()
    return Told(hazards.by_code(event_type), hazards.level_named(colour), event_type)


def _point(entry: Loose) -> tuple[ValuePair, ...]:
    names = ("longitude", "latitude")
    return tuple(pair for name in names for pair in entry.pair(f"{KIND}:{name}", entry.text(name)))


ADAPTER = Adapter(KIND, _recognises, _read, official=False)
