"""What every step at the desk for a message needs: whom it is taken as, what it is about, and a note of it.

A note is written in the transaction of the step, and only while the message is as it was read: a Cancel that
comes in between wins, and after a crash the step can be done again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog

from gateway.alerts.model import MsgType
from gateway.desk.steps import step
from gateway.store import alarms, incoming
from gateway.store import desk as desk_store
from gateway.store.desk import Person

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.clock import Clock
    from gateway.desk.office import Office
    from gateway.desk.service import Desk
    from gateway.desk.steps import Step
    from gateway.feeds.origins import Origins
    from gateway.store.database import Database
    from gateway.store.desk import AlertRow
    from gateway.store.incoming import IncomingRow

log = structlog.get_logger(__name__)

IN_WORK = ("draft", "submitted", "approved")
"""States of an alert of ours that has not left the desk."""


class OvertakenError(Exception):
    """A message was decided otherwise while something was being made of it."""


@dataclass(frozen=True, slots=True)
class AtDesk:
    """The desk, as messages that came in are worked on there."""

    database: Database
    clock: Clock
    desk: Desk
    origins: Origins

    @property
    def now(self) -> datetime:
        """This moment."""
        return self.clock.now()

    @property
    def office(self) -> Office:
        """What the desk works with."""
        return self.desk.office

    def step(self, author: str) -> AbstractAsyncContextManager[Step]:
        """One step of an author, in one transaction."""
        return step(self.database, author, self.now, self.office.policy)

    async def author(self, source: str) -> str:
        """Return the login that stands for a source; it is added to the desk's people when first needed."""
        login = self.origins.login(source)
        async with self.database.begin() as connection:
            there = await desk_store.person(connection, login)
        if there is None:
            person = Person(login, f"来源 {source}", (self._role(),), active=True)
            await self.desk.set_person(person)
        return login

    def _role(self) -> str:
        """Return a role that may draft and take back, and not approve, or the next best of the policy."""
        roles = self.office.policy.roles
        best = roles.draft & roles.cancel - roles.approve or roles.draft - roles.approve or roles.draft
        return min(best, default="author")

    async def message(self, number: int) -> IncomingRow | None:
        """Return a message as it is by now."""
        async with self.database.begin() as connection:
            return await incoming.one(connection, number)

    async def ours(self, row: IncomingRow) -> AlertRow | None:
        """Return the alert of ours that a message led to, if any."""
        if row.alert_id is None:
            return None
        async with self.database.begin() as connection:
            return await desk_store.alert(connection, row.alert_id)

    async def in_force(self, ours: AlertRow | None) -> AlertRow | None:
        """Return the alert, as it is by now, if it is in work or in force, else what is of its warning."""
        if ours is None:
            return None
        async with self.database.begin() as connection:
            rows = await desk_store.of_warning(connection, ours.warning_id)
        own = next(one for one in rows if one.id == ours.id)
        if own.state in {*IN_WORK, "released"}:
            return own
        standing = [one for one in rows if one.state == "released" and one.msg_type != MsgType.CANCEL]
        return standing[-1] if standing else None

    async def note(self, connection: AsyncConnection, row: IncomingRow, **values: Any) -> None:  # noqa: ANN401
        """Write down what was done, in the transaction that does it.

        Raises:
            OvertakenError: a Cancel, an Update or a person was faster; the transaction must not commit.
        """
        if not await incoming.change_if(connection, row, changed_at=self.now, **values):
            raise OvertakenError

    async def alarm(self, row: IncomingRow, code: str, sentence: str) -> None:
        """Tell people that they must look at a message."""
        async with self.database.begin() as connection:
            await alarms.sound(connection, f"incoming {row.id}", code, sentence, self.now)
        log.warning("incoming alert needs a person", incoming=row.id, source=row.source, code=code)
