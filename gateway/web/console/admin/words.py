"""Words of the administration pages: rights, actions of the audit log and what a record tells."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson

from gateway.desk.scope import ALL
from gateway.web.console import timeline
from gateway.web.console.board import POSTS
from gateway.web.console.came_words import say_sentence
from gateway.web.console.filters import CHANNELS, GROUPS, LEVELS, MODES, N_, ROLES
from gateway.web.console.refusals import finding

if TYPE_CHECKING:
    from gateway.web.console.visit import Visit

RIGHTS = {
    "draft": N_("write and change warnings"),
    "approve": N_("approve or send back"),
    "release": N_("send approved warnings"),
    "cancel": N_("cancel warnings"),
    "contacts": N_("keep contacts, groups and regions"),
    "reveal": N_("see phone numbers whole"),
    "operate": N_("turn routes and sources off and on, run drills"),
    "administer": N_("people, rights, keys"),
    "audit": N_("read the audit log"),
    "see": N_("read what the desk does"),
    "lead": N_("read the leader's page"),
}
"""Right of the policy -> what it allows."""

ACTIONS = timeline.ACTIONS | {
    "person": N_("Person or rights changed"),
    "first": N_("First administrator set up"),
    "invite": N_("Invitation code made"),
    "reset": N_("Reset code made"),
    "end_session": N_("Session ended"),
    "end_sessions": N_("All sessions ended"),
    "authorise": N_("Authorisation entered"),
    "authorisation_revoked": N_("Authorisation revoked"),
    "absence": N_("Absence noted"),
    "absence_ended": N_("Absence ended"),
    "duty": N_("Put on duty"),
    "duty_removed": N_("Taken off duty"),
    "partner_key": N_("Partner key made"),
    "partner_key_revoked": N_("Partner key revoked"),
    "see_alarm": N_("Alarm seen"),
    "start_drill": N_("Drill started"),
    "end_drill": N_("Drill ended"),
    "keep_own_address": N_("Own test address kept"),
    "forget_own_address": N_("Own test address removed"),
    "self_test": N_("Test message to oneself"),
    "contact_added": N_("Contact added"),
    "contact_changed": N_("Contact changed"),
    "reveal": N_("Number seen whole"),
    "group_added": N_("Group added"),
    "group_dropped": N_("Group removed"),
    "group_joined": N_("Added to group"),
    "group_left": N_("Taken out of group"),
    "imported": N_("File imported"),
    "account": N_("Account set up"),
    "password": N_("Password changed"),
    "second_factor": N_("Second factor changed"),
    "reseal": N_("Keys of second factors sealed anew"),
    "sign_in": N_("Sign-in"),
    "incoming_drafted": N_("Message drafted"),
    "incoming_dismissed": N_("Message discarded"),
}
"""Action of the audit log in words; another one is shown as it is."""

LABELS = {
    "roles": N_("roles"),
    "active": N_("active"),
    "region": N_("region"),
    "unit": N_("unit"),
    "digest": N_("digest"),
    "version": N_("version"),
    "targets": N_("recipients"),
    "approvers": N_("approvers needed"),
    "reason": N_("reason"),
    "release": N_("release"),
    "deliveries": N_("deliveries by channel"),
    "hazard": N_("hazard"),
    "level": N_("level"),
    "mode": N_("mode"),
    "of": N_("of alert"),
    "by": N_("by alert"),
    "update_of": N_("Update of alert"),
    "origin": N_("drafted from"),
    "source": N_("source"),
    "grounds": N_("grounds"),
    "findings": N_("findings"),
    "deputy": N_("deputy"),
    "begins": N_("from"),
    "begins_at": N_("from"),
    "ends": N_("until"),
    "ends_at": N_("until"),
    "post": N_("post"),
    "document": N_("paper"),
    "sessions": N_("sessions"),
    "session": N_("session"),
    "count": N_("number"),
    "ended_sessions": N_("sessions ended"),
    "asked": N_("asked"),
    "silent": N_("did not answer"),
    "person": N_("person"),
    "channel": N_("channel"),
    "address": N_("address"),
    "title": N_("title"),
    "name": N_("name"),
    "held_at": N_("held at"),
    "file": N_("file"),
    "note": N_("note"),
    "size": N_("bytes"),
    "sha256": N_("SHA-256"),
    "kind": N_("kind"),
    "purpose": N_("by code for"),
    "level_from": N_("level from"),
    "members": N_("members"),
    "contacts": N_("contacts"),
    "read": N_("rows read"),
    "created": N_("added"),
    "updated": N_("changed"),
    "refused_rows": N_("rows refused"),
    "channels": N_("channels"),
    "groups": N_("groups"),
    "have": N_("signatures"),
    "need": N_("needed"),
    "due_at": N_("due"),
    "role": N_("role"),
    "language": N_("language"),
    "prefix": N_("key"),
    "expires": N_("holds until"),
    "scopes": N_("may"),
    "regions": N_("regions"),
    "hazards": N_("hazards"),
    "highest_level": N_("highest level"),
}
"""Name in a record's detail -> label; another one is shown as it is."""

