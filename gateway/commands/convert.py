"""``tongda alert convert``: a CAP file as a national message of China, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import typer

from gateway.alerts.findings import Findings, Refused
from gateway.alerts.foreign import split_name
from gateway.alerts.national import NAMESPACE as NATIONAL
from gateway.alerts.national import lost, parse_national, write_national
from gateway.alerts.node import NAMESPACES as CAP
from gateway.alerts.parse import parse
from gateway.alerts.write import write
from gateway.alerts.xml import Limits, read_tree
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
        Refused: it cannot be read, is in the target format already, or says what the other format cannot.
    """
    _require_other(data, target)
    if target == "cap":
        national = parse_national(data, hazards, lat_first=lat_first)
        return Converted(write(national.alert), national.findings)
    parsed = parse(data)
    message = write_national(parsed.alert, hazards, first_issue=first_issue, lat_first=lat_first)
    return Converted(message, [*parsed.findings, *lost(parsed.alert, hazards, first_issue=first_issue)])


def _require_other(data: bytes, target: str) -> None:
    namespace, name = split_name(read_tree(data, Limits(), Findings()).tag)
    if name != "alert":
        return
    if target == "cap" and namespace in CAP:
        raise Refused("wrong_namespace", f"it is CAP {CAP[namespace]} already; 'tongda alert check' reads it")
    if target == "national" and namespace in ("", NATIONAL):
        words = "it has no namespace of CAP: it is a national message already; --to cap makes CAP of it"
        raise Refused("wrong_namespace", words)


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
