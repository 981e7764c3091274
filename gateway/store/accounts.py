"""Accounts, invitations, sessions, and what slows guessing down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from sqlalchemy import Select, cast, delete, func, insert, literal, select, union_all, update
from sqlalchemy.dialects.postgresql import insert as upsert

from gateway.store.console_tables import accounts, invitations, sessions, sign_in_failures
from gateway.store.desk import Person
from gateway.store.tables import people

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncConnection

_SWEPT = 200
"""Old counts of failures that one look removes at most."""


class SessionRow(NamedTuple):
    """A session that is open, and whose it is."""

    id: int
    person: Person
    created_at: datetime
    seen_at: datetime
    proved_at: datetime
    ends_at: datetime
    limited: bool = False
    """Whether the person must set a second factor before anything else."""


class OpenSession(NamedTuple):
    """A session as its owner or an administrator sees it."""

    id: int
    login: str
    name: str
    created_at: datetime
    seen_at: datetime
    ends_at: datetime
    address: str
    agent: str


class AccountRow(NamedTuple):
    """How a person who works at the desk signs in; the keys of second factors are sealed."""

    login: str
    name: str
    active: bool
    password: str | None
    totp_key: str | None
    totp_step: int
    next_totp_key: str | None
    password_at: datetime | None


class InvitationRow(NamedTuple):
    """A one-time code that still holds."""

    code_sha256: str
    login: str | None
    purpose: str
    expires_at: datetime
    begun: dict[str, Any] | None


class SealedRow(NamedTuple):
    """A sealed key of a second factor, and where it is kept."""

    place: Literal["account", "offer", "invitation"]
    name: str
    """The login; of an invitation the SHA-256 of its code."""
    text: str


class Failures(NamedTuple):
    """How often something failed, and when last."""

    key: str
    times: int
    last_at: datetime


async def insert_session(connection: AsyncConnection, **values: Any) -> None:  # noqa: ANN401 - columns
    """Open a session."""
    await connection.execute(insert(sessions).values(**values))


async def session(
    connection: AsyncConnection, token_sha256: str, now: datetime, used_since: datetime
) -> SessionRow | None:
    """Return an open session of a person who is active, used at or after ``used_since``."""
    columns = (people.c.name, people.c.roles, people.c.region, people.c.unit)
    query = _open(select(sessions, *columns), now, used_since).where(sessions.c.token_sha256 == token_sha256)
    row = (await connection.execute(query)).first()
    if row is None:
        return None
    person = Person(row.login, row.name, tuple(row.roles), True, row.region, row.unit)
    return SessionRow(
        row.id, person, row.created_at, row.seen_at, row.proved_at, row.ends_at, limited=row.limited
    )


def _open(query: Select[Any], now: datetime, used_since: datetime) -> Select[Any]:
    return query.join(people, people.c.login == sessions.c.login).where(
        sessions.c.ended_at.is_(None),
        sessions.c.ends_at > now,
        sessions.c.seen_at >= used_since,
        people.c.active,
    )


async def open_sessions(
    connection: AsyncConnection, now: datetime, used_since: datetime, login: str | None = None
) -> list[OpenSession]:
    """Return the sessions that are open, the one used last first; of one person only, where given."""
    shown = (sessions.c[name] for name in OpenSession._fields if name != "name")
    query = _open(select(*shown, people.c.name), now, used_since).order_by(sessions.c.seen_at.desc())
    if login is not None:
        query = query.where(sessions.c.login == login)
    return [OpenSession(**row._asdict()) for row in await connection.execute(query)]


async def touch(connection: AsyncConnection, session_id: int, now: datetime) -> None:
    """Note that a session was used."""
    await connection.execute(update(sessions).where(sessions.c.id == session_id).values(seen_at=now))


async def proved(connection: AsyncConnection, session_id: int, now: datetime) -> None:
    """Note that the second factor was given in a session."""
    await connection.execute(update(sessions).where(sessions.c.id == session_id).values(proved_at=now))


async def lift_limits(connection: AsyncConnection, login: str) -> None:
    """Let a person's sessions do what the roles allow: there is a second factor."""
    await connection.execute(update(sessions).where(sessions.c.login == login).values(limited=False))


