"""PostgreSQL and Valkey as the settings say: somebody's, a running gateway's, or our own."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, NamedTuple

from gateway.ops import ServiceRefused
from gateway.ops.embedded import EmbeddedServer, use
from gateway.ops.log import get_logger
from gateway.ops.postgres import EmbeddedPostgres
from gateway.ops.valkey import EmbeddedValkey

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


_log = get_logger(__name__)

_LOOK = 0.5
"""Seconds between two looks whether a server is still there."""
_LONGEST_PAUSE = 30.0


class Services(NamedTuple):
    """Where the two services are reached."""

    database_url: str
    redis_url: str
    started: tuple[EmbeddedServer, ...] = ()
    """Those that run for this block; the others belong to somebody else."""


@contextlib.contextmanager
def services(
    state_dir: Path,
    database_url: str | None = None,
    redis_url: str | None = None,
    *,
    durable: bool = True,
    shared: bool = True,
) -> Iterator[Services]:
    """Yield the addresses of both services, starting for the time of the block what nobody runs.

    Args:
        state_dir: where embedded servers keep their files.
        database_url: PostgreSQL of the settings; None for the embedded one.
        redis_url: Valkey or Redis of the settings; None for the embedded one.
        durable: see :class:`gateway.ops.embedded.EmbeddedServer`.
        shared: whether the servers of another process on this state folder will do. They end with
            that process, so they will not do for one that is to stay up.

    Raises:
        ServiceRefused: a server does not start, or another process has it and ``shared`` is False.
    """
    embedded: list[EmbeddedServer] = []
    with contextlib.ExitStack() as stack:
        if database_url is None:
            embedded.append(EmbeddedPostgres(state_dir, durable=durable))
            database_url = stack.enter_context(use(embedded[-1]) if shared else embedded[-1])
        if redis_url is None:
            embedded.append(EmbeddedValkey(state_dir, durable=durable))
            redis_url = stack.enter_context(use(embedded[-1]) if shared else embedded[-1])
        yield Services(database_url, redis_url, tuple(server for server in embedded if server.running))


async def keep_up(servers: Sequence[EmbeddedServer]) -> None:
    """Start each server again whenever it ends; runs until cancelled."""
    async with asyncio.TaskGroup() as group:
        for server in servers:
            group.create_task(_keep(server))


async def _keep(server: EmbeddedServer) -> None:
    pause = 1.0
    while True:
        await asyncio.sleep(_LOOK)
        if server.running:
            continue
        _log.error("embedded server ended and is started again", server=server.name)
        try:
            await _start(server)
        except ServiceRefused as error:
            _log.error("embedded server does not start", server=server.name, why=str(error), again_in=pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
        else:
            pause = 1.0


async def _start(server: EmbeddedServer) -> None:
    starting = asyncio.ensure_future(asyncio.to_thread(server.start))
    try:
        await asyncio.shield(starting)
    except asyncio.CancelledError:
        # Whoever stops us stops the server next: it must be up or down by then, not on its way.
        await asyncio.wait([starting])
        raise
