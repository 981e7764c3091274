"""One step at the desk: a transaction, its actor, and what it adds to the audit chain."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gateway.alerts.lifecycle import Action, NotAllowed, State, advance
from gateway.alerts.model import Alert
from gateway.desk import scope
from gateway.desk.refused import DeskRefused
from gateway.store import audit
from gateway.store import desk as store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.desk.policy import Policy
    from gateway.desk.policy import Step as Right
    from gateway.store.database import Database
    from gateway.store.desk import AlertRow, Approval, Person

SYSTEM = "system"
"""Who acts when nobody does, e.g. at expiry."""


_LOGIN = re.compile(r"[A-Za-z0-9_.@+-]{1,64}")


def check_login(login: str) -> None:
    """Refuse what nobody can be called here; letters that look alike are not told apart by people."""
    if not _LOGIN.fullmatch(login):
        raise DeskRefused("login", "a login is 1 to 64 of the letters a-z and A-Z, digits or . _ @ + -")


@dataclass
class Step:
    """What one step knows."""

    connection: AsyncConnection
    actor: str
    now: datetime
    policy: Policy
    records: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)

    def record(self, action: str, subject: int | str, **detail: Any) -> None:  # noqa: ANN401 - any JSON value
        """Remember one audit record, about an alert or another subject; written when the step ends."""
        name = f"alert {subject}" if isinstance(subject, int) else subject
        self.records.append((action, name, detail))

    async def may(self, right: Right, row: AlertRow | None = None) -> Person:
        """Return the actor as of this moment, or refuse; with an alert: where the rights hold for it."""
        check_login(self.actor)
        person = await store.person(self.connection, self.actor)
        if person is None or not person.active:
            raise DeskRefused(
                "person", f"{self.actor} does not work at this desk (any more)", person=self.actor
            )
        if not self.policy.allows(right, person.roles):
            needed = " or ".join(sorted(getattr(self.policy.roles, right)))
            raise DeskRefused(
                "role",
                f"{self.actor} may not {right}: that takes the role {needed}",
                person=self.actor,
                right=right,
            )
        if row is not None:
            await scope.check(self.connection, person, row)
        return person

    async def inside(self, right: Right, row: AlertRow) -> AlertRow:
        """Return the alert that the step led to, or refuse where the actor's rights do not hold for it."""
        await self.may(right, row)
        return row

    async def hold(self, alert_id: int) -> AlertRow:
        """Wait for the alert's warning, hold it until the step ends, and return the alert."""
        if not await store.lock_warning(self.connection, alert_id):
            raise DeskRefused("no_alert", f"there is no alert {alert_id}", alert=alert_id)
        return await self.read(alert_id)

    async def read(self, alert_id: int) -> AlertRow:
        """Return an alert as it is in this step."""
        row = await store.alert(self.connection, alert_id)
        if row is None:
            raise DeskRefused("no_alert", f"there is no alert {alert_id}", alert=alert_id)
        return row

    async def change(self, row: AlertRow, action: str, **values: Any) -> AlertRow:  # noqa: ANN401 - columns
        """Move the alert along the transition table, set columns and return it."""
        state = move(row, action)
        await store.change_alert(self.connection, row.id, state=state, **values)
        return await self.read(row.id)

    async def signed(self, row: AlertRow) -> list[Approval]:
        """Return the signatures that count now: approvers who still may, and are no authors of it."""
        assert row.digest is not None
        found = await store.signatures(self.connection, row.id, row.digest)
        return [one for one in found if one.decision == "approve" and await self._counts(one, row)]

    async def _counts(self, one: Approval, row: AlertRow) -> bool:
        may = one.active and self.policy.allows("approve", one.roles) and one.person not in authors_of(row)
        return may and await scope.holds(self.connection, self.policy, one, row, self.now)


@asynccontextmanager
async def step(database: Database, actor: str, now: datetime, policy: Policy) -> AsyncIterator[Step]:
    """One transaction; its audit records are written last, so that the chain is held only briefly."""
    async with database.begin() as connection:
        one = Step(connection, actor, now, policy)
        yield one
        for action, subject, detail in one.records:
            await audit.append(connection, actor=actor, action=action, subject=subject, detail=detail, at=now)


def move(row: AlertRow, action: str) -> str:
    """Return the state that the action leads to, or refuse with the state the alert is in."""
    try:
        return advance(State(row.state), Action(action)).value
    except NotAllowed as error:
        said = f"alert {row.id}: {error}"
        raise DeskRefused("state", said, why="not_now", alert=row.id, state=row.state) from None


def alert_of(row: AlertRow) -> Alert:
    """Return the CAP message of an alert."""
    return Alert.model_validate(row.content)


def authors_of(row: AlertRow) -> frozenset[str]:
    """Return everybody who wrote, changed or submitted the alert: none of them may approve it."""
    return frozenset((row.plan or {}).get("authors", ())) | {row.author}


def content_of(alert: Alert) -> dict[str, Any]:
    """Return the message as JSON values."""
    return alert.model_dump(mode="json")