async def end_session(
    connection: AsyncConnection, session_id: int, now: datetime, login: str | None = None
) -> str | None:
    """End a session, a person's own only where a login is given; return whose it was, None if none."""
    ended = update(sessions).where(sessions.c.id == session_id, sessions.c.ended_at.is_(None))
    if login is not None:
        ended = ended.where(sessions.c.login == login)
    whose: str | None = (
        await connection.execute(ended.values(ended_at=now).returning(sessions.c.login))
    ).scalar_one_or_none()
    return whose


async def end_token(connection: AsyncConnection, token_sha256: str, now: datetime) -> str | None:
    """End the session of a token and return whose it was."""
    ended = update(sessions).where(sessions.c.token_sha256 == token_sha256, sessions.c.ended_at.is_(None))
    whose: str | None = (
        await connection.execute(ended.values(ended_at=now).returning(sessions.c.login))
    ).scalar_one_or_none()
    return whose


async def end_sessions(connection: AsyncConnection, login: str, now: datetime, but: int | None = None) -> int:
    """End a person's sessions, all or all but one; return how many."""
    ended = update(sessions).where(sessions.c.login == login, sessions.c.ended_at.is_(None))
    if but is not None:
        ended = ended.where(sessions.c.id != but)
    return (await connection.execute(ended.values(ended_at=now))).rowcount


async def signed_in_from(
    connection: AsyncConnection, login: str, browser_sha256: str, since: datetime
) -> bool:
    """Return whether this person signed in from this browser since then."""
    query = select(sessions.c.id).where(
        sessions.c.login == login,
        sessions.c.browser_sha256 == browser_sha256,
        sessions.c.created_at >= since,
    )
    return (await connection.execute(query.limit(1))).first() is not None


def _accounts() -> Select[Any]:
    columns = (people.c.login, people.c.name, people.c.active)
    own = (accounts.c.password, accounts.c.totp_key, accounts.c.next_totp_key, accounts.c.password_at)
    step = func.coalesce(accounts.c.totp_step, 0).label("totp_step")
    return select(*columns, *own, step).join(accounts, accounts.c.login == people.c.login, isouter=True)


async def account(connection: AsyncConnection, login: str) -> AccountRow | None:
    """Return how a person signs in, whose login may be written in small letters or large ones.

    A person without an account has neither password nor second factor.
    """
    query = _accounts().where(func.lower(people.c.login) == login.lower())
    row = (await connection.execute(query)).first()
    return AccountRow(**row._asdict()) if row else None


async def list_accounts(connection: AsyncConnection) -> list[AccountRow]:
    """Return everybody of the desk with the account, by login; sealed keys and hashed passwords are in it."""
    rows = await connection.execute(_accounts().order_by(people.c.login))
    return [AccountRow(**row._asdict()) for row in rows]


async def any_account(connection: AsyncConnection) -> bool:
    """Return whether anybody can sign in."""
    return (await connection.execute(select(accounts.c.login).limit(1))).first() is not None


async def set_account(
    connection: AsyncConnection, login: str, password: str, totp_key: str, totp_step: int, now: datetime
) -> None:
    """Give a person this password (argon2id) and second factor (sealed) in place of whatever there was."""
    changed = {
        "password": password,
        "totp_key": totp_key,
        "totp_step": totp_step,
        "next_totp_key": None,
        "password_at": now,
    }
    row = upsert(accounts).values(login=login, created_at=now, **changed)
    await connection.execute(row.on_conflict_do_update(index_elements=["login"], set_=changed))


async def set_password(connection: AsyncConnection, login: str, password: str, now: datetime) -> None:
    """Give a person another password (argon2id)."""
    changed = update(accounts).where(accounts.c.login == login).values(password=password, password_at=now)
    await connection.execute(changed)


