"""Connections to PostgreSQL: SQLAlchemy for ordinary queries, asyncpg for the send path."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Self

import asyncpg
from sqlalchemy import event
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


AWAY: tuple[type[Exception], ...] = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InterfaceError,
    # The driver's own word for a connection that was cut in the middle of an exchange.
    asyncpg.InternalClientError,
)
"""Errors that say the database is away or busy: the same work may be tried again."""

REFUSED: tuple[type[Exception], ...] = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
    ArithmeticError,
    LookupError,
    TypeError,
    ValueError,
)
"""Errors that say these very values cannot be stored: trying again is of no use."""


def heed() -> None:
    """Raise the cancellation of the running task that a client hid.

    A line that breaks in the moment of a cancellation has the driver raise its own error instead;
    a loop that outlives such errors would then go on for ever.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def make_engine(url: str, **options: Any) -> AsyncEngine:  # noqa: ANN401 - SQLAlchemy's own
    """Return an engine for ``postgresql://...``; the driver is asyncpg."""
    return create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"), **options)


def _bound_transactions(engine: AsyncEngine, seconds: float) -> None:
    @event.listens_for(engine.sync_engine, "connect")
    def set_bound(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's, adapted
        cursor = connection.cursor()
        cursor.execute(
            f"SELECT set_config('transaction_timeout', '{int(seconds * 1000)}', false)"
            " WHERE current_setting('server_version_num')::int >= 170000"
        )
        cursor.close()
        connection.commit()


class Database:
    """One process's connections; use as an async context manager."""

    def __init__(
        self,
        url: str,
        *,
        size: int = 5,
        idle_seconds: float = 60.0,
        transaction_seconds: float | None = None,
    ) -> None:
        """``size`` bounds each of the two pools.

        The server ends a transaction whose process says nothing for ``idle_seconds``: one that is frozen,
        or on a host that is cut off, would otherwise keep its locks for hours, and the others wait for them.
        Between the parts of one statement no server counts that as idle; ``transaction_seconds`` bounds
        the whole of each transaction of :meth:`begin`, from PostgreSQL 17 on.
        """
        self.url = url
        self.size = size
        self._transaction_seconds = transaction_seconds
        self._session = {"idle_in_transaction_session_timeout": str(int(idle_seconds * 1000))}

    async def __aenter__(self) -> Self:
        """Open the pools; raises OSError or asyncpg's error where the server does not answer."""
        session = {"server_settings": self._session}
        self.engine = make_engine(self.url, pool_size=self.size, pool_pre_ping=True, connect_args=session)
        if self._transaction_seconds is not None:
            _bound_transactions(self.engine, self._transaction_seconds)
        self.pool: asyncpg.Pool = await asyncpg.create_pool(
            self.url, min_size=0, max_size=self.size, **session
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close every connection."""
        await self.pool.close()
        await self.engine.dispose()

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """One transaction: commits at the end, rolls back on an exception."""
        async with self.engine.begin() as connection:
            yield connection

    @asynccontextmanager
    async def raw(self) -> AsyncIterator[asyncpg.Connection]:
        """One asyncpg connection, outside any transaction."""
        async with self.pool.acquire() as connection:
            yield connection
