"""``tongda desk``: write warnings, approve them, send them, take them back."""

from __future__ import annotations

import asyncio
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import orjson
import typer
from pydantic import ValidationError

from gateway.alerts.hazards import HazardsRefused
from gateway.alerts.lifecycle import State  # noqa: TC001 - typer reads the annotations
from gateway.alerts.xml import Limits
from gateway.clock import SYSTEM as CLOCK
from gateway.commands import sheets
from gateway.commands.common import about, database_url, instant, told
from gateway.desk.compose import Changes, Fields
from gateway.desk.findings import sentence
from gateway.desk.office import open_office
from gateway.desk.policy import PolicyError
from gateway.desk.refused import DeskRefused
from gateway.desk.render import TemplateError
from gateway.desk.service import Desk
from gateway.settings import load_settings
from gateway.store.database import Database
from gateway.store.desk import Person

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gateway.desk.service import Sheet
    from gateway.store.desk import AlertRow

T = TypeVar("T")

app = typer.Typer(no_args_is_help=True, help="Write, approve, send and take back warnings.")
people = typer.Typer(no_args_is_help=True, help="Who works at the desk.")
app.add_typer(people, name="person")

As = Annotated[str, typer.Option("--as", metavar="LOGIN", help="Who asks.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Number = Annotated[int, typer.Argument(metavar="ALERT", min=1, max=2**63 - 1, help="Number of the alert.")]
Digest = Annotated[
    str,
    typer.Option(metavar="HEX", help="What you looked at, as 'show' prints it; 12 characters are enough."),
]
Text = Annotated[str | None, typer.Option(help="This text in place of the one that stands there.")]
_DIGEST_SHOWN = 12
_BAD = 2


def run(work: Callable[[Desk], Awaitable[T]], file: Path | None = None) -> T:
    """Do one step at the desk; a refusal is one line, which names ``file``, and exit code 1."""

    async def inside(url: str) -> T:
        office = open_office(load_settings())
        async with Database(url, size=2) as database:
            return await work(Desk(database, CLOCK, office))

    try:
        with told(PolicyError, HazardsRefused, TemplateError), database_url() as url:
            return asyncio.run(inside(url))
    except DeskRefused as error:
        typer.echo(f"tongda: {about(file, error) if file else error.sentence}", err=True)
        raise typer.Exit(1) from None


@app.command("draft")
def draft(  # noqa: PLR0917 - options, all named
    login: As,
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="A CAP file; without one the options say it all.")
    ] = None,
    drill: Annotated[
        bool, typer.Option("--drill", help="A drill; the file's status must be Exercise.")
    ] = False,
    region: Annotated[
        str | None, typer.Option(metavar="CODE", help="This region in place of the file's area.")
    ] = None,
    hazard: Annotated[str | None, typer.Option(help="Key or code in hazards.toml.")] = None,
    level: Annotated[str | None, typer.Option(help="red, orange, yellow or blue.")] = None,
    expires: Annotated[str | None, typer.Option(metavar="TIME", help="Until when it holds.")] = None,
    onset: Annotated[str | None, typer.Option(metavar="TIME", help="From when on.")] = None,
    headline: Text = None,
    description: Text = None,
    instruction: Text = None,
    sender_name: Text = None,
    event: Text = None,
    language: Annotated[str | None, typer.Option(help="Language of the texts.")] = None,
    channel: Annotated[list[str] | None, typer.Option(help="Only on this channel; may be repeated.")] = None,
    json: Json = False,
) -> None:
    """Draft a warning from a CAP file or from the options."""
    given = {name: value for name, value in locals().items() if name in Changes.model_fields}
    times = {"onset": instant(onset), "expires": instant(expires)}
    changes = Changes(**given | times, channels=tuple(channel) if channel else None)
    mode = "drill" if drill else "live"
    if file is not None:
        data = _read(file)
        row, how = run(lambda desk: _from_file(desk, data, login, mode, changes), file)
    else:
        written = _fields(given | times | {"mode": mode})
        row, how = run(lambda desk: desk.draft(written, login, changes)), "drafted"
    sheets.say_row(row, f"alert {row.id} {how}; next: tongda desk submit {row.id}", json=json)