async def offer_key(connection: AsyncConnection, login: str, key: str, now: datetime) -> None:
    """Keep a second factor (sealed) that is shown to a person and counts once a code confirms it."""
    row = upsert(accounts).values(login=login, next_totp_key=key, created_at=now)
    await connection.execute(row.on_conflict_do_update(index_elements=["login"], set_={"next_totp_key": key}))


async def confirm_key(connection: AsyncConnection, login: str, offered: str, key: str, step: int) -> bool:
    """Make the key that was offered the second factor; False where another one is offered meanwhile.

    Args:
        connection: in a transaction.
        login: whose.
        offered: as it was sealed when it was shown.
        key: the same one, sealed as the second factor of this account.
        step: the time step of the code that confirms it.
    """
    changed = (
        update(accounts)
        .where(accounts.c.login == login, accounts.c.next_totp_key == offered)
        .values(totp_key=key, totp_step=step, next_totp_key=None)
    )
    return (await connection.execute(changed)).rowcount == 1


async def use_step(connection: AsyncConnection, login: str, totp_key: str, step: int, anew: str) -> bool:
    """Use a time step of a second factor up; False where it, or a later one, was used before.

    ``totp_key`` is as it was read, and is kept as ``anew`` from then on: the same key, maybe sealed anew.
    """
    used = (
        update(accounts)
        .where(accounts.c.login == login, accounts.c.totp_key == totp_key, accounts.c.totp_step < step)
        .values(totp_step=step, totp_key=anew)
    )
    return (await connection.execute(used)).rowcount == 1


async def unuse_step(connection: AsyncConnection, login: str, totp_key: str, step: int) -> bool:
    """Let a time step be used once more, none before it; False where a later one was used since."""
    given = (
        update(accounts)
        .where(accounts.c.login == login, accounts.c.totp_key == totp_key, accounts.c.totp_step == step)
        .values(totp_step=step - 1)
    )
    return (await connection.execute(given)).rowcount == 1


async def insert_invitation(connection: AsyncConnection, **values: Any) -> None:  # noqa: ANN401 - columns
    """Keep a one-time code."""
    await connection.execute(insert(invitations).values(**values))


async def invitation(connection: AsyncConnection, code_sha256: str, now: datetime) -> InvitationRow | None:
    """Return a code that holds, and hold its row until the transaction ends."""
    query = select(*(invitations.c[name] for name in InvitationRow._fields)).where(
        invitations.c.code_sha256 == code_sha256,
        invitations.c.used_at.is_(None),
        invitations.c.expires_at > now,
    )
    row = (await connection.execute(query.with_for_update())).first()
    return InvitationRow(**row._asdict()) if row else None


async def begin_invitation(connection: AsyncConnection, code_sha256: str, begun: dict[str, Any]) -> None:
    """Keep what was given so far with a code."""
    one = invitations.c.code_sha256 == code_sha256
    await connection.execute(update(invitations).where(one).values(begun=begun))


async def use_invitation(connection: AsyncConnection, code_sha256: str, now: datetime) -> None:
    """Use a code up and forget what was given with it."""
    one = invitations.c.code_sha256 == code_sha256
    await connection.execute(update(invitations).where(one).values(used_at=now, begun=None))


async def void_invitations(connection: AsyncConnection, login: str, now: datetime) -> None:
    """End every code of a person that was not used."""
    open_ones = (invitations.c.login == login) & invitations.c.used_at.is_(None)
    changed = update(invitations).where(open_ones, invitations.c.expires_at > now)
    await connection.execute(changed.values(expires_at=now, begun=None))


