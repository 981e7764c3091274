"""Releases and Cancels that a written rule of a source makes, without approvers.

The rule is written into the frozen plan and so into the digest; an edit by anybody takes it away again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.desk import leaving, submission
from gateway.desk.leaving import Released
from gateway.desk.refused import DeskRefused
from gateway.desk.register import rewrite
from gateway.desk.steps import alert_of, authors_of
from gateway.store import desk as store

if TYPE_CHECKING:
    from gateway.audience import Audience
    from gateway.desk.office import Office
    from gateway.desk.signing import ByRule
    from gateway.desk.steps import Step
    from gateway.store.desk import AlertRow


async def release(
    step: Step, office: Office, alert_id: int, chosen: Audience | None, why: ByRule
) -> Released:
    """Submit and release inside one step; a second call returns what the first one did."""
    row = await step.hold(alert_id)
    await step.may("draft")
    if done := await store.release_of(step.connection, row.id):
        return Released(done.id, done.reference, {})
    if authors_of(row) != {step.actor}:
        raise DeskRefused(
            "edited", f"alert {row.id} was changed by a person: a person approves it", alert=row.id
        )
    if row.state in {"submitted", "approved"}:
        row = await rewrite(step, row, alert_of(row))
    return await _leave(step, office, await submission.submit(step, office, row, chosen, why), why)


async def halt(step: Step, alert_id: int) -> None:
    """Stop an alert that :func:`cancel` is to take back in the step after, and would."""
    await leaving.halt(step, await _cancel_of(step, await step.hold(alert_id)))


async def cancel(step: Step, office: Office, alert_id: int, why: ByRule) -> Released:
    """Submit and release the prepared Cancel of an alert that a rule sent."""
    prepared = await _cancel_of(step, await step.hold(alert_id))
    if done := await store.release_of(step.connection, prepared.id):
        return Released(done.id, done.reference, {})
    if prepared.state in {"submitted", "approved"}:
        prepared = await rewrite(step, prepared, alert_of(prepared))
    plan = (prepared.plan or {}) | {"authors": [step.actor]}
    await store.change_alert(step.connection, prepared.id, author=step.actor, plan=plan)
    prepared = await step.read(prepared.id)
    return await _leave(step, office, await submission.submit(step, office, prepared, None, why), why)


async def _cancel_of(step: Step, row: AlertRow) -> AlertRow:
    """Return the Cancel by which a rule may take an alert back, or refuse."""
    await step.may("cancel")
    if "by_rule" not in (row.plan or {}):
        raise DeskRefused(
            "rule", f"alert {row.id} was approved by people: a person takes it back", alert=row.id
        )
    prepared = await store.prepared_cancel(step.connection, row.id)
    if prepared is None or row.state not in {"released", "cancelled"}:
        raise DeskRefused(
            "state",
            f"alert {row.id} is {row.state}: only a released one can be cancelled",
            why="not_released",
            alert=row.id,
            state=row.state,
        )
    if prepared.version > 1 and prepared.state != "released":
        raise DeskRefused(
            "edited", f"alert {prepared.id} was changed by a person: a person approves it", alert=prepared.id
        )
    return prepared


async def _leave(step: Step, office: Office, row: AlertRow, why: ByRule) -> Released:
    released = await leaving.leave(step, office, row)
    step.record("release_by_rule", row.id, source=why["source"], grounds=why["grounds"])
    return released
