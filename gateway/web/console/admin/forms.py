"""What the forms of these pages have in common: times, regions, steps, and what was done."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NoReturn

from gateway.audience.codes import CodeRefused, parse_code
from gateway.desk.refused import DeskRefused
from gateway.desk.steps import step
from gateway.store import desk as desk_store
from gateway.store import rights
from gateway.web.console.filters import N_

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from gateway.desk.steps import Step
    from gateway.store.desk import Person
    from gateway.store.rights import RegionName
    from gateway.web.console.visit import Visit

DONE = {
    "saved": N_("Saved."),
    "ended": N_("Ended."),
    "removed": N_("Removed."),
    "revoked": N_("Revoked."),
}
"""What a page says after a step, by the word in its address."""

REGION_LEVELS = {
    "province": N_("Province"),
    "city": N_("City"),
    "county": N_("County"),
    "township": N_("Township"),
    "village": N_("Village"),
}


def begin(visit: Visit) -> AbstractAsyncContextManager[Step]:
    """One step of the person who asks."""
    console = visit.console
    return step(console.database, visit.login, visit.now, console.office.policy)


def done(visit: Visit) -> str:
    """Return what the page says about the step that led to it, empty where none did."""
    return DONE.get(visit.request.query.get("done", ""), "")


def refuse(visit: Visit, words: str, **values: object) -> NoReturn:
    """Refuse a form, in the language of the visit."""
    raise DeskRefused("form", visit.say(words, **values))


async def moment(visit: Visit, name: str) -> datetime:
    """Return a time of the form, which is written in the desk's zone."""
    text = await visit.text(name)
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=visit.console.zone)).astimezone(
            visit.console.zone
        )
    except (ValueError, OverflowError):
        refuse(visit, N_("Give day and time in full, e.g. 2026-07-01T08:00."))


async def region(visit: Visit, name: str = "region") -> str | None:
    """Return the code of a region in the form; None where it was left empty."""
    text = await visit.text(name)
    if not text:
        return None
    try:
        return parse_code(text).digits
    except CodeRefused:
        refuse(visit, N_("A region is chosen by its code: 6, 9 or 12 digits."))


async def number(visit: Visit, name: str, default: int) -> int:
    """Return a small number of the form."""
    text = await visit.text(name)
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 4 else default  # noqa: PLR2004 - small


def written(visit: Visit, at: datetime) -> str:
    """Return a time as a field of the form has it, in the desk's zone, without seconds."""
    return f"{at.astimezone(visit.console.zone):%Y-%m-%dT%H:%M}"


def next_hour(visit: Visit, hours: int = 0) -> str:
    """Return the next full hour and so many more, as a field of the form has it."""
    full = visit.now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1 + hours)
    return written(visit, full)


async def region_choices(visit: Visit) -> list[RegionName]:
    """Return the regions that a form offers."""
    async with visit.console.database.begin() as connection:
        return await rights.region_choices(connection)


async def everybody(visit: Visit) -> list[Person]:
    """Return everybody of the desk."""
    async with visit.console.database.begin() as connection:
        return await desk_store.list_people(connection)
