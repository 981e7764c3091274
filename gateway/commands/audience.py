"""``tongda audience``: regions, contacts, and whom an area reaches."""

from __future__ import annotations

import asyncio
import tomllib
from collections import Counter
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import orjson
import typer

from channels.base import adapter
from gateway.alerts.findings import Refused
from gateway.alerts.hazards import Hazards, Level, level_of
from gateway.alerts.parse import parse
from gateway.audience import AreaRefused, from_alert, of_region, resolve, text_of
from gateway.audience.contacts import import_contacts
from gateway.audience.lines import FileRefused
from gateway.audience.regions import load_regions
from gateway.commands.common import database_url, refuse, told
from gateway.settings import load_settings
from gateway.share import share
from gateway.store.database import Database

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from gateway.alerts.model import Alert
    from gateway.audience import Audience
    from gateway.audience.contacts import Checks, ImportReport, RowError

T = TypeVar("T")

app = typer.Typer(no_args_is_help=True, help="Regions, contacts, and whom an area reaches.")

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs, with every row.")]

USUAL = {"sms": "smpp", "email": "smtp", "wecom": "wecom", "radio": "mqtt"}
"""Channel -> kind, where the settings name no channels yet."""

_MOST_SHOWN = 20


@app.callback()
def _audience() -> None:
    """Regions, contacts, and whom an area reaches."""


@app.command("regions")
def regions_command(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="GeoJSON, CSV or XLSX.")],
    *,
    as_json: Json = False,
) -> None:
    """Load regions: polygons of townships from GeoJSON, points and population of villages from a table."""
    report = _on_database(lambda database: load_regions(database, files))
    refused = len(report.refused)
    if as_json:
        typer.echo(orjson.dumps(report._asdict() | {"refused": [row._asdict() for row in report.refused]}))
    else:
        typer.echo(
            f"{report.read} rows read: {report.created} new, {report.updated} updated, {refused} refused"
        )
        _show_unread(report.unknown_columns)
        _show("refused", report.refused)
    _end(files, report.read, refused)


@app.command("import")
def import_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV or XLSX; column names in the first row.")],
    *,
    as_json: Json = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would happen, change nothing.")
    ] = False,
) -> None:
    """Bring contacts in: the good rows get in, each bad one is listed with the reason.

    Ends with exit code 2 where no row at all gets in.

    Columns: 编号 (number), 姓名 (name), 行政区划代码 (region), 角色 (role), 语言 (language), 经度, 纬度,
    分组 (groups) and one or more for each channel (手机, 邮箱, ...). Name and region are needed.
    """
    report = _on_database(lambda database: import_contacts(database, file, _checks(), dry_run=dry_run))
    if as_json:
        typer.echo(orjson.dumps(report.as_json()))
    else:
        _show_import(report)
    _end([file], report.read, report.refused_rows)


@app.command("preview")
def preview_command(
    file: Annotated[Path | None, typer.Argument(metavar="[CAPFILE]", help="A CAP file.")] = None,
    *,
    region: Annotated[str | None, typer.Option(metavar="CODE", help="A division instead of a file.")] = None,
    level: Annotated[Level | None, typer.Option(help="The colour, where the file does not tell.")] = None,
    as_json: Json = False,
) -> None:
    """Count whom an area reaches, by township, role and channel; nothing is kept."""
    if (file is None) == (region is None):
        raise typer.BadParameter("give a CAP file or --region CODE")
    if file is not None:
        alert = _read(file)
        area, text = from_alert(alert), text_of(alert)
        level = level or _level(alert)
    else:
        area, text = of_region(region or ""), ""
    audience = _on_database(
        lambda database: resolve(database, area, level=level or Level.RED, text=text), file
    )
    typer.echo(orjson.dumps(_as_json(audience)) if as_json else _as_text(audience))


def _checks() -> Checks:
    configured = load_settings().channels
    kinds = {name: channel.kind for name, channel in configured.items()} or USUAL
    return {name: adapter(kind).check_address for name, kind in kinds.items()}


def _on_database(work: Callable[[Database], Awaitable[T]], file: Path | None = None) -> T:
    """Run on the database of the settings, a running gateway's, or the embedded one for the time.

    Where ``file`` says the area, a refusal of it names the file.
    """

    async def inside(url: str) -> T:
        async with Database(url, size=2) as database:
            return await work(database)

    try:
        with told(FileRefused), database_url() as url:
            return asyncio.run(inside(url))
    except AreaRefused as error:
        refuse(f"{file}: {error}" if file else str(error))


def _read(path: Path) -> Alert:
    try:
        return parse(path.read_bytes()).alert
    except (OSError, Refused) as error:
        reason = (error.strerror or "unknown reason").lower() if isinstance(error, OSError) else str(error)
        return refuse(f"{path}: {reason}")


def _level(alert: Alert) -> Level | None:
    hazards = Hazards.from_toml(tomllib.loads(share("config/hazards.toml").read_text("utf-8")))
    found = level_of(alert, hazards)
    return found.level if found else None


def _show_import(report: ImportReport) -> None:
    would = "" if report.kept else " (nothing was changed)"
    typer.echo(
        f"{report.file}: {report.read} rows read: {report.created} new, {report.updated} updated, "
        f"{report.refused_rows} refused{would}"
    )
    _show_unread(report.unknown_columns)
    _show("refused", report.refused)
    _show("notes", report.notes)


def _show_unread(columns: Sequence[str]) -> None:
    if columns:
        typer.echo(f"columns that were not read: {', '.join(columns)}")


def _end(files: Sequence[Path], read: int, refused: int) -> None:
    """End with an error where every row was refused."""
    if read and refused == read:
        names = ", ".join(file.name for file in files)
        refuse(f"{names}: every row was refused and nothing came in; correct the rows as listed")


def _show(title: str, rows: Sequence[RowError]) -> None:
    if not rows:
        return
    typer.echo(f"{title}:")
    for row in rows[:_MOST_SHOWN]:
        typer.echo(f"  {row}")
    if len(rows) > _MOST_SHOWN:
        typer.echo(f"  and {len(rows) - _MOST_SHOWN} more; --json prints all")
        for reason, count in Counter(row.reason for row in rows).most_common(5):
            typer.echo(f"  {count} x {reason}")


def _as_json(audience: Audience) -> dict[str, Any]:
    names = ("people", "unreachable", "per_township", "per_role", "per_channel")
    return audience.as_json() | {name: getattr(audience, name) for name in names}


def _as_text(audience: Audience) -> str:
    lines = [f"{audience.people} contacts, {audience.unreachable} of them without an address"]
    lines += [f"  {hit.code} {hit.name}: {hit.reason}" for hit in audience.hits]
    for title, counts in (
        ("by township", audience.per_township),
        ("by role", audience.per_role),
        ("by channel", audience.per_channel),
    ):
        lines.append(title)
        lines += [f"  {audience.names.get(key, '')} {key}: {count}" for key, count in counts.items()]
    lines += [f"{one.severity}: {one.path}: {one.message}" for one in audience.findings]
    return "\n".join(lines)
