"""Who was not reached, why, and what to do next: a list to work through, to print and to export.

The two lists are those that the coverage counts: responsible persons who did not confirm (未叫应名单), and
everybody whom nothing reached. A person whose rights hold in one region sees that region's people only.
"""

from __future__ import annotations

import csv
from io import StringIO
from typing import TYPE_CHECKING, Any, NamedTuple

import structlog
from aiohttp import web

from channels.base import Proof, mask
from gateway.coverage.sheet import inert
from gateway.desk.scope import prefix_of
from gateway.store import release_page as store
from gateway.store.coverage import Standing
from gateway.web.console.filters import CHANNELS, GROUPS, N_
from gateway.web.console.release import head_of
from gateway.web.console.routing import Routes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.store.release_page import Missed
    from gateway.web.console.visit import Visit

routes = Routes()
log = structlog.get_logger(__name__)

PART, PAGE, LARGEST_PAGE = 20, 50, 1000
"""Lines of the list as a part of the release page, by itself, and to print."""
_EXPORTED_AT_ONCE = 1000
_TOWNSHIP_DIGITS = 9
_BOM = "\N{ZERO WIDTH NO-BREAK SPACE}"

EVERYBODY = tuple(GROUPS)
FIRST = ("responsible",)
WHO = {"responsible": N_("Responsible persons not confirmed"), "all": N_("Everybody not reached")}

WHY = {
    Standing.NO_ADDRESS: N_("No address for any channel"),
    Standing.FAILED: N_("Failed on every channel"),
    Standing.UNKNOWN: N_("Handed over, no answer"),
    Standing.PENDING: N_("Still being sent"),
    Standing.ACCEPTED: N_("Accepted, no receipt"),
    Standing.DELIVERED: N_("Delivered, not confirmed"),
    Standing.READ: N_("Read, not confirmed"),
}
NEXT_STEPS = {
    "responsible": N_("Call; no answer: the deputy; then go there"),
    "informant": N_("Call; no answer: the village's responsible person; then go there"),
    "liaison": N_("Call the unit's duty phone"),
    "resident": N_("Have the village's responsible person or informant go there"),
    "group": N_("Call the group's owner"),
    "device": N_("Check power and line; meanwhile tell by voice"),
}
NO_ADDRESS_STEP = N_("Go there or pass it on; then note an address in the register")
COLUMNS = (
    N_("Township"),
    N_("Village (community)"),
    N_("Kind of person"),
    N_("Name in the register"),
    N_("Number or address"),
    N_("Why not"),
    N_("Code given"),
    N_("Next step"),
)


class Person(NamedTuple):
    """One line of the list; the address is masked."""

    contact: int
    township: str
    place: str
    role: str
    name: str
    addresses: list[tuple[str, str]]
    why: Standing
    codes: list[tuple[str, str]]
    """Channel and the last word of the provider on it."""
    deliveries: list[int]
    near: list[str]
    """People of the same place who confirmed."""

    @property
    def step(self) -> str:
        """What to do next, in English words."""
        return NO_ADDRESS_STEP if self.why is Standing.NO_ADDRESS else NEXT_STEPS[self.role]


@routes.get(r"/releases/{id:\d{1,18}}/unreached", "see")
async def unreached(visit: Visit) -> web.StreamResponse:
    """Show one page of a list."""
    query = visit.request.query
    size = min(_whole(query.get("size")) or (PART if visit.partial else PAGE), LARGEST_PAGE)
    async with visit.console.database.begin() as connection:
        head = await head_of(visit, connection)
        who = asked(visit, head)
        rows = await store.missed(connection, who, _whole(query.get("after")), size + 1)
        people = await _people(connection, who, rows[:size])
    context = {
        "head": head,
        "mode": head.mode,
        "people": people,
        "chosen": _chosen(visit),
        "more": people[-1].contact if len(rows) > size else None,
        "who": WHO,
        "why": WHY,
    }
    return visit.render(
        "release/unreached.html" if visit.partial else "release/unreached_page.html", **context
    )


@routes.get(r"/releases/{id:\d{1,18}}/unreached.csv", "contacts")
async def export(visit: Visit) -> web.StreamResponse:
    """Give a list as CSV; addresses stay masked, and no cell is one that a spreadsheet computes."""
    async with visit.console.database.begin() as connection:
        head = await head_of(visit, connection)
    who = asked(visit, head)
    log.info(
        "list of those not reached exported", login=visit.login, release=head.id, list=_chosen(visit)["who"]
    )
    response = web.StreamResponse(
        headers={
            "Content-Type": "text/csv; charset=utf-8",
            "Content-Disposition": f'attachment; filename="unreached-{head.reference}.csv"',
        }
    )
    await response.prepare(visit.request)
    await response.write((_BOM + _sheet([[visit.say(column) for column in COLUMNS]])).encode())
    async for people in _all(visit, who):
        await response.write(_sheet([_cells(visit, one) for one in people]).encode())
    await response.write_eof()
    return response


