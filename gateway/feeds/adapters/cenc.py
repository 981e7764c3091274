"""Earthquakes of China and Japan as third parties republish them: Wolfx (``wolfx.jp``) and FAN Studio.

Nobody official stands behind these formats: they may change or end without notice, and no warning may rest
on them alone. The same messages come over a websocket, with a ``type``, and by HTTP, where only the address
says what they are.

Early warnings (``*_eew``) are made by programs, and are automatic however often they are revised. The
warning network of the China Earthquake Administration (``cenc_eew``, FAN ``cea``) is the agency ``cea``;
the catalogue of the China Earthquake Networks Center (``cenc_eqlist``, FAN ``cenc``) is ``cenc``: they
locate apart from each other and name their events differently.

Times are the local ones of the agency, without saying so. Numbers may be texts; some agencies have
``Magunitude``. The ids of the catalogue are renewed when the automatic solution is reviewed, so each of its
events also goes by the second of its origin.
"""

from __future__ import annotations

import re
from datetime import timedelta, timezone
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from gateway.alerts.model import Status
from gateway.feeds.contract import Adapter, FeedRefused, Reading, Solution
from gateway.feeds.solving import Entry, EntryRefused, collect, cut, json_object, part, solve, words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from gateway.feeds.contract import Review
    from gateway.feeds.document import Document

KIND = "cenc"
BEIJING = timezone(timedelta(hours=8))
TOKYO = timezone(timedelta(hours=9))
SIGNS_OF_LIFE = ("heartbeat", "pong")


class Channel(NamedTuple):
    """A kind of message."""

    agency: str
    zone: timezone = BEIJING


WOLFX = {
    "cenc_eqlist": Channel("cenc"),
    "jma_eqlist": Channel("jma", TOKYO),
    "cenc_eew": Channel("cea"),
    "sc_eew": Channel("sc"),
    "fj_eew": Channel("fj"),
    "cq_eew": Channel("cq"),
    "cwa_eew": Channel("cwa"),
    "jma_eew": Channel("jma", TOKYO),
}
"""``type`` of a message of Wolfx."""
FAN = {"cenc": Channel("cenc"), "cea": Channel("cea")}
"""Source of a message of FAN Studio; its other sources are no earthquakes."""
_NAMED_IN_URL = re.compile(r"\b((?:cenc|jma)_eqlist|(?:cenc|sc|fj|cq|cwa|jma)_eew)\b")
_MARKS = re.compile(rf'"type"\s*:\s*"({"|".join((*WOLFX, *SIGNS_OF_LIFE))})"')
_STATUSES = {"訓練": Status.EXERCISE, "试验": Status.TEST, "試験": Status.TEST}
_REVIEWS: dict[object, Review] = {"reviewed": "reviewed", "automatic": "automatic"}


def _recognises(document: Document) -> bool:
    start = document.start
    told = (
        _MARKS.search(start) is not None
        or '"shocktime"' in start
        or ('"hypocenter"' in start and '"origintime"' in start)
        or ('"no1"' in start and '"magnitude"' in start)
    )
    return document.looks_like_json and told


def _read(document: Document) -> Reading:
    body = json_object(document)
    if body.get("type") in SIGNS_OF_LIFE:
        return _sign_of_life(body)
    fan = _of_fan(body)
    if fan is not None:
        return collect(KIND, fan)
    kind = _kind(body, document.url)
    if kind.endswith("_eqlist"):
        return collect(KIND, _of_list(kind, body))
    return collect(KIND, [(_entry(kind, WOLFX[kind]), partial(_warning, body=body, original=document.data))])


def _sign_of_life(body: dict[str, Any]) -> Reading:
    generated = Entry("heartbeat").millis("timestamp", body.get("timestamp"))
    return Reading(KIND, heartbeat=True, generated=generated)


def _entry(path: str, channel: Channel) -> Entry:
    entry = Entry(path, channel.zone)
    entry.note("unofficial")
    return entry


def _kind(body: dict[str, Any], url: str) -> str:
    """Return the key of WOLFX that a message belongs to: by what it says, its address, or its shape."""
    told = body.get("type")
    if isinstance(told, str) and told in WOLFX:
        return told
    named = _NAMED_IN_URL.findall(url)
    if named and _has_shape(body):
        return str(named[-1])
    if "shindo" in part(body, "No1"):
        return "jma_eqlist"
    if "No1" in body:
        return "cenc_eqlist"
    if "Hypocenter" in body and "Serial" in body:
        return "jma_eew"
    raise FeedRefused("feed_malformed", "the document is no list of earthquakes and no early warning")


def _has_shape(body: dict[str, Any]) -> bool:
    return "No1" in body or "OriginTime" in body


def _text(body: dict[str, Any], *keys: str) -> Any:  # noqa: ANN401 - of strangers' JSON
    """Return the first value that is there under one of the names."""
    return next((body[key] for key in keys if body.get(key) is not None), None)


def _flag(body: dict[str, Any], key: str) -> bool:
    return body.get(key) is True or str(body.get(key)).lower() in {"true", "1"}


# Wolfx, early warnings


