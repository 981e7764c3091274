"""Which processes make a gateway, and what they are told."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from typing import TYPE_CHECKING, Any

from gateway.ops.supervisor import Child

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Mapping

    from gateway.settings import Settings


def tongda(*arguments: str) -> list[str]:
    """Return the command line of another Tongda process."""
    return [sys.executable, "-m", "gateway.cli", *arguments]


def processes(settings: Settings, env: Mapping[str, str]) -> list[Child]:
    """Return the processes that need database and Redis to be there already.

    Args:
        settings: tell the queues and how many workers each has.
        env: what the processes are told beside our environment.
    """
    workers = [
        Child(queue if number == 1 else f"{queue}#{number}", tongda("worker", queue), env)
        for queue, count in settings.worker_counts().items()
        for number in range(1, count + 1)
    ]
    read = any(source.enabled for source in settings.sources.values())
    feeds = [Child("feeds", tongda("feeds"), env)] if read else []
    publish = [Child("publish", tongda("publish"), env)] if settings.publish.active else []
    return [
        Child("web", tongda("web"), env),
        Child("reconcile", tongda("reconcile"), env),
        *feeds,
        *publish,
        *workers,
    ]


@contextlib.asynccontextmanager
async def running(
    work: Coroutine[None, None, None], stop: Callable[[], None] | None = None
) -> AsyncIterator[None]:
    """Run something beside the body; end it with ``stop``, else by cancelling it."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        (stop or task.cancel)()
        await asyncio.gather(task, return_exceptions=True)


def environment(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return the variables that give another process the same settings."""
    return {
        f"TONGDA_{name}".upper(): json.dumps(value) if isinstance(value, dict) else str(value)
        for name, value in settings.items()
    }
