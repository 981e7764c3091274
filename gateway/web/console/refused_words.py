"""What the desk refused to a rule, recognised in the sentence that was written down.

A rule that cannot draft, submit or send writes the room's own English sentence to the message. Here each of
those leads to the words of :mod:`gateway.web.console.refusals`, which hold for people at the console too.
"""

from __future__ import annotations

WRITTEN = {
    "status is %(status)s, which a live warning may not have: %(rest)s": "status.live",
    "status is %(status)s, which a drill warning may not have: %(rest)s": "status.drill",
    "scope is %(scope)s: only Public messages go to public channels": "scope",
    "its awareness level is green: no warning is in force, so none is sent": "green",
    "the message has no info block: there is nothing to tell people": "fields.empty",
    "missing in language %(language)s: %(missing)s; add it with 'tongda desk edit' before submitting": (
        "fields.missing"
    ),
    "missing: %(missing)s; add it with 'tongda desk edit' before submitting": "fields.missing",
    "expires is missing: say until when the warning holds": "expires.missing",
    "expires lies more than %(days)s days ahead: check the date": "expires.far",
    "the warning ended at %(ended)s: give a later end (--expires TIME)": "expired.in_draft",
    "the warning begins at %(onset)s, not before its end at %(ended)s: %(rest)s": "onset",
    "%(path)s of a live warning says '%(word)s': mend the text, or draft a drill": "drill_words",
    "%(path)s of a drill says '%(word)s': mend the text, a drill must not deny it": "live_words",
    "it goes to %(count)s recipients, more than a rule may send to by itself": "crowd",
    "it goes to everybody who can be reached, %(count)s recipients: a person approves": "unusual.everybody",
    (
        "it goes to %(count)s recipients, %(times)s times as many as usual (median of %(of)s earlier "
        "warnings: %(median)s): a person approves"
    ): "unusual.many",
    "alert %(alert)s is not what you saw any more: look at it again": "stale",
    "alert %(alert)s was changed meanwhile: look at it again": "changed",
    "alert %(alert)s is not what was approved: edit and submit it again": "changed.tampered",
    "alert %(alert)s is %(state)s already: no further approval is needed": "state.enough",
    "alert %(alert)s is %(state)s: it waits for nobody's approval": "state.not_waiting",
    "alert %(alert)s is %(state)s: only a released one can be cancelled": "state.not_released",
    "not sent: alert %(alert)s is %(state)s": "state.not_sent",
    "its warning is stopped and alert %(alert)s is approved, but it could not be sent yet: send it": (
        "cancel_waits"
    ),
    "its warning is stopped, and alert %(alert)s was sent back meanwhile: look at it again": (
        "cancel_waits.sent_back"
    ),
    "alert %(alert)s is a Cancel: draft a new warning instead": "state.is_cancel",
    "alert %(alert)s ended at %(ended)s: its author gives it a later end": "expired",
    (
        "alert %(alert)s ended at %(ended)s: edit it (--expires TIME) and have it approved again, or "
        "withdraw it"
    ): "expired.to_release",
    "alert %(alert)s was changed by a person: a person approves it": "edited",
    "alert %(alert)s was approved by people: a person takes it back": "rule",
    "alert %(alert)s is an Update of alert %(old)s in work already": "update_begun",
    "channel %(channel)s has no %(mode)s route any more: edit and submit again": "route",
    "channel %(channel)s has no %(mode)s route any more: set one and try again": "channels.lost",
    "no channel has a %(mode)s route: set one in %(rest)s": "channels.no_route",
    "channel %(channel)s has no %(mode)s route: one of %(rest)s": "channels.unknown",
    "channel %(channel)s has no template for %(rest)s: add one or take the channel out": (
        "language.no_template"
    ),
    "channel %(channel)s cannot carry the text: %(rest)s": "content",
    "the warning has no area: name a region (--region)": "area",
    "the alert has no text in language %(language)s": "language.no_text",
    "there is no region %(region)s": "region",
    "there is no alert %(alert)s": "no_alert",
    "%(person)s does not work at this desk (any more)": "person",
    "%(person)s may not %(right)s: that takes the role %(role)s": "role",
    "%(person)s belongs to no unit, and signing takes a unit with an authorisation": "no_unit",
    "the Cancel stays ready while its warning stands: reject it instead": "cancel_kept",
    "msgType is %(type)s, which is for machines: nothing to draft": "msg_type",
    "%(what)s is in work or in force as alert %(alert)s (%(state)s)": "known",
    "the same message is in work as alert %(alert)s: edit that one instead": "known.in_work",
    "this %(type)s is about alert %(alert)s: cancel that one instead": "use_cancel.of_ours",
    "this %(type)s is about a message that was not released here": "unknown_reference",
    (
        "this %(type)s is about alerts %(one)s and %(other)s, which are two warnings: update or cancel each "
        "by itself"
    ): "two_warnings",
    (
        "this %(type)s is about alert %(alert)s, which is %(state)s and was never sent: edit or withdraw "
        "that one"
    ): "not_sent",
    (
        "this %(type)s is about alert %(alert)s, which is %(state)s: draft a new warning if there still is "
        "danger"
    ): "not_in_force",
    (
        "this %(type)s is from %(sender)s, and alert %(alert)s came from %(owner)s: if it is right, do it at "
        "the desk"
    ): "other_sender",
    (
        "this message was sent as alert %(sent)s and is %(state)s; alert %(alert)s is in force in its place: "
        "update or cancel that one"
    ): "sent",
}
"""English sentence of a refusal -> its code in :data:`gateway.web.console.refusals.WORDS`."""
