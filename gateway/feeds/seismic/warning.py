"""Whether there is something to say about an event, and the CAP message that says it. Pure.

The first report of an event is an Alert. A further one is an Update, and is made only where the level, the
townships or the magnitude changed, a second independent agency first agrees, or an official source says what
only an unofficial one had. Where nothing of the event
is left, or no township reaches a level any more, a Cancel takes the warning back.

What is computed here is an estimate and says so. It cannot be more than its rule allows: whatever is doubtful
carries a finding of weight ``error``, on which the intake holds it for a person.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gateway.alerts.findings import Finding
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
from gateway.feeds.seismic.association import score
from gateway.feeds.seismic.intensity import distance_km, is_too_deep, shaken
from gateway.feeds.seismic.preference import agreeing, live, preferred
from gateway.feeds.seismic.settings import NAMES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from gateway.alerts.hazards import Hazards, Level
    from gateway.feeds.seismic.association import Known
    from gateway.feeds.seismic.intensity import Shaken, Township
    from gateway.feeds.seismic.settings import SeismicSettings
    from gateway.settings import DeskSettings

HAZARD = "earthquake"
"""Key in hazards.toml."""
MOST_NAMES = 20
"""Townships that a text names, before it says how many there are."""

UNOFFICIAL = "quake_unofficial"
DOUBTS = {
    "quake_magnitude_high": "The magnitude is larger than an earthquake here can be: is it a fault?",
    "quake_magnitude_jump": "The magnitude moved by more than it does from report to report.",
    "quake_disputed": "Another agency gives the same earthquake another magnitude.",
    "quake_time_odd": "The origin time lies in the future: one of the clocks is wrong.",
    "quake_depth_odd": "The depth lies above the highest mountains.",
    "quake_old": "The earthquake is too long ago for a warning without a person.",
    "quake_split": "A source took this event out of another one.",
    UNOFFICIAL: "The source is no official one: for information only.",
}
"""Code of a finding that holds a warning for a person -> what it says."""


class Setup(NamedTuple):
    """What warnings are made with."""

    rules: SeismicSettings
    hazards: Hazards
    desk: DeskSettings

    @property
    def sender(self) -> str:
        """CAP sender of the warnings: ``seismic@`` and what follows the @ in the desk's own sender."""
        return f"seismic@{self.desk.sender.rpartition('@')[2]}"

    @property
    def codes(self) -> tuple[ValuePair, ...]:
        """The event code of an earthquake; none where a deployment's hazard table has no earthquakes."""
        found = self.hazards.by_key(HAZARD)
        return (self.hazards.code_pair(found),) if found else ()


class Report(NamedTuple):
    """A warning that was made of an event."""

    number: int
    alert: Alert
    magnitude: float | None
    townships: Mapping[str, Level]
    agreeing: tuple[str, ...]
    doubts: tuple[str, ...] = ()
    """Codes of what held it for a person."""


class Case(NamedTuple):
    """Everything that is known of one event."""

    event: int
    solutions: Sequence[Known]
    """Its members; empty where they all went to another event."""
    reports: Sequence[Report]
    """The warnings so far, oldest first."""
    at: datetime
    split: bool = False
    """Whether it was part of another event before."""

    @property
    def chain(self) -> list[Report]:
        """The reports since the last Cancel."""
        ends = [place for place, one in enumerate(self.reports) if one.alert.msg_type == MsgType.CANCEL]
        return list(self.reports[ends[-1] + 1 if ends else 0 :])

    @property
    def standing(self) -> Report | None:
        """The warning in force, if any."""
        last = next(reversed(self.chain), None)
        ends = last.alert.expires if last else None
        return last if ends is not None and ends > self.at else None


class Made(NamedTuple):
    """A warning to hand to the inbox."""

    report: Report
    chosen: Known | None
    """The solution that it rests on; ``None`` where the event has none any more."""
    findings: tuple[Finding, ...] = ()


class Concern(NamedTuple):
    """Something that no warning is made of and somebody must look at: code and sentence of an alarm."""

    code: str
    sentence: str


def decide(case: Case, townships: Sequence[Township], setup: Setup) -> Made | Concern | None:
    """Return what is to be done about an event; ``None``: nothing that was not done."""
    rules = setup.rules
    chosen = preferred(case.solutions, rules.preference)
    if reason := _over(case, chosen, setup):
        return _cancel(case, reason, chosen, setup)
    if chosen is None:
        return None
    if is_too_deep(rules.model, chosen.depth_km):
        return _deep(case, chosen, townships, setup)
    before = case.standing.townships if case.standing else {}
    found = shaken(rules.model, rules.levels, epicentre(chosen), townships, before)
    if not found:
        return _cancel(case, rules.text.weaker, chosen, setup)
    return _report(case, chosen, found, setup)


def epicentre(one: Known) -> tuple[float, float, float]:
    """Return latitude, longitude and magnitude of a solution that has them."""
    assert one.point is not None
    assert one.magnitude is not None
    return (*one.point, one.magnitude)


def _over(case: Case, chosen: Known | None, setup: Setup) -> str:
    """Say why there is nothing to warn of; empty where there may be."""
    text = setup.rules.text
    if not case.solutions:
        return text.merged
    if not live(case.solutions):
        return text.withdrawn
    if chosen is not None and chosen.event_type not in setup.rules.preference.event_types:
        return text.no_earthquake
    return ""


