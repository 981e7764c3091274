"""Say in one sentence why the database could not serve a command."""

from __future__ import annotations

import asyncpg
from sqlalchemy.exc import SQLAlchemyError

DATABASE_FAULTS: tuple[type[Exception], ...] = (
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    # The driver's own word for a connection that was cut in the middle of an exchange.
    asyncpg.InternalClientError,
    SQLAlchemyError,
)


def took_back(error: BaseException) -> bool:
    """Return whether the database took a transaction back for another one: nothing of it was done."""
    return isinstance(_root(error), asyncpg.DeadlockDetectedError | asyncpg.SerializationError)


def _root(error: BaseException) -> BaseException:
    cause = getattr(error, "orig", None) or error
    return cause.__cause__ if isinstance(cause.__cause__, asyncpg.PostgresError) else cause


def database_fault(error: Exception) -> str:
    """Return what happened and the way out, without an address, a password or a statement."""
    root = _root(error)
    if isinstance(root, asyncpg.UndefinedTableError):
        return "the database has no tables yet: start the gateway once with 'tongda up'"
    if isinstance(root, OSError):
        return f"the database does not answer: {root.strerror or type(root).__name__}"
    return f"the database refuses: {type(root).__name__}; check TONGDA_DATABASE_URL and the server's log"
