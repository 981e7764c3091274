"""``tongda alert``: look at CAP files."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from gateway.alerts.check import Checked, check
from gateway.alerts.hazards import Hazards, HazardsRefused
from gateway.alerts.xml import Limits
from gateway.commands import convert
from gateway.commands.common import instant, told
from gateway.commands.files import read_at_most, shown
from gateway.desk.office import load_hazards
from gateway.settings import load_settings

if TYPE_CHECKING:
    from gateway.alerts.model import Alert

app = typer.Typer(no_args_is_help=True, help="Look at CAP files.")


@app.callback()
def _alert() -> None:
    """Look at CAP files."""


@app.command("check")
def check_files(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="CAP files, 1.0 to 1.2.")],
    at: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Judge as of this time, e.g. 2026-07-01T08:00:00+08:00."),
    ] = None,
) -> None:
    """Say what is wrong with CAP files: one JSON line each.

    A line has file, verdict (ok, findings or refused), key (sender, identifier and sent, or null) and
    findings (code, severity, path, message). Colours are judged by the hazard table of the settings. The exit
    code is 2 where a file cannot be read, else 0.
    """
    now = instant(at) or datetime.now(UTC)
    hazards = _hazards()
    unread = 0
    for path in files:
        try:
            data = read_at_most(path, Limits().bytes)
        except OSError as error:
            typer.echo(f"{shown(path)}: cannot be read: {error.strerror or 'unknown reason'}", err=True)
            unread += 1
            continue
        typer.echo(orjson.dumps(_line(path, check(data, now=now, hazards=hazards))))
    if unread:
        raise typer.Exit(2)


def _target(text: str) -> str:
    if text not in convert.TARGETS:
        raise typer.BadParameter(f"one of {', '.join(convert.TARGETS)}")
    return text


@app.command("convert")
def convert_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A CAP file, or a national message.")],
    to: Annotated[str, typer.Option(metavar="FORMAT", callback=_target, help="national or cap.")],
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write here, not to the output.")] = None,
    first_issue: Annotated[
        str | None,
        typer.Option(metavar="IDENTIFIER", help="The warning's first message, for an Update or Cancel."),
    ] = None,
    lon_first: Annotated[
        bool, typer.Option("--lon-first", help="Longitude comes first in the national message.")
    ] = False,
) -> None:
    """Write a CAP file as a national message of China (12379), or a national message as CAP 1.2.

    What the other format cannot say, and what was unusual, goes to standard error, one line each. The exit
    code is 2 where the file cannot be read, or says what the other format must not leave out.
    """
    convert.run(file, out, to, _hazards(), first_issue=first_issue, lat_first=not lon_first)


def _hazards() -> Hazards:
    with told(HazardsRefused):
        return load_hazards(load_settings().hazards)


def _line(path: Path, checked: Checked) -> dict[str, Any]:
    alert = checked.parsed.alert if checked.parsed else None
    return {
        "file": shown(path),
        "verdict": checked.verdict,
        "key": _key(alert) if alert else None,
        "findings": checked.findings,
    }


def _key(alert: Alert) -> dict[str, str]:
    return {"sender": alert.sender, "identifier": alert.identifier, "sent": alert.key.sent.isoformat()}
