"""The CAP messages that say what there is to say about an event, and their words. Pure.

The words are those of the file's ``[text]``; the holes in them are filled here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.alerts.model import (
    Alert,
    Area,
    Category,
    Certainty,
    Info,
    MsgType,
    Reference,
    ResponseType,
    Scope,
    Status,
    Urgency,
    ValuePair,
)
from gateway.feeds.seismic.case import epicentre, gravest, is_old
from gateway.feeds.seismic.settings import NAMES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from gateway.alerts.hazards import Level
    from gateway.feeds.seismic.case import Case, Report, Setup
    from gateway.feeds.seismic.intensity import Shaken
    from gateway.feeds.seismic.versions import Known

MOST_NAMES = 20
"""Townships that a text names, before it says how many there are."""


def compose(case: Case, chosen: Known, found: Sequence[Shaken], who: tuple[str, ...], setup: Setup) -> Alert:
    """Return the Alert or Update that warns those townships; ``who`` are the agencies that say the same."""
    rules, desk = setup.rules, setup.desk
    assert chosen.time is not None
    level = gravest({one.township.code: one.level for one in found})
    words = _words(chosen, level, who, setup) | {
        "place": _place(chosen, found),
        "report": str(len(case.reports) + 1),
        "near": _near(found),
        "townships": _by_level(found, setup),
    }
    fresh = not is_old(case, chosen, setup)
    info = Info(
        language="zh-CN",
        categories=(Category.GEO,),
        event=rules.text.event,
        response_types=(ResponseType.SHELTER if fresh else ResponseType.MONITOR,),
        urgency=Urgency.IMMEDIATE if fresh else Urgency.PAST,
        severity=setup.hazards.severity_of(level),
        certainty=Certainty.OBSERVED,
        event_codes=setup.codes,
        onset=chosen.time.astimezone(desk.zone),
        expires=(chosen.time + rules.reports.valid).astimezone(desk.zone),
        sender_name=desk.name,
        headline=rules.text.headline.format_map(words),
        description=rules.text.description.format_map(words),
        instruction=rules.text.instruction[level].format_map(words),
        parameters=(setup.hazards.colour_pair(level), *_parameters(case, chosen, found)),
        areas=(_area(found),),
    )
    return _alert(
        case, MsgType.UPDATE if case.standing else MsgType.ALERT, Status(chosen.key.status), info, setup
    )


def cancel(case: Case, last: Report, reason: str, setup: Setup) -> Alert:
    """Return the Cancel of the warning in force, in the words of that warning and with the reason."""
    text, told = setup.rules.text, last.alert.infos[0]
    words = _told(told) | {"reason": reason, "number": str(last.number), "issuer": setup.desk.name}
    level = gravest(last.townships)
    words["colour"] = setup.hazards.colour(level).zh
    info = told.model_copy(
        update={
            "response_types": (ResponseType.ALL_CLEAR,),
            "urgency": Urgency.PAST,
            "headline": text.cancel_headline.format_map(words),
            "description": text.cancel_description.format_map(words),
            "instruction": text.cancel_instruction.format_map(words),
        }
    )
    return _alert(case, MsgType.CANCEL, last.alert.status, info, setup, reason)


def _alert(
    case: Case, msg_type: MsgType, status: Status, info: Info, setup: Setup, note: str | None = None
) -> Alert:
    before = [one.alert for one in case.chain] if msg_type != MsgType.ALERT else []
    return Alert(
        identifier=f"quake-{case.event}-{len(case.reports) + 1}",
        sender=setup.sender,
        sent=case.at.astimezone(setup.desk.zone),
        status=status,
        msg_type=msg_type,
        scope=Scope.PUBLIC,
        note=note,
        references=tuple(
            Reference(sender=one.sender, identifier=one.identifier, sent=one.sent) for one in before
        ),
        infos=(info,),
    )


# Words


def _words(chosen: Known, level: Level, who: tuple[str, ...], setup: Setup) -> dict[str, str]:
    text = setup.rules.text
    lat, lon, magnitude = epicentre(chosen)
    assert chosen.time is not None
    return dict.fromkeys(NAMES, "") | {
        "time": _moment(chosen.time.astimezone(setup.desk.zone)),
        "lat": _north(lat),
        "lon": _east(lon),
        "magnitude": f"{magnitude:.1f}",
        "depth": text.depth_unknown if chosen.depth_km is None else f"{chosen.depth_km:.0f}公里",
        "agencies": "、".join(_agency(one, setup) for one in (chosen.agency, *who)),
        "review": text.reviewed if chosen.review == "reviewed" else text.automatic,
        "issuer": setup.desk.name,
        "colour": setup.hazards.colour(level).zh,
        "unofficial": "" if chosen.official else text.unofficial,
    }


def _told(info: Info) -> dict[str, str]:
    """Return what an earlier warning said, for the Cancel of it."""
    places = [one.value for one in info.parameters if one.value_name == "seismic:place"]
    time = _moment(info.onset) if info.onset else ""
    return dict.fromkeys(NAMES, "") | {"time": time, "place": "".join(places[:1])}


def _moment(time: datetime) -> str:
    return f"{time.year}年{time.month}月{time.day}日{time.hour}时{time.minute:02d}分{time.second:02d}秒"


def _agency(code: str, setup: Setup) -> str:
    return setup.rules.text.agencies.get(code, code.upper())


def _place(one: Known, found: Sequence[Shaken]) -> str:
    return one.place or f"{_near(found)}处"


def _north(lat: float) -> str:
    return f"{'北' if lat >= 0 else '南'}纬{abs(lat):.2f}度"


def _east(lon: float) -> str:
    return f"{'东' if lon >= 0 else '西'}经{abs(lon):.2f}度"


def _near(found: Sequence[Shaken]) -> str:
    nearest = min(found, key=lambda one: one.distance_km)
    return f"距{nearest.township.name}约{nearest.distance_km:.0f}公里"


def _by_level(found: Sequence[Shaken], setup: Setup) -> str:
    rules = setup.rules
    lines = []
    for level in dict.fromkeys(one.level for one in found):
        names = [one.township.name for one in found if one.level == level]
        words = {"strongest": f"{rules.levels.thresholds[level]:g}", "townships": _listed(names)}
        lines.append(rules.text.township_line.format_map(dict.fromkeys(NAMES, "") | words))
    return "；".join(lines)


def _listed(names: Sequence[str]) -> str:
    if len(names) <= MOST_NAMES:
        return "、".join(names)
    return f"{'、'.join(names[:MOST_NAMES])}等{len(names)}个乡镇"


def _area(found: Sequence[Shaken]) -> Area:
    return Area(
        area_desc=_listed([one.township.name for one in found]),
        geocodes=tuple(ValuePair(value_name="GB/T 2260", value=one.township.code) for one in found),
    )


def _parameters(case: Case, chosen: Known, found: Sequence[Shaken]) -> tuple[ValuePair, ...]:
    facts = {
        "event": str(case.event),
        "solution": chosen.key.name,
        "place": _place(chosen, found),
        "agency": chosen.agency,
        "version": chosen.version,
        "magnitude": f"{chosen.magnitude} {chosen.magnitude_type}".strip(),
        "depth_km": "" if chosen.depth_km is None else f"{chosen.depth_km:g}",
        "epicentre": f"{chosen.lat},{chosen.lon}",
        "max_intensity": f"{found[0].intensity:.1f}",
    }
    return tuple(
        ValuePair(value_name=f"seismic:{name}", value=value) for name, value in facts.items() if value
    )
