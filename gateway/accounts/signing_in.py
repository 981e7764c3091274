"""Signing in with login, password and code."""

from __future__ import annotations

import re
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

import structlog

from gateway.accounts import delays, factors, passwords, sessions
from gateway.accounts.proving import use_up
from gateway.accounts.sealing import Owner
from gateway.desk.refused import DeskRefused
from gateway.desk.steps import step
from gateway.store import accounts as store
from gateway.store import desk

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.accounts.delays import Slowing
    from gateway.accounts.sealing import Sealing
    from gateway.accounts.sessions import Origin
    from gateway.accounts.settings import Limits
    from gateway.desk.policy import Policy
    from gateway.desk.steps import Step
    from gateway.store.accounts import AccountRow
    from gateway.store.database import Database

log = structlog.get_logger(__name__)

KNOWN_FOR = timedelta(days=90)
"""A browser that a person signed in from is known for so long."""
_LOGIN = re.compile(r"[A-Za-z0-9_.@+-]{1,64}")
_NOBODYS_KEY = factors.new_key()


class Attempt(NamedTuple):
    """What somebody typed."""

    login: str
    password: str
    code: str


class Opened(NamedTuple):
    """A session that was opened; both tokens are for cookies."""

    login: str
    token: str
    browser: str
    """Tells the browser from others at the next sign-in; it opens nothing."""


async def sign_in(
    database: Database,
    policy: Policy,
    sealing: Sealing,
    attempt: Attempt,
    origin: Origin,
    now: datetime,
    limits: Limits,
    token: str = "",
) -> Opened:
    """Open a session; the one that this browser had, with ``token``, ends.

    Raises:
        DeskRefused: ``wait``, or ``sign_in``: the same words for whatever was wrong.
    """
    slowed = await slowing(database, attempt.login, origin, now)
    await delays.take(database, slowed, now)
    account = await account_of(database, attempt.login)
    right = await passwords.is_right(account.password if account else None, attempt.password)
    key = _key_of(account, sealing)
    number = factors.step_of(key or _NOBODYS_KEY, attempt.code, now)
    if account is None or not right or key is None or number is None:
        raise _refused(account, origin)
    async with step(database, account.login, now, policy) as one:
        await _check_still(one, sealing, account, number, origin)
        opened = await open_for(one, account.login, origin, limits, token)
        await store.forgive(one.connection, [slowed[0].key], [also.key for also in slowed[1:]])
    return opened


async def slowing(database: Database, login: str, origin: Origin, now: datetime) -> list[Slowing]:
    """Return what slows a sign-in down: the browser alone where this person is known to use it."""
    browser = sessions.hashed(origin.browser)
    if origin.browser and _LOGIN.fullmatch(login):
        async with database.begin() as connection:
            account = await store.account(connection, login)
            since = now - KNOWN_FOR
            if account and await store.signed_in_from(connection, account.login, browser, since):
                return [delays.of_browser(login, browser)]
    return [delays.of_account(login, origin.address), delays.of_address(origin.address)]


async def account_of(database: Database, login: str) -> AccountRow | None:
    """Return the account of a login that somebody typed or a provider names; None where there is none.

    Letters that only look like ours, such as the Kelvin sign, are nobody's.
    """
    if not _LOGIN.fullmatch(login):
        return None
    async with database.begin() as connection:
        return await store.account(connection, login)


def _key_of(account: AccountRow | None, sealing: Sealing) -> str | None:
    """Return the key of a second factor; None, after as long, where there is none that opens."""
    if account is None or account.totp_key is None:
        sealing.open_nobodys()
        return None
    return sealing.opened(account.totp_key, Owner("account", account.login))


async def _check_still(one: Step, sealing: Sealing, account: AccountRow, number: int, origin: Origin) -> None:
    """Use the code up, and look whether the person works here and nothing was changed meanwhile."""
    used = await use_up(one.connection, sealing, account, number)
    person = await desk.person(one.connection, account.login)
    current = await store.account(one.connection, account.login)
    same = current is not None and current.password == account.password
    if used is None or person is None or not person.active or not same:
        raise _refused(account, origin)


async def open_for(
    one: Step, login: str, origin: Origin, limits: Limits, token: str = "", *, issuer: str = ""
) -> Opened:
    """Open a session in a step whose caller has checked who asks, and end the one of ``token``.

    ``issuer`` is the provider that vouches for the person in place of our own second factor; whoever has
    none here sets one up first.
    """
    if token:
        await store.end_token(one.connection, sessions.hashed(token), one.now)
    browser = origin.browser or secrets.token_urlsafe(32)
    known = origin._replace(browser=browser)
    account = await store.account(one.connection, login)
    limited = account is None or account.totp_key is None
    opened = await sessions.open_session(
        one.connection, login, one.now, known, limits, limited=limited, proved=not issuer
    )
    by = {"issuer": issuer} if issuer else {}
    one.record("sign_in", f"person {login}", address=sessions.printable(origin.address)[:64], **by)
    return Opened(login, opened, browser)


def _refused(account: AccountRow | None, origin: Origin) -> DeskRefused:
    # People type passwords where the login belongs: only a login that there is goes into the log.
    login = account.login if account else "-"
    log.warning("sign-in refused", login=login, address=sessions.printable(origin.address)[:64])
    return DeskRefused("sign_in", "login, password or code is wrong; each code is taken once")
