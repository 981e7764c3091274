"""Files of contacts and regions that somebody sends to the console: rehearsed first, then brought in.

A file is sent once. :func:`send` keeps its bytes for an hour, :func:`rehearse` tells what would happen and
changes nothing, :func:`confirm` and :func:`bring` do it, in one transaction with its record in the log.
One file is under way at a time. Every sign of life moves ``seen_at``; a file whose process fell silent is
ended by whoever looks next, and has changed nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeVar

import structlog

from gateway.audience import contacts, regions
from gateway.audience.lines import FileRefused, Limits
from gateway.desk.contacts import within
from gateway.desk.refused import DeskRefused
from gateway.desk.steps import step
from gateway.store import desk as desk_store
from gateway.store import people_pages as store
from gateway.store.database import AWAY
from gateway.store.faults import DATABASE_FAULTS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    import asyncpg

    from gateway.audience.contacts import Checks, ImportReport, RowError
    from gateway.clock import Clock
    from gateway.desk.policy import Policy
    from gateway.desk.steps import Step
    from gateway.store.database import Database
    from gateway.store.people_pages import ImportRow

log = structlog.get_logger(__name__)

T = TypeVar("T")

KEPT = timedelta(hours=1)
"""How long the bytes of a file are kept for its confirmation."""
SILENT = timedelta(minutes=1)
"""After so long without a sign of life the process that worked on a file is gone."""
SIGN_EVERY = 1.0
LIMITS = Limits(rows=300_000, megabytes=11, unpacked_megabytes=256)
MOST_ROWS_TOLD = 2_000
"""Refused rows, and remarks, that a report keeps; the others are counted."""
_LOCK = "imports"
_SUFFIXES = frozenset({".csv", ".txt", ".tsv", ".xlsx", ".xls", ".json", ".geojson"})
_MOST_NAME = 100


async def send(one: Step, kind: str, name: str, data: bytes) -> int:
    """Keep a file to be rehearsed and return its number."""
    person = await one.may("contacts")
    if kind == "regions":
        _check_everywhere(within(person))
    if not data:
        raise DeskRefused("file_empty", "the file is empty, or none was chosen")
    await _alone(one)
    return await store.add_import(
        one.connection,
        kind=kind,
        name=safe_name(name),
        sha256=hashlib.sha256(data).hexdigest(),
        data=data,
        made_by=one.actor,
        made_at=one.now,
        seen_at=one.now,
        state="checking",
    )


async def confirm(one: Step, number: int, *, partly: bool) -> None:
    """Agree that a rehearsed file is brought in; ``partly``: also where some of its rows are refused."""
    await one.may("contacts")
    row = await store.import_(one.connection, number)
    if row is None or row.made_by != one.actor:
        raise DeskRefused("no_import", "there is no such file of yours: send it again")
    await _alone(one)
    if row.state != "ready" or not row.kept:
        raise DeskRefused("import_state", "this file waits for no confirmation any more: send it again")
    refused = (row.report or {}).get("refused_rows", 0)
    if refused and not partly:
        raise DeskRefused(
            "rows_refused",
            f"{refused} rows would be left out: correct the file, or agree to bring the other rows in",
            rows=refused,
        )
    await store.change_import(one.connection, number, "ready", state="running", rows=0, seen_at=one.now)


async def rehearse(
    database: Database, clock: Clock, policy: Policy, number: int, checks: Checks, drill_group: str | None
) -> None:
    """Read a file and tell in its report what would happen; nothing but the report is kept."""

    async def work(row: ImportRow, path: Path) -> None:
        async with step(database, row.made_by, clock.now(), policy) as one:
            area = within(await one.may("contacts"))
        async with database.raw() as connection:
            report = await _read(database, clock, connection, row, path, checks, area, drill_group)
            transaction = connection.transaction()
            await transaction.start()
            try:
                said = await report(connection)
            finally:
                await transaction.rollback()
        await _end(database, clock, row, "ready" if said["read"] > said["refused_rows"] else "refused", said)

    await _on_file(database, clock, number, "checking", work)


async def bring(
    database: Database, clock: Clock, policy: Policy, number: int, checks: Checks, drill_group: str | None
) -> None:
    """Bring a confirmed file in; its rows, its record in the log and its report, or nothing."""

    async def work(row: ImportRow, path: Path) -> None:
        async with step(database, row.made_by, clock.now(), policy) as one:
            area = within(await one.may("contacts"))
        async with database.raw() as connection:
            report = await _read(database, clock, connection, row, path, checks, area, drill_group)
        async with step(database, row.made_by, clock.now(), policy) as one:
            if within(await one.may("contacts")) != area:
                raise DeskRefused(
                    "scope", "the area of your rights was changed meanwhile: send the file again"
                )
            said = await report(await store.driver(one.connection))
            counts = {name: said[name] for name in ("read", "created", "updated", "refused_rows")}
            one.record("imported", f"import {number}", kind=row.kind, sha256=row.sha256, **counts)
            values = {"report": said, "data": None, "ended_at": clock.now(), "rows": said["read"]}
            await store.change_import(one.connection, number, "running", state="done", **values)

    await _on_file(database, clock, number, "running", work)


def safe_name(name: str) -> str:
    """Return a file's name without folders and whatever no line of text may hold."""
    plain = PurePath(name.replace("\\", "/")).name
    return "".join(sign for sign in plain if sign.isprintable())[-_MOST_NAME:] or "-"