def asked(visit: Visit, head: Row[Any]) -> Missed:
    """Return whom the address asks for, within what the person may see."""
    chosen = _chosen(visit)
    prefix = chosen["township"][:_TOWNSHIP_DIGITS]
    own = prefix_of(visit.person.region) if visit.person.region else ""
    if not prefix.startswith(own):
        prefix = own if own.startswith(prefix) else "-"  # nobody's code begins so
    first = chosen["who"] == "responsible"
    return store.Missed(
        release=head.id,
        target_list=head.target_list_id,
        roles=FIRST if first else EVERYBODY,
        below=Standing.CONFIRMED if first else Standing.DELIVERED,
        prefix=prefix,
        standing=int(chosen["why"]) if chosen["why"] else None,
    )


def _chosen(visit: Visit) -> dict[str, str]:
    query = visit.request.query
    who, why, township = query.get("who", ""), query.get("why", ""), query.get("township", "")
    return {
        "who": who if who in WHO else "responsible",
        "why": why if why in {str(int(one)) for one in WHY} else "",
        "township": township if township.isascii() and township.isdigit() else "",
    }


def _whole(text: str | None, otherwise: int = 0) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= 18 else otherwise  # noqa: PLR2004 - what a bigint holds


async def _all(visit: Visit, who: Missed) -> AsyncIterator[list[Person]]:
    """Yield a list in pieces: responsible persons first, since they are called first."""
    rest = tuple(role for role in who.roles if role not in FIRST)
    for roles in (FIRST, rest):
        after = 0
        while roles:
            async with visit.console.database.begin() as connection:
                some = who._replace(roles=roles)
                rows = await store.missed(connection, some, after, _EXPORTED_AT_ONCE)
                people = await _people(connection, some, rows)
            yield people
            if len(rows) < _EXPORTED_AT_ONCE:
                break
            after = rows[-1].contact_id


async def _people(connection: AsyncConnection, who: Missed, rows: Sequence[Row[Any]]) -> list[Person]:
    if not rows:
        return []
    places = {row.region for row in rows}
    tried = _by(await store.tried(connection, who.release, {row.id for row in rows}), "target_id")
    near = _by(await store.confirmed_near(connection, who.release, who.target_list, places), "region")
    names = await store.names(connection, {row.contact_id for row in rows})
    regions = await store.region_names(connection, places | {_township(code) for code in places})
    return [
        Person(
            contact=row.contact_id,
            township=regions.get(_township(row.region), ""),
            place=regions.get(row.region, row.region),
            role=row.role,
            name=names.get(row.contact_id, ""),
            addresses=[(channel, mask(address)) for channel, address in sorted(row.addresses.items())],
            why=Standing(row.standing),
            codes=[
                (one.channel, one.code)
                for one in tried.get(row.id, ())
                if one.code and one.state < Proof.DELIVERED
            ],
            deliveries=[one.id for one in tried.get(row.id, ())],
            near=[one.name for one in near.get(row.region, ())][:2],
        )
        for row in rows
    ]


def _township(code: str) -> str:
    return code[:_TOWNSHIP_DIGITS].ljust(12, "0")


def _by(rows: Sequence[Row[Any]], name: str) -> dict[Any, list[Row[Any]]]:
    found: dict[Any, list[Row[Any]]] = {}
    for row in rows:
        found.setdefault(getattr(row, name), []).append(row)
    return found


def _cells(visit: Visit, one: Person) -> list[str]:
    def say(channel: str) -> str:
        return visit.say(CHANNELS[channel]) if channel in CHANNELS else channel

    return [
        one.township,
        one.place,
        visit.say(GROUPS[one.role]),
        one.name,
        "; ".join(f"{say(channel)} {address}" for channel, address in one.addresses),
        visit.say(WHY[one.why]),
        "; ".join(f"{say(channel)} {code}" for channel, code in one.codes),
        visit.say(one.step),
    ]


def _sheet(rows: Sequence[Sequence[str]]) -> str:
    file = StringIO()
    writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerows([inert(cell) for cell in row] for row in rows)
    return file.getvalue()
