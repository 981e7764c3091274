"""Print alerts for people at a terminal, or as JSON for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import typer

from channels.base import HOLE
from gateway.desk import unusual
from gateway.desk.findings import sentence
from gateway.desk.steps import alert_of
from gateway.dispatch.contents import CONFIRM

if TYPE_CHECKING:
    from gateway.desk.service import Sheet
    from gateway.store.desk import AlertRow

_HIDDEN = ("xml", "original")


def row_json(row: AlertRow) -> dict[str, Any]:
    """Return an alert as JSON values, without the documents."""
    return {name: getattr(row, name) for name in row.__slots__ if name not in _HIDDEN}


def say_row(row: AlertRow, sentence: str, *, json: bool) -> None:
    """Print what a step led to."""
    typer.echo(orjson.dumps(row_json(row)) if json else sentence)


def say_unusual(row: AlertRow) -> None:
    """Print why an alert needs further approvers for going to unusually many; nothing where it does not."""
    for one in unusual.told(row.plan):
        typer.echo(f"look at   {sentence(one)}")


def say_rows(rows: list[AlertRow], *, json: bool) -> None:
    """Print a list of alerts."""
    if json:
        typer.echo(orjson.dumps([row_json(row) for row in rows]))
        return
    for row in rows:
        first = next(iter(alert_of(row).infos), None)
        where = "、".join(area.area_desc for area in first.areas) if first else ""
        event = first.event if first else ""
        mark = "DRILL " if row.mode == "drill" else ""
        typer.echo(f"{row.id:>6}  {row.state:<9} {mark}{row.msg_type:<6} {row.level:<6} {event}  {where}")


def say_sheet(sheet: Sheet, *, json: bool) -> None:
    """Print all that an approver signs: whom it reaches, on which channels, in which words."""
    if json:
        typer.echo(orjson.dumps(sheet_json(sheet)))
        return
    row = sheet.alert
    typer.echo(f"alert {row.id}, {row.mode} {row.msg_type}, {row.level}, {row.state}, version {row.version}")
    typer.echo(f"number    {row.identifier}\nexpires   {row.expires.isoformat()}")
    if row.plan and "lane" in row.plan:
        typer.echo(
            f"plan      {', '.join(row.plan['channels'])}; {row.plan['lane']}; recipients {sheet.recipients}"
        )
    for finding in (row.plan or {}).get("findings", ()):
        typer.echo(f"look at   {sentence(finding)}")
    if row.digest:
        typer.echo(f"digest    {row.digest}")
        signed = [one.person for one in sheet.signatures if one.decision == "approve"]
        typer.echo(f"approved  by {', '.join(signed) or 'nobody'} ({len(signed)} of {sheet.need})")
    if sheet.release:
        typer.echo(f"release   {sheet.release.id} ({sheet.release.reference}), {sheet.release.state}")
    if sheet.cancel:
        typer.echo(f"cancel    alert {sheet.cancel.id}, {sheet.cancel.state}")
    for channel, texts in (row.texts or {}).items():
        for key, content in texts.items():
            who = " for responsible persons" if key.endswith(CONFIRM) else ""
            said = content["text"].replace(HOLE, "<confirm link>")
            typer.echo(f"\n[{channel}, {key.removesuffix(CONFIRM)}{who}] {content['subject']}\n{said}")


def sheet_json(sheet: Sheet) -> dict[str, Any]:
    """Return an alert with its signatures, release and prepared Cancel as JSON values."""
    return row_json(sheet.alert) | {
        "signatures": [one._asdict() for one in sheet.signatures],
        "need": sheet.need,
        "recipients": sheet.recipients,
        "release": sheet.release._asdict() if sheet.release else None,
        "cancel": sheet.cancel.id if sheet.cancel else None,
    }
