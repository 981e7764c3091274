"""People (人员): the contacts whom warnings reach, one by one; their addresses stay masked."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlencode

from aiohttp import web

from channels.base import adapter
from gateway.audience import codes
from gateway.audience.columns import CHANNELS as USUAL_CHANNELS
from gateway.audience.columns import ROLES, Fault
from gateway.audience.entry import ADDRESS, Entry, Regions, read_entry
from gateway.audience.masking import masked
from gateway.desk import contacts as service
from gateway.desk.policy import Step as Right  # noqa: TC001 - read by the table of rights
from gateway.desk.steps import step
from gateway.store import people_pages as store
from gateway.web.console.people_words import LANGUAGES, fault_words, table
from gateway.web.console.routing import Routes

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.audience.contacts import Checks
    from gateway.desk.steps import Step
    from gateway.store.people_pages import AddressRow, ContactRow
    from gateway.web.console.visit import Visit

routes = Routes()

PAGE = 50
MOST_PAGES = 2_000
MOST_OFFERED = 500
"""Regions that a form offers by name; any other is typed."""
SEEN: Right = "contacts"
_LONGEST = 100


class Shown(NamedTuple):
    """A contact as a list shows it."""

    row: ContactRow
    addresses: list[tuple[str, str]]
    """(channel, masked address)."""


def step_of(visit: Visit) -> AbstractAsyncContextManager[Step]:
    """Open one step of the person who asks."""
    console = visit.console
    return step(console.database, visit.login, visit.now, console.office.policy)


def checks_of(visit: Visit) -> Checks:
    """Return channel -> its adapter's check of addresses; the usual ones where no channel is set up yet."""
    routes_ = visit.console.office.routes
    kinds = {name: one.kind for name, one in routes_.items()} or {
        "sms": "smpp",
        "email": "smtp",
        "wecom": "wecom",
        "radio": "mqtt",
    }
    return {name: adapter(kinds[name]).check_address for name in sorted(kinds, key=_usual)}


def _usual(channel: str) -> tuple[int, str]:
    """Return where a channel stands among others: the usual ones first."""
    order = list(USUAL_CHANNELS)
    return (order.index(channel) if channel in order else len(order)), channel


def fixed_group(visit: Visit) -> str | None:
    """Return the name of the group whose members the person may not change: that of drills, with a region."""
    return visit.console.office.group("drill") if visit.person.region else None


