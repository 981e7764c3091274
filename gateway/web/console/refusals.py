"""Why the desk says no, and what an approver should look at, in the words of whoever reads it.

The rooms raise a code with the values that its sentence names (:class:`DeskRefused`); their own sentence
is for a terminal. Here each code has words that name the button or page which leads on.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

from gateway.alerts.findings import CODES
from gateway.audience.area import REFUSALS
from gateway.desk.findings import AREA, LINT, SENTENCES
from gateway.desk.findings import sentence as in_english
from gateway.web.console import account_words, filters, people_words
from gateway.web.console.came_words import say_sentence
from gateway.web.console.filters import N_

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.desk.findings import Said
    from gateway.desk.refused import DeskRefused
    from gateway.store.alarms import Alarm
    from gateway.web.console.visit import Visit

WORDS = {
    # Who may
    "person": N_("%(person)s does not work at this desk any more. Ask an administrator."),
    "role": N_("The roles of %(person)s do not allow this. Ask an administrator."),
    "everywhere": N_(
        "Your rights hold in one region, and this holds for the whole desk: ask somebody whose rights hold "
        "everywhere."
    ),
    "outside": N_(
        "The rights of %(person)s hold in %(region)s only, and alert %(alert)s reaches beyond it: ask "
        "somebody whose rights reach that far."
    ),
    "no_unit": N_(
        "%(person)s belongs to no unit, and signing takes a unit with an authorisation. Ask an administrator."
    ),
    "authorisation": N_(
        "%(unit)s has no authorisation in force for this hazard, level (%(level)s) and area: somebody of "
        "a unit that has one signs it, or an administrator enters it."
    ),
    # States
    "no_alert": N_("There is no alert %(alert)s."),
    "state.not_now": N_("Alert %(alert)s is: %(state)s. This cannot be done to it now."),
    "state.not_sent": N_("Alert %(alert)s was not sent. It is: %(state)s."),
    "state.was_sent": N_("Alert %(alert)s was sent already (%(state)s) and needs no approval."),
    "state.enough": N_("Enough have signed alert %(alert)s (%(state)s): no further approval is needed."),
    "state.not_waiting": N_("Alert %(alert)s is: %(state)s. It waits for nobody's approval."),
    "state.not_released": N_(
        "Alert %(alert)s is: %(state)s. Only a warning that was released can be cancelled."
    ),
    "state.is_cancel": N_("Alert %(alert)s is a Cancel: write a new warning instead."),
    "state.message": N_("Message %(message)s was dealt with already: %(reason)s"),
    "stale": N_(
        "Alert %(alert)s was changed since you looked at it. Nothing was signed or sent: look at it again."
    ),
    "changed": N_("Alert %(alert)s was changed meanwhile: look at it again."),
    "changed.person": N_("%(person)s was changed meanwhile: look at the page again."),
    "changed.message": N_("Somebody else has just dealt with message %(message)s: look at it again."),
    "changed.recipients": N_(
        "The recipients of alert %(alert)s are not what was released. Have the database looked at."
    ),
    "changed.tampered": N_(
        "Alert %(alert)s is not what was approved. Nothing was sent: edit it, submit it again, and have the "
        "database looked at."
    ),
    "expired": N_("Alert %(alert)s ended at %(ended)s: its author gives it a later end."),
    "expired.to_release": N_(
        "Alert %(alert)s ended at %(ended)s: edit it, give a later end and have it approved again, or "
        "withdraw it."
    ),
    "expired.in_draft": N_("The warning ended at %(ended)s: give a later end."),
    "cancel_kept": N_("The Cancel stays ready while its warning stands: reject it instead."),
    "cancel_fixed": N_("Only the words of a Cancel can be changed: it goes to whom the warning went."),
    "update_begun": N_("Alert %(alert)s is an Update of alert %(old)s in work already: go on with that one."),
    # Signing
    "author_approves": N_(
        "%(person)s wrote, changed or submitted alert %(alert)s: another person approves it."
    ),
    "approvals": N_(
        "Alert %(alert)s needs %(need)s signatures and has %(have)s that count: %(missing)s more must sign."
    ),
    "reason.reject": N_("Say why you reject it, so that the author can mend it."),
    "reason.emergency": N_("Say why it cannot wait for the other signatures."),
    "reason.dismiss": N_("Say why the message is discarded."),
    "reason": N_("Say why, in one line."),
    "proof": N_(
        "This takes a code of your second factor, given on this very page. Nothing was signed or sent."
    ),
    "typed_place": N_(
        "The place is not typed as it stands on this page. This goes to: %(place)s. Nothing was signed or "
        "sent."
    ),
    "typed_count": N_(
        "The number of people is not typed as it stands on this page. This goes to %(count)s. Nothing was "
        "signed or sent."
    ),
    "emergency_off": N_(
        "Alert %(alert)s cannot be sent on one signature: that is not provided for at its level, or it does "
        "not wait for signatures."
    ),
    "no_emergency": N_("Alert %(alert)s was not sent on one signature: there is nothing to sign afterwards."),
    "cosigned": N_("%(person)s has signed it afterwards already."),
    "cosigner": N_("%(person)s wrote or signed alert %(alert)s: another approver signs afterwards."),
    # What is said, where and until when
    "status.live": N_("The message has status %(status)s: only Actual is sent as a live warning."),
    "status.drill": N_("The message has status %(status)s: a drill takes a message of status Exercise."),
    "scope": N_("Only messages for the public go to public channels."),
    "green": N_("Its awareness level is green: no warning is in force, so none is sent."),
    "fields.empty": N_("The message has nothing to tell people. Write the warning at the desk."),
    "fields.missing": N_("Something that the law asks for is missing: %(missing)s. Edit it."),
    "fields": N_("A field holds what cannot be sent. Edit it."),
    "expires.missing": N_("The end is missing: say until when the warning holds."),
    "expires.far": N_("The end lies more than %(days)s days ahead: check the date."),
    "onset": N_("The warning begins after its end: set another begin or end."),
    "drill_words": N_("A live warning says “%(word)s”: mend the text, or write it as a drill."),
    "live_words": N_("A drill says “%(word)s”: mend the text, a drill must not deny that it is one."),
    "area": N_("The warning has no area: choose a region or draw one."),
    "region": N_("There is no region %(region)s."),
    "channels": N_("Choose the channels again."),
    "channels.lost": N_(
        "Channel %(channel)s has no route any more, and it is the only one. Have the settings looked at."
    ),
    "channels.no_route": N_("No channel has a route for this. Have the settings looked at."),
    "channels.unknown": N_("Channel %(channel)s has no route for this: choose another one."),
    "channels.none": N_("Choose at least one channel."),
    "route": N_(
        "Channel %(channel)s has lost its route since the approval. Edit it, take the channel out and submit "
        "it again, or have the settings looked at."
    ),
    "language": N_("A channel has no template in a language of the warning. Take the channel out."),
    "language.no_text": N_("The warning has no text in language %(language)s."),
    "language.no_template": N_(
        "Channel %(channel)s has no template in any language of the warning: take the channel out."
    ),
    "content": N_("Channel %(channel)s cannot carry the text: shorten it, or take the channel out."),
    "level": N_("The message has no clear warning colour: choose the level."),
    "level.unknown": N_("There is no such level: choose one of the four colours."),
    "colour": N_("%(hazard)s has no warning of this level (%(level)s): choose another one."),
    "hazard": N_("There is no such hazard: choose one of the list."),
    "hazard.no_event": N_("Say what the warning is of, or choose a hazard of the list."),
    "identifiers": N_("No number is free just now: wait a moment and try again."),
    "nobody": N_("There is nobody to send it to: look at the area and the channels."),
    "cancel_waits": N_(
        "Its warning is stopped and alert %(alert)s is approved, but it could not be sent yet: send it from "
        "its page."
    ),
    "cancel_waits.sent_back": N_(
        "Its warning is stopped, and the Cancel was sent back meanwhile: look at it again."
    ),
    "crowd": N_("It goes to %(count)s people, more than a rule may send to by itself."),
    "unusual.everybody": N_(
        "It goes to everybody who can be reached, %(count)s people: a person approves it."
    ),
    "unusual.many": N_(
        "It goes to %(count)s people, %(times)s times as many as usual (median of %(of)s earlier warnings: "
        "%(median)s): a person approves it."
    ),
    "edited": N_("Alert %(alert)s was changed by a person: a person approves it."),
    "rule": N_("Alert %(alert)s was approved by people: a person cancels it."),
    # Messages that came in
    "not_cap": N_("The file is no usable CAP message: write the warning at the desk, or ask its sender."),
    "msg_type": N_("This is a message between machines: there is nothing to write."),
    "no_warning": N_("Choose the warning that the message belongs to."),
    "no_message": N_("There is no message %(message)s in the inbox."),
    "no_alarm": N_("There is no open alarm %(alarm)s that can be closed by hand."),
    "use_cancel": N_("This message is a Cancel: cancel the alert of ours that it is about."),
    "use_cancel.of_ours": N_("This message is about alert %(alert)s: cancel that one instead."),
    "known": N_("This message is in work or in force already, as alert %(alert)s (%(state)s)."),
    "known.in_work": N_("This message is in work already, as alert %(alert)s: edit that one."),
    "sent": N_(
        "This message was sent already, as alert %(sent)s; alert %(alert)s is in force in its place: update "
        "or cancel that one."
    ),
    "unknown_reference": N_("This message is about another one that was not released here."),
    "two_warnings": N_(
        "This message is about alerts %(one)s and %(other)s, which are two warnings: update or cancel "
        "each by itself."
    ),
    "other_sender": N_(
        "This message is from %(sender)s, and alert %(alert)s came from %(owner)s: if it is right, do it at "
        "the desk."
    ),
    "not_sent": N_("Alert %(alert)s, which this message is about, was never sent: edit or withdraw it."),
    "not_in_force": N_("Alert %(alert)s is: %(state)s. If there still is danger, write a new warning."),
    # What stands beside an alert
    "note.empty": N_("Say who took part and what was said."),
    "note.long": N_("The note is too long: attach the minutes as a file."),
    "note.future": N_("The consultation lies in the future: check its time."),
    "note.closed": N_("This alert has left the desk: what stands beside it stays as it is."),
    "attachment.empty": N_("The file is empty, or none was chosen."),
    "attachment.large": N_("The file is too large: 5 MB at most."),
    "attachment.kind": N_("Only PDF, PNG, JPEG and plain text (UTF-8) are kept."),
    "attachment.many": N_("An alert has at most 5 files."),
    "attachment.gone": N_("There is no such file any more."),
    # Drills, tests to oneself, switches
    "no_drill": N_("No drill is running: start one on the page of drills first."),
    "no_drill.number": N_("There is no drill %(drill)s."),
    "drill_runs": N_("A drill is running already: %(title)s. End it first."),
    "title": N_("Name the drill, in one line that is not too long."),
    "channel": N_("There is no such channel."),
    "no_drill_route": N_(
        "Channel %(channel)s has no route for drills, and a test never uses the live one. Have the settings "
        "looked at."
    ),
    "no_own_address": N_("Keep your own address on %(channel)s first."),
    "address": N_("This address cannot be used on %(channel)s."),
    "too_many": N_("At most %(most)s tests in %(minutes)s minutes: wait a little."),
    "switched": N_(
        "%(person)s turned this off at %(since)s, after your page was made (%(reason)s). It stays off: look "
        "at the page again before you turn it on."
    ),
    # People, authorisations, duty
    "login": N_("A login is 1 to 64 of the letters a-z and A-Z, digits or . _ @ + -"),
    "login.taken": N_("There is a login %(other)s, which differs in upper and lower case only: use that."),
    "roles": N_("There is no role %(role)s."),
    "unit": N_("Name and unit are lines of at most %(most)s characters."),
    "administers": N_("%(person)s administers %(region)s only: ask an administrator without a region."),
    "last_administrator": N_(
        "%(person)s is the last administrator without a region: make somebody else one first."
    ),
    "no_person": N_("This person does not work at this desk any more."),
    "no_authorisation": N_("There is no such authorisation any more."),
    "document": N_("Name the paper, in one line that is not too long."),
    "span": N_("The end comes after the beginning, and not too late."),
    "duty": N_("Choose a post, and at most so many days as the page offers."),
    "duty_clash": N_("%(person)s is on duty already in a part of that time."),
    "absence": N_("The absence is over already: give a later end."),
    "absence_reason": N_("Say why, in one line that is not too long."),
    "absence_clash": N_("%(person)s is noted as away in a part of that time already."),
    "no_absence": N_("There is no such absence any more."),
    "deputy": N_(
        "%(deputy)s cannot stand in for %(person)s: a deputy is another person who may approve there."
    ),
}
"""Code of a refusal, or code and ``why`` of it, -> what it says."""

AREA_FINDINGS = {
    "geocode_not_located": N_("A code of the area is not in the register here and reaches nobody."),
    "geocode_finer": N_("A code of the area is finer than a village; the village is warned."),
    "shape_outside": N_("A shape lies outside of the regions here and reaches nobody."),
    "share_too_small": N_("A township is touched by too small a part to be reached: %(path)s"),
    "covers_every_township": N_("The area reaches every township."),
    "wider_than_text": N_("The area reaches every township, while the text names one."),
}
"""What the audience says of an area besides the codes of :mod:`gateway.alerts.findings`."""

ALARMS = {
    "approver_silent": N_("Nobody has signed %(subject)s in time: the next approver was asked."),
    "nobody_signs": N_("%(subject)s waits for approval and everybody was asked: call somebody."),
    "nobody_sends": N_("%(subject)s is approved and nobody sends it: send it, or call somebody who may."),
    "stopped_only": N_("%(subject)s is stopped and not cancelled: send its Cancel, or an Update."),
    "cosignature_due": N_("%(subject)s was sent on one signature: another approver signs it afterwards."),
    "cosignature_overdue": N_("%(subject)s was sent on one signature, and nobody signed it in time."),
}
"""Code of an alarm of the desk -> what it says."""

STATUSES = {"no_alert": 404, "no_message": 404}
"""Code of a refusal -> HTTP status; 422 for all others."""

_HOLES = re.compile(r"%\((\w+)\)s")
_PEOPLE = frozenset({"count", "median"})
_NAMES = {
    "state": filters.STATES,
    "level": filters.LEVELS,
    "channel": filters.CHANNELS,
    "mode": filters.MODES,
}


def words(visit: Visit, error: DeskRefused) -> str:
    """Return a refusal in the language of the visit; one without words keeps its own sentence."""
    if error.code.startswith(LINT) and (known := CODES.get(error.code.removeprefix(LINT))):
        return visit.say(known.meaning)
    if error.code.startswith(AREA) and (meaning := REFUSALS.get(error.code.removeprefix(AREA))):
        return visit.say(N_("The area cannot be used: %(why)s."), why=visit.say(meaning))
    found = _words_of(error)
    return error.sentence if found is None else _filled(visit, found, error.values, error.sentence)


def _words_of(error: DeskRefused) -> str | None:
    special = f"{error.code}.{error.values.get('why')}"
    for table in (WORDS, account_words.WORDS, people_words.REFUSED):
        if found := table.get(special) or table.get(error.code):
            return found
    return None


def _filled(visit: Visit, sentence: str, values: Mapping[str, Any], otherwise: str) -> str:
    shown = {name: _shown(visit, name, value) for name, value in values.items()}
    if not set(_HOLES.findall(sentence)) <= shown.keys():  # raised without a value that the words name
        return otherwise
    return visit.say(sentence, **shown)


def _shown(visit: Visit, name: str, value: object) -> object:
    if name == "reason":
        return say_sentence(str(value), visit.say, visit.console.zone)
    if isinstance(value, datetime):
        return f"{value.astimezone(visit.console.zone):%m-%d %H:%M}"
    if name in _NAMES and value in _NAMES[name]:
        return visit.say(_NAMES[name][str(value)])
    return f"{value:,}" if name in _PEOPLE and isinstance(value, int) else value


def status(error: DeskRefused) -> int:
    """Return the HTTP status of a refusal."""
    return STATUSES.get(error.code, 422)


def finding(visit: Visit, one: Said | str) -> str:
    """Return what an approver should look at, in the language of the visit."""
    if isinstance(one, str):
        return one
    code, values = one["code"], one["values"]
    if code in SENTENCES:
        return _filled(visit, SENTENCES[code], values, in_english(one))
    bare = code.removeprefix(LINT).removeprefix(AREA)
    return remark(visit, bare, values["path"], values["message"])


def remark(visit: Visit, code: str, path: str, message: str) -> str:
    """Return a finding of lint or audience; in English what it said itself, which is more exact."""
    meaning = AREA_FINDINGS.get(code) or (CODES[code].meaning if code in CODES else "")
    said = message if visit.language == "en" or not meaning else visit.say(meaning) % {"path": path}
    where = place(visit, path)
    return f"{where}{'：' if visit.language == 'zh-CN' else ': '}{said}" if where else said


PLACES = {
    "headline": N_("Headline"),
    "description": N_("Warning text"),
    "instruction": N_("Instructions"),
    "event": N_("Kind of event"),
    "senderName": N_("Issued by"),
    "area": N_("Area"),
    "areaDesc": N_("Name of the area"),
    "contact": N_("Contact"),
    "expires": N_("End of validity"),
    "note": N_("Note"),
    "web": N_("Link"),
}
"""Where in a CAP message -> what people call it."""


def place(visit: Visit, path: str) -> str:
    """Return in words where in the message something is; empty where that has no name."""
    last = re.sub(r"\[\d+\]", "", path).rpartition("/")[2]
    return visit.say(PLACES[last]) if last in PLACES else ""


def alarm(visit: Visit, row: Alarm) -> str:
    """Return what an alarm says; the sentence of an unknown one is kept."""
    if row.code not in ALARMS:
        return say_sentence(row.sentence, visit.say, visit.console.zone)
    number = row.subject.removeprefix("alert ")
    return visit.say(ALARMS[row.code], subject=visit.say(N_("Alert %(alert)s"), alert=number))