def _deep(case: Case, chosen: Known, townships: Sequence[Township], setup: Setup) -> Concern | None:
    """Alarm where a deep earthquake is near: there is no relation for it, and a warning stays as it is."""
    rules = setup.rules
    lat, lon, magnitude = epicentre(chosen)
    near = (
        min((distance_km(lat, lon, one.lat, one.lon), one.name) for one in townships) if townships else None
    )
    if near is None or near[0] > rules.model.reach_km:
        return None
    if magnitude < rules.plausible.deep_alarm_magnitude and case.standing is None:
        return None
    deepest = rules.model.deepest_km
    made = "the warning that stands was left as it is" if case.standing else "no warning was made"
    return Concern(
        "quake_deep",
        f"an earthquake of M {magnitude:.1f} at {chosen.depth_km:.0f} km depth, {near[0]:.0f} km from "
        f"{near[1]}, is deeper than the intensity model holds ({deepest:.0f} km): {made}; decide at the desk",
    )


# Reports


def _report(case: Case, chosen: Known, found: Sequence[Shaken], setup: Setup) -> Made | None:
    rules = setup.rules
    assert chosen.time is not None
    if chosen.time + rules.reports.valid <= case.at:
        return None
    levels = {one.township.code: one.level for one in found}
    who = agreeing(case.solutions, chosen, rules.association, rules.preference)
    if case.standing and not _is_news(case, case.standing, chosen, levels, who, setup):
        return None
    alert = _compose(case, chosen, found, who, setup)
    doubts = tuple(_doubts(case, chosen, setup))
    report = Report(
        len(case.reports) + 1, alert, chosen.magnitude, levels, who, tuple(one.code for one in doubts)
    )
    return Made(report, chosen, doubts)


def _is_news(
    case: Case,
    last: Report,
    chosen: Known,
    levels: Mapping[str, Level],
    who: tuple[str, ...],
    setup: Setup,
) -> bool:
    if set(levels) != set(last.townships) or _gravest(levels) != _gravest(last.townships):
        return True
    # 5.3 and 5.0 differ by 0.3; as binary numbers by a little less or more.
    moved = abs((chosen.magnitude or 0.0) - (last.magnitude or 0.0))
    if moved >= setup.rules.reports.magnitude - 1e-9:
        return True
    if UNOFFICIAL in last.doubts and chosen.official:
        return True
    first = bool(who) and not any(one.agreeing for one in case.chain)
    return first and setup.rules.reports.on_agreement and not _is_old(case, chosen, setup)


def _gravest(levels: Mapping[str, Level]) -> Level:
    return min(levels.values(), key=lambda level: level.rank)


def _is_old(case: Case, chosen: Known, setup: Setup) -> bool:
    return chosen.time is not None and case.at - chosen.time > setup.rules.plausible.oldest


def _doubts(case: Case, chosen: Known, setup: Setup) -> list[Finding]:
    """Return what a person must look at before such a warning goes out."""
    limits = setup.rules.plausible
    magnitude, depth, time = chosen.magnitude or 0.0, chosen.depth_km, chosen.time
    earlier = (chosen.magnitude_before, _said_before(case, chosen))
    seen = {
        "quake_magnitude_high": magnitude > limits.largest,
        "quake_magnitude_jump": any(
            one is not None and abs(magnitude - one) > limits.jump + 1e-9 for one in earlier
        ),
        "quake_disputed": _is_disputed(case, chosen, setup),
        "quake_time_odd": time is not None and (time - case.at).total_seconds() > limits.ahead_seconds,
        "quake_depth_odd": depth is not None and depth < limits.shallowest_km,
        "quake_old": _is_old(case, chosen, setup),
        "quake_split": case.split,
        UNOFFICIAL: not chosen.official,
    }
    return [Finding(code, "error", "solution", DOUBTS[code]) for code, is_so in seen.items() if is_so]


def _said_before(case: Case, chosen: Known) -> float | None:
    """Return the magnitude of the last report that nothing held.

    A jump that was held must not become the measure of the next one. Where all were held it is that of the
    last; what an unofficial source said is no measure for an official one.
    """
    reports = [one for one in case.chain if not (chosen.official and UNOFFICIAL in one.doubts)]
    sound = [one for one in reports if not one.doubts] or reports
    return sound[-1].magnitude if sound else None


def _is_disputed(case: Case, chosen: Known, setup: Setup) -> bool:
    """Whether an official solution of the event is not one that could be the same earthquake."""
    others = [one for one in live(case.solutions) if one.official and one.magnitude is not None and one.point]
    return any(score(one, chosen, setup.rules.association) is None for one in others)


# CAP


def _compose(case: Case, chosen: Known, found: Sequence[Shaken], who: tuple[str, ...], setup: Setup) -> Alert:
    rules, desk = setup.rules, setup.desk
    assert chosen.time is not None
    level = _gravest({one.township.code: one.level for one in found})
    words = _words(chosen, level, who, setup) | {
        "place": _place(chosen, found),
        "report": str(len(case.reports) + 1),
        "near": _near(found),
        "townships": _by_level(found, setup),
    }
    fresh = not _is_old(case, chosen, setup)
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


def _cancel(case: Case, reason: str, chosen: Known | None, setup: Setup) -> Made | None:
    """Return the Cancel of the warning in force; ``None`` where there is none."""
    last = case.standing
    if last is None:
        return None
    text, told = setup.rules.text, last.alert.infos[0]
    words = _told(told) | {"reason": reason, "number": str(last.number), "issuer": setup.desk.name}
    level = _gravest(last.townships)
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
    alert = _alert(case, MsgType.CANCEL, last.alert.status, info, setup, reason)
    shown = chosen or max(case.solutions, key=lambda one: (one.stamp, one.key), default=None)
    return Made(Report(len(case.reports) + 1, alert, last.magnitude, last.townships, ()), shown)


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