def _warning(entry: Entry, *, body: dict[str, Any], original: bytes) -> Solution:
    channel = WOLFX[entry.path]
    assumed = _flag(body, "isAssumption")
    if assumed:
        # The method of last resort puts magnitude 1 and 10 km under the station that shook first.
        entry.note("value_dropped", "Magunitude", "The hypocentre is assumed; magnitude and depth left out.")
    return solve(
        entry,
        agency=channel.agency,
        ids=_event_ids(channel.agency, body.get("EventID")),
        original=_with_type(entry.path, body, original),
        time=entry.time("OriginTime", body.get("OriginTime")),
        lat=body.get("Latitude"),
        lon=body.get("Longitude"),
        depth_km=None if assumed else _kilometres(body.get("Depth")),
        magnitude=None if assumed else _text(body, "Magnitude", "Magunitude"),
        place=_text(body, "HypoCenter", "Hypocenter"),
        review="automatic",
        withdrawn=_flag(body, "isCancel"),
        status=_status(body),
        version=_text(body, "ReportNum", "Serial"),
        updated=entry.time("ReportTime", _text(body, "ReportTime", "AnnouncedTime")),
    )


def _with_type(kind: str, body: dict[str, Any], original: bytes) -> bytes:
    """Return the message such that it says itself what it is, which by HTTP only its address did."""
    return original if body.get("type") == kind else cut({**body, "type": kind})


def _status(body: dict[str, Any]) -> Status:
    if _flag(body, "isTraining"):
        return Status.EXERCISE
    return _STATUSES.get(words(part(body, "Issue").get("Status")), Status.ACTUAL)


def _event_ids(agency: str, event: object) -> list[str]:
    """Return the event's id behind its agency; Sichuan appends ``_`` and a number to it, which may change."""
    name = words(event)
    stem = re.sub(r"_[0-9A-Z]{1,3}$", "", name)
    return [f"{agency}:{one}" for one in dict.fromkeys((stem, name)) if one]


def _kilometres(value: object) -> object:
    return value.removesuffix("km") if isinstance(value, str) else value


# Wolfx, lists


def _of_list(kind: str, body: dict[str, Any]) -> Iterator[tuple[Entry, Callable[[Entry], Solution]]]:
    """Yield the entries ``No1`` to ``No50``; they stand beside ``type`` and ``md5``."""
    for key, item in body.items():
        if re.fullmatch(r"No[0-9]{1,3}", key):
            yield _entry(key, WOLFX[kind]), partial(_listed, item=item, kind=kind)


def _listed(entry: Entry, *, item: object, kind: str) -> Solution:
    if not isinstance(item, dict):
        raise EntryRefused("item_malformed", "the entry is no object")
    agency = WOLFX[kind].agency
    time = entry.time("time", _text(item, "time_full", "time"))
    return solve(
        entry,
        agency=agency,
        ids=[*_event_ids(agency, item.get("EventID")), *_by_second(agency, time)],
        original=cut({"type": kind, "No1": item}),
        time=time,
        lat=item.get("latitude"),
        lon=item.get("longitude"),
        depth_km=_kilometres(item.get("depth")),
        magnitude=item.get("magnitude"),
        place=_text(item, "placeName", "location"),
        # What Japan publishes as earthquake information has been looked at.
        review="reviewed" if agency == "jma" else _REVIEWS.get(words(item.get("type")), "unknown"),
        updated=entry.time("ReportTime", item.get("ReportTime")),
    )


def _by_second(agency: str, time: datetime | None) -> list[str]:
    """Return the name of an event by its origin; JMA gives its times to the minute, which names nothing."""
    return [f"{agency}:{time.astimezone(BEIJING):%Y%m%d%H%M%S}"] if time and agency == "cenc" else []


# FAN Studio


def _of_fan(body: dict[str, Any]) -> list[tuple[Entry, Callable[[Entry], Solution]]] | None:
    """Return the earthquakes of a message of FAN Studio; ``None`` where it is none of theirs.

    One source's message has ``Data``; what is sent first after connecting has one such object per source.
    """
    if isinstance(body.get("Data"), dict):
        return _of_source(str(body.get("source") or ""), body)
    sources = {name: one for name, one in body.items() if isinstance(part(body, name).get("Data"), dict)}
    if not sources:
        return None
    return [entry for name, one in sources.items() for entry in _of_source(name, one)]


def _of_source(name: str, body: dict[str, Any]) -> list[tuple[Entry, Callable[[Entry], Solution]]]:
    data = body["Data"]
    if not name and "shockTime" not in data:
        raise FeedRefused("feed_malformed", "the document is no earthquake")
    source = name or ("cenc" if "autoFlag" in data or "infoTypeName" in data else "cea")
    if source not in FAN:
        return []
    return [(_entry(source, FAN[source]), partial(_republished, data=data))]


def _republished(entry: Entry, *, data: dict[str, Any]) -> Solution:
    agency = FAN[entry.path].agency
    time = entry.time("shockTime", data.get("shockTime"))
    return solve(
        entry,
        agency=agency,
        ids=[*_event_ids(agency, data.get("eventId")), *_by_second(agency, time)],
        original=cut({"source": entry.path, "Data": data}),
        time=time,
        lat=data.get("latitude"),
        lon=data.get("longitude"),
        depth_km=data.get("depth"),
        magnitude=data.get("magnitude"),
        place=data.get("placeName"),
        review=_review(entry.path, data),
        version=data.get("updates"),
        updated=entry.time("createTime", _text(data, "updateTime", "createTime")),
    )


def _review(source: str, data: dict[str, Any]) -> Review:
    told = words(data.get("infoTypeName"))
    if source == "cea" or "自动" in told:
        return "automatic"
    return "reviewed" if "正式" in told else "unknown"


ADAPTER = Adapter(KIND, _recognises, _read, official=False)
