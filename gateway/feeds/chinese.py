"""Alerts out of the lists that republish Chinese warnings (12379.cn, nmc.cn, weather.cma.cn, FAN Studio).

None of these formats is documented, and none may be sent on without a person: each item has the finding
``unofficial``. A list has no area but the division code that begins the issuer's number, no end of validity,
and no references. Type and colour come as codes, of a family that each list has for itself, and again as
words in the headline. Where the two disagree neither is taken: the item has no colour or no event type then,
and the error ``title_disagrees``, with which it is held for a person.
"""

from __future__ import annotations

import re
import tomllib
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from gateway.alerts.hazards import Hazard, Hazards, Level
from gateway.alerts.model import (
    Alert,
    Area,
    Category,
    Certainty,
    Info,
    MsgType,
    Scope,
    Severity,
    Status,
    Urgency,
    ValuePair,
)
from gateway.alerts.national_terms import CHINA_TIME, DIVISIONS, category_of
from gateway.alerts.title import place_of, read_title
from gateway.feeds.making import EntryRefused, local_time, make, make_area, make_item
from gateway.share import share

if TYPE_CHECKING:
    from gateway.alerts.title import Title
    from gateway.feeds.contract import Item
    from gateway.feeds.making import Loose

_TIME = re.compile(r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})[ T](\d{1,2}):(\d{2})(?::(\d{2}))?(?:\.\d+)?", re.ASCII)
_DIVISION = re.compile(r"\d{6}", re.ASCII)
_LIFTING = re.compile("解除|取消|终止")
_P_CODE = re.compile(r"(p\d{4})(?:00)?([1-4])", re.ASCII)
"""p0005001 of nmc.cn and p00051 of the map: kind of event, then the colour, 1 red to 4 blue."""


class Told(NamedTuple):
    """What the codes of an entry say."""

    hazard: Hazard | None = None
    level: Level | None = None
    event_type: str = ""
    """The national event type, also where the hazard table does not have it."""


class Row(NamedTuple):
    """An entry of a list.

    Attributes:
        sender: The made-up CAP sender of the list.
        identifier: The list's own name of the message.
        sent: Beijing time.
        title: The headline.
        title_field: Where it stands.
        told: What the codes say.
        description: The text; ``None`` where the list has none.
        web: Absolute address of the message's own page.
        parameters: What CAP has no place for.
    """

    sender: str
    identifier: str
    sent: datetime
    title: str
    title_field: str
    told: Told = Told()
    description: str | None = None
    web: str | None = None
    parameters: tuple[ValuePair, ...] = ()


class _Judged(NamedTuple):
    """What codes and headline say together."""

    event: str
    hazard: Hazard | None
    level: Level | None
    title: Title | None


@cache
def packaged_hazards() -> Hazards:
    """Return the hazard table that comes with the program: an adapter does not know the settings."""
    return Hazards.from_toml(tomllib.loads(share("config/hazards.toml").read_text(encoding="utf-8")))


def p_code(text: str) -> Told:
    """Return what a p-code of China's Meteorological Administration says; nothing where it is none."""
    match = _P_CODE.fullmatch(text)
    if match is None:
        return Told()
    return Told(packaged_hazards().by_code(match[1]), list(Level)[int(match[2]) - 1])


def china_time(entry: Loose, name: str) -> datetime:
    """Return a time without offset as Beijing time, and note it.

    Raises:
        EntryRefused: It is missing or cannot be read.
    """
    match = _TIME.fullmatch(entry.need(name))
    if match is None:
        raise EntryRefused(f"{name} is no date and time")
    try:
        value = datetime(*(int(part or 0) for part in match.groups()))  # type: ignore[arg-type] # noqa: DTZ001
    except ValueError:
        raise EntryRefused(f"{name} does not exist in the calendar") from None
    return local_time(entry, name, value, CHINA_TIME)


