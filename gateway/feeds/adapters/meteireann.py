"""Warnings of Met Éireann as the JSON of its web site, which is not documented: for information only.

Source: https://www.met.ie/warnings. Ireland's warnings in CAP come by MeteoAlarm.

Entries whose text is "Nil" are no warnings. Entries without an id of their own (``capId`` "0") have times in
words, in Irish time; their identifier is then made of the group, the headline and the time of issue.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from gateway.alerts.model import Alert, Category, Certainty, Info, MsgType, Scope, Severity, Status, Urgency
from gateway.feeds.contract import Adapter, FeedRefused, Item, Reading
from gateway.feeds.making import (
    EntryRefused,
    Loose,
    json_object,
    local_time,
    make,
    make_area,
    make_item,
    peek,
    read_entries,
)
from gateway.feeds.noted import Noted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from gateway.alerts.model import Area, ValuePair
    from gateway.feeds.document import Document

KIND = "meteireann"
SENDER = "met.ie"
"""Not the sender of the service's CAP, so that the two never have one key and different contents."""
_ZONE = ZoneInfo("Europe/Dublin")
_GROUPS = ("national", "marine", "environmental", "advisories")
_LEVELS = {"yellow": Severity.MODERATE, "orange": Severity.SEVERE, "red": Severity.EXTREME}
_NOTHING = frozenset({"", "nil", "none"})
_WORDS = re.compile(r"(\d{1,2}:\d{2}) [A-Za-z]+ (\d{1,2}/\d{1,2}/\d{4})")
_NOT_A_WORD = re.compile(r"[^0-9A-Za-z]+")


def _recognises(document: Document) -> bool:
    warnings = peek(document).get("warnings")
    return isinstance(warnings, dict) and "national" in warnings


def _read(document: Document) -> Reading:
    warnings = json_object(document).get("warnings")
    if not isinstance(warnings, dict) or not any(isinstance(warnings.get(one), list) for one in _GROUPS):
        raise FeedRefused("feed_malformed", "the JSON has no warnings by group")
    noted = Noted()
    items = [item for group in _GROUPS for item in _group(warnings, group, noted)]
    return Reading(KIND, items=items, findings=noted.all(), heartbeat=not items)


def _group(warnings: dict[str, Any], group: str, noted: Noted) -> list[Item]:
    entries = warnings.get(group)
    if not isinstance(entries, list):
        return []
    return read_entries(entries, f"warnings/{group}", noted, lambda entry: _item(entry, group, noted))


def _item(entry: Loose, group: str, noted: Noted) -> Item | None:
    if (entry.text("description") or "").lower() in _NOTHING:
        noted.add("not_in_force", entry.path)
        return None
    entry.noted.add("unofficial", entry.path)
    sent = _time(entry, "issued", "issuedAt")
    if sent is None:
        raise EntryRefused("it does not say when it was issued")
    green = (entry.text("level") or "").lower() == "green"
    if green:
        entry.noted.add("not_in_force", entry.at("level"))
    alert = make(
        entry,
        Alert,
        identifier=_identifier(entry, group, sent),
        sender=SENDER,
        sent=sent,
        status=Status.ACTUAL,
        msg_type=MsgType.ALERT,
        scope=Scope.PUBLIC,
        infos=(_info(entry, group),),
    )
    return make_item(entry, alert, in_force=not green)


def _identifier(entry: Loose, group: str, sent: datetime) -> str:
    own = entry.text("capId")
    if own not in {None, "0"}:
        return str(own)
    headline = _NOT_A_WORD.sub("-", entry.need("headline")).strip("-")
    return f"{group}-{headline}-{sent:%Y%m%d%H%M}"


def _time(entry: Loose, iso: str, words: str) -> datetime | None:
    """A time in ISO 8601, or else the one that is written in words, in Irish time."""
    if entry.text(iso):
        return entry.time(iso)
    match = _WORDS.fullmatch(entry.text(words) or "")
    if match is None:
        return None
    try:
        value = datetime.strptime(f"{match[2]} {match[1]}", "%d/%m/%Y %H:%M")  # noqa: DTZ007 - zone follows
    except ValueError:
        entry.drop(words)
        return None
    return local_time(entry, words, value, _ZONE)


def _info(entry: Loose, group: str) -> Info:
    return make(
        entry,
        Info,
        language="en-IE",
        categories=(Category.ENV if group == "environmental" else Category.MET,),
        event=entry.need("headline"),
        urgency=Urgency.UNKNOWN,
        severity=entry.choice("severity", Severity) or _by_colour(entry),
        certainty=entry.choice("certainty", Certainty) or Certainty.UNKNOWN,
        onset=_time(entry, "onset", "validFrom"),
        expires=_time(entry, "expiry", "validUntil"),
        headline=entry.text("headline"),
        description=entry.text("description"),
        parameters=tuple(_parameters(entry, group)),
        areas=_areas(entry),
    )


def _by_colour(entry: Loose) -> Severity:
    found = _LEVELS.get((entry.text("level") or "").lower())
    if found is None:
        entry.assume("severity", "Neither severity nor level tells the severity; Unknown was set.")
    return found or Severity.UNKNOWN


def _parameters(entry: Loose, group: str) -> Iterator[ValuePair]:
    yield from entry.pair("meteireann:group", group)
    for name in ("level", "status", "type"):
        yield from entry.pair(f"meteireann:{name}", entry.text(name))


def _areas(entry: Loose) -> tuple[Area, ...]:
    codes = [pair for code in entry.texts("regions") for pair in entry.pair("meteireann:region", code)]
    return (make_area(entry, "", geocodes=codes),) if codes else ()


ADAPTER = Adapter(KIND, _recognises, _read, official=False)
