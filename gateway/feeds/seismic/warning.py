"""Whether there is something to say about an event. Pure.

The first report of an event is an Alert. A further one is an Update, and is made only where the level, the
townships or the magnitude changed, a second independent agency first agrees, or an official source says what
only an unofficial one had. Where nothing of the event is left, or no township reaches a level any more, a
Cancel takes the warning back.

What is computed here is an estimate and says so. It cannot be more than its rule allows: whatever is doubtful
carries a finding of weight ``error``, on which the intake holds it for a person.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gateway.alerts.findings import Finding
from gateway.feeds.seismic.association import score
from gateway.feeds.seismic.case import Report, epicentre, gravest, is_old
from gateway.feeds.seismic.intensity import distance_km, is_too_deep, shaken
from gateway.feeds.seismic.message import cancel, compose
from gateway.feeds.seismic.preference import agreeing, live, preferred

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gateway.alerts.hazards import Level
    from gateway.feeds.seismic.case import Case, Setup
    from gateway.feeds.seismic.intensity import Shaken, Township
    from gateway.feeds.seismic.versions import Known

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


def _cancel(case: Case, reason: str, chosen: Known | None, setup: Setup) -> Made | None:
    """Return the Cancel of the warning in force; ``None`` where there is none."""
    last = case.standing
    if last is None:
        return None
    alert = cancel(case, last, reason, setup)
    shown = chosen or max(case.solutions, key=lambda one: (one.stamp, one.key), default=None)
    return Made(Report(len(case.reports) + 1, alert, last.magnitude, last.townships, ()), shown)


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
    alert = compose(case, chosen, found, who, setup)
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
    if set(levels) != set(last.townships) or gravest(levels) != gravest(last.townships):
        return True
    # 5.3 and 5.0 differ by 0.3; as binary numbers by a little less or more.
    moved = abs((chosen.magnitude or 0.0) - (last.magnitude or 0.0))
    if moved >= setup.rules.reports.magnitude - 1e-9:
        return True
    if UNOFFICIAL in last.doubts and chosen.official:
        return True
    first = bool(who) and not any(one.agreeing for one in case.chain)
    return first and setup.rules.reports.on_agreement and not is_old(case, chosen, setup)


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
        "quake_old": is_old(case, chosen, setup),
        "quake_split": case.split,
        UNOFFICIAL: not chosen.official,
    }
    return [Finding(code, "error", "earthquake", DOUBTS[code]) for code, is_so in seen.items() if is_so]


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
