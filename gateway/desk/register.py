"""Write alerts into the database: new ones under a free identifier, changed ones under a new version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.desk import compose
from gateway.desk.refused import DeskRefused
from gateway.desk.steps import authors_of, content_of
from gateway.store import desk as store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gateway.alerts.model import Alert
    from gateway.desk.office import Office
    from gateway.desk.steps import Step
    from gateway.store.desk import AlertRow


def identifiers(office: Office, step: Step) -> Iterator[str]:
    """Yield identifiers for a message that is written in this step."""
    return compose.identifiers(office.settings.issuer_code, step.now, office.settings.zone)


def columns_of(alert: Alert) -> dict[str, Any]:
    """Return the columns that repeat what the message says."""
    if alert.expires is None:
        raise DeskRefused(
            "expires", "the message does not say until when it holds: give an end (--expires)", why="missing"
        )
    return {
        "sender": alert.sender,
        "identifier": alert.identifier,
        "sent": alert.sent,
        "status": alert.status,
        "msg_type": alert.msg_type,
        "scope": alert.scope,
        "content": content_of(alert),
        "expires": alert.expires,
    }


async def insert(
    step: Step,
    names: Iterator[str],
    made: Callable[[str], Alert],
    **columns: Any,  # noqa: ANN401 - columns of the table
) -> int:
    """Insert a draft under the first identifier that is free and return its number."""
    for identifier in names:
        alert = made(identifier)
        if await store.claim_identifier(step.connection, alert.sender, identifier):
            values = columns_of(alert) | columns
            return await store.insert_alert(step.connection, state="draft", created_at=step.now, **values)
    raise DeskRefused(
        "identifiers", "no identifier is free: ten a second for a minute are taken; wait a moment"
    )


async def rewrite(step: Step, row: AlertRow, alert: Alert, **columns: Any) -> AlertRow:  # noqa: ANN401 - columns
    """Store a changed message: back to draft, next version, every signature void."""
    plan = (row.plan or {}) | {"authors": sorted(authors_of(row) | {step.actor})}
    kept = {name: plan[name] for name in ("channels", "authors")} | columns.pop("plan", {})
    frozen: dict[str, Any] = {"digest": None, "texts": None, "submitted_at": None, "approved_at": None}
    if row.msg_type != "Cancel":  # a Cancel goes to whom the warning went
        frozen["target_list_id"] = None
    values = columns_of(alert) | columns | frozen | {"plan": kept, "version": row.version + 1}
    changed = await step.change(row, "edit", **values)
    step.record("edit", row.id, version=changed.version)
    return changed