def row_item(entry: Loose, row: Row) -> Item:
    """Return the item of an entry.

    Raises:
        EntryRefused: CAP cannot carry it.
    """
    entry.noted.add("unofficial", entry.path)
    judged = _judge(entry, row)
    alert = make(
        entry,
        Alert,
        identifier=row.identifier,
        sender=row.sender,
        sent=row.sent,
        status=Status.ACTUAL,
        msg_type=judged.title.msg_type if judged.title else MsgType.ALERT,
        scope=Scope.PUBLIC,
        infos=(_info(entry, row, judged),),
    )
    return make_item(entry, alert)


def _judge(entry: Loose, row: Row) -> _Judged:
    title = read_title(row.title)
    if title is None:
        _note_unreadable(entry, row)
    hazard = _hazard(entry, row, title)
    event = title.event.strip() if title else hazard.zh if hazard else row.told.event_type
    return _Judged(event or row.title, hazard, _level(entry, row, title), title)


def _note_unreadable(entry: Loose, row: Row) -> None:
    if _LIFTING.search(row.title):
        message = "The headline speaks of lifting and cannot be read; it may be no warning."
        entry.noted.add("title_disagrees", entry.at(row.title_field), message)
    else:
        entry.noted.add("title_unreadable", entry.at(row.title_field))


def _level(entry: Loose, row: Row, title: Title | None) -> Level | None:
    said = {row.told.level, title and title.level, title and title.grade} - {None}
    if len(said) > 1:
        message = "Headline, grade and code do not agree on the colour; none was taken."
        entry.noted.add("title_disagrees", entry.at(row.title_field), message)
    return said.pop() if len(said) == 1 else None


def _hazard(entry: Loose, row: Row, title: Title | None) -> Hazard | None:
    coded = row.told.hazard
    if title is None:
        return coded
    named = packaged_hazards().by_name(title.event)
    if coded is None or coded == named:
        return named
    if named is None and any(name in title.event for name in (coded.zh, *coded.also)):
        return coded
    message = "The headline and the code do not agree on the event; the code was not taken."
    entry.noted.add("title_disagrees", entry.at(row.title_field), message)
    return None


def _info(entry: Loose, row: Row, judged: _Judged) -> Info:
    hazards, level = packaged_hazards(), judged.level
    return make(
        entry,
        Info,
        language="zh-CN",
        categories=(_category(row, judged),),
        event=judged.event,
        urgency=Urgency.UNKNOWN,
        severity=hazards.severity_of(level) if level else Severity.UNKNOWN,
        certainty=Certainty.UNKNOWN,
        event_codes=_event_codes(entry, row, judged),
        sender_name=judged.title.issuer.strip() or None if judged.title else None,
        headline=row.title,
        description=row.description,
        web=row.web,
        parameters=((hazards.colour_pair(level),) if level else ()) + row.parameters,
        areas=_areas(entry, row, judged),
    )


def _category(row: Row, judged: _Judged) -> Category:
    if judged.hazard:
        return judged.hazard.category
    return category_of(row.told.event_type, packaged_hazards()) if row.told.hazard is None else Category.OTHER


def _event_codes(entry: Loose, row: Row, judged: _Judged) -> tuple[ValuePair, ...]:
    hazards = packaged_hazards()
    if judged.hazard:
        return (hazards.code_pair(judged.hazard),)
    unknown = row.told.event_type if row.told.hazard is None else ""
    return entry.pair(hazards.event_code_list, unknown or None)


def _areas(entry: Loose, row: Row, judged: _Judged) -> tuple[Area, ...]:
    match = _DIVISION.match(row.identifier)
    code = match[0] if match and match[0].strip("0") else ""
    place = place_of(judged.title.issuer.strip()) if judged.title else ""
    if not (code or place):
        return ()
    codes = (ValuePair(value_name=DIVISIONS, value=code),) if code else ()
    return (make_area(entry, place or code, geocodes=codes),)
