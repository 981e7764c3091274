"""The second factor, given again in a session: before a release, or before a password is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from gateway.accounts import delays, factors
from gateway.desk.refused import DeskRefused
from gateway.store import accounts as store

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.store.accounts import SessionRow
    from gateway.store.database import Database

log = structlog.get_logger(__name__)


async def prove(database: Database, session: SessionRow, code: str, now: datetime) -> None:
    """Use a code up and note in the session when it was given.

    Raises:
        DeskRefused: ``no_factor``, ``wait``, or ``code``: it is wrong or was used before.
    """
    login, slowed = session.person.login, delays.of_session(session.id)
    await delays.take(database, [slowed], now)
    async with database.begin() as connection:
        account = await store.account(connection, login)
        if account is None or account.totp_key is None:
            raise DeskRefused("no_factor", f"{login} has no second factor yet: set one up first")
        number = factors.step_of(account.totp_key, code, now)
        if number is None or not await store.use_step(connection, login, account.totp_key, number):
            log.warning("second factor refused", login=login, session=session.id)
            raise wrong_code()
        await store.proved(connection, session.id, now)
        await store.forgive(connection, [slowed.key], [])
    log.info("second factor given", login=login, session=session.id)


def wrong_code() -> DeskRefused:
    """Return the refusal of a code."""
    return DeskRefused("code", "this code is wrong or was used before: take the next one")
