"""``tongda alert convert``: a CAP file as a national message of China, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import typer

from gateway.alerts.findings import Refused
from gateway.alerts.national import lost, parse_national, write_national
from gateway.alerts.parse import parse
from gateway.alerts.write import write
from gateway.alerts.xml import Limits
from gateway.commands.common import refuse
from gateway.commands.files import read_at_most, shown

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.alerts.findings import Finding
    from gateway.alerts.hazards import Hazards

TARGETS = ("national", "cap")


class Converted(NamedTuple):
    """The file and what is to be said about it."""

    data: bytes
    findings: list[Finding]


def convert(
    data: bytes, target: str, hazards: Hazards, *, first_issue: str | None, lat_first: bool
) -> Converted:
    """Return a message in the other format.

    Raises:
        Refused: it cannot be read, or says what the other format cannot.
    """
    if target == "cap":
        national = parse_national(data, hazards, lat_first=lat_first)
        return Converted(write(national.alert), national.findings)
    parsed = parse(data)
    message = write_national(parsed.alert, hazards, first_issue=first_issue, lat_first=lat_first)
    return Converted(message, [*parsed.findings, *lost(parsed.alert, hazards, first_issue=first_issue)])


def run(
    file: Path, out: Path | None, target: str, hazards: Hazards, *, first_issue: str | None, lat_first: bool
) -> None:
    """Convert a file; findings go to standard error, one a line."""
    try:
        data = read_at_most(file, Limits().bytes)
    except OSError as error:
        refuse(f"{shown(file)}: cannot be read: {error.strerror or 'unknown reason'}")
    try:
        converted = convert(data, target, hazards, first_issue=first_issue, lat_first=lat_first)
    except Refused as refused:
        refuse(f"{shown(file)}: {refused}")
    for one in converted.findings:
        typer.echo(f"{one.severity}: {one.path}: {one.message}", err=True)
    _put(converted.data, out)


def _put(data: bytes, out: Path | None) -> None:
    if out is None:
        typer.get_binary_stream("stdout").write(data)
        return
    try:
        out.write_bytes(data)
    except OSError as error:
        refuse(f"{shown(out)}: cannot be written: {error.strerror or 'unknown reason'}")