async def _from_file(
    desk: Desk, data: bytes, login: str, mode: str, changes: Changes
) -> tuple[AlertRow, str]:
    """Draft the file and say whether that was done before, and by whom."""
    before = await desk.drafted_before(data, mode)
    row = await desk.draft_from_cap(data, login, mode, changes)
    return row, f"was drafted before by {row.author}" if before and before.id == row.id else "drafted"


def _fields(given: dict[str, Any]) -> Fields:
    known = {
        name: value for name, value in given.items() if name in Fields.model_fields and value is not None
    }
    try:
        return Fields.model_validate(known)
    except ValidationError as error:
        first = error.errors()[0]
        name = "--" + str(first["loc"][0]).replace("_", "-")
        what = (
            f"without a FILE, {name} is needed" if first["type"] == "missing" else f"{name}: {first['msg']}"
        )
        raise typer.BadParameter(what) from None


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(Limits().bytes + 1)
    except OSError as error:
        typer.echo(f"tongda: {path}: cannot be read: {error.strerror}", err=True)
        raise typer.Exit(_BAD) from None


@app.command("edit")
def edit(  # noqa: PLR0917 - options, all named
    alert: Number,
    login: As,
    region: Annotated[str | None, typer.Option(metavar="CODE", help="This region as the area.")] = None,
    hazard: Annotated[str | None, typer.Option(help="Key or code in hazards.toml.")] = None,
    level: Annotated[str | None, typer.Option(help="red, orange, yellow or blue.")] = None,
    expires: Annotated[str | None, typer.Option(metavar="TIME", help="Until when it holds.")] = None,
    onset: Annotated[str | None, typer.Option(metavar="TIME", help="From when on.")] = None,
    headline: Text = None,
    description: Text = None,
    instruction: Text = None,
    sender_name: Text = None,
    event: Text = None,
    note: Text = None,
    language: Annotated[str | None, typer.Option(help="The language whose texts change.")] = None,
    channel: Annotated[list[str] | None, typer.Option(help="Only on this channel; may be repeated.")] = None,
    json: Json = False,
) -> None:
    """Change an alert; it is a draft again, and every approval is void."""
    given = {name: value for name, value in locals().items() if name in Changes.model_fields}
    times = {"onset": instant(onset), "expires": instant(expires)}
    changes = Changes(**given | times, channels=tuple(channel) if channel else None)
    row = run(lambda desk: desk.edit(alert, login, changes))
    sheets.say_row(row, f"alert {row.id} is a draft, version {row.version}", json=json)


@app.command("show")
def show(alert: Number, json: Json = False) -> None:
    """Show an alert with everything that an approver signs."""
    sheet = run(lambda desk: desk.show(alert))
    sheets.say_sheet(sheet, json=json)
    _say_alike(sheet)


@app.command("list")
def list_alerts(
    state: Annotated[State | None, typer.Option(help="Only alerts in this state.")] = None, json: Json = False
) -> None:
    """List the latest alerts."""
    sheets.say_rows(run(lambda desk: desk.alerts(state)), json=json)


@app.command("submit")
def submit(alert: Number, login: As, json: Json = False) -> None:
    """Check a draft, freeze whom it reaches and what it says, and ask for approval."""
    row = run(lambda desk: desk.submit(alert, login))
    need = (row.plan or {}).get("approvers")
    text = f"alert {row.id} submitted, needs {need} approval(s); digest {(row.digest or '')[:_DIGEST_SHOWN]}"
    sheets.say_row(row, text, json=json)
    if not json:
        sheets.say_unusual(row)


async def _full_digest(desk: Desk, alert: int, given: str) -> str:
    current = (await desk.show(alert)).alert.digest or ""
    matches = len(given) >= _DIGEST_SHOWN and current.startswith(given.lower())
    return current if matches else given


