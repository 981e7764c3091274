"""What becomes of an alert that came in: the rule of its source, and what no rule can allow. Pure.

The checks stand in order; the first that applies decides. What is doubtful is held for a person, what nobody
may act on is stored, and nothing here ever makes more of a message than its rule says.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from gateway.alerts.hazards import Level, level_of
from gateway.alerts.model import MsgType, Scope, Severity, Status
from gateway.audience.codes import CODE_LISTS, CodeRefused, list_key, parse_code
from gateway.feeds.drill_words import drill_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from gateway.alerts.findings import Finding
    from gateway.alerts.hazards import Hazards
    from gateway.alerts.model import Alert
    from gateway.feeds.place import Place
    from gateway.feeds.settings import RuleSettings

SEVERITIES = (Severity.EXTREME, Severity.SEVERE, Severity.MODERATE, Severity.MINOR, Severity.UNKNOWN)
"""From the gravest."""


_SEPARATORS = re.compile(r"[,，;；\s]+")


class Decision(NamedTuple):
    """What becomes of a message: its state in the inbox, what is to be done at the desk, and why."""

    state: str
    reason: str
    todo: str | None = None
    alarm: str = ""
    """Code of an alarm to sound; empty: none."""


@dataclass(frozen=True, slots=True)
class Case:
    """Everything that is known of one message when it is judged.

    Attributes:
        alert: The message.
        rule: The rule of its source.
        official: Whether its source is an official one.
        now: The time of the desk.
        hazards: The hazard table.
        place: Where it lies among our regions.
        in_force: False where it says that nothing is the matter.
        signature: State of its signature, and ``policy`` what the source's setting makes of it.
        findings: What parser, lint and adapter said.
        superseded: Whether an Update or Cancel of it was here before it.
        differs: Whether another message of the same key says something else.
        refused: Whether it claims to replace messages that it may not.
        counts: Whether its word counts against other messages of its sender.
        follows_drill: Whether it would be sent by rule and replaces a message that speaks of a test or drill.
    """

    alert: Alert
    rule: RuleSettings
    official: bool
    now: datetime
    hazards: Hazards
    place: Place
    in_force: bool
    signature: str
    policy: str
    findings: tuple[Finding, ...]
    superseded: bool
    differs: bool
    refused: bool
    counts: bool
    follows_drill: bool


def judge(case: Case) -> Decision:
    """Return what becomes of the message."""
    for check in CHECKS:
        if decision := check(case):
            return decision
    return _by_action(case)


def _for_nobody(case: Case) -> Decision | None:
    alert = case.alert
    if alert.status != Status.ACTUAL:
        return Decision("stored", f"status is {alert.status}: it is for nobody outside")
    if alert.msg_type in (MsgType.ACK, MsgType.ERROR):
        return Decision("stored", f"msgType is {alert.msg_type}: an answer between machines")
    if alert.scope != Scope.PUBLIC:
        return Decision("stored", f"scope is {alert.scope}: it never goes to public channels")
    return None


def _conflicting(case: Case) -> Decision | None:
    if not case.differs:
        return None
    return Decision(
        "quarantined",
        "another message of the same sender, identifier and time says something else: ask the sender which "
        "one counts",
        alarm="same_key_other_content",
    )


def _signed(case: Case) -> Decision | None:
    if case.policy == "ignore":
        return None
    if case.signature == "invalid":
        return Decision(
            "held", "its signature is wrong: it was changed on its way", alarm="signature_invalid"
        )
    if case.policy == "require" and case.signature != "valid-trusted":
        return Decision(
            "held", f"its signature is {case.signature}, and this source must sign", alarm="signature_missing"
        )
    return None


def _unauthorised(case: Case) -> Decision | None:
    is_strange = not case.counts and case.alert.msg_type != MsgType.ALERT
    if not (case.refused or is_strange):
        return None
    return Decision(
        "held",
        f"this {case.alert.msg_type} is about a message that its sender may not change: name a sender or "
        f"delegate in the rule of the source, or do it at the desk",
        alarm="foreign_sender",
    )


def _foreign(case: Case) -> Decision | None:
    if speaks_for(case.rule, case.alert.sender):
        return None
    return Decision(
        "held", f"its sender {case.alert.sender} is none that this source speaks for", alarm="foreign_sender"
    )


def speaks_for(rule: RuleSettings, sender: str) -> bool:
    """Whether a rule lets its source speak for a CAP sender; one that names none speaks for all."""
    return not rule.senders or sender in rule.senders or sender in rule.delegates


def _replaced(case: Case) -> Decision | None:
    if case.superseded:
        return Decision("superseded", "an Update or Cancel of it was here before it")
    return None


def _out_of_time(case: Case) -> Decision | None:
    alert, now = case.alert, case.now
    if alert.sent > now + timedelta(minutes=case.rule.future_minutes):
        alarm = "sent_in_future" if case.place.codes else ""
        return Decision("stored", "it was sent in the future: one of the two clocks is wrong", alarm=alarm)
    ends = [info.expires for info in alert.infos]
    if ends and all(end is not None and end <= now for end in ends):
        return Decision("stored", "it has expired")
    if now - alert.sent > case.rule.max_age:
        return Decision("stored", "it is older than its source's rule takes")
    return None


def _doubtful(case: Case) -> Decision | None:
    if field := drill_words(case.alert):
        return Decision("held", f"it claims to be real and speaks of a test or drill ({field})")
    if case.follows_drill:
        return Decision("held", "it updates a message that claims to be real and speaks of a test or drill")
    serious = next((one for one in case.findings if one.severity == "error"), None)
    if serious is not None:
        return Decision("held", f"{serious.path}: {serious.message}")
    return None


def _cancels(case: Case) -> Decision | None:
    if case.alert.msg_type != MsgType.CANCEL:
        return None
    return Decision("stored", "it takes back what its source said", todo="cancel")


def _not_in_force(case: Case) -> Decision | None:
    if case.in_force:
        return None
    return Decision("stored", "it says that no warning is in force")


def _elsewhere(case: Case) -> Decision | None:
    if case.place.outside:
        return Decision("stored", f"it does not touch the regions of this gateway: {case.place.why}")
    if not case.place.codes:
        return Decision("inbox", f"it cannot be located: {case.place.why}")
    return None


def _slight(case: Case) -> Decision | None:
    floor = SEVERITIES.index(case.rule.severity_floor)
    gravest = min((SEVERITIES.index(info.severity) for info in case.alert.infos), default=len(SEVERITIES))
    if gravest > floor:
        return Decision("inbox", f"it is less severe than {case.rule.severity_floor}")
    return None


def _beyond(case: Case) -> Decision | None:
    """Hold what goes beyond what the rule allows its source to warn of."""
    why = beyond(case.rule, case.alert, case.place.codes, case.hazards)
    return Decision("held", why) if why else None


def beyond(rule: RuleSettings, alert: Alert, codes: Sequence[str], hazards: Hazards) -> str:
    """Return why an alert for these regions goes beyond a rule, as a sentence; empty: it does not."""
    if rule.regions and (strange := [code for code in codes if not code.startswith(tuple(rule.regions))]):
        return f"it reaches region {strange[0]}, which this source may not warn"
    if wide := next((code for code in _codes_above(alert, rule.regions)), None):
        return f"its area {wide} is wider than the regions that this source may warn"
    named = _hazard_keys(alert, hazards)
    if rule.hazards and (not named or not {*named} <= {*rule.hazards}):
        other = next((key for key in named if key not in rule.hazards), "something unknown")
        return f"it warns of {other}, which this source may not"
    found = level_of(alert, hazards)
    highest = Level(rule.highest_level)
    if found and found.level and found.level.rank < highest.rank:
        return f"it is {found.level}, graver than this source may warn ({highest})"
    return ""


def _codes_above(alert: Alert, regions: Sequence[str]) -> Iterator[str]:
    """Yield the division codes of an alert that hold more than one of these regions.

    Here a province is as much of it as there is in this gateway: for a county's, everybody.
    """
    pairs = (pair for info in alert.infos for area in info.areas for pair in area.geocodes)
    texts = (_SEPARATORS.split(pair.value) for pair in pairs if list_key(pair.value_name) in CODE_LISTS)
    for text in chain.from_iterable(texts):
        with suppress(CodeRefused):
            prefix = parse_code(text).prefix
            if any(region != prefix and region.startswith(prefix) for region in regions):
                yield text


CHECKS: tuple[Callable[[Case], Decision | None], ...] = (
    _for_nobody,
    _conflicting,
    _signed,
    _unauthorised,
    _foreign,
    _cancels,  # before its age and words are looked at: taking back must not wait
    _replaced,
    _out_of_time,
    _doubtful,
    _not_in_force,
    _elsewhere,
    _slight,
    _beyond,
)


def _by_action(case: Case) -> Decision:
    action = case.rule.action
    if action == "inbox":
        return Decision("inbox", "its source's rule leaves it to the desk")
    if action == "release" and not case.official:
        action = "submit"
    return Decision("inbox", f"its source's rule says {action}", todo=action)


def hazard_key(alert: Alert, hazards: Hazards) -> str:
    """Return the key of the first hazard that the alert names and the table knows; empty for none."""
    return next(iter(_hazard_keys(alert, hazards)), "")


def _hazard_keys(alert: Alert, hazards: Hazards) -> list[str]:
    found = (hazards.hazard_of(info) for info in alert.infos)
    return [hit.hazard.key for hit in found if hit]
