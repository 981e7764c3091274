"""The emergency path: one person sends at once, another signs afterwards; both are written down."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from gateway.desk import leaving, signing
from gateway.desk.leaving import Released
from gateway.desk.refused import DeskRefused
from gateway.desk.scope import check_authorised
from gateway.desk.steps import authors_of
from gateway.store import alarms, emergencies
from gateway.store import desk as store

if TYPE_CHECKING:
    from gateway.desk.office import Office
    from gateway.desk.policy import Policy
    from gateway.desk.steps import Step
    from gateway.store.desk import AlertRow
    from gateway.store.emergencies import EmergencyRow

DUE = "cosignature_due"
"""Code of the alarm that somebody must sign afterwards."""
OVERDUE = "cosignature_overdue"
"""Code of the alarm that nobody did in time."""


def offered(policy: Policy, row: AlertRow) -> bool:
    """Return whether the policy lets one person send such an alert while signatures are missing."""
    return row.state == "submitted" and row.level in policy.emergency.levels


async def sign(step: Step, office: Office, row: AlertRow, digest: str, reason: str) -> Released | None:
    """Approve with fewer signatures than needed, so that it can be sent in this step or the next one.

    Where this signature is the last one that is needed, it is no emergency. Only the digest that was
    shown is approved, and the row that stands for the missing signatures is bound to it. Returns the
    release where there is one already.
    """
    _check_reason(reason)
    await step.may("release", row)
    if done := await store.release_of(step.connection, row.id):
        return Released(done.id, done.reference, {})
    _check_offered(office.policy, row)
    standing = await signing.sign(step, office, row, digest)
    if standing.have < standing.need:
        await _write_down(step, row, digest, reason, standing)
    await step.change(row, "approve", approved_at=step.now)
    return None


async def check(step: Step, office: Office, row: AlertRow, digest: str, reason: str) -> bool:
    """Refuse what :func:`sign` would refuse, and change nothing; return whether it is not sent yet."""
    _check_reason(reason)
    await step.may("release", row)
    if await store.release_of(step.connection, row.id):
        return False
    _check_offered(office.policy, row)
    await signing.check(step, office, row, digest)
    leaving.check_routes(office, row)
    return True


def _check_reason(reason: str) -> None:
    if not reason.strip():
        raise DeskRefused("reason", "say why it cannot wait for the other signatures", why="emergency")


def _check_offered(policy: Policy, row: AlertRow) -> None:
    if not offered(policy, row):
        raise DeskRefused(
            "emergency_off",
            f"alert {row.id} ({row.level}, {row.state}) cannot be sent on one signature: have it approved",
            alert=row.id,
        )


async def _write_down(
    step: Step, row: AlertRow, digest: str, reason: str, standing: signing.Standing
) -> None:
    due_at = step.now + timedelta(minutes=step.policy.emergency.cosign_minutes)
    await emergencies.begin(step.connection, row.id, digest, step.actor, reason, step.now, due_at)
    said = f"alert {row.id} was sent on the signature of {step.actor}: another approver signs it afterwards"
    await alarms.sound(step.connection, f"alert {row.id}", DUE, said, step.now)
    step.record(
        "emergency",
        row.id,
        digest=digest,
        reason=reason,
        have=standing.have,
        need=standing.need,
        due_at=due_at,
    )


async def cosign(step: Step, row: AlertRow, digest: str) -> None:
    """Sign afterwards; the same person doing so again changes nothing."""
    if not await check_cosign(step, row, digest):
        return
    await emergencies.cosign(step.connection, row.id, step.actor, step.now)
    for code in (DUE, OVERDUE):
        await alarms.clear(step.connection, f"alert {row.id}", code, step.now)
    step.record("cosign", row.id, digest=digest)


async def check_cosign(step: Step, row: AlertRow, digest: str) -> bool:
    """Refuse a signature afterwards that would not be taken; return whether it is missing yet."""
    person = await step.may("approve", row)
    await check_authorised(step.connection, step.policy, person, row, step.now)
    one = await emergencies.of_alert(step.connection, row.id)
    if one is None:
        raise DeskRefused("no_emergency", f"alert {row.id} was not sent on one signature", alert=row.id)
    if one.digest != digest:
        raise DeskRefused("stale", f"alert {row.id} is not what you saw: look at it again", alert=row.id)
    if one.cosigned_by == step.actor:
        return False
    await _check_another(step, row, one)
    if one.cosigned_by is not None:
        raise DeskRefused(
            "cosigned", f"{one.cosigned_by} has signed alert {row.id} afterwards", person=one.cosigned_by
        )
    return True


async def _check_another(step: Step, row: AlertRow, one: EmergencyRow) -> None:
    """Refuse whoever wrote it or has signed it: the second look is another person's."""
    before = {each.person for each in await store.signatures(step.connection, row.id, one.digest)}
    if step.actor in authors_of(row) | before | {one.person}:
        raise DeskRefused(
            "cosigner", f"{step.actor} wrote or signed alert {row.id}: another approver signs afterwards",
            person=step.actor, alert=row.id,
        )  # fmt: skip


async def overdue(step: Step, row: AlertRow) -> bool:
    """Raise the alarm that nobody has signed in time; return whether it was not raised before."""
    one = await emergencies.of_alert(step.connection, row.id)
    if one is None or one.cosigned_by is not None or one.due_at > step.now:
        return False
    told = await alarms.told(step.connection, f"alert {row.id}", OVERDUE)
    if told:
        return False
    said = f"nobody has signed alert {row.id} afterwards, which {one.person} sent on one signature"
    await alarms.sound(step.connection, f"alert {row.id}", OVERDUE, said, step.now)
    step.record("cosign_overdue", row.id, digest=one.digest, person=one.person)
    return True
