"""A message that came in becomes an Update of a warning that it does not name: a person joins the two.

Sources leave references out, and two offices warn of one storm under numbers of their own. The Update says
what the message says; what the message leaves open stays as it is in the warning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.alerts.model import MsgType
from gateway.desk import compose, kinds
from gateway.desk.checks import check_end, check_status
from gateway.desk.drafting import follow, with_changes
from gateway.desk.refused import DeskRefused
from gateway.store import desk as store

if TYPE_CHECKING:
    from gateway.alerts.model import Alert
    from gateway.desk.compose import Changes
    from gateway.desk.kinds import Kind
    from gateway.desk.office import Office
    from gateway.desk.steps import Step
    from gateway.store.desk import AlertRow


async def merge(
    step: Step, office: Office, came: Alert, original: bytes, alert_id: int, changes: Changes
) -> AlertRow:
    """Draft an Update of a live alert of ours with the words of a message; the caller has checked who asks.

    Args:
        step: The step that this is part of.
        office: Templates, hazards, policy.
        came: The message, in CAP's terms.
        original: The bytes that it was read from; kept untouched beside the draft.
        alert_id: The alert in force, or just expired, that the Update takes the place of.
        changes: What is decided otherwise from the start: the area, hazard or level.
    """
    check_status(came, "live")
    key = compose.key_text(came)
    await store.hold_name(step.connection, key)
    if again := await store.alert_drafted_from(step.connection, key, "live"):
        raise DeskRefused(
            "known",
            f"the same message is in work or in force as alert {again.id} ({again.state})",
            alert=again.id,
            state=again.state,
        )
    old = await step.hold(alert_id)
    await step.may("draft", old)
    _check_target(old)
    alert = await with_changes(step, came, changes)
    check_end(alert, step.now)
    kind = _kind(office, alert, old, changes)
    adopted = compose.adopt(alert, office.settings.sender, step.now, office.settings.zone)
    update = kinds.put(office, adopted, kind)
    return await follow(step, office, old, update, kind, changes, original=original, original_key=key)


def _check_target(old: AlertRow) -> None:
    if old.mode == "live" and old.msg_type != MsgType.CANCEL and old.state in {"released", "expired"}:
        return
    raise DeskRefused(
        "not_in_force",
        f"alert {old.id} is {old.state} and no live warning in force: choose one that is",
        alert=old.id,
        state=old.state,
    )


def _kind(office: Office, alert: Alert, old: AlertRow, changes: Changes) -> Kind:
    """Return hazard and colour: as chosen, else as the message says, else as the warning has them."""
    known = any(office.hazards.hazard_of(info) for info in alert.infos)
    hazard = changes.hazard or (None if known else old.hazard)
    try:
        return kinds.find(office, alert, hazard, changes.level)
    except DeskRefused as refused:
        if refused.code != "level" or changes.level is not None:
            raise
        return kinds.find(office, alert, hazard, old.level)
