"""Alerts of the US National Weather Service as GeoJSON: ``/alerts/active``, ``/alerts/{id}``.

Source: https://www.weather.gov/documentation/services-web-api, VTEC: NWS Instruction 10-1703.

``messageType`` says what the whole product is; what a single segment of it does stands in its VTEC, which
therefore overrules it. One product may lift a warning for some zones and go on with it for others: both have
one event key and one ``sent``, and neither replaces the other.
"""

from __future__ import annotations

import re
from datetime import UTC
from typing import TYPE_CHECKING, Any, NamedTuple

from gateway.alerts.model import (
    Alert,
    Category,
    Certainty,
    Info,
    MsgType,
    Reference,
    ResponseType,
    Scope,
    Severity,
    Status,
    Urgency,
    ValuePair,
)
from gateway.alerts.times import write_time
from gateway.feeds.cap_item import listed_keys
from gateway.feeds.contract import Adapter, FeedRefused, Item, Reading
from gateway.feeds.making import (
    EntryRefused,
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
    from datetime import datetime

    from gateway.alerts.model import Area
    from gateway.feeds.document import Document

KIND = "nws"
_ENDING = frozenset({"CAN", "EXP", "UPG"})
_FOLLOWING = frozenset({"CON", "EXT", "EXA", "EXB", "COR"})
_VTEC = re.compile(
    r"/(?P<k>[A-Z])\.(?P<action>[A-Z]{3})\.(?P<office>[A-Z0-9]{4})\.(?P<phenomenon>[A-Z0-9]{2})"
    r"\.(?P<significance>[A-Z])\.(?P<number>\d{4})\.(?P<begin>\d{6}T\d{4}Z)-(?P<end>\d{6}T\d{4}Z)/"
)
_BEGUN = "000000"
"""For a begin: the event had begun before this message."""
_TRIPLE = re.compile(r"\S+")


class Vtec(NamedTuple):
    """A P-VTEC string, ``/k.aaa.cccc.pp.s.####.begin-end/``."""

    operational: bool
    """Whether k is O; T is a test, E and X are experimental."""
    action: str
    event: str
    """Office, phenomenon, significance and number; unique within a year."""
    begin: str

    @property
    def ends(self) -> bool:
        """Whether the event is over, or replaced by another one, for the zones of the segment."""
        return self.action in _ENDING


def read_vtec(text: str) -> Vtec | None:
    """Return the VTEC; ``None`` where the text is none, as the H-VTEC of floods is."""
    match = _VTEC.search(text)
    if match is None:
        return None
    event = ".".join(match[part] for part in ("office", "phenomenon", "significance", "number"))
    return Vtec(match["k"] == "O", match["action"], event, match["begin"])


def _recognises(document: Document) -> bool:
    value = peek(document)
    if value.get("type") == "Feature":
        return properties(value).get("@type") == "wx:Alert"
    if value.get("type") != "FeatureCollection" or "@context" not in value:
        return False
    return not value.get("features") or "messageType" in properties(first_of(value["features"]))


def _read(document: Document) -> Reading:
    value = json_object(document)
    noted = Noted()
    if value.get("type") == "Feature":
        return Reading(KIND, items=_items([value], "feature", noted), findings=noted.all())
    features = features_of(value)
    if "@context" not in value and not features:
        raise FeedRefused("feed_malformed", "the collection is not one of api.weather.gov")
    items = _items(features, "features", noted)
    return Reading(
        KIND,
        items=items,
        findings=noted.all(),
        heartbeat=not features,
        listed=listed_keys(items) if _is_whole(value, noted) else None,
        generated=stamp(value, "updated"),
    )


def _is_whole(value: dict[str, Any], noted: Noted) -> bool:
    """Whether the collection is all there is: no further page, and no entry that could not be read."""
    return "pagination" not in value and not noted.count("item_malformed")


def _items(features: list[Any], path: str, noted: Noted) -> list[Item]:
    return read_entries(features, path, noted, _item)


def _item(feature: Loose) -> Item:
    entry = feature.inner("properties")
    sent = entry.need_time("sent")
    found = [one for one in map(read_vtec, entry.inner("parameters").texts("VTEC")) if one]
    msg_type = _msg_type(entry, found)
    references, malformed = _references(entry)
    alert = make(
        entry,
        Alert,
        identifier=entry.need("id"),
        sender=entry.need("sender"),
        sent=sent,
        status=_status(entry, found),
        msg_type=msg_type,
        scope=_scope(entry),
        codes=tuple(entry.texts("code")),
        note=entry.text("note"),
        references=references,
        malformed_references=malformed,
        infos=(_info(feature, entry, msg_type),),
    )
    replaced = entry.text("replacedBy") or entry.text("replacedAt")
    if replaced:
        entry.noted.add("not_in_force", entry.at("replacedBy"), "Another alert has replaced this one.")
    return make_item(feature, alert, event_key=_event_key(found, sent), in_force=not replaced)


def _status(entry: Loose, found: list[Vtec]) -> Status:
    status = entry.need_choice("status", Status)
    if status == Status.ACTUAL and any(not one.operational for one in found):
        entry.noted.add("message_type_overruled", entry.at("status"), "The VTEC is no operational one: Test.")
        return Status.TEST
    return status


def _msg_type(entry: Loose, found: list[Vtec]) -> MsgType:
    """The message type after the VTEC; an explicit Cancel stays one."""
    said = entry.need_choice("messageType", MsgType)
    if said not in (MsgType.ALERT, MsgType.UPDATE) or not found:
        return said
    done: MsgType = said
    if all(one.ends for one in found):
        done = MsgType.CANCEL
    elif all(one.ends or one.action in _FOLLOWING for one in found):
        done = MsgType.UPDATE
    if done != said:
        actions = " ".join(one.action for one in found)
        entry.noted.add(
            "message_type_overruled", entry.at("messageType"), f"{said}, by VTEC {actions}: {done}"
        )
    return done


def _event_key(found: list[Vtec], sent: datetime) -> str:
    """The event that goes on, or else the first; its year is that of its begin, or of the message."""
    one = next((one for one in found if not one.ends), found[0] if found else None)
    if one is None:
        return ""
    year = sent.astimezone(UTC).year if one.begin.startswith(_BEGUN) else 2000 + int(one.begin[:2])
    return f"{one.event}.{year}"


def _scope(entry: Loose) -> Scope:
    if entry.text("scope") is None:
        entry.assume("scope", "scope is missing; Public was set.")
        return Scope.PUBLIC
    return entry.need_choice("scope", Scope)


def _references(entry: Loose) -> tuple[tuple[Reference, ...], tuple[str, ...]]:
    """The alerts that are replaced: those in force, and those that had expired before."""
    good = [_reference(entry, value) for value in entry.items("references")]
    malformed: list[str] = []
    for text in entry.inner("parameters").texts("expiredReferences"):
        for match in _TRIPLE.finditer(text):
            one = _triple(entry, match[0])
            good.append(one)
            malformed.extend([] if one else [match[0]])
    return tuple(dict.fromkeys(one for one in good if one)), tuple(malformed)


def _reference(entry: Loose, value: object) -> Reference | None:
    try:
        one = Loose(value, entry.at("references"), entry.noted)
        return make(
            one,
            Reference,
            sender=one.need("sender"),
            identifier=one.need("identifier"),
            sent=one.need_time("sent"),
        )
    except EntryRefused:
        entry.drop("references", "A reference cannot be read and was left out.")
        return None


def _triple(entry: Loose, text: str) -> Reference | None:
    sender, _, rest = text.partition(",")
    identifier, _, sent = rest.partition(",")
    return _reference(entry, {"sender": sender, "identifier": identifier, "sent": sent})


def _info(feature: Loose, entry: Loose, msg_type: MsgType) -> Info:
    expires = entry.time("expires")
    holds = _holds_until(entry, expires, msg_type)
    return make(
        entry,
        Info,
        language=entry.language("language"),
        categories=entry.choices("category", Category) or _category(entry),
        event=entry.need("event"),
        response_types=entry.choices("response", ResponseType),
        urgency=entry.level("urgency", Urgency),
        severity=entry.level("severity", Severity),
        certainty=entry.level("certainty", Certainty),
        event_codes=entry.pairs("eventCode"),
        effective=entry.time("effective"),
        onset=entry.time("onset"),
        expires=holds,
        sender_name=entry.text("senderName"),
        headline=entry.text("headline"),
        description=entry.text("description"),
        instruction=entry.text("instruction"),
        web=entry.text("web"),
        parameters=(*entry.pairs("parameters"), *_own_parameters(entry, expires, holds)),
        areas=(_area(feature, entry),),
    )


def _holds_until(entry: Loose, expires: datetime | None, msg_type: MsgType) -> datetime | None:
    """Until when the warning holds: ``expires`` is only when the next product is due, ``ends`` its end."""
    ends = entry.time("ends")
    if ends is None or msg_type == MsgType.CANCEL:
        return expires
    if expires is not None and ends > expires:
        entry.noted.add("ends_after_expires", entry.at("ends"))
    return ends


def _own_parameters(entry: Loose, expires: datetime | None, holds: datetime | None) -> tuple[ValuePair, ...]:
    """What CAP has no place for. A zone code alone does not tell a forecast zone from a fire zone."""
    kept = write_time(expires) if expires and expires != holds else None
    zones = " ".join(entry.texts("affectedZones"))
    return (*entry.pair("nws:expires", kept), *entry.pair("nws:affectedZones", zones or None))


def _category(entry: Loose) -> tuple[Category, ...]:
    entry.assume("category", "category is missing; Met was set.")
    return (Category.MET,)


def _area(feature: Loose, entry: Loose) -> Area:
    return make_area(
        entry,
        entry.text("areaDesc") or "",
        shapes_of(entry, feature.value.get("geometry")),
        entry.pairs("geocode"),
    )


ADAPTER = Adapter(KIND, _recognises, _read)
