"""The second factor, given again in a session: before a release, or before a password is changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from gateway.accounts import delays, factors
from gateway.accounts.sealing import Owner
from gateway.desk.refused import DeskRefused
from gateway.store import accounts as store

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.accounts.sealing import Sealing
    from gateway.store.accounts import AccountRow, SessionRow
    from gateway.store.database import Database

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Spent:
    """A code that was used up: whose it was, as the account has it, and its time step."""

    login: str
    key: str = field(repr=False)
    step: int


async def prove(database: Database, sealing: Sealing, session: SessionRow, code: str, now: datetime) -> Spent:
    """Use a code up, note in the session when it was given, and return what was used.

    Raises:
        DeskRefused: ``no_factor``, ``wait``, or ``code``: it is wrong or was used before, or the key that
            is kept does not open.
    """
    login, slowed = session.person.login, delays.of_session(session.id)
    await delays.take(database, [slowed], now)
    async with database.begin() as connection:
        account = await store.account(connection, login)
        if account is None or account.totp_key is None:
            raise DeskRefused("no_factor", f"{login} has no second factor yet: set one up first")
        key = sealing.opened(account.totp_key, Owner("account", login))
        number = factors.step_of(key, code, now) if key else None
        stored = await use_up(connection, sealing, account, number) if number else None
        if number is None or stored is None:
            log.warning("second factor refused", login=login, session=session.id)
            raise wrong_code()
        await store.proved(connection, session.id, now)
        await store.forgive(connection, [slowed.key], [])
    log.info("second factor given", login=login, session=session.id)
    return Spent(login, stored, number)


async def give_back(database: Database, spent: Spent) -> None:
    """Let a code serve once more, since what it was given for was not done for certain.

    To be called once for each :func:`prove`: nobody else can have used the code between the two.
    """
    async with database.begin() as connection:
        await store.unuse_step(connection, spent.login, spent.key, spent.step)


async def use_up(
    connection: AsyncConnection, sealing: Sealing, account: AccountRow, number: int
) -> str | None:
    """Use a time step of somebody's second factor up; None where it, or a later one, was used before.

    Returns:
        The sealed key as it is stored from then on: sealed anew where an earlier key had sealed it.
    """
    assert account.totp_key is not None
    anew = sealing.anew(account.totp_key, Owner("account", account.login))
    used = await store.use_step(connection, account.login, account.totp_key, number, anew)
    return anew if used else None


def wrong_code() -> DeskRefused:
    """Return the refusal of a code."""
    return DeskRefused("code", "this code is wrong or was used before: take the next one")
