"""Sessions on the server: opened at sign-in, looked up with each request, ended by hand or by time."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from gateway.accounts.settings import Limits
from gateway.desk.refused import DeskRefused
from gateway.store import accounts as store

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.desk.steps import Step
    from gateway.store.accounts import OpenSession, SessionRow
    from gateway.store.database import Database

SEEN_EVERY = timedelta(minutes=1)
"""How exactly it is kept when a session was used last."""
_DEFAULT = Limits()


class Origin(NamedTuple):
    """Where a request came from."""

    address: str
    agent: str
    browser: str = ""
    """The token that a browser keeps once somebody signed in there; empty where it has none."""


def hashed(token: str) -> str:
    """Return what the database keeps of a token."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


async def open_session(
    connection: AsyncConnection,
    login: str,
    now: datetime,
    origin: Origin,
    limits: Limits = _DEFAULT,
    *,
    limited: bool = False,
    proved: bool = True,
) -> str:
    """Open a session and return its token, which is nowhere else; the caller has checked who asks.

    Args:
        connection: of the step in which the person signs in.
        login: whose session it is.
        now: the time.
        origin: where the request came from.
        limits: when it ends by itself.
        limited: whether a second factor must be set up before anything else.
        proved: whether our own second factor was given.
    """
    token = secrets.token_urlsafe(32)
    await store.insert_session(
        connection,
        token_sha256=hashed(token),
        login=login,
        created_at=now,
        seen_at=now,
        proved_at=now if proved else now - limits.longest,
        ends_at=now + limits.longest,
        address=printable(origin.address)[:64],
        agent=printable(origin.agent)[:200],
        browser_sha256=hashed(origin.browser) if origin.browser else None,
        limited=limited,
    )
    return token


def printable(text: str) -> str:
    """Return a text on one line, whatever somebody sent: it is shown, logged and stored."""
    return "".join(c if c.isprintable() else "?" for c in text)


async def find(
    database: Database, token: str, now: datetime, limits: Limits = _DEFAULT, *, used: bool = True
) -> SessionRow | None:
    """Return the session of a token with its person as of this moment; None where it is over or unknown.

    ``used`` is whether a person asks: a page that renews itself does not keep a session open.
    """
    async with database.begin() as connection:
        row = await store.session(connection, hashed(token), now, now - limits.idle)
        if used and row is not None and now - row.seen_at >= SEEN_EVERY:
            await store.touch(connection, row.id, now)
    return row


async def open_ones(
    database: Database, now: datetime, limits: Limits, login: str | None = None
) -> list[OpenSession]:
    """Return the sessions that are open, of one person or of everybody, the one used last first."""
    async with database.begin() as connection:
        return await store.open_sessions(connection, now, now - limits.idle, login)


async def end(step: Step, session_id: int, whose: str | None = None) -> str:
    """End a session in a step and return whose it was.

    Args:
        step: The actor is the person whose session it is, or has the right ``administer``.
        session_id: as :func:`open_ones` gives it.
        whose: only where it is this person's.

    Raises:
        DeskRefused: ``no_session``: it is over, or not that person's.
    """
    if whose != step.actor:
        await step.may("administer")
    login = await store.end_session(step.connection, session_id, step.now, whose)
    if login is None:
        raise DeskRefused("no_session", "this session is over already")
    step.record("end_session", f"person {login}", session=session_id)
    return login


async def end_all(step: Step, login: str, but: int | None = None) -> int:
    """End a person's sessions in a step, all or all but one, and return how many.

    The actor is that person or has the right ``administer``.
    """
    if login != step.actor:
        await step.may("administer")
    count = await store.end_sessions(step.connection, login, step.now, but)
    step.record("end_sessions", f"person {login}", count=count)
    return count