@app.command("approve")
def approve(alert: Number, login: As, digest: Digest, json: Json = False) -> None:
    """Sign what 'show' printed."""

    async def work(desk: Desk) -> Any:  # noqa: ANN401 - Signed
        return await desk.approve(alert, await _full_digest(desk, alert, digest), login)

    signed = run(work)
    text = f"alert {alert}: {signed.have} of {signed.need} approvals; {signed.alert.state}"
    sheets.say_row(signed.alert, text, json=json)
    _say_alike(run(lambda desk: desk.show(alert)))


def _say_alike(sheet: Sheet) -> None:
    """Tell of signers who may be one person, beside what programs read."""
    for one in sheet.alike:
        typer.echo(f"look at   {sentence(one)}", err=True)


@app.command("reject")
def reject(
    alert: Number,
    login: As,
    digest: Digest,
    reason: Annotated[str, typer.Option(help="Why.")],
    json: Json = False,
) -> None:
    """Send an alert back to its author."""

    async def work(desk: Desk) -> Any:  # noqa: ANN401 - AlertRow
        return await desk.reject(alert, await _full_digest(desk, alert, digest), login, reason)

    row = run(work)
    sheets.say_row(row, f"alert {row.id} is a draft again", json=json)


@app.command("release")
def release(alert: Number, login: As, json: Json = False) -> None:
    """Send an approved alert."""
    done = run(lambda desk: desk.release(alert, login))
    if json:
        typer.echo(orjson.dumps(done._asdict()))
        return
    planned = ", ".join(f"{channel} {count}" for channel, count in done.deliveries.items())
    typer.echo(f"alert {alert}: release {done.id} ({done.reference}) {planned or 'was made before'}")


@app.command("update")
def update(alert: Number, login: As, json: Json = False) -> None:
    """Draft an Update of a released alert."""
    row = run(lambda desk: desk.update(alert, login))
    sheets.say_row(row, f"alert {row.id} drafted as an Update of alert {alert}", json=json)


@app.command("cancel")
def cancel(alert: Number, login: As, json: Json = False) -> None:
    """Submit the Cancel that was prepared with a release."""
    row = run(lambda desk: desk.cancel(alert, login))
    text = f"alert {row.id} cancels alert {alert}: {row.state}; digest {(row.digest or '')[:_DIGEST_SHOWN]}"
    sheets.say_row(row, text, json=json)


@app.command("withdraw")
def withdraw(alert: Number, login: As, json: Json = False) -> None:
    """Give up an alert that was not released."""
    row = run(lambda desk: desk.withdraw(alert, login))
    sheets.say_row(row, f"alert {row.id} withdrawn", json=json)


@people.command("add")
def add_person(
    login: Annotated[str, typer.Argument(help="Login.")],
    name: Annotated[str, typer.Option(help="Name.")],
    role: Annotated[list[str], typer.Option(help="author, approver, releaser, auditor; may be repeated.")],
    inactive: Annotated[bool, typer.Option("--inactive", help="May do nothing (any more).")] = False,
    region: Annotated[
        str | None, typer.Option(metavar="CODE", help="Where the roles hold; everywhere otherwise.")
    ] = None,
    unit: Annotated[str, typer.Option(help="Whose authorisations cover what this person signs.")] = "",
) -> None:
    """Add somebody, or replace what somebody may do, and where."""
    code = region.ljust(12, "0") if region else None
    person = Person(login, name, tuple(role), active=not inactive, region=code, unit=unit)
    run(lambda desk: desk.set_person(person))
    typer.echo(f"{login}: {', '.join(role)}{_reach(person)}")


@people.command("list")
def list_people(json: Json = False) -> None:
    """List who works at the desk."""
    rows = run(lambda desk: desk.people())
    if json:
        typer.echo(orjson.dumps([row._asdict() for row in rows]))
        return
    for row in rows:
        typer.echo(f"{row.login}  {row.name}  {', '.join(row.roles)}{_reach(row)}")


def _reach(person: Person) -> str:
    """Return what narrows the roles of a person, in brackets; nothing where nothing does."""
    said = [person.unit, f"in {person.region}" if person.region else "", "" if person.active else "inactive"]
    narrowed = ", ".join(one for one in said if one)
    return f"  ({narrowed})" if narrowed else ""
