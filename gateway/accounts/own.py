"""What people change in their own account: password and second factor. Other sessions end with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.accounts import delays, factors, passwords, proving
from gateway.accounts.sealing import Owner
from gateway.desk.refused import DeskRefused
from gateway.desk.steps import step
from gateway.store import accounts as store

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.accounts.sealing import Sealing
    from gateway.desk.policy import Policy
    from gateway.store.accounts import AccountRow, SessionRow
    from gateway.store.database import Database


async def account(database: Database, login: str) -> AccountRow:
    """Return how a person of the desk signs in."""
    async with database.begin() as connection:
        found = await store.account(connection, login)
    assert found is not None
    return found


async def change_password(
    database: Database,
    policy: Policy,
    sealing: Sealing,
    session: SessionRow,
    current: str,
    chosen: str,
    code: str,
    now: datetime,
    *,
    desk_name: str,
) -> None:
    """Take another password, for the current one together with a code.

    Raises:
        DeskRefused: ``password``: the current one is wrong; ``password_length``, ``password_guessed``,
            ``code``, ``wait`` or ``no_factor``.
    """
    person, slowed = session.person, delays.of_session(session.id)
    passwords.check(chosen, person.login, person.name, desk_name, "tongda")
    await delays.take(database, [slowed], now)
    if not await passwords.is_right((await account(database, person.login)).password, current):
        raise DeskRefused("password", "the current password is wrong")
    async with database.begin() as connection:
        await store.forgive(connection, [], [slowed.key])
    await proving.prove(database, sealing, session, code, now)
    hashed = await passwords.hashed(chosen)
    async with step(database, person.login, now, policy) as one:
        await store.set_password(one.connection, person.login, hashed, now)
        ended = await store.end_sessions(one.connection, person.login, now, but=session.id)
        one.record("password", f"person {person.login}", ended_sessions=ended)


async def offer_factor(database: Database, sealing: Sealing, login: str, now: datetime) -> None:
    """Make a key for another authenticator app; it counts once a code confirms it."""
    sealed = sealing.seal(factors.new_key(), Owner("offer", login))
    async with database.begin() as connection:
        await store.offer_key(connection, login, sealed, now)


def offered_key(sealing: Sealing, account: AccountRow) -> str | None:
    """Return the key that is offered to a person, None where there is none that opens."""
    sealed = account.next_totp_key
    return None if sealed is None else sealing.opened(sealed, Owner("offer", account.login))


async def confirm_factor(
    database: Database, policy: Policy, sealing: Sealing, session: SessionRow, code: str, now: datetime
) -> None:
    """Take the key that was offered as the second factor; the caller has had the old one proved.

    Raises:
        DeskRefused: ``code``, ``wait``, or ``no_offer``: no key was shown.
    """
    login, slowed = session.person.login, delays.of_session(session.id)
    await delays.take(database, [slowed], now)
    mine = await account(database, login)
    key = offered_key(sealing, mine)
    if key is None or mine.next_totp_key is None:
        raise DeskRefused("no_offer", "there is no new second factor to confirm: begin again")
    number = factors.step_of(key, code, now)
    if number is None:
        raise proving.wrong_code()
    sealed = sealing.seal(key, Owner("account", login))
    async with step(database, login, now, policy) as one:
        if not await store.confirm_key(one.connection, login, mine.next_totp_key, sealed, number):
            raise DeskRefused("no_offer", "there is no new second factor to confirm: begin again")
        await store.lift_limits(one.connection, login)
        ended = await store.end_sessions(one.connection, login, now, but=session.id)
        await store.forgive(one.connection, [slowed.key], [])
        one.record("second_factor", f"person {login}", ended_sessions=ended)
