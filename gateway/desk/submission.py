"""Submit an alert: check it, freeze people, texts and plan, and bind them with the digest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway import audience
from gateway.alerts.lint import lint
from gateway.alerts.title import other_colours
from gateway.audience.area import AreaRefused, from_alert, text_of
from gateway.desk import calling, chain, compose, kinds, notes, unusual
from gateway.desk.chain import Reach
from gateway.desk.checks import check_ready
from gateway.desk.findings import AREA, LINT, quoted, said
from gateway.desk.freeze import Draft, digest_of, plan_of, render
from gateway.desk.refused import DeskRefused
from gateway.desk.register import columns_of
from gateway.desk.steps import alert_of, authors_of
from gateway.dispatch.plan import new_reference
from gateway.store import desk as store
from gateway.store import submissions

if TYPE_CHECKING:
    from gateway.alerts.model import Alert
    from gateway.audience import Audience
    from gateway.desk.findings import Said
    from gateway.desk.office import Office
    from gateway.desk.signing import ByRule
    from gateway.desk.steps import Step
    from gateway.desk.unusual import Compared
    from gateway.store.database import Database
    from gateway.store.desk import AlertRow, TargetList


async def resolve(database: Database, office: Office, row: AlertRow) -> Audience | None:
    """Return whom the alert is for; None for a Cancel, which goes to whom the warning went."""
    if row.msg_type == "Cancel":
        return None
    alert = alert_of(row)
    try:
        return await audience.resolve(
            database, from_alert(alert), level=row.level, text=text_of(alert), group=office.group(row.mode)
        )
    except AreaRefused as error:
        raise DeskRefused(f"{AREA}{error.code}", error.sentence) from None


async def submit(
    step: Step, office: Office, row: AlertRow, chosen: Audience | None, by_rule: ByRule | None = None
) -> AlertRow:
    """Freeze the alert inside the step and move it to ``submitted``, or further where nobody need approve.

    ``by_rule`` says why a written rule stands for the approvers; the digest covers it.
    """
    before = await chain.standing(step, row.warning_id, row.supersedes)
    alert = compose.stamped(alert_of(row), chain.references(before), step.now, office.settings.zone)
    check_ready(alert, row.mode, step.now)
    kinds.known(office, row.hazard, row.level)
    remarks = [
        *_remarks(office, alert, step),
        *(quoted(LINT, one) for one in other_colours(alert, row.level)),
    ]
    reach = await _reach(step, office, row, before, chosen)
    people = reach.targets.count
    compared = await _compared(step, office, row, people, chosen)
    approvers = _approvers(office, row, people, compared, by_rule)
    draft = Draft(
        alert=alert,
        level=row.level,
        mode=row.mode,
        channels=reach.channels,
        reference=new_reference(),
        reply_to=await store.first_reference(step.connection, row.warning_id),
    )
    plan = plan_of(draft, approvers) | {
        "authors": sorted(authors_of(row) | {step.actor}),
        "findings": [
            *unusual.findings(compared, people),
            *reach.findings,
            *await _sent_before(step, row),
            *remarks,
        ],
    }
    if compared is not None:
        plan["usual"] = compared
    plan |= await notes.sealed(step.connection, row.id)
    if by_rule is not None:
        plan["by_rule"] = by_rule
    frozen = {"target_list_id": reach.targets.id, "texts": render(office, draft), "plan": plan}
    row = await step.change(row, "submit", **columns_of(alert), **frozen, submitted_at=step.now)
    return await _sealed(step, row, reach.targets)


async def _compared(
    step: Step, office: Office, row: AlertRow, people: int, chosen: Audience | None
) -> Compared | None:
    """Return what the number of people compares to; a Cancel, which has no choice of its own, to nothing."""
    if chosen is None:
        return None
    case = unusual.case_of(row.hazard, row.level, chosen, people)
    return await unusual.compare(step.connection, office.policy, case, step.now)


def _approvers(
    office: Office, row: AlertRow, count: int, compared: Compared | None, by_rule: ByRule | None
) -> int:
    """Return how many must approve; a rule stands for them unless the number of people asks for more."""
    further = compared["further"] if compared else 0
    needed = office.policy.needed(row.level, row.msg_type, count, further)
    if by_rule is None:
        return needed
    unusual.refuse_by_rule(compared, count)
    if needed > office.policy.needed(row.level, row.msg_type, 0):
        raise DeskRefused(
            "crowd", f"it goes to {count} recipients, more than a rule may send to by itself", count=count
        )
    return 0


async def _sealed(step: Step, row: AlertRow, targets: TargetList) -> AlertRow:
    """Bind what was frozen with its digest, and ask for approval where any is needed."""
    digest, approvers = digest_of(row, targets), (row.plan or {})["approvers"]
    await store.change_alert(step.connection, row.id, digest=digest)
    row = await step.read(row.id)
    await submissions.keep(step.connection, row, step.actor, step.now)
    step.record(
        "submit",
        row.id,
        digest=digest,
        version=row.version,
        targets=targets.count,
        approvers=approvers,
        asked=await calling.call_first(step, row),
    )
    if approvers == 0:
        return await step.change(row, "approve", approved_at=step.now)
    return row


async def _reach(
    step: Step, office: Office, row: AlertRow, before: list[AlertRow], chosen: Audience | None
) -> Reach:
    """Freeze whom the alert goes to, and say whom it passes over among those who were told before."""
    if chosen is None:
        return await chain.reach_of_cancel(step, office, before, row.mode)
    try:
        frozen = await audience.freeze(step.connection, chosen)
    except AreaRefused as error:
        raise DeskRefused(f"{AREA}{error.code}", error.sentence) from None
    targets = await store.target_list(step.connection, frozen.list_id)
    channels = (row.plan or {})["channels"]
    lost = await chain.losses(step, before, targets, channels)
    twice = await _told_twice(step, targets, channels)
    return Reach(targets, channels, [*lost, *twice, *(quoted(AREA, one) for one in chosen.findings)])


async def _told_twice(step: Step, targets: TargetList, channels: list[str]) -> list[Said]:
    """Return how many phones and mailboxes get the warning more than once."""
    doubled = await audience.doubled(step.connection, targets.id)
    return [
        said("told_twice", channel=channel, count=count)
        for channel, count in sorted(doubled.items())
        if channel in channels
    ]


async def _sent_before(step: Step, row: AlertRow) -> list[Said]:
    """Return where the message that this one was drafted from went out in another warning."""
    if row.original_key is None:
        return []
    sent = await store.sent_from(step.connection, row.original_key, row.mode)
    return [
        said("sent_before", alert=one.id, state=one.state) for one in sent if one.warning_id != row.warning_id
    ]


SETTLED = frozenset({"area_code_only", "drill_unmarked", "exercise_without_note"})
"""Warnings of the lint that the desk itself settles: it has the register, and marks each drill."""


def _remarks(office: Office, alert: Alert, step: Step) -> list[Said]:
    """Return what an approver should look at in the message itself; refuse what nobody may approve."""
    found = [one for one in lint(alert, now=step.now, hazards=office.hazards) if one.code not in SETTLED]
    errors = [one for one in found if one.severity == "error"]
    if errors:
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        first = errors[0]
        raise DeskRefused(f"{LINT}{first.code}", f"{first.path}: {first.message}{more}", path=first.path)
    return [quoted(LINT, one) for one in found if one.severity == "warning"]
