"""Submit an alert: check it, freeze people, texts and plan, and bind them with the digest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway import audience
from gateway.alerts.lint import lint
from gateway.audience.area import AreaRefused, from_alert, text_of
from gateway.desk import compose, kinds
from gateway.desk.checks import check_ready
from gateway.desk.drafting import references_to
from gateway.desk.freeze import Draft, digest_of, plan_of, render
from gateway.desk.refused import DeskRefused
from gateway.desk.register import columns_of
from gateway.desk.steps import alert_of, authors_of
from gateway.dispatch.plan import new_reference
from gateway.store import desk as store

if TYPE_CHECKING:
    from gateway.alerts.model import Alert
    from gateway.audience import Audience
    from gateway.desk.office import Office
    from gateway.desk.steps import Step
    from gateway.store.database import Database
    from gateway.store.desk import AlertRow, TargetList


async def resolve(database: Database, row: AlertRow) -> Audience | None:
    """Return whom the alert is for; None for a Cancel, which goes to whom the warning went."""
    if row.msg_type == "Cancel":
        return None
    alert = alert_of(row)
    try:
        return await audience.resolve(database, from_alert(alert), level=row.level, text=text_of(alert))
    except AreaRefused as error:
        raise DeskRefused(f"area_{error.code}", error.sentence) from None


async def submit(step: Step, office: Office, row: AlertRow, chosen: Audience | None) -> AlertRow:
    """Freeze the alert inside the step and move it to ``submitted``, or further where nobody need approve."""
    references = await references_to(step, row.warning_id)
    alert = compose.stamped(alert_of(row), references, step.now, office.settings.zone)
    check_ready(alert, row.mode, step.now)
    kinds.known(office, row.hazard, row.level)
    _check_lint(office, alert, step)
    targets = await _targets(step, row, chosen)
    approvers = office.policy.needed(row.level, row.msg_type, targets.count)
    draft = Draft(
        alert=alert,
        level=row.level,
        mode=row.mode,
        channels=(row.plan or {})["channels"],
        reference=new_reference(),
        reply_to=await store.first_reference(step.connection, row.warning_id),
    )
    plan = plan_of(draft, approvers) | {
        "authors": sorted(authors_of(row) | {step.actor}),
        "findings": [one.message for one in chosen.findings] if chosen else [],
    }
    frozen = {"target_list_id": targets.id, "texts": render(office, draft), "plan": plan}
    row = await step.change(row, "submit", **columns_of(alert), **frozen, submitted_at=step.now)
    digest = digest_of(row, targets)
    await store.change_alert(step.connection, row.id, digest=digest)
    step.record(
        "submit", row.id, digest=digest, version=row.version, targets=targets.count, approvers=approvers
    )
    if approvers == 0:
        return await step.change(row, "approve", approved_at=step.now)
    return await step.read(row.id)


async def _targets(step: Step, row: AlertRow, chosen: Audience | None) -> TargetList:
    if chosen is None:
        assert row.target_list_id is not None
        return await store.target_list(step.connection, row.target_list_id)
    try:
        frozen = await audience.freeze(step.connection, chosen)
    except AreaRefused as error:
        raise DeskRefused(f"area_{error.code}", error.sentence) from None
    return await store.target_list(step.connection, frozen.list_id)


def _check_lint(office: Office, alert: Alert, step: Step) -> None:
    errors = [one for one in lint(alert, now=step.now, hazards=office.hazards) if one.severity == "error"]
    if errors:
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        raise DeskRefused(f"lint_{errors[0].code}", f"{errors[0].path}: {errors[0].message}{more}")
