"""From a one-time code to an account: a password, then a second factor, and nothing half done.

What is given on the way is kept beside the code; the account is made with the first right code of
the second factor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gateway.accounts import delays, factors, invitations, passwords
from gateway.accounts.proving import wrong_code
from gateway.accounts.sealing import Owner
from gateway.accounts.signing_in import open_for
from gateway.desk import people
from gateway.desk.refused import DeskRefused
from gateway.desk.steps import SYSTEM, check_login, step
from gateway.store import accounts as store
from gateway.store import desk
from gateway.store.desk import Person

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.accounts.sealing import Sealing
    from gateway.accounts.sessions import Origin
    from gateway.accounts.settings import Limits
    from gateway.accounts.signing_in import Opened
    from gateway.desk.policy import Policy
    from gateway.desk.steps import Step
    from gateway.store.accounts import InvitationRow
    from gateway.store.database import Database


class Given(NamedTuple):
    """What somebody with a code says; login and name count for the first administrator only."""

    password: str
    login: str = ""
    name: str = ""


class Enrolment(NamedTuple):
    """How far somebody is with a code."""

    purpose: str
    login: str
    """Empty where it is to be chosen."""
    name: str
    totp_key: str | None
    """What the authenticator app is given; None before there is a password."""


async def enrol(
    connection: AsyncConnection, sealing: Sealing, login: str, password: str, totp_key: str, now: datetime
) -> None:
    """Give a person of the desk an account at once; the caller answers for the password."""
    sealed = sealing.seal(totp_key, Owner("account", login))
    await store.set_account(connection, login, await passwords.hashed(password), sealed, 0, now)


async def look(
    database: Database, policy: Policy, sealing: Sealing, code: str, origin: Origin, now: datetime
) -> Enrolment:
    """Return how far a code was used.

    Raises:
        DeskRefused: ``wait`` or ``no_code``.
    """
    slowed = delays.of_address(origin.address)
    await delays.take(database, [slowed], now)
    async with step(database, SYSTEM, now, policy) as one:
        row = await invitations.held(one, code)
        await store.forgive(one.connection, [], [slowed.key])
        return await _enrolment(one, row, _key_of(row, sealing))


async def begin(
    database: Database,
    policy: Policy,
    sealing: Sealing,
    code: str,
    given: Given,
    now: datetime,
    desk_name: str,
) -> Enrolment:
    """Keep the password, and offer a second factor.

    Raises:
        DeskRefused: ``no_code``, ``login``, ``name``, ``password_length`` or ``password_guessed``.
    """
    async with step(database, SYSTEM, now, policy) as one:
        row = await invitations.held(one, code)
        login, name = await _who(one, row, given)
    passwords.check(given.password, login, name, desk_name, "tongda")
    hashed = await passwords.hashed(given.password)
    async with step(database, SYSTEM, now, policy) as one:
        row = await invitations.held(one, code)
        key = _key_of(row, sealing) or factors.new_key()
        sealed = sealing.seal(key, Owner("invitation", row.code_sha256))
        begun = {"login": login, "name": name, "password": hashed, "totp_key": sealed}
        await store.begin_invitation(one.connection, row.code_sha256, begun)
        return await _enrolment(one, row._replace(begun=begun), key)


async def complete(
    database: Database,
    policy: Policy,
    sealing: Sealing,
    code: str,
    digits: str,
    origin: Origin,
    now: datetime,
    limits: Limits,
) -> Opened:
    """Make the account, end what sessions there were, and open one.

    Raises:
        DeskRefused: ``wait``, ``no_code``, ``code``, or ``login``: it is taken meanwhile.
    """
    slowed = delays.of_address(origin.address)
    await delays.take(database, [slowed], now)
    async with step(database, SYSTEM, now, policy) as one:
        row = await invitations.held(one, code)
        key = _key_of(row, sealing)
        number = factors.step_of(key, digits, now) if key else None
        if key is None or number is None or row.begun is None:
            raise wrong_code()
        one.actor = login = row.begun["login"]
        await _make(one, row, sealing.seal(key, Owner("account", login)), number)
        await store.forgive(one.connection, [], [slowed.key])
        return await open_for(one, login, origin, limits)


def _key_of(row: InvitationRow, sealing: Sealing) -> str | None:
    """Return the key that was shown to whoever has the code, None where there is none that opens."""
    sealed = (row.begun or {}).get("totp_key")
    return None if sealed is None else sealing.opened(sealed, Owner("invitation", row.code_sha256))


async def _make(one: Step, row: InvitationRow, sealed_key: str, number: int) -> None:
    begun = row.begun
    assert begun is not None
    login = begun["login"]
    if row.purpose == "first":
        await _check_free(one, login)
        roles = sorted(one.policy.roles.administer)[:1]
        await people.put(one, Person(login, begun["name"], tuple(roles), active=True))
    await store.set_account(one.connection, login, begun["password"], sealed_key, number, one.now)
    await store.end_sessions(one.connection, login, one.now)
    await store.use_invitation(one.connection, row.code_sha256, one.now)
    one.record("account", f"person {login}", purpose=row.purpose)


async def _who(one: Step, row: InvitationRow, given: Given) -> tuple[str, str]:
    if row.login is not None:
        person = await desk.person(one.connection, row.login)
        assert person is not None
        return person.login, person.name
    check_login(given.login)
    if not given.name.strip() or not given.name.isprintable():
        raise DeskRefused("name", "a name is one line of text and not empty")
    await _check_free(one, given.login)
    return given.login, given.name.strip()


async def _check_free(one: Step, login: str) -> None:
    if await store.account(one.connection, login) is not None:
        raise DeskRefused(
            "login_taken",
            f"{login} works here already: take another login, or 'tongda account invite {login}'",
            login=login,
        )


async def _enrolment(one: Step, row: InvitationRow, key: str | None) -> Enrolment:
    begun = row.begun or {}
    login, name = begun.get("login", row.login or ""), begun.get("name", "")
    if row.login is not None and not name:
        name = (await desk.names_of(one.connection, [row.login])).get(row.login, "")
    return Enrolment(row.purpose, login, name, key)
