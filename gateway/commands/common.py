"""What every command does the same way: read settings, find the services, end with one line."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from gateway.alerts.times import TimeRefused, read_time
from gateway.ops import ServiceRefused
from gateway.ops.embedded import use
from gateway.ops.interruption import Interruption
from gateway.ops.log import setup
from gateway.ops.postgres import EmbeddedPostgres
from gateway.ops.services import services
from gateway.settings import Settings, SettingsRefused, load_settings
from gateway.store.faults import DATABASE_FAULTS, database_fault
from gateway.store.migrate import upgrade

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Iterator
    from datetime import datetime
    from pathlib import Path

    from gateway.desk.refused import DeskRefused


REFUSED = 2
"""Exit code of a command that could not do what it was asked."""


_NOT_OF_THE_FILE = frozenset({"person", "role", "channels", "region"})
"""Refusals of a draft that no other file would mend."""


@contextlib.contextmanager
def told(*refusals: type[Exception]) -> Iterator[None]:
    """End with one line and exit code 2 where the body raises what a person can mend."""
    expected: tuple[type[Exception], ...] = (SettingsRefused, ServiceRefused, *refusals)
    try:
        yield
    except expected as error:
        refuse(str(error))
    except DATABASE_FAULTS as error:
        refuse(database_fault(error))


@contextlib.contextmanager
def interruptible() -> Iterator[Interruption]:
    """End the body at the first Ctrl-C, SIGTERM or SIGHUP once it has cleaned up; exit code 128 + signal."""
    with Interruption() as interruption:
        try:
            yield interruption
        except KeyboardInterrupt:
            raise typer.Exit(interruption.exit_code) from None


def about(file: Path, error: DeskRefused) -> str:
    """Return the desk's sentence with the file before it, unless it is about something else."""
    return error.sentence if error.code in _NOT_OF_THE_FILE else f"{file}: {error.sentence}"


def instant(text: str | None) -> datetime | None:
    """Return the time that an option names.

    Raises:
        BadParameter: it is no time, or has no offset.
    """
    try:
        return None if text is None else read_time(text).value
    except TimeRefused as error:
        raise typer.BadParameter(f"{error}, e.g. 2026-07-01T08:00:00+08:00") from None


def refuse(sentence: str) -> NoReturn:
    """End with one line and exit code 2."""
    typer.echo(f"tongda: {sentence}", err=True)
    raise typer.Exit(REFUSED)


@contextlib.contextmanager
def serving(**overrides: Any) -> Iterator[Settings]:  # noqa: ANN401 - as varied as the settings
    """Yield the settings with both services running: those named, a running gateway's, or our own."""
    settings = load_settings(**overrides)
    with services(settings.state_dir, settings.database_url, settings.redis_url) as found:
        if settings.database_url is None:  # nobody but us looks after it
            upgrade(found.database_url)
        yield settings.model_copy(update={"database_url": found.database_url, "redis_url": found.redis_url})


@contextlib.contextmanager
def database_url() -> Iterator[str]:
    """Yield the database: the one named, a running gateway's, or the embedded one for the time."""
    settings = load_settings()
    if settings.database_url is not None:
        yield settings.database_url
        return
    with use(EmbeddedPostgres(settings.state_dir)) as url:
        upgrade(url)
        yield url


def log_as_set(settings: Settings) -> None:
    """Send this process's log lines where the settings say."""
    setup(settings.log.level, settings.log.format)


async def run_until_told(*work: Coroutine[Any, Any, None]) -> None:
    """Run until SIGTERM or SIGINT, then cancel everything and return when each part has ended.

    Where one part fails the others are cancelled too, and the failure is raised when they have ended: what
    they clean up needs the database that the caller closes afterwards.
    """
    try:
        async with asyncio.TaskGroup() as group:
            _cancel_when_told([group.create_task(part) for part in work])
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from failed


def _cancel_when_told(tasks: Iterable[asyncio.Task[None]]) -> None:
    def stop() -> None:
        for task in tasks:
            # A second signal must not cut short what the first one began: Ctrl-C reaches every process of
            # a terminal, and the supervisor sends its own afterwards.
            if not task.cancelling():
                task.cancel()

    for which in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(which, stop)