def number_of(text: str) -> int | None:
    """Return the number that a field holds, if it holds one that can be a row's."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None  # noqa: PLR2004 - bigint


def wanted_of(visit: Visit) -> store.Wanted:
    """Return which contacts the address of a list asks for."""
    asked = visit.request.query
    return store.Wanted(
        within=service.within(visit.person),
        words=asked.get("q", "").strip()[:_LONGEST],
        prefix=_prefix(asked.get("region", "").strip()),
        role=asked.get("role", "") if asked.get("role", "") in ROLES else "",
        channel=asked.get("channel", "") if asked.get("channel", "") in {*checks_of(visit), "none"} else "",
        group=number_of(asked.get("group", "")),
        active=asked.get("active") != "0",
    )


def _prefix(code: str) -> str:
    try:
        return codes.parse_code(code).prefix
    except codes.CodeRefused:
        return ""


async def shown(connection: AsyncConnection, rows: list[ContactRow]) -> list[Shown]:
    """Return contacts with their addresses, masked."""
    found = await store.addresses_of(connection, [row.id for row in rows]) if rows else {}
    return [
        Shown(row, [(one.channel, masked(one.address)) for one in _ordered(found[row.id])]) for row in rows
    ]


def _ordered(addresses: list[AddressRow]) -> list[AddressRow]:
    return sorted(addresses, key=lambda one: (*_usual(one.channel), one.id))


@routes.get("/people", SEEN)
async def people(visit: Visit) -> web.StreamResponse:
    """List and search contacts."""
    wanted = wanted_of(visit)
    page = min(number_of(visit.request.query.get("page", "")) or 1, MOST_PAGES)
    async with visit.console.database.begin() as connection:
        total, rows = await store.found(connection, wanted, (page - 1) * PAGE, PAGE)
        listed = await shown(connection, rows)
        groups = await store.group_names(connection)
        region = await store.region(connection, wanted.prefix.ljust(12, "0")) if wanted.prefix else None
    kept = {name: value for name, value in visit.request.query.items() if name != "page" and value}
    return visit.render(
        "people/list.html",
        wanted=wanted,
        region=region,
        total=total,
        page=page,
        pages=max(1, -(-total // PAGE)),
        people=listed,
        groups=groups,
        channels=list(checks_of(visit)),
        roles=list(ROLES),
        query=urlencode(kept),
    )


@routes.get("/people/new", SEEN)
async def new(visit: Visit) -> web.StreamResponse:
    """Show the empty form of a contact."""
    values = {"language": "zh-CN", "active": "1", "role": "responsible"}
    values["region"] = visit.request.query.get("region", "")[:_LONGEST]
    return await _form(visit, None, values, {}, set())


@routes.post("/people/new", SEEN)
async def add(visit: Visit) -> web.StreamResponse:
    """Add a contact."""
    values, groups = await _sent(visit)
    entry, faults = await _read(visit, values)
    if entry is None:
        return await _form(visit, None, values, faults, groups, 422)
    async with step_of(visit) as one:
        number = await service.add(one, entry, groups, visit.console.office.group("drill"))
    return visit.go(f"/people/{number}")


@routes.get("/people/{id:[0-9]{1,18}}", SEEN)
async def person(visit: Visit) -> web.StreamResponse:
    """Show one contact with its masked addresses."""
    return await _page(visit, None)


@routes.post("/people/{id:[0-9]{1,18}}/reveal", "reveal")
async def reveal(visit: Visit) -> web.StreamResponse:
    """Show the addresses of a contact whole, on this answer only; the look is logged."""
    why = await visit.text("reason")
    async with step_of(visit) as one:
        addresses = await service.reveal(one, visit.number(), why)
    return await _page(visit, addresses)


@routes.get("/people/{id:[0-9]{1,18}}/edit", SEEN)
async def edit(visit: Visit) -> web.StreamResponse:
    """Show the form of a contact."""
    row = await _contact(visit)
    async with visit.console.database.begin() as connection:
        groups = {number for number, _ in await store.groups_of(connection, row.id)}
    values = {name: str(value or "") for name, value in row._asdict().items() if name != "active"}
    values["active"] = "1" if row.active else ""
    return await _form(visit, row, values, {}, groups)


@routes.post("/people/{id:[0-9]{1,18}}/edit", SEEN)
async def change(visit: Visit) -> web.StreamResponse:
    """Change a contact."""
    row = await _contact(visit)
    values, groups = await _sent(visit)
    entry, faults = await _read(visit, values)
    if entry is None:
        return await _form(visit, row, values, faults, groups, 422)
    dropped = await _numbers(visit, "drop")
    async with step_of(visit) as one:
        await service.change(one, row.id, entry, dropped, groups, visit.console.office.group("drill"))
    return visit.go(f"/people/{row.id}")


async def _contact(visit: Visit) -> ContactRow:
    async with visit.console.database.begin() as connection:
        row = await store.contact(connection, visit.number())
    if row is None or not row.region.startswith(service.within(visit.person)):
        raise web.HTTPNotFound
    return row


async def _page(visit: Visit, whole: list[AddressRow] | None) -> web.StreamResponse:
    row = await _contact(visit)
    async with visit.console.database.begin() as connection:
        [listed] = await shown(connection, [row])
        groups = await store.groups_of(connection, row.id)
    addresses = (
        [(one.channel, one.address) for one in _ordered(whole)] if whole is not None else listed.addresses
    )
    answer = visit.render(
        "people/person.html",
        row=row,
        addresses=addresses,
        revealed=whole is not None,
        groups=groups,
        limit=service.REVEALS,
        languages=table(visit, LANGUAGES),
    )
    answer.headers["Cache-Control"] = "no-store"
    return answer


async def _form(
    visit: Visit,
    row: ContactRow | None,
    values: dict[str, str],
    faults: dict[str, Fault],
    chosen: set[int],
    status: int = 200,
) -> web.StreamResponse:
    within = service.within(visit.person)
    async with visit.console.database.begin() as connection:
        own = (await store.addresses_of(connection, [row.id]))[row.id] if row else []
        groups = await store.group_names(connection)
        offered = await store.region_names(connection, within)
    return visit.render(
        "people/edit.html",
        status,
        row=row,
        values=values,
        faults={name: fault_words(visit, fault) for name, fault in faults.items()},
        own=[(one.id, one.channel, masked(one.address)) for one in _ordered(own)],
        groups=groups,
        chosen=chosen,
        fixed=fixed_group(visit),
        offered=offered[:MOST_OFFERED],
        channels=list(checks_of(visit)),
        roles=list(ROLES),
        languages=table(visit, LANGUAGES),
        address=ADDRESS,
    )


async def _sent(visit: Visit) -> tuple[dict[str, str], set[int]]:
    form = await visit.form()
    values = {name: value for name, value in form.items() if isinstance(value, str)}
    return values, await _numbers(visit, "group")


async def _numbers(visit: Visit, field: str) -> set[int]:
    """Return the numbers of all fields of one name; what is none is left out."""
    sent = (await visit.form()).getall(field, [])
    return {found for one in sent if isinstance(one, str) and (found := number_of(one)) is not None}


async def _read(visit: Visit, values: dict[str, str]) -> tuple[Entry | None, dict[str, Fault]]:
    async with visit.console.database.begin() as connection:
        names = await store.region_names(connection, service.within(visit.person))
    return read_entry(values, Regions(names), checks_of(visit))