async def sealed_keys(connection: AsyncConnection, now: datetime) -> list[SealedRow]:
    """Return every sealed key that still serves, by place and name."""
    begun = invitations.c.begun["totp_key"].astext
    open_one = invitations.c.used_at.is_(None) & (invitations.c.expires_at > now)
    parts = (
        _sealed("account", accounts.c.login, accounts.c.totp_key),
        _sealed("offer", accounts.c.login, accounts.c.next_totp_key),
        _sealed("invitation", invitations.c.code_sha256, begun).where(open_one),
    )
    rows = await connection.execute(union_all(*parts).order_by("place", "name"))
    return [SealedRow(**row._asdict()) for row in rows]


def _sealed(place: str, name: ColumnElement[Any], sealed: ColumnElement[Any]) -> Select[Any]:
    columns = (literal(place).label("place"), name.label("name"), sealed.label("text"))
    return select(*columns).where(sealed.is_not(None))


async def replace_sealed(connection: AsyncConnection, row: SealedRow, anew: str) -> bool:
    """Keep the same key, sealed anew; False where another one is kept meanwhile."""
    if row.place == "invitation":
        begun = invitations.c.begun
        changed = (
            update(invitations)
            .where(invitations.c.code_sha256 == row.name, begun["totp_key"].astext == row.text)
            .values(begun=begun.concat(cast({"totp_key": anew}, begun.type)))
        )
    else:
        column = accounts.c.totp_key if row.place == "account" else accounts.c.next_totp_key
        mine = accounts.c.login == row.name
        changed = update(accounts).where(mine, column == row.text).values({column: anew})
    return (await connection.execute(changed)).rowcount == 1


async def forget_begun(connection: AsyncConnection, now: datetime) -> None:
    """Forget what was given with codes that hold no longer."""
    over = (invitations.c.expires_at <= now) & invitations.c.begun.is_not(None)
    await connection.execute(update(invitations).where(over).values(begun=None))


async def invited(connection: AsyncConnection, now: datetime) -> dict[str, datetime]:
    """Return login -> until when a code of this person holds."""
    query = select(invitations.c.login, invitations.c.expires_at).where(
        invitations.c.login.is_not(None), invitations.c.used_at.is_(None), invitations.c.expires_at > now
    )
    return {row.login: row.expires_at for row in await connection.execute(query)}


async def hold_failures(
    connection: AsyncConnection, keys: Sequence[str], now: datetime, forgotten: datetime
) -> list[Failures]:
    """Return the failures counted under these keys and hold them until the transaction ends.

    What failed last before ``forgotten`` counts no longer and is removed by and by.
    """
    old = select(sign_in_failures.c.key).where(sign_in_failures.c.last_at < forgotten).limit(_SWEPT)
    swept = sign_in_failures.c.key.in_(old.with_for_update(skip_locked=True))
    await connection.execute(delete(sign_in_failures).where(swept))
    found = []
    for key in sorted(keys):  # in one order, so that nobody waits in a circle
        row = upsert(sign_in_failures).values(key=key, failures=0, last_at=now)
        held = row.on_conflict_do_update(
            index_elements=["key"], set_={"failures": sign_in_failures.c.failures}
        )
        counted = (await connection.execute(held.returning(*sign_in_failures.c))).one()
        times = 0 if counted.last_at < forgotten else counted.failures
        found.append(Failures(counted.key, times, counted.last_at))
    return found


async def count_failure(connection: AsyncConnection, key: str, times: int, now: datetime) -> None:
    """Set how often something failed; the caller holds it."""
    one = sign_in_failures.c.key == key
    await connection.execute(update(sign_in_failures).where(one).values(failures=times, last_at=now))


async def forgive(connection: AsyncConnection, keys: Sequence[str], less: Sequence[str]) -> None:
    """Forget the failures under ``keys``, and one of those under ``less``: it was none."""
    await connection.execute(delete(sign_in_failures).where(sign_in_failures.c.key.in_(sorted(keys))))
    one_less = func.greatest(sign_in_failures.c.failures - 1, 0)
    fewer = update(sign_in_failures).where(sign_in_failures.c.key.in_(sorted(less)))
    await connection.execute(fewer.values(failures=one_less))
