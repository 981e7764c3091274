"""A CAP message that came in becomes a draft of ours: a new warning, or an Update of one that stands."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gateway.alerts.model import Alert, AlertKey, MsgType
from gateway.desk import compose, kinds
from gateway.desk.checks import check_end, check_status
from gateway.desk.compose import NOTHING
from gateway.desk.drafting import follow, new_warning, with_changes
from gateway.desk.refused import DeskRefused
from gateway.store import desk as store

if TYPE_CHECKING:
    from collections.abc import Collection

    from gateway.desk.compose import Changes
    from gateway.desk.office import Office
    from gateway.desk.steps import Step
    from gateway.store.desk import AlertRow

FOR_PEOPLE = (MsgType.ALERT, MsgType.UPDATE, MsgType.CANCEL)
SENT = ("released", "updated", "cancelled", "expired")
"""States of a message that left the desk."""


async def from_cap(
    step: Step,
    office: Office,
    came: Alert,
    data: bytes,
    mode: str,
    changes: Changes,
    speaks_for: Collection[str] = (),
) -> AlertRow:
    """Draft our message from one that came in; the same file twice is the same draft.

    ``speaks_for`` names senders whose alerts its sender may change as their delegate.
    """
    if came.msg_type not in FOR_PEOPLE:
        raise DeskRefused("msg_type", f"msgType is {came.msg_type}, which is for machines: nothing to draft")
    key = compose.key_text(came)
    await store.hold_name(step.connection, key)
    if again := await store.alert_drafted_from(step.connection, key, mode):
        return _same_draft(again, data, changes)
    await _check_not_sent(step, key, mode)
    alert = await with_changes(step, came, changes)
    check_end(alert, step.now)
    kind = kinds.find(office, alert, changes.hazard, changes.level)
    alert = kinds.put(
        office, compose.adopt(alert, office.settings.sender, step.now, office.settings.zone), kind
    )
    origin = {"original": data, "original_key": key}
    if came.msg_type == MsgType.ALERT:
        return await new_warning(step, office, alert, kind, mode, changes, **origin)
    old = await _followed(step, came, mode, speaks_for)
    if came.msg_type != MsgType.UPDATE:
        raise DeskRefused(
            "use_cancel",
            f"this {came.msg_type} is about alert {old.id}: cancel that one instead",
            why="of_ours",
            alert=old.id,
        )
    return await follow(step, office, old, alert, kind, changes, **origin)


async def from_source(
    step: Step,
    office: Office,
    came: Alert,
    original: bytes,
    *,
    changes: Changes = NOTHING,
    speaks_for: Collection[str] = (),
) -> AlertRow:
    """Draft our live message from an alert that a source brought; the caller has checked who asks for it.

    Args:
        step: The step that this is part of.
        office: Templates, hazards, policy.
        came: The alert, in CAP's terms.
        original: The bytes that it was read from; kept untouched beside the draft.
        changes: What is decided otherwise from the start.
        speaks_for: Senders whose alerts the alert's sender may change as their delegate.
    """
    check_status(came, "live")
    return await from_cap(step, office, came, original, "live", changes, speaks_for)


def _same_draft(again: AlertRow, data: bytes, changes: Changes) -> AlertRow:
    """Return the draft that the very same file became; refuse what went further or is to be changed."""
    if again.state != "draft" or again.original != data:
        what = "the same message" if again.original == data else "another message of the same number"
        raise DeskRefused(
            "known",
            f"{what} is in work or in force as alert {again.id} ({again.state})",
            alert=again.id,
            state=again.state,
        )
    if changes != NOTHING:
        raise DeskRefused(
            "known",
            f"the same message is in work as alert {again.id}: edit that one instead",
            why="in_work",
            alert=again.id,
        )
    return again


async def _check_not_sent(step: Step, key: str, mode: str) -> None:
    """Refuse what was sent already while its warning stands; where that is over, the approver is told."""
    for sent in await store.sent_from(step.connection, key, mode):
        for row in await store.of_warning(step.connection, sent.warning_id):
            if row.state == "released" and row.msg_type != MsgType.CANCEL:
                raise DeskRefused(
                    "sent",
                    f"this message was sent as alert {sent.id} and is {sent.state}; alert {row.id} is in "
                    f"force in its place: update or cancel that one",
                    sent=sent.id,
                    alert=row.id,
                )


async def _followed(step: Step, came: Alert, mode: str, speaks_for: Collection[str]) -> AlertRow:
    """Return the alert of ours that the message is about, and hold its warning.

    The message may name any alert of the warning, by our number or by that of the message it was
    drafted from: the national profile always names the first issue.
    """
    names = {one.identifier for one in came.references} | set(came.malformed_references)
    rows = [row for row in await store.bearing(step.connection, names, mode) if _is_named(row, came)]
    if not rows:
        raise DeskRefused(
            "unknown_reference", f"this {came.msg_type} is about a message that was not released here"
        )
    _check_sender(rows, came, speaks_for)
    # What was withdrawn was never told to anybody, and what took its place may be another warning.
    rows = [row for row in rows if row.state != "withdrawn"] or rows
    if other := next((row for row in rows if row.warning_id != rows[0].warning_id), None):
        raise DeskRefused(
            "two_warnings",
            f"this {came.msg_type} is about alerts {rows[0].id} and {other.id}, which are two warnings: "
            f"update or cancel each by itself",
            one=rows[0].id,
            other=other.id,
        )
    await step.hold(rows[0].id)
    return _latest(await store.of_warning(step.connection, rows[0].warning_id), rows[0].id, came)


def _check_sender(rows: list[AlertRow], came: Alert, speaks_for: Collection[str]) -> None:
    """Refuse a stranger's word on a warning: its sender, a delegate of that, or we, may change it."""
    for row in rows:
        origin = _key(row.original_key)
        owners = {row.sender, origin.sender if origin else row.sender}
        if came.sender not in owners and owners.isdisjoint(speaks_for):
            raise DeskRefused(
                "other_sender",
                f"this {came.msg_type} is from {came.sender}, and alert {row.id} came from "
                f"{origin.sender if origin else row.sender}: if it is right, do it at the desk",
                alert=row.id,
                sender=came.sender,
                owner=origin.sender if origin else row.sender,
            )