async def _alone(one: Step) -> None:
    await desk_store.hold_name(one.connection, _LOCK)
    await store.fail_silent_imports(one.connection, one.now - SILENT, one.now)
    await store.forget_files(one.connection, one.now - KEPT)
    if await store.import_under_way(one.connection):
        raise DeskRefused("import_busy", "another file is under way: wait until it has ended")


async def _read(
    database: Database,
    clock: Clock,
    connection: asyncpg.Connection,
    row: ImportRow,
    path: Path,
    checks: Checks,
    area: str,
    drill_group: str | None,
) -> Callable[[asyncpg.Connection], Awaitable[dict[str, Any]]]:
    """Read a file and return what brings it in and tells the report."""
    if row.kind == "regions":
        _check_everywhere(area)
        found = await _signalled(database, clock, row, lambda: regions.read_regions([path]), lambda: 0)

        async def bring_regions(one: asyncpg.Connection) -> dict[str, Any]:
            return told((await regions.bring_in(one, found))._asdict())

        return bring_regions
    reader = await contacts.open_reader(connection, path, checks, within=area, limits=LIMITS)
    people = await _signalled(database, clock, row, reader.contacts, lambda: reader.read)

    async def bring_contacts(one: asyncpg.Connection) -> dict[str, Any]:
        brought = await contacts.bring_in(one, reader, people, keep=True)
        if area:
            _check_groups(brought, drill_group)
        return told(brought._asdict())

    return bring_contacts


def _check_everywhere(area: str) -> None:
    if area:
        raise DeskRefused(
            "regions_everywhere", "regions are loaded by somebody whose rights hold in every area"
        )


def _check_groups(brought: ImportReport, drill_group: str | None) -> None:
    """Refuse, to somebody of one area, what changes what groups mean for the whole desk."""
    if brought.groups_made or drill_group in brought.groups_changed:
        raise DeskRefused(
            "import_groups",
            "the file makes a group or changes that of drills: leave that out, or ask somebody whose rights "
            "hold everywhere",
        )


async def _signalled(
    database: Database, clock: Clock, row: ImportRow, work: Callable[[], T], rows: Callable[[], int]
) -> T:
    """Do the work in a thread; tell how far it is, and that somebody is at it."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    while not (await asyncio.wait({task}, timeout=SIGN_EVERY))[0]:
        async with database.begin() as connection:
            await store.change_import(connection, row.id, row.state, rows=rows(), seen_at=clock.now())
    return task.result()


async def _on_file(
    database: Database,
    clock: Clock,
    number: int,
    state: str,
    work: Callable[[ImportRow, Path], Awaitable[None]],
) -> None:
    async with database.begin() as connection:
        row, data = await store.import_(connection, number), await store.import_data(connection, number)
    if row is None or data is None or row.state != state:
        return
    try:
        with _laid_down(row, data) as path:
            await work(row, path)
    except FileRefused as refused:
        await _end(database, clock, row, "refused", {"fault": str(refused).removeprefix(_given(row))})
    except DeskRefused as refused:
        await _end(database, clock, row, "failed", {"fault": refused.sentence})
    except (*DATABASE_FAULTS, *AWAY) as error:
        log.warning("import lost the database", error=type(error).__name__)
        with suppress(*DATABASE_FAULTS):  # else whoever looks after a minute ends it
            await _end(database, clock, row, "failed", {"fault": "the database could not be reached"})
    except Exception as error:
        log.exception("import failed", error=type(error).__name__)
        await _end(database, clock, row, "failed", {"fault": "something went wrong here; it has been logged"})


async def _end(database: Database, clock: Clock, row: ImportRow, state: str, report: dict[str, Any]) -> None:
    values: dict[str, Any] = {"report": report, "seen_at": clock.now(), "rows": report.get("read", 0)}
    if state != "ready":
        values |= {"data": None, "ended_at": clock.now()}
    async with database.begin() as connection:
        await store.change_import(connection, row.id, row.state, state=state, **values)


@contextmanager
def _laid_down(row: ImportRow, data: bytes) -> Iterator[Path]:
    """Have the bytes as a file under a name of ours for the time."""
    with TemporaryDirectory(prefix="tongda-import-") as folder:
        path = Path(folder) / _given(row).removesuffix(": ")
        path.write_bytes(data)
        yield path


def _given(row: ImportRow) -> str:
    suffix = PurePath(row.name).suffix.lower()
    return f"file{suffix if suffix in _SUFFIXES else ''}: "


def told(report: dict[str, Any]) -> dict[str, Any]:
    """Return a report as it is kept: counts, and no more rows than somebody reads."""
    refused: list[RowError] = report["refused"]
    notes: list[RowError] = report.get("notes", [])
    return {
        "read": report["read"],
        "created": report["created"],
        "updated": report["updated"],
        "refused_rows": len({one.row for one in refused}),
        "refused": [list(one[1:]) for one in refused[:MOST_ROWS_TOLD]],
        "refused_count": len(refused),
        "notes": [list(one[1:]) for one in notes[:MOST_ROWS_TOLD]],
        "note_count": len(notes),
        "unknown_columns": report["unknown_columns"],
    }