SCOPES = {"push": N_("push alerts"), "read": N_("read their state")}
_VALUES = {
    "level": LEVELS,
    "highest_level": LEVELS,
    "roles": ROLES,
    "post": POSTS,
    "mode": MODES,
    "scopes": SCOPES,
    "channel": CHANNELS,
    "channels": CHANNELS,
    "role": GROUPS,
    "purpose": {"first": N_("first administrator"), "invite": N_("invitation"), "reset": N_("reset")},
    "level_from": {
        "desk": N_("the desk"),
        "parameter": N_("the message's colour"),
        "severity": N_("its severity"),
    },
}
"""Name in a detail -> value in words."""
_SENTENCES = frozenset({"reason", "grounds"})
"""Of these the rooms write some themselves."""
_HASHES = frozenset({"digest", "sha256"})
_SHOWN = 12
"""Digits of a hash that are shown."""
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")

_SUBJECT = re.compile(
    r"(alert|person|partner|incoming|alarm|authorisation|drill|contact|group|import|route|source) (.+)",
    re.DOTALL,
)
_SUBJECTS = {
    "alert": N_("alert %(name)s"),
    "person": N_("person %(name)s"),
    "partner": N_("partner %(name)s"),
    "incoming": N_("incoming message %(name)s"),
    "alarm": N_("alarm %(name)s"),
    "authorisation": N_("authorisation %(name)s"),
    "drill": N_("drill %(name)s"),
    "contact": N_("contact %(name)s"),
    "group": N_("group %(name)s"),
    "import": N_("import %(name)s"),
    "route": N_("route %(name)s"),
    "source": N_("source %(name)s"),
}

_FAULTS = (
    (r"record (?P<n>\d+) is missing: .*", N_("Record %(n)s is missing.")),
    (r"record (?P<n>\d+) does not follow .*", N_("Record %(n)s does not follow the one before it.")),
    (r"record (?P<n>\d+) was changed", N_("Record %(n)s was changed after it was written.")),
    (
        r"the given head is in no record: .*",
        N_("The hash that you gave is in no record: the log was cut or rewritten."),
    ),
    (
        r"the log was cut: it has no record of (?P<what>.*)",
        N_("The log was cut. What lacks its record: %(what)s"),
    ),
)
"""What :func:`gateway.store.audit.verify` may find."""


def details(visit: Visit, text: str) -> list[tuple[str, str]]:
    """Return the detail of a record as (label, value) pairs in plain words."""
    said: dict[str, Any] = orjson.loads(text)
    return [
        (visit.say(LABELS[name]) if name in LABELS else name, _value(visit, name, value))
        for name, value in said.items()
        if value not in (None, "", [], {})
    ]


def _value(visit: Visit, name: str, value: Any) -> str:  # noqa: ANN401 - any JSON value
    if name == "findings" and isinstance(value, list):
        return _comma(visit).join(finding(visit, one) for one in value)
    if name in _SENTENCES and isinstance(value, str):
        return say_sentence(value, visit.say, visit.console.zone)
    if isinstance(value, list):
        return _comma(visit).join(_value(visit, name, one) for one in value)
    if isinstance(value, dict):
        return _comma(visit).join(f"{_word(visit, 'channel', key)} {one}" for key, one in value.items())
    if isinstance(value, bool):
        return visit.say("yes") if value else visit.say("no")
    return _word(visit, name, value)


def _comma(visit: Visit) -> str:
    """Return what stands between the words of a list."""
    return ", " if visit.language == "en" else "、"


def _word(visit: Visit, name: str, value: object) -> str:
    """Return one value in words; times in the desk's zone."""
    text = f"{value}"
    if text in _VALUES.get(name, {}):
        return visit.say(_VALUES[name][text])
    if name in _HASHES:
        return text[:_SHOWN]
    if name == "hazard" and text == ALL:
        return visit.say("all")
    if name in {"hazard", "hazards"}:
        hazard = visit.console.office.hazards.by_key(text)
        return text if hazard is None else hazard.en if visit.language == "en" else hazard.zh
    if _TIME.fullmatch(text):
        return f"{datetime.fromisoformat(text).astimezone(visit.console.zone):%Y-%m-%d %H:%M}"
    return text


def subject(visit: Visit, text: str) -> str:
    """Return what a record is about in words."""
    found = _SUBJECT.fullmatch(text)
    return visit.say(_SUBJECTS[found[1]], name=found[2]) if found else text


def fault(visit: Visit, reason: str) -> str:
    """Return in words why the chain breaks."""
    for pattern, words in _FAULTS:
        if found := re.fullmatch(pattern, reason):
            return visit.say(words, **found.groupdict())
    return reason
