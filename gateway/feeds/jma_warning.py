"""Warnings of JMA's telegrams as alerts: tsunami, weather, earthquake early warning, volcanoes.

A telegram says all that holds for its event: it replaces the earlier ones of its type and EventID. Weather
warnings have no EventID; there each telegram says all that holds for its prefecture, whose code takes its
place. Some EventIDs are two: the first is the key, and both stand in the parameter ``jma:EventID``.

Each kind of warning in it becomes an info block with its areas. Areas whose warning was lifted (解除) are
left out; where nothing else is left, the alert is an all-clear and not in force.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC
from itertools import islice
from typing import TYPE_CHECKING

from gateway.alerts.model import (
    Alert,
    Category,
    Certainty,
    Info,
    MsgType,
    ResponseType,
    Scope,
    Severity,
    Urgency,
)
from gateway.alerts.times import TimeRefused, read_time
from gateway.feeds.contract import FeedRefused, Item
from gateway.feeds.jma_telegram import all_of, half_width, text_of
from gateway.feeds.making import EntryRefused, Loose, make, make_area

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from lxml import etree

    from gateway.alerts.model import Area, ValuePair
    from gateway.feeds.jma_telegram import Telegram

SENDER = "jma.go.jp"
"""JMA's telegrams name no sender in CAP's sense; all have this one."""
WARNING = frozenset(
    {
        *("VXSE43", "VXSE51", "VTSE41", "VTSE51", "VTSE52", "VFVO50"),
        *("VPWW53", "VPWW54", "VXWW50", "VPHW50", "VPHW51", "VPOA50"),
    }
)
"""Types of telegrams that are alerts. VXSE51 tells of strong shaking before a hypocentre is known."""
LANGUAGE = "ja-JP"
_LEVELS = (
    ("大津波警報", Severity.EXTREME),
    ("津波警報", Severity.SEVERE),
    ("津波注意報", Severity.MODERATE),
    ("津波予報", Severity.MINOR),
    ("特別警報", Severity.EXTREME),
    ("噴火警報(居住地域)", Severity.EXTREME),
    ("警報", Severity.SEVERE),
    ("土砂災害警戒情報", Severity.SEVERE),
    ("記録的短時間大雨情報", Severity.SEVERE),
    ("竜巻注意情報", Severity.MODERATE),
    ("注意報", Severity.MODERATE),
    ("予報", Severity.MINOR),
    ("震度7", Severity.EXTREME),
    ("震度6", Severity.EXTREME),
    ("震度5", Severity.SEVERE),
    ("震度4", Severity.MODERATE),
    ("震度3", Severity.MINOR),
)
"""What the name of a kind contains, in half-width signs -> severity; the first that fits."""
_STRONGEST = frozenset({"6-", "6+", "7"})
"""Intensities of an early warning that are those of a special warning (特別警報)."""
_FORECAST = "Body/Intensity/Forecast/ForecastInt/From"
_GEO = ("VXSE", "VTSE", "VFVO")
_TSUNAMI = "VTSE"
_WEATHER = "VPWW"
_NO_WARNING = frozenset({"", "なし", "津波なし"})
_LIFTED = "解除"
_NEW = "発表"
_FINEST = re.compile(r"[（(](?:対象)?(?:市町村等|細分区域)[)）]")
"""Telegrams repeat their kinds by regions of several sizes; these are the smallest."""
_TSUNAMI_AREAS = "津波予報区"
_WEATHER_AREAS = "気象・地震・火山情報／市町村等"
_MOST_AREAS = 2000
_NOT_A_WORD = re.compile(r"[\s,&<]+")


@dataclass(frozen=True, slots=True)
class Mark:
    """What holds for one area."""

    kind: str
    """The name of the kind of warning."""
    code: str
    area: str
    area_code: str
    area_list: str
    """The list that the code of the area is from."""
    before: str = ""
    """The kind that held before."""
    status: str = ""
    """発表, 継続, 解除 ... of weather warnings."""
    words: str = ""
    """Arrival and height of a tsunami."""

    @property
    def lifted(self) -> bool:
        """Whether no warning holds any more."""
        return self.kind in _NO_WARNING or self.kind.endswith(_LIFTED) or self.status == _LIFTED

    @property
    def follows(self) -> bool:
        """Whether something held here before."""
        return self.before not in _NO_WARNING or self.status not in {"", _NEW}


@dataclass(slots=True)
class _Group:
    """One kind of warning and its areas."""

    kind: str
    code: str
    marks: list[Mark] = field(default_factory=list)


def warning(telegram: Telegram) -> Item:
    """Return the alert that a telegram is.

    Raises:
        FeedRefused: It is larger than a message may be, or its texts are not what CAP can carry.
    """
    entry = Loose({}, "Report")
    marks = list(islice(_marks(telegram), _MOST_AREAS + 1))
    if len(marks) > _MOST_AREAS:
        raise FeedRefused("feed_malformed", f"the telegram names more than {_MOST_AREAS} areas")
    try:
        return _item(telegram, entry, marks)
    except EntryRefused as refused:
        raise FeedRefused("feed_malformed", refused.message) from None


def _item(telegram: Telegram, entry: Loose, marks: list[Mark]) -> Item:
    cancelled = telegram.info_type == "cancelled"
    groups = _groups(mark for mark in marks if not mark.lifted)
    cleared = not cancelled and not groups and (bool(marks) or telegram.kind.startswith(_WEATHER))
    if cleared:
        entry.noted.add("not_in_force", "Report/Body")
    event = telegram.event_ids[0] if telegram.event_ids else _prefecture(telegram)
    alert = make(
        entry,
        Alert,
        identifier=_identifier(telegram, event),
        sender=SENDER,
        sent=telegram.made,
        status=telegram.status,
        msg_type=_msg_type(telegram, marks, cleared=cleared),
        scope=Scope.PUBLIC,
        note=telegram.text("Head/Headline/Text") or None if cancelled else None,
        infos=() if cancelled else tuple(_infos(telegram, entry, groups, marks)),
    )
    return Item(
        alert=alert,
        original=telegram.data,
        event_key=f"{telegram.kind}.{event}" if event else "",
        in_force=not cleared,
        findings=entry.findings(),
    )


def _identifier(telegram: Telegram, event: str) -> str:
    """Type, event, number and second: a series may be without numbers, and a correction has the old one."""
    made = f"{telegram.made.astimezone(UTC):%Y%m%d%H%M%S}"
    parts = (telegram.kind, event, telegram.serial, made)
    return _NOT_A_WORD.sub("-", "_".join(part for part in parts if part))


def _prefecture(telegram: Telegram) -> str:
    """The code of the region that a weather warning is about, or the office that made it."""
    code = text_of(telegram.root, "Body/Warning/Item/Area/Code")
    return code or telegram.text("Control/EditorialOffice")


def _msg_type(telegram: Telegram, marks: list[Mark], *, cleared: bool) -> MsgType:
    if telegram.info_type == "cancelled":
        return MsgType.CANCEL
    follows = cleared or telegram.number > 1 or any(mark.follows for mark in marks)
    return MsgType.UPDATE if follows or telegram.info_type == "corrected" else MsgType.ALERT


def _groups(marks: Iterator[Mark]) -> list[_Group]:
    groups: dict[str, _Group] = {}
    for mark in marks:
        groups.setdefault(mark.kind, _Group(mark.kind, mark.code)).marks.append(mark)
    return list(groups.values())


def _marks(telegram: Telegram) -> Iterator[Mark]:
    if telegram.info_type == "cancelled":
        return iter(())
    if telegram.kind.startswith(_TSUNAMI):
        return _tsunami(telegram)
    if telegram.kind.startswith(_WEATHER):
        return _weather(telegram)
    return _headline(telegram)


def _tsunami(telegram: Telegram) -> Iterator[Mark]:
    for item in all_of(telegram.root, "Body/Tsunami/Forecast/Item"):
        yield Mark(
            kind=text_of(item, "Category/Kind/Name"),
            code=text_of(item, "Category/Kind/Code"),
            area=text_of(item, "Area/Name"),
            area_code=text_of(item, "Area/Code"),
            area_list=_TSUNAMI_AREAS,
            before=text_of(item, "Category/LastKind/Name"),
            words=" ".join(filter(None, _heights(item))),
        )


def _heights(item: etree._Element) -> Iterator[str]:
    """When the first wave comes and how high the highest will be, in words."""
    arrival = text_of(item, "FirstHeight/ArrivalTime")
    if arrival:
        yield f"第1波 {arrival}"
    yield text_of(item, "FirstHeight/Condition")
    for height in all_of(item, "MaxHeight/TsunamiHeight"):
        yield half_width(str(height.get("description", "")))


def _weather(telegram: Telegram) -> Iterator[Mark]:
    warnings = all_of(telegram.root, "Body/Warning")
    finest = [one for one in warnings if _FINEST.search(str(one.get("type", "")))]
    for item in all_of((finest or warnings)[0], "Item") if warnings else ():
        for kind in all_of(item, "Kind"):
            if text_of(kind, "Name"):
                yield Mark(
                    kind=text_of(kind, "Name"),
                    code=text_of(kind, "Code"),
                    area=text_of(item, "Area/Name"),
                    area_code=text_of(item, "Area/Code"),
                    area_list=_WEATHER_AREAS,
                    status=text_of(kind, "Status"),
                )


def _headline(telegram: Telegram) -> Iterator[Mark]:
    every = all_of(telegram.root, "Head/Headline/Information")
    finest = [one for one in every if _FINEST.search(str(one.get("type", "")))]
    for item in all_of((finest or every)[0], "Item") if every else ():
        before = text_of(item, "LastKind/Name")
        for kind in all_of(item, "Kind"):
            for areas in all_of(item, "Areas"):
                yield from _listed(kind, areas, before)


def _listed(kind: etree._Element, areas: etree._Element, before: str) -> Iterator[Mark]:
    for area in all_of(areas, "Area"):
        yield Mark(
            kind=text_of(kind, "Name"),
            code=text_of(kind, "Code"),
            area=text_of(area, "Name"),
            area_code=text_of(area, "Code"),
            area_list=str(areas.get("codeType", "")),
            before=before,
        )


def _infos(telegram: Telegram, entry: Loose, groups: list[_Group], marks: list[Mark]) -> Iterator[Info]:
    for group in groups:
        yield _info(telegram, entry, group)
    if not groups:
        kind = marks[0].kind if marks else ""
        yield _all_clear(telegram, entry, _Group(kind or telegram.text("Head/Title"), "", marks))


def _info(telegram: Telegram, entry: Loose, group: _Group) -> Info:
    geo = telegram.kind.startswith(_GEO)
    seen = telegram.kind == "VXSE51"
    return make(
        entry,
        Info,
        **_texts(telegram, group),
        urgency=Urgency.IMMEDIATE if geo else Urgency.EXPECTED,
        severity=_severity(telegram, group.kind),
        certainty=Certainty.OBSERVED if seen else Certainty.LIKELY,
        event_codes=entry.pair("jma:kind", group.code or None),
        expires=_until(telegram),
        parameters=tuple(_parameters(telegram, entry)),
        areas=tuple(_area(entry, mark) for mark in group.marks),
    )


def _all_clear(telegram: Telegram, entry: Loose, group: _Group) -> Info:
    """Nothing holds any more, or the telegram has nothing but words, whose severity nobody can tell."""
    lifted = bool(group.marks) or telegram.kind.startswith(_WEATHER)
    return make(
        entry,
        Info,
        **_texts(telegram, group),
        response_types=(ResponseType.ALL_CLEAR,) if lifted else (),
        urgency=Urgency.PAST if lifted else Urgency.UNKNOWN,
        severity=Severity.MINOR if lifted else Severity.UNKNOWN,
        certainty=Certainty.OBSERVED if lifted else Certainty.UNKNOWN,
        parameters=tuple(_parameters(telegram, entry)),
        areas=tuple(_area(entry, mark) for mark in group.marks),
    )


def _texts(telegram: Telegram, group: _Group) -> dict[str, object]:
    headline = telegram.text("Head/Headline/Text")
    details = [f"{mark.area} {mark.words}" for mark in group.marks if mark.words]
    return {
        "language": LANGUAGE,
        "categories": (Category.GEO if telegram.kind.startswith(_GEO) else Category.MET,),
        "event": group.kind,
        "sender_name": telegram.text("Control/PublishingOffice") or None,
        "headline": headline or None,
        "description": "\n".join(filter(None, [headline, *details, *_comments(telegram)])) or None,
        "instruction": "\n".join(_comments(telegram, "WarningComment/Text")) or None,
    }


def _comments(telegram: Telegram, *paths: str) -> list[str]:
    found = paths or ("ForecastComment/Text", "FreeFormComment")
    elements = [one for path in found for one in all_of(telegram.root, f"Body/Comments/{path}")]
    return [text for text in ((one.text or "").strip() for one in elements) if text]


def _severity(telegram: Telegram, kind: str) -> Severity:
    if telegram.kind == "VXSE43" and text_of(telegram.root, _FORECAST) in _STRONGEST:
        return Severity.EXTREME
    return next((severity for name, severity in _LEVELS if name in half_width(kind)), Severity.UNKNOWN)


def _until(telegram: Telegram) -> datetime | None:
    try:
        return read_time(telegram.text("Head/ValidDateTime")).value
    except TimeRefused:
        return None


def _parameters(telegram: Telegram, entry: Loose) -> Iterator[ValuePair]:
    yield from entry.pair("jma:telegram", telegram.kind)
    yield from entry.pair("jma:EventID", " ".join(telegram.event_ids) or None)
    for name in ("Serial", "InfoType", "InfoKind", "TargetDateTime"):
        yield from entry.pair(f"jma:{name}", telegram.text(f"Head/{name}") or None)
    yield from entry.pair("jma:EditorialOffice", telegram.text("Control/EditorialOffice") or None)


def _area(entry: Loose, mark: Mark) -> Area:
    return make_area(entry, mark.area, geocodes=entry.pair(mark.area_list, mark.area_code or None))
