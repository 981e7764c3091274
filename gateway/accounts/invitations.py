"""One-time codes with which a person sets a password and a second factor.

Nobody has an account by default: while nobody can sign in, each start prints a code with which
somebody becomes the first administrator (:func:`first_code`). Everybody else is invited by one
(:func:`invite`). The database keeps the SHA-256 of a code.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from gateway.desk.refused import DeskRefused
from gateway.desk.staff import is_machine
from gateway.desk.steps import SYSTEM
from gateway.store import accounts as store
from gateway.store import desk

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.desk.steps import Step
    from gateway.store.accounts import InvitationRow
    from gateway.store.database import Database

FIRST_HOLDS = timedelta(minutes=30)
HOLDS = timedelta(hours=24)

_LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""32 that are not taken for one another; 20 of them are 100 bits."""
_GROUPS, _GROUP = 4, 5


def hashed(code: str) -> str:
    """Return what the database keeps of a code; blanks, dashes and small letters make no difference."""
    return hashlib.sha256(
        "".join(code.upper().replace("-", " ").split()).encode(errors="replace")
    ).hexdigest()


def _new() -> str:
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(_GROUP)) for _ in range(_GROUPS))


async def first_code(database: Database, now: datetime) -> str | None:
    """Return a code for the first administrator; None where somebody can sign in already."""
    async with database.begin() as connection:
        if await store.any_account(connection):
            return None
        code = _new()
        await store.insert_invitation(
            connection,
            code_sha256=hashed(code),
            purpose="first",
            made_by=SYSTEM,
            made_at=now,
            expires_at=now + FIRST_HOLDS,
        )
        return code


async def invite(step: Step, login: str, purpose: Literal["invite", "reset"]) -> str:
    """Return a code for a person who works at the desk; earlier ones of that person hold no longer.

    Args:
        step: The actor has the right ``administer``, or is the system: somebody at the server itself.
        login: who gets the code.
        purpose: ``invite`` for somebody without an account, ``reset`` in place of password and second factor.

    Raises:
        DeskRefused: ``no_person``, ``machine``, ``has_account`` or ``no_account``.
    """
    if step.actor != SYSTEM:
        await step.may("administer")
    person = await desk.person(step.connection, login)
    if person is None or not person.active:
        raise DeskRefused("no_person", f"{login!r} does not work at this desk", login=login)
    if is_machine(login):
        raise DeskRefused("machine", f"{login} is a source or a partner, which does not sign in", login=login)
    await _check_purpose(step, login, purpose)
    code = _new()
    await store.void_invitations(step.connection, login, step.now)
    await store.insert_invitation(
        step.connection,
        code_sha256=hashed(code),
        login=login,
        purpose=purpose,
        made_by=step.actor,
        made_at=step.now,
        expires_at=step.now + HOLDS,
    )
    step.record(purpose, f"person {login}")
    return code


async def _check_purpose(step: Step, login: str, purpose: str) -> None:
    account = await store.account(step.connection, login)
    has = account is not None and account.password is not None
    if purpose == "invite" and has:
        raise DeskRefused("has_account", f"{login} can sign in already: give a reset code", login=login)
    if purpose == "reset" and not has:
        raise DeskRefused("no_account", f"{login} has no account yet: give an invitation", login=login)


async def held(step: Step, code: str) -> InvitationRow:
    """Return a code that holds, for this step; nobody else can use it meanwhile.

    Raises:
        DeskRefused: ``no_code``: it is unknown, used, too old, or somebody else is the first administrator.
    """
    found = await store.invitation(step.connection, hashed(code), step.now)
    if found is not None and found.purpose == "first":
        await desk.hold_name(step.connection, "first administrator")
        if await store.any_account(step.connection):
            found = None
    if found is not None and found.login is not None:
        person = await desk.person(step.connection, found.login)
        found = found if person is not None and person.active else None
    if found is None:
        raise DeskRefused("no_code", "this code does not hold: it is mistyped, used or too old")
    return found
