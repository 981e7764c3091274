"""Who says it, about which message, and for whom (CAP 1.2, 3.2.1)."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING

from gateway.alerts.model import MsgType, Scope, Status

if TYPE_CHECKING:
    from gateway.alerts.rules.context import Context

_AUTHORITY_OID = re.compile(r"(urn:oid:)?2\.49\.0\.0\.")
# GB/T 35965.1: issuer of 14 characters that begins with an area code, time of entry, serial number.
_LIKE_NATIONAL = re.compile(r"[0-9]{6}[^_]*_[0-9]+_[^_]*")
_NATIONAL = re.compile(r"[0-9]{6}[0-9A-Z]{8}_([0-9]{14})_[0-9]")
_UNIQUE_SENDER = re.compile(r"[@.:]|[0-9]{6}")
_SUPERSEDING = (MsgType.UPDATE, MsgType.CANCEL)
_ANSWERING = (MsgType.ACK, MsgType.ERROR)


def about_identity(context: Context) -> None:
    """identifier, sender, signature."""
    alert, found = context.alert, context.found
    if _AUTHORITY_OID.match(alert.identifier):
        found.add("identifier_authority_arc", "alert/identifier")
    if _LIKE_NATIONAL.fullmatch(alert.identifier) and not _is_national(alert.identifier):
        found.add("identifier_not_national", "alert/identifier")
    if not _UNIQUE_SENDER.search(alert.sender):
        found.add("sender_not_unique", "alert/sender")
    if alert.signatures:
        found.add("signed", "alert")


def _is_national(identifier: str) -> bool:
    match = _NATIONAL.fullmatch(identifier)
    if match is None:
        return False
    try:
        datetime.fromisoformat(f"{match[1][:8]}T{match[1][8:]}")
    except ValueError:
        return False
    return True


def about_audience(context: Context) -> None:
    """status, scope, restriction, addresses, note."""
    alert, found = context.alert, context.found
    if alert.status != Status.ACTUAL:
        found.add("not_actual", "alert/status", f"status is {alert.status}: not for the public")
    if alert.scope != Scope.PUBLIC:
        found.add("not_public", "alert/scope", f"scope is {alert.scope}: not for public feeds or channels")
    if alert.scope == Scope.PRIVATE and not alert.addresses:
        found.add("private_without_addresses", "alert/addresses")
    if alert.scope == Scope.RESTRICTED and not alert.restriction:
        found.add("restricted_without_restriction", "alert/restriction")
    if alert.restriction and alert.scope != Scope.RESTRICTED:
        found.add("restriction_without_restricted", "alert/restriction")
    if alert.status == Status.EXERCISE and not alert.note:
        found.add("exercise_without_note", "alert/note")
    if alert.msg_type == MsgType.ERROR and not alert.note:
        found.add("error_without_note", "alert/note")


def about_references(context: Context) -> None:
    """What the message says of earlier ones."""
    alert = context.alert
    if alert.status == Status.SYSTEM:
        return  # a heartbeat lists what was sent last
    if not alert.references and not alert.malformed_references:
        _without_references(context)
    elif alert.msg_type == MsgType.ALERT:
        context.found.add("references_without_supersede", "alert/references")
    for _ in alert.malformed_references:
        context.found.add("references_malformed", "alert/references")
    for reference in alert.references:
        if reference.key == alert.key:
            context.found.add("references_self", "alert/references")
        elif reference.sent > alert.sent:
            context.found.add("references_later", "alert/references")
    _about_other_senders(context)


def _without_references(context: Context) -> None:
    alert = context.alert
    if alert.msg_type in _SUPERSEDING:
        context.found.add(f"{alert.msg_type.lower()}_without_references", "alert/references")
    if alert.msg_type in _ANSWERING:
        context.found.add("references_missing", "alert/references")


def _about_other_senders(context: Context) -> None:
    alert = context.alert
    if alert.msg_type not in _SUPERSEDING:
        return
    allowed = {alert.sender, *context.source.may_supersede}
    others = {reference.sender for reference in alert.references} - allowed
    if others:
        message = (
            f"the {alert.msg_type} names alerts of {len(others)} other sender(s); it may replace its own only"
        )
        context.found.add("references_other_sender", "alert/references", message)
