"""``tongda coverage``: who was reached by a release."""

from __future__ import annotations

import asyncio
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated

import typer

from gateway import coverage as reports
from gateway.commands.common import database_url, refuse, told
from gateway.settings import load_settings
from gateway.store.database import Database


def coverage(
    release: Annotated[str, typer.Argument(metavar="RELEASE", help="The release's id or reference.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a page to this file.")] = None,
    csv: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a sheet to this file.")] = None,
    lang: Annotated[str, typer.Option(help="zh or en.")] = "zh",
) -> None:
    """Show who was reached by a release, by township, channel and role."""
    if lang not in reports.LANGUAGES:
        refuse(f"--lang {lang}: reports are written in {' and '.join(reports.LANGUAGES)}")
    with told(reports.ReleaseUnknown), database_url() as url:
        measured = asyncio.run(_measure(url, release))
        settings = load_settings()
    zone = settings.desk.zone
    if html:
        _write(html, reports.render_html(measured, lang, zone))
    if csv:
        _write(csv, reports.render_csv(measured, lang, zone))
    typer.echo(measured.model_dump_json(indent=2) if as_json else reports.render_text(measured, lang, zone))


async def _measure(url: str, release: str) -> reports.Coverage:
    async with Database(url, size=1) as database:
        return await reports.coverage(database, release)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        refuse(f"{path} cannot be written: {error.strerror}")