def _latest(rows: list[AlertRow], named: int, came: Alert) -> AlertRow:
    """Return the alert in force of a warning; for an Update also one that has just expired."""
    sent = [row for row in rows if row.state in SENT and row.msg_type != MsgType.CANCEL]
    if not sent:
        raise DeskRefused(
            "not_sent",
            f"this {came.msg_type} is about alert {named}, which is {rows[0].state} and was never sent: "
            f"edit or withdraw that one",
            alert=named,
            state=rows[0].state,
        )
    last = sent[-1]
    if last.state != "released" and (last.state != "expired" or came.msg_type != MsgType.UPDATE):
        raise DeskRefused(
            "not_in_force",
            f"this {came.msg_type} is about alert {last.id}, which is {last.state}: draft a new warning if "
            f"there still is danger",
            alert=last.id,
            state=last.state,
        )
    return last


def _is_named(row: AlertRow, came: Alert) -> bool:
    own = AlertKey(row.sender, row.identifier, row.sent.astimezone(UTC))
    origin = _key(row.original_key)
    if not {own, origin}.isdisjoint(one.key for one in came.references):
        return True
    # A bare number may match within the same sender only; ours holds the issuer's code and the second.
    return row.identifier in came.malformed_references or (
        origin is not None and origin.sender == came.sender and origin.identifier in came.malformed_references
    )


def _key(text: str | None) -> AlertKey | None:
    if text is None:
        return None
    sender, identifier, sent = text.split(",")
    return AlertKey(sender, identifier, datetime.fromisoformat(sent).astimezone(UTC))
